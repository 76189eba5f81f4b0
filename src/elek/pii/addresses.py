"""Addresses on the network: e-mail, IPv4, IPv6."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

_LOCAL = re.compile(r"[^\W_][\w.+%'\-]{0,63}\Z")
_FILE_EXTENSION = (
    "png|jpe?g|gif|svg|webp|ico|bmp|css|m?js|ts|json|xml|html?|txt|md|rst|pyc?|rb|php|java|so|dll|exe|zip|gz|tar|pdf|"
    "mp[34]|woff|ttf"
)
"""`logo@2x.png` is a picture for sharp screens. Two of these are countries too (md, so) and py, but such
addresses are rarer than such files."""
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[^\W_]|-(?=[^\W_]|-)){0,62}\.){1,8}"
    rf"(?!(?:{_FILE_EXTENSION})(?![\w.]))(?:[^\W\d_]{{2,24}}|xn--[a-z0-9\-]{{2,58}})(?!_*[^\W_]|_*@)",
    re.IGNORECASE,
)


# "ali (at) ornek.org", "ali[at]ornek[dot]org"; but "if (at) list.append(" is a program.
WRITTEN_AT = re.compile(r"(?<![ ]if)(?<!while)[ ]?[\[({<]at[\])}>][ ]?(?=[^\W_])", re.IGNORECASE)
_WRITTEN_DOMAIN = re.compile(
    r"(?:[^\W_][\w\-]{0,62}(?:\.|[ ]?[\[({<]dot[\])}>][ ]?)){1,8}[^\W\d_]{2,24}(?![\w(\[]|[ ][=(\[])", re.IGNORECASE
)

_PATH = re.compile(r"[:/]\S")


def email_at(text: str, at: int) -> tuple[int, int] | None:
    """The e-mail address around the @ at `at` (RFC 5321 without quoted local parts; international letters pass)."""
    domain = _DOMAIN.match(text, at + 1)
    if not domain:
        return None
    local = _LOCAL.search(text[max(at - 64, 0) : at])
    if not local or local[0].endswith("."):
        return None
    if local[0] == "git" and _PATH.match(text, domain.end()):  # where a repository lies
        return None
    return at - len(local[0]), domain.end()


def written_email(text: str, at: re.Match[str]) -> tuple[int, int] | None:
    """The e-mail address around a match of WRITTEN_AT."""
    domain = _WRITTEN_DOMAIN.match(text, at.end())
    local = _LOCAL.search(text[max(at.start() - 64, 0) : at.start()]) if domain else None
    return (at.start() - len(local[0]), domain.end()) if domain and local else None


_QUAD = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?![\w]|\.[\w\[]|-[\w\[])")
_VERSION_WORD = re.compile(
    r"(?:\bv|\bver|version|release|sürüm\w*|section|bölüm\w*|madde\w*|paragraph|§|==|[<>]=|~=)[\s.:/]*\Z", re.IGNORECASE
)
_SPECIAL = re.compile(
    r"(?:0|10|127|22[4-9]|2[3-5][0-9])\.|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|169\.254\."
    r"|172\.(?:1[6-9]|2[0-9]|3[01])\.|192\.(?:0\.[02]|88\.99|168)\.|198\.(?:1[89]|51\.100)\.|203\.0\.113\."
)
"""IANA's special-purpose registry, written out: what `ipaddress.is_global` says differs between Pythons."""

LARGE_OCTET = 32
"""Four numbers of which fewer than two reach this are a version (4.2.26.1) or a heading (49.6.4.13); so are 0.7 %
of all addresses, 8.8.8.8 among them."""


def ipv4_at(text: str, at: int) -> tuple[int, int] | None:
    """The public IPv4 address that starts at `at`; not a version (4.2.26.1), and not a section number."""
    found = _QUAD.match(text, at)
    if not found or re.search(r"[\w\]][.\-]\Z", text[max(at - 2, 0) : at]):
        return None
    octets = [int(octet) for octet in found.groups()]
    if max(octets) > 255 or [str(octet) for octet in octets] != list(found.groups()):  # no leading zeros
        return None
    if sum(octet >= LARGE_OCTET for octet in octets) < 2 or _VERSION_WORD.search(text[max(at - 16, 0) : at]):
        return None
    return None if _SPECIAL.match(found[0]) else found.span()


# Two colons with a hexadecimal digit between or behind: the literal first character makes this a fast scan.
_V6_HINT = re.compile(r":(?:[0-9A-Fa-f]{1,4}:|:[0-9A-Fa-f])")
_HEX_END = re.compile(r"[0-9A-Fa-f]*\Z")
_GOES_ON = re.compile(r"[\w:]")
_V6_CHARACTERS = re.compile(r"[0-9A-Fa-f:]*")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = [ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
V6_LENGTH = 39


def ipv6_spans(text: str) -> Iterator[tuple[int, int]]:
    """Public IPv6 addresses: global unicast (RFC 4291) less what is set aside for protocols and documentation."""
    end = 0
    for hint in _V6_HINT.finditer(text):
        if hint.start() < end:
            continue
        before = _HEX_END.search(text[max(hint.start() - 4, end) : hint.start()])
        start = hint.start() - (len(before[0]) if before else 0)
        found = _V6_CHARACTERS.match(text, start, start + V6_LENGTH + 1)
        if not found:
            continue
        end = found.end()
        if _GOES_ON.match(text[start - 1 : start]) or _GOES_ON.match(text[end : end + 1]):
            continue
        candidate = found[0].rstrip(":")
        if found[0].endswith("::") and text[end : end + 1] == "/":
            candidate = found[0]  # a network; `2008::` without a prefix length opens a block in reStructuredText
        try:
            address = ipaddress.IPv6Address(candidate)
        except ValueError:
            continue
        if address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_V6):
            yield start, start + len(candidate)
