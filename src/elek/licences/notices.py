"""Licence notices and whole licence texts, by weighted phrases (`evidence.tsv`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from elek.licences.finding import ALL_RIGHTS_RESERVED, Finding, family, reserves_rights, says_of_itself
from elek.licences.versions import resolve

if TYPE_CHECKING:
    from elek.licences.scan import Words

REPORTED = 0.5
"""Confidence below which nothing is reported."""

_GAP = r"[^a-z0-9]{1,16}"


@dataclass(frozen=True)
class _Phrase:
    licence: str
    scope: str
    weight: float
    needle: bytes  # a plain word of the phrase, sought before the expression is
    expression: re.Pattern[bytes]


@cache
def _phrases() -> list[_Phrase]:
    text = resources.files("elek.licences").joinpath("evidence.tsv").read_text(encoding="utf-8")
    phrases = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, scope, weight, phrase = line.split("\t")
            outside = re.split(r"(\[[^\]]*\])", phrase)  # a space within a character class is a space
            source = "".join(part if part.startswith("[") else part.replace(" ", _GAP) for part in outside)
            # Words outside every group and class: they stand in each match.
            bare = _outside_groups(phrase)
            words = re.findall(r"(?<![\w\\?*|])[^\W\d_]{2,}(?![\w?*|{])", bare.replace("ı", " "))
            needle = max(words, key=len, default="")
            # `\\w` holds the underscore and so do gaps: bounded and kept apart, or the search would go wild.
            source = source.replace(r"\w+", "[a-z0-9']{1,20}").replace("ı", "(?:ı|i)")
            phrases.append(_Phrase(name, scope, float(weight), needle.encode(), re.compile(source.encode())))
    return phrases


def _outside_groups(expression: str) -> str:
    """What is left of a regular expression when its groups and classes are taken out."""
    previous = ""
    while previous != expression:
        previous, expression = expression, re.sub(r"\([^()]*\)(?:[?*]|\{[^}]*\}\??)?|\[[^\]]*\]\S*", " ", expression)
    return expression


# Words of which every phrase has one within WINDOW bytes; found by a scan that costs next to nothing.
_NEAR = tuple(
    word.encode()
    for word in (
        *("licen", "copyright", "©", "domain", "reserved", "permi", "redistribut", "gpl", "cc0", "creative", "warrant"),
        *("same terms", "reproduc", "prohibited", "misrepresented", "unlimited", "jpeg", "evil"),
        *("lisans", "sakl", "mahfuz", "zinsiz", "zınsız", "izni"),
        *("unicode", "vera", "vorbehalten", "réservés", "reservados", "exclusive"),
    )
)
WINDOW = 600


@cache
def _near() -> Words:
    from elek.licences.scan import words

    return words(_NEAR)


def _windows(raw: bytes) -> list[tuple[int, bytes]]:
    """The parts of a text that are worth reading, as (offset, bytes): merged surroundings of `_NEAR`."""
    from elek.licences.scan import places  # compiles on first use: not for those who only validate params

    merged: list[list[int]] = []
    for place in places(raw, _near()):
        if merged and place - WINDOW <= merged[-1][1]:
            merged[-1][1] = place + WINDOW
        else:
            merged.append([max(0, place - WINDOW), place + WINDOW])
    return [(start, raw[start:end]) for start, end in merged]


def notices(raw: bytes) -> Iterable[Finding]:
    """One finding for each family whose phrases together convince."""
    hits: dict[str, list[tuple[_Phrase, int, int]]] = {}
    windows = _windows(raw)
    together = b"\0".join([window for _, window in windows])
    there = {needle for needle in {phrase.needle for phrase in _phrases()} if needle in together}
    for phrase in _phrases():
        for offset, window in windows if phrase.needle in there else ():
            match = phrase.expression.search(window) if phrase.needle in window else None
            if match:
                hit = (phrase, offset + match.start(), offset + match.end())
                hits.setdefault(family(phrase.licence), []).append(hit)
                break
    for found in hits.values():
        doubt = 1.0
        for phrase, _, _ in found:
            doubt *= 1 - phrase.weight
        confidence = round(1 - doubt, 3)
        if confidence < REPORTED:
            continue
        strongest, first, last = max(found, key=lambda hit: hit[0].weight)
        close = [(start, end) for _, start, end in found if abs(start - first) < 4000]
        name = resolve(strongest.licence, raw, first, last, [phrase.licence for phrase, _, _ in found])
        rights = name == ALL_RIGHTS_RESERVED
        whole = any(phrase.scope == "text" for phrase, _, _ in found)
        # The licence's own text holds the words by which others apply it: then nothing is said of this document.
        own = not whole and any(
            phrase.scope == "self" and (reserves_rights if rights else says_of_itself)(raw, start, end)
            for phrase, start, end in found
        )
        kind = "rights" if rights else "text" if whole else "notice"
        yield Finding(name, kind, min(close)[0], max(end for _, end in close), confidence, own)
