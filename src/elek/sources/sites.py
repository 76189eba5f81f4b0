"""What a site says of all its pages to those who gather text: robots.txt (RFC 9309) and tdmrep.json (TDM Reservation
Protocol, W3C community group report 2024).

Of robots.txt only a group that names such a crawler counts. `User-agent: *` speaks of crawling, which has happened,
and not of what becomes of the text. Where several marks speak of a page, one that reserves it is enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

MAX_BYTES = 512_000
"""Of such a file so much is read (RFC 9309, section 2.5, asks for at least 500 KiB)."""

MAX_RULES = 2000
"""For one crawler. A site with more is taken to reserve everything, which is the cautious reading of a file that nobody
writes by hand, and keeps the time for a page bounded."""

MAX_SITE_RULES = 10 * MAX_RULES
"""Of all files of a site together, for all crawlers; beyond them the same."""

ROBOTS, TDMREP = "/robots.txt", "/.well-known/tdmrep.json"

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_ODD = re.compile(r"[^!-~]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class Rule(NamedTuple):
    """A path, perhaps with `*` and a `$` at its end, and whether it may be taken."""

    path: str
    allow: bool


Rules = tuple[Rule, ...]


class Sites:
    """What each site whose files were seen says to `agents`. A site is scheme, host and port."""

    def __init__(self, agents: Sequence[str]) -> None:
        self._agents = {agent.lower(): agent for agent in agents}
        self._rules: dict[str, dict[tuple[str, Rules], None]] = {}

    def add(self, url: str, content: bytes) -> None:
        """Take a robots.txt or a tdmrep.json from its address. Of several of one site each counts."""
        text = content[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
        own = self._rules.setdefault(_site(url), {})
        if _target(url) == TDMREP:
            for path in reserved_paths(text):
                own[f"tdmrep.json: {path[:100]}", (Rule(path, False),)] = None
        else:
            for name, rules in parse_robots(text, self._agents).items():
                own[f"robots.txt: {self._agents[name]}", tuple(rules)] = None
        if sum(len(rules) for _, rules in own) > MAX_SITE_RULES:
            self._rules[_site(url)] = {("more rules than are read", (Rule("/", False),)): None}

    def reservations(self, url: str) -> list[str]:
        """What of the page at `url` its site reserves: `robots.txt: CCBot`, `tdmrep.json: /articles/`."""
        rules = self._rules.get(_site(url)) if self._rules else None
        if not rules:
            return []
        path = _target(url)
        return sorted({mark for mark, own in rules if not allowed(own, path)})


def speaks_of_site(url: str) -> bool:
    """Whether this is the address of a robots.txt or a tdmrep.json."""
    return url.endswith((ROBOTS, TDMREP)) and _target(url) in (ROBOTS, TDMREP)


def reserved_paths(text: str) -> list[str]:
    """The paths that a tdmrep.json reserves; none where it is no such file."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return []
    listed = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]
    reserving = [item for item in listed if item.get("tdm-reservation") in (1, "1")]
    paths = [_normal(item["location"]) for item in reserving if isinstance(item.get("location"), str)]
    return paths if len(paths) <= MAX_RULES else ["/"]


def parse_robots(text: str, agents: Sequence[str] | dict[str, str]) -> dict[str, list[Rule]]:
    """The rules of each of `agents` (in small letters) that a group of the file names."""
    found: dict[str, list[Rule]] = {}
    named: list[str] = []
    open_group = False  # whether more names may join the group at hand
    for line in text.splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            token = _TOKEN.match(value)
            named = [*(named if open_group else ()), token[0].lower() if token else ""]
            open_group = True
        elif key in ("allow", "disallow"):
            open_group = False
            for name in named:
                if name in agents:
                    own = found.setdefault(name, [])
                    if value:  # an empty rule forbids nothing
                        own.append(Rule(_normal(value), key == "allow"))
    return {name: own if len(own) <= MAX_RULES else [Rule("/", False)] for name, own in found.items() if own}


def allowed(rules: Sequence[Rule], path: str) -> bool:
    """By the longest rule that fits `path`; of equals, by the one that allows (section 2.2.2)."""
    fitting = [rule for rule in rules if _fits(rule.path, path)]
    return max(((len(rule.path), rule.allow) for rule in fitting), default=(0, True))[1]


def _fits(pattern: str, path: str) -> bool:
    # No regular expression: a rule of many `*` would make one take exponentially long.
    ends = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    if not others:
        return not ends or at == len(path)
    last = others.pop() if ends else ""
    for part in others:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return path.endswith(last) and len(path) - len(last) >= at


def _site(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].lower()
    scheme = scheme.lower()
    return f"{scheme}://{host.removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ' '))}"


def _target(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address
        return "/"
    return _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _normal(path: str) -> str:
    """Letters outside ASCII (and spaces, of which a line of ours must be free) as escapes, escapes in capitals, and
    none of what needs none (section 2.2.2)."""
    path = _ODD.sub(lambda sign: quote(sign[0], errors="replace"), path)

    def plain(escape: re.Match[str]) -> str:
        sign = chr(int(escape[1], 16))
        return sign if _UNRESERVED.match(sign) else escape[0].upper()

    return _ESCAPE.sub(plain, path)
