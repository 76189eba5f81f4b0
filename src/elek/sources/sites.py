"""Reservations that a site states for all its pages: robots.txt (RFC 9309) and tdmrep.json (TDM Reservation Protocol,
W3C community group report 2024).

In robots.txt, only groups that name a crawler which gathers text for language models count. `User-agent: *` is about
crawling, which has already happened, and not about the use of the text. One of several statements that reserves a page
is enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

MAX_BYTES = 512_000
"""This much of such a file is read (RFC 9309, section 2.5, requires at least 500 KiB)."""

MAX_RULES = 2000
"""Most rules for one crawler. A site with more is assumed to reserve everything, which is the cautious reading and
bounds the time for a page."""

MAX_SITE_RULES = 10 * MAX_RULES
"""Most rules in all files of a site, for all crawlers together; with more, the same is assumed."""

ROBOTS, TDMREP = "/robots.txt", "/.well-known/tdmrep.json"

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_ODD = re.compile(r"[^!-~]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class Rule(NamedTuple):
    """A path, possibly with `*` and a final `$`, and whether access is allowed."""

    path: str
    allow: bool


Rules = tuple[Rule, ...]


class Sites:
    """The rules of each site for `agents`. A site is scheme, host and port."""

    def __init__(self, agents: Sequence[str]) -> None:
        self._agents = {agent.lower(): agent for agent in agents}
        self._rules: dict[str, dict[tuple[str, Rules], None]] = {}

    def add(self, url: str, content: bytes) -> None:
        """Add the robots.txt or tdmrep.json at an address. If a site has several, all of them count."""
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
        """The reservations of its site for the page at `url`: `robots.txt: CCBot`, `tdmrep.json: /articles/`."""
        rules = self._rules.get(_site(url)) if self._rules else None
        if not rules:
            return []
        path = _target(url)
        return sorted({mark for mark, own in rules if not allowed(own, path)})


def speaks_of_site(url: str) -> bool:
    """Whether `url` is the address of a robots.txt or a tdmrep.json."""
    return url.endswith((ROBOTS, TDMREP)) and _target(url) in (ROBOTS, TDMREP)


def reserved_paths(text: str) -> list[str]:
    """The paths that a tdmrep.json reserves; none if the text is not valid."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return []
    listed = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]
    reserving = [item for item in listed if item.get("tdm-reservation") in (1, "1")]
    paths = [_normal(item["location"]) for item in reserving if isinstance(item.get("location"), str)]
    return paths if len(paths) <= MAX_RULES else ["/"]


def parse_robots(text: str, agents: Sequence[str] | dict[str, str]) -> dict[str, list[Rule]]:
    """The rules for each of `agents` (in lower case) that a group of the file names."""
    found: dict[str, list[Rule]] = {}
    named: list[str] = []
    open_group = False  # whether further names belong to the current group
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
    """Whether `path` is allowed. The longest matching rule decides; of equally long ones, `allow` (section 2.2.2)."""
    fitting = [rule for rule in rules if _fits(rule.path, path)]
    return max(((len(rule.path), rule.allow) for rule in fitting), default=(0, True))[1]


def _fits(pattern: str, path: str) -> bool:
    # Not a regular expression, which could take exponential time for a rule with many `*`.
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
    """A path in normal form (section 2.2.2): spaces and characters outside ASCII escaped, escapes in upper case, and no
    unnecessary escapes."""
    path = _ODD.sub(lambda sign: quote(sign[0], errors="replace"), path)

    def plain(escape: re.Match[str]) -> str:
        sign = chr(int(escape[1], 16))
        return sign if _UNRESERVED.match(sign) else escape[0].upper()

    return _ESCAPE.sub(plain, path)
