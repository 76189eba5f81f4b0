"""What kind of licence an identifier names, and what it asks of whoever passes the text on.

The table is `categories.tsv` beside this module, with its sources; categories are ordered from the freest to the
one that nobody knows (`CATEGORIES`). An exception (`WITH …`) only ever adds permissions, so a licence with one
keeps the licence's category: the cautious reading.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from elek.licences.spdx import index, licensing, normalise

CATEGORIES = (
    "public-domain",
    "permissive",
    "weak-copyleft",
    "share-alike",
    "copyleft",
    "no-derivatives",
    "non-commercial",
    "proprietary",
    "unknown",
)
"""From the freest on; an expression's category is the freest branch of an OR and the least free part of an AND."""

RANK = {category: rank for rank, category in enumerate(CATEGORIES)}


@dataclass(frozen=True)
class Licence:
    """One licence of an expression. `exception` is empty but for `id WITH exception`."""

    id: str
    exception: str
    category: str
    obligations: tuple[str, ...]

    @property
    def key(self) -> str:
        """As it stands in an expression."""
        return f"{self.id} WITH {self.exception}" if self.exception else self.id

    @property
    def url(self) -> str:
        """Where the text of the licence stands; empty for a reference of one's own."""
        return "" if self.id.startswith("LicenseRef-") else f"https://spdx.org/licenses/{self.id}.html"


@cache
def _table() -> list[tuple[str, str, tuple[str, ...]]]:
    text = resources.files("elek.licences").joinpath("categories.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [(pattern, category, tuple(obligations.split())) for pattern, category, obligations in rows]


@lru_cache(maxsize=4096)
def licence(id: str, exception: str = "") -> Licence:
    """The licence with this SPDX identifier; category `unknown` where the table has nothing to say."""
    scancode = f"scancode:{index()[id]['category']}" if id in index() else ""
    for pattern, category, obligations in _table():
        if pattern == scancode or fnmatch.fnmatchcase(id, pattern):
            return Licence(id, exception, category, obligations)
    return Licence(id, exception, "unknown", ("permission",))


def leaf(symbol: Any) -> Licence:
    """The licence of one leaf of a parsed expression."""
    if hasattr(symbol, "exception_symbol"):
        return licence(symbol.license_symbol.key, symbol.exception_symbol.key)
    return licence(symbol.key)


@lru_cache(maxsize=4096)
def licences_in(expression: str) -> tuple[Licence, ...]:
    """Every licence that an expression names, in its order, once each. Raises ParamsError as `normalise` does."""
    return tuple(dict.fromkeys(leaf(symbol) for symbol in tree(expression).get_literals()))


@lru_cache(maxsize=4096)
def tree(expression: str) -> Any:
    """The parsed expression of license-expression, its keys in SPDX's spelling."""
    return licensing().parse(normalise(expression), validate=False)


@lru_cache(maxsize=4096)
def category(expression: str) -> str:
    """The category of a whole expression."""
    return CATEGORIES[_fold(tree(expression))]


def _fold(node: Any) -> int:
    parts = [_fold(part) for part in getattr(node, "args", ())]
    if not parts:
        return RANK[leaf(node).category]
    return min(parts) if type(node).__name__ == "OR" else max(parts)


def obligations(expression: str) -> tuple[str, ...]:
    """What the licences of an expression ask, for the attribution file; of an OR, what its freest branch asks."""
    asked = _asked(tree(expression))
    return tuple(sorted(asked))


def _asked(node: Any) -> frozenset[str]:
    parts = getattr(node, "args", ())
    if not parts:
        return frozenset(leaf(node).obligations)
    if type(node).__name__ == "OR":
        return _asked(min(parts, key=_fold))
    return frozenset().union(*map(_asked, parts))
