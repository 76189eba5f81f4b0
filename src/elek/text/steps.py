"""The steps of `clean` from text to text: their order, and those that concern single characters and white space.

The steps `encoding` and `markup` have modules of their own (`elek.text.encoding`, `elek.text.markup`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from elek.text.markup import line_blocks

STEPS = ("encoding", "markup", "characters", "unicode", "whitespace")
"""In the order in which they are taken; each is a switch in `elek.text.cleaning.CleanParams`."""

ENCODING, MARKUP, CHARACTERS, UNICODE, WHITESPACE = (1 << bit for bit in range(len(STEPS)))
TURKISH = 32
"""What a look at the bytes suspects of a text (`elek.text.scan`): each step, and the repair that only Turkish gets."""
ALL = 63
BROKEN = 64
"""The bytes are no UTF-8."""
SUSPECTED = dict(zip(STEPS, (ENCODING | TURKISH, MARKUP, CHARACTERS, UNICODE, WHITESPACE), strict=True))

# str.translate would build every character anew; a text is first scanned for one that needs it.
_DROPPED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
# Joiners are spelling in Persian and Indic scripts and glue in emoji, but debris beside Latin letters. A whole run at
# once, or cleaning again would find more; and each run is looked at from its start alone, for speed.
_JOINERS = "\u200c\u200d"
_STRAY_JOINERS = re.compile(f"(?<![^\x00-\u036f])[{_JOINERS}]++|(?<![{_JOINERS}])[{_JOINERS}]++(?![^\x00-\u036f])")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
UNUSUAL = re.compile("[^\t\n -~\xa1-\xac\xae-\u034e\u0350-\u061b\u061d-\u115e\u2010-\u2027\u2030-\u205e\u2070-\u2fff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Two classes: the engine scans for the first alone, fast. In our languages spaces end such runs long before.
_PERHAPS_MARKS = re.compile("[\u0300-\U0001ffff][\u0300-\U0001ffff]{30}")
_BLANK_LINES = re.compile("\n{4,}")


def clean_characters(text: str) -> str:
    """No control or invisible characters but tab and newline, one kind of line end, one kind of space.

    Surrogate pairs, left by JSON escapes, become the character that they encode; a lone one becomes U+FFFD.
    """
    if not UNUSUAL.search(text):
        return text
    text = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    text = _SURROGATE.sub("\ufffd", text)
    return _SPACES.sub(" ", _STRAY_JOINERS.sub("", _DROPPED.sub("", _LINE_ENDS.sub("\n", text))))


def clean_whitespace(text: str) -> str:
    if " \n" in text or "\t\n" in text or text[-1:] in " \t":
        blocks = (block.split("\n") for block in line_blocks(text))
        text = "".join(["\n".join([line.rstrip(" \t") for line in block]) for block in blocks])
    text = text.strip("\n")
    return _BLANK_LINES.sub("\n\n\n", text) if "\n\n\n\n" in text else text


def clean_unicode(text: str) -> str:
    if not text.isascii() and _PERHAPS_MARKS.search(text):
        text = _mark_runs().sub(lambda run: _in_order(run[0]), text)
    return unicodedata.normalize("NFC", text)  # returns the same object where the quick check is enough


@cache
def _mark_runs() -> re.Pattern[str]:
    """Combining marks behind each other, more than any language has (30: UAX #15, Stream-Safe Text Format)."""
    marks = [
        mark for mark in map(chr, range(0x300, 0x20000)) if unicodedata.combining(unicodedata.normalize("NFD", mark)[0])
    ]
    return re.compile(f"[{''.join(marks)}]{{31,}}")


def _in_order(run: str) -> str:
    """Combining marks in canonical order, which `normalize` brings about by swapping neighbours: in quadratic time."""
    marks = "".join([unicodedata.normalize("NFD", mark) for mark in run])
    return "".join(sorted(marks, key=unicodedata.combining))
