"""The steps of `clean`: their order, and the steps for characters, Unicode and white space.

The steps `encoding` and `markup` have modules of their own (`elek.text.encoding`, `elek.text.markup`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from elek.text.markup import line_blocks

STEPS = ("encoding", "markup", "characters", "unicode", "whitespace")
"""The steps in their order; each has a switch in `elek.text.cleaning.CleanParams`."""

ENCODING, MARKUP, CHARACTERS, UNICODE, WHITESPACE = (1 << bit for bit in range(len(STEPS)))
TURKISH = 32
"""Bits of the steps that `elek.text.scan` suspects for a text; `TURKISH` is the encoding repair for Turkish only."""
ALL = 63
BROKEN = 64
"""The bytes are not valid UTF-8."""
SUSPECTED = dict(zip(STEPS, (ENCODING | TURKISH, MARKUP, CHARACTERS, UNICODE, WHITESPACE), strict=True))

# Text is first searched for characters that need a change, because str.translate would copy every character.
_DROPPED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
# Joiners belong to the spelling of Persian and Indic scripts and to emoji, but not next to Latin letters. A whole run
# is removed at once, so that cleaning again changes nothing; for speed, a run is only tested at its start.
_JOINERS = "\u200c\u200d"
_STRAY_JOINERS = re.compile(f"(?<![^\x00-\u036f])[{_JOINERS}]++|(?<![{_JOINERS}])[{_JOINERS}]++(?![^\x00-\u036f])")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
UNUSUAL = re.compile("[^\t\n -~\xa1-\xac\xae-\u034e\u0350-\u061b\u061d-\u115e\u2010-\u2027\u2030-\u205e\u2070-\u2fff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Two character classes, because the regex engine scans fast for the first one. Spaces end such runs in most languages.
_PERHAPS_MARKS = re.compile("[\u0300-\U0001ffff][\u0300-\U0001ffff]{30}")
_BLANK_LINES = re.compile("\n{4,}")


def clean_characters(text: str) -> str:
    """Remove control and invisible characters except tab and newline; unify line ends and spaces.

    A surrogate pair, as JSON escapes leave them, becomes the character that it encodes; a lone one becomes U+FFFD.
    """
    if not UNUSUAL.search(text):
        return text
    text = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    text = _SURROGATE.sub("\ufffd", text)
    return _SPACES.sub(" ", _STRAY_JOINERS.sub("", _DROPPED.sub("", _LINE_ENDS.sub("\n", text))))


def clean_whitespace(text: str) -> str:
    """Remove spaces at line ends, empty lines at both ends, and more than two empty lines in a row."""
    if " \n" in text or "\t\n" in text or text[-1:] in " \t":
        blocks = (block.split("\n") for block in line_blocks(text))
        text = "".join(["\n".join([line.rstrip(" \t") for line in block]) for block in blocks])
    text = text.strip("\n")
    return _BLANK_LINES.sub("\n\n\n", text) if "\n\n\n\n" in text else text


def clean_unicode(text: str) -> str:
    """Normalise to NFC."""
    if not text.isascii() and _PERHAPS_MARKS.search(text):
        text = _mark_runs().sub(lambda run: _in_order(run[0]), text)
    return unicodedata.normalize("NFC", text)  # returns the same object where the quick check is enough


@cache
def _mark_runs() -> re.Pattern[str]:
    """Runs of more combining marks than any language has (30: UAX #15, Stream-Safe Text Format)."""
    marks = [
        mark for mark in map(chr, range(0x300, 0x20000)) if unicodedata.combining(unicodedata.normalize("NFD", mark)[0])
    ]
    return re.compile(f"[{''.join(marks)}]{{31,}}")


def _in_order(run: str) -> str:
    """A run of combining marks in canonical order. `normalize` would sort it in quadratic time."""
    marks = "".join([unicodedata.normalize("NFD", mark) for mark in run])
    return "".join(sorted(marks, key=unicodedata.combining))
