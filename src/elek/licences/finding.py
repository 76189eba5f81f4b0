"""One piece of evidence of a licence, and whether a document gives it of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

EDGE = 1200
"""Bytes at the head and at the foot of a document in which it speaks of itself."""

CONVINCING = 0.8
"""Confidence from which a document's own word is held against what is declared of it."""

ALL_RIGHTS_RESERVED = "LicenseRef-AllRightsReserved"


def either(expression: str) -> bytes:
    """A regular expression in which [ı], [ş] and [ü] are these letters of two bytes, or the plain ones."""
    letters = (("[ı]", "(?:ı|i)"), ("[ş]", "(?:ş|s)"), ("[ü]", "(?:ü|u)"))
    for letter, choice in letters:
        expression = expression.replace(letter, choice)
    return expression.encode()


_TEXTS = (
    "documents? documentation manual page pages webpage file files text work works book article site website"
    r" content contents translation guide tutorial data dataset corpus publication paper dictionary"
    r" belge\w* eser\w* metin sayfa\w*"
)
_DOCUMENT = re.compile(
    (
        rf"\b(?:this|these|the following|free|of the|copy of|bu)[ \n]+(?:\w+[ \n]+)?(?:{_TEXTS.replace(' ', '|')})\b"
        r"|except where otherwise|unless otherwise"
    ).encode()
)
_PROGRAM = re.compile(rb"\bthis (?:program|package|library|software|module|code|source)\b|permission is hereby")
_COMMENT = re.compile(rb"[ \t]*(?:#|\*|//|/\*|;|--|%|dnl|<!--|\.\\\")")
_OWN_RIGHTS = re.compile(
    rb"no part of this|may not be|prohibited|"
    + either("z[ı]ns[ı]z|izni olmadan")
    + rb"|^[^a-z]{0,12}(?:copyright|\xc2\xa9|\(c\)|telif)|(?:copyright|\xc2\xa9|telif)$"
)


@dataclass(frozen=True)
class Finding:
    """One piece of evidence. `start` and `end` are offsets in characters of the text."""

    licence: str
    kind: str  # tag, link, name, notice, text, rights, opt-out
    start: int
    end: int
    confidence: float
    own: bool
    """Whether the document says this of itself."""


def family(name: str) -> str:
    """A licence without its version: `LGPL-2.1-or-later` is LGPL, `MIT OR Apache-2.0` is MIT OR Apache."""
    return re.sub(r"-[0-9{][^\s()]*", "", name)


def at_edge(start: int, end: int, raw: bytes, width: int = EDGE) -> bool:
    return start < width or end > len(raw) - width


def says_of_itself(raw: bytes, start: int, end: int) -> bool:
    """Whether raw[start:end] is the document speaking of itself: at its edge, and naming itself close by.

    "This program…" is about a program, unless it stands in a comment at the head of the program's own source.
    """
    if not at_edge(start, end, raw):
        return False
    around = raw[max(0, start - 160) : end + 80]
    line = raw[raw.rfind(b"\n", 0, start) + 1 : start]
    return bool(_DOCUMENT.search(around) or (start < EDGE and _COMMENT.match(line) and _PROGRAM.search(around)))


def reserves_rights(raw: bytes, start: int, end: int) -> bool:
    # Open works keep this line too: it speaks for a document only in its very first or last lines.
    """Whether raw[start:end] reserves the rights in this very document."""
    line = raw[raw.rfind(b"\n", 0, start) + 1 : end]
    return at_edge(start, end, raw, EDGE // 3) and len(line) < 200 and bool(_OWN_RIGHTS.search(line))
