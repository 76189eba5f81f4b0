"""Encoding repair: text that was decoded with the wrong code page, once or several times.

UTF-8 read as a single-byte code page ("TÃ¼rkÃ§e") is repaired by ftfy (Speer 2019), whose badness test makes false
repairs rare but processes only 7 MB/s of Turkish. Such text always contains a character that a code page assigns to a
UTF-8 lead byte, followed by one that it assigns to a continuation byte. A fast scan for such pairs (some 300 MB/s)
decides whether ftfy is needed at all, and it is then applied line by line.

ftfy does not repair Turkish that was written in ISO 8859-9 and read as ISO 8859-1 ("geliþmiþ ýþýk"), the most frequent
damage in old Turkish pages: the two code pages differ in six letters only. This module repairs it where the document is
declared Turkish and contains none of the right letters.
"""

from __future__ import annotations

import re

import ftfy
from ftfy import bad_codecs  # noqa: F401  (registers the sloppy-windows-… codecs)

from elek.text.markup import line_blocks

_CODE_PAGES = ("latin-1", "sloppy-windows-1252", "sloppy-windows-1254")
"""The code pages as which English and Turkish pages were misread. MacRoman and code page 437 are left out of the fast
scan: their lead bytes are quotation marks and box lines, which often precede ü and ç in correct Turkish."""


def _characters(first: int, last: int) -> str:
    found = {bytes([byte]).decode(page) for page in _CODE_PAGES for byte in range(first, last + 1)}
    return "".join(sorted(found))


# Two-, three- and four-byte sequences start with C2–F4; continuation bytes are 80–BF. Byte A0 (a no-break
# space) is often turned into a plain space later, which ftfy restores after Ã. A Turkish capital before a quotation
# mark, a dash or an ellipsis is the end of a word (“MİSAK-I MİLLÎ”), but ftfy would turn the two into a Greek or Syriac
# letter; so these pairs are excluded. The pattern begins with a single character class, which the regex engine finds
# without trying alternatives at every position.
LEAD, CONTINUATION = _characters(0xC2, 0xF4), _characters(0x80, 0xBF)
_WORD_END = "(?<=[ÂÎÛÜÖÇĞİŞ])[‘’“”•–—…]"
_MISREAD = re.compile(
    rf"[{re.escape(LEAD)}\x80-\x9f](?:(?<=[\x80-\x9f])|(?!{_WORD_END})[{re.escape(CONTINUATION)}]|(?<=Ã)\ )"
)

# ftfy turns a letter next to a quotation mark without a space (“Ne sevinç”“Evet”, uç“Şimşek”) into a Chinese character,
# because Ş and ş are continuation bytes in Central European code pages, which it tries too. So the text is split there,
# except at the end of an emoji (🔑 is misread as ðŸ”‘) or of a symbol (► as â–ş).
_QUOTED_ON = re.compile("(?<=[^Ÿ]”)(?=[“‘•])|(?<=[^âź][‘’“”•–—…])(?=[Şş])")

_FTFY = ftfy.TextFixerConfig(
    unescape_html=False,  # markup is a step of its own
    remove_terminal_escapes=False,  # control characters too
    fix_encoding=True,
    restore_byte_a0=True,
    replace_lossy_sequences=False,  # would invent characters
    decode_inconsistent_utf8=True,
    fix_c1_controls=True,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,  # typographic quotation marks are spelling, not damage
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
    explain=False,
)

SEGMENT = 50_000
"""Characters that ftfy processes at once. A longer line is cut, which bounds the memory."""

DISPLACED = "ðýþÐÝÞ"
_LATIN5_AS_LATIN1 = str.maketrans(DISPLACED, "ğışĞİŞ")
_DISPLACED = re.compile(f"[{DISPLACED}]")
_TURKISH_ONLY = re.compile("[ğışĞİŞ]")


def repair(text: str) -> str:
    """`text` with misread UTF-8 repaired. Lines without a sign of damage are returned unchanged."""
    if text.isascii() or not _MISREAD.search(text):
        return text
    blocks = (block.split("\n") for block in line_blocks(text))
    return "".join(["\n".join([_repair_line(line) for line in block]) for block in blocks])


def repair_turkish(text: str) -> str:
    """Repair ISO 8859-9 that was read as ISO 8859-1. Only for text that is known to be Turkish."""
    if text.isascii() or not _DISPLACED.search(text) or _TURKISH_ONLY.search(text):
        return text
    return text.translate(_LATIN5_AS_LATIN1)


def _repair_line(line: str) -> str:
    if line.isascii() or not _MISREAD.search(line):
        return line
    pieces = [line[start : start + SEGMENT] for start in range(0, len(line), SEGMENT)]
    quoted = [part for piece in pieces for part in _QUOTED_ON.split(piece)]
    return "".join([ftfy.fix_text(part, _FTFY) if _MISREAD.search(part) else part for part in quoted])
