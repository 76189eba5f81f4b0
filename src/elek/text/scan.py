# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
"""Which steps of `clean` could change a text: one compiled pass over Arrow's bytes, before any Python string is made.

Most texts need no change. The steps would find that out themselves, each by scanning a Python string; here, one pass
over the bytes rules them out for a whole column. It errs on the safe side: a step that is not suspected would leave the
text unchanged (a test compares this with the steps).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.kernels import buffers, kernel, part
from elek.text.encoding import CONTINUATION, DISPLACED, LEAD
from elek.text.markup import MIN_TAGS
from elek.text.steps import ALL, BROKEN, CHARACTERS, ENCODING, MARKUP, TURKISH, UNICODE, UNUSUAL, WHITESPACE

LIMIT = 0x3000
"""From this code point on, all characters are suspected by `clean_characters` and by normalisation."""

_LEADS, _CONTINUES = 1 << 30, 1 << 29  # further bits in the table of code points
_LF, _SPACE, _TAB, _OPENS = 0x0A, 0x20, 0x09, 0x3C
_A_TILDE = 0xC3  # the code point that a space may follow in misread UTF-8


def suspicions(text: pa.Array) -> npt.NDArray[np.uint8]:
    """For each row of a `large_string` array, the steps that could change it, as the bits of `elek.text.steps`.

    Where the bytes are not valid UTF-8, all steps are suspected and `BROKEN` is set.
    """
    data, offsets = buffers(text)
    found = np.zeros(len(text), np.uint8)
    _suspect(data, offsets, _table(), found)
    return found


@cache
def _table() -> npt.NDArray[np.int32]:
    """For each code point below LIMIT, the steps that it makes suspect, and its role in misread UTF-8."""
    characters = "".join(map(chr, range(LIMIT)))
    table = np.zeros(LIMIT, np.int32)
    table[[ord(found) for found in re.findall(UNUSUAL, characters)]] |= CHARACTERS
    table[0x80:0xA0] |= ENCODING
    table[[ord(letter) for letter in DISPLACED]] |= TURKISH
    table[[ord(letter) for letter in LEAD] + list(range(0x80, 0xA0))] |= _LEADS
    table[[ord(letter) for letter in CONTINUATION]] |= _CONTINUES
    # Latin-1 and everything up to the first combining mark is in normal form next to any other character.
    table[[code for code in range(0x300, LIMIT) if not _stands_alone(chr(code))]] |= UNICODE
    return table


def _stands_alone(character: str) -> bool:
    """Whether a character is in NFC by itself and never combines with the one before it."""
    # Besides combining marks, only vowel signs of Indic scripts and later letters of Hangul combine like this.
    if 0x900 <= ord(character) < 0x1E00 or unicodedata.normalize("NFC", character) != character:
        return False
    return not unicodedata.combining(unicodedata.normalize("NFD", character)[0])


@part
def _is_blank(byte):
    return byte in (_SPACE, _TAB)


@kernel
def _suspect(data, offsets, table, found):
    """Fill `found` with the suspected steps of each text. One loop: calls would cost a tenth of the speed."""
    special = np.zeros(256, np.bool_)
    special[:_TAB] = special[_LF:_SPACE] = special[0x7F:] = special[_OPENS] = True
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        if start == stop:
            continue
        flags, tags = np.int64(0), 0
        at = start
        # A page may begin after white space of any kind.
        while at < stop and (data[at] >= 0x80 or data[at] == _SPACE or 9 <= data[at] <= 13 or 28 <= data[at] <= 31):
            at += 1
        if at < stop and data[at] == _OPENS:
            flags |= MARKUP
        lead = np.int64(0)  # the previous code point, if it may begin a misread sequence
        at = start
        while at < stop:
            byte = np.int64(data[at])
            if not special[byte]:
                if lead == _A_TILDE and byte == _SPACE:
                    flags |= ENCODING
                lead = 0
                at += 1
                continue
            if byte < 0x80:
                lead = 0
                if byte == _LF:
                    flags |= WHITESPACE * (at == start or _is_blank(data[at - 1]))
                    fourth = at - start >= 3 and data[at - 1] == _LF and data[at - 2] == _LF and data[at - 3] == _LF
                    flags |= WHITESPACE * fourth
                elif byte == _OPENS:
                    tags += 1
                    if at + 2 < stop and data[at + 1] == 0x62 and data[at + 2] == 0x72:  # <br
                        flags |= MARKUP
                else:
                    flags |= CHARACTERS
                at += 1
                continue
            code, length = _decoded(data, at, stop)
            if length == 0:
                flags = np.int64(BROKEN | ALL)
                break
            at += length
            if code >= LIMIT:
                flags |= CHARACTERS | UNICODE
                lead = 0
                continue
            entry = np.int64(table[code])
            if lead and entry & _CONTINUES:
                flags |= ENCODING
            flags |= entry & ALL
            lead = code if entry & _LEADS else 0
        flags |= WHITESPACE * (data[stop - 1] == _LF or _is_blank(data[stop - 1]))
        if tags >= MIN_TAGS:
            flags |= MARKUP
        found[row] = flags


@part
def _decoded(data, at, stop):
    """Code point and length in bytes of the character at `at`, which is not ASCII; length 0 for invalid UTF-8."""
    byte = np.int64(data[at])
    length = 2 if 0xC2 <= byte < 0xE0 else 3 if 0xE0 <= byte < 0xF0 else 4 if 0xF0 <= byte < 0xF5 else 0
    if length == 0 or at + length > stop:
        return np.int64(0), 0
    code = byte & (0x7F >> length)
    for index in range(at + 1, at + length):
        if data[index] & 0xC0 != 0x80:
            return np.int64(0), 0
        code = code << 6 | np.int64(data[index]) & 0x3F
    if (length == 3 and (code < 0x800 or 0xD800 <= code < 0xE000)) or (
        length == 4 and (code < 0x10000 or code > 0x10FFFF)
    ):
        return np.int64(0), 0
    return code, length
