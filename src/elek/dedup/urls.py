"""URLs that lead to one page, written alike.

Of two URLs that differ in nothing but the following, a web server as good as always sends the same page: `http` or
`https`; capitals in the host's name; the port that the scheme has by itself (80, 443); the fragment behind `#`; a
slash at the end of the path; and parameters that tell the site where the visitor came from (`TRACKING`). Everything
else counts: `www.`, the order and the values of other parameters, capitals in the path.

A URL in which personal data was masked is compared with none: `?user=[EMAIL]` was as many pages as there are users.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from elek.pii import holds_placeholder

TRACKING = frozenset(
    {
        "fbclid",
        "gclid",
        "dclid",
        "gbraid",
        "wbraid",
        "msclkid",
        "yclid",
        "twclid",
        "ttclid",
        "igshid",
        "mc_cid",
        "mc_eid",
    }
)
"""Beside those that begin with `utm_`."""
_PORTS = {"http": 80, "https": 443}


def normalise_url(url: str) -> str | None:
    """The URL in the one form that is compared; None for one that is empty or masked. What is no web address stays."""
    url = url.strip()
    if holds_placeholder(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number, a broken IPv6 address
        return url
    if parts.scheme not in _PORTS or not parts.hostname:
        return url or None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _PORTS[parts.scheme]:
        host += f":{port}"
    query = "&".join(item for item in parts.query.split("&") if item and not _tracks(item))
    return f"{host}{parts.path.rstrip('/')}" + (f"?{query}" if query else "")


def _tracks(item: str) -> bool:
    name = item.partition("=")[0].lower()
    return name.startswith("utm_") or name in TRACKING
