"""What a character is to the rules: one byte of flags for every byte of text.

Classifying comes first and decodes UTF-8; the loops behind it look at flags, byte by byte and without
branches, which is what makes them fast.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from elek.kernels import Array, kernel, part
from elek.kernels.hashing import load64, signed

OUTSIDE = 1
"""No part of a word: white space, or whatever is not in a Unicode word."""
SPACE = 2
"""`str.isspace`."""
BREAK = 4
"""The last byte of what ends a line for `str.splitlines`."""
ALPHABETIC = 8
"""`str.isalpha`."""
REAL = 16
"""Neither punctuation nor a control: a word without such a character is no word to the Gopher quality rules."""
LEAD = 32
"""The first byte of a character."""
TERMINAL = 64
"""Ends a sentence, in some script."""
MINOR = 128
"""A lower-case letter, which is ALPHABETIC as well, or a decimal digit (`\\d`): no sentence begins with it."""

LINE_BREAKS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"

# The characters that datatrove 0.10.1 (`PUNCTUATION_SET`) takes for symbols, as ranges of code points: ASCII
# punctuation, controls, common East Asian and typographic marks, and Unicode's sentence terminals.
SYMBOLS = (
    "0-8 B-1F 21-2F 3A-40 5B-60 7B-9F AB B4 BB 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 "
    "1367-1368 166E 1735-1736 17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E "
    "1C3B-1C3C 1C7E-1C7F 2013-2014 2019 201C-201E 2026 203C-203D 2047-2049 2236 2501 25BA 2E2E 2E3C 2E53-2E54 "
    "3001-3002 3008-300D 3010-3011 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 "
    "ABEB FE52 FE56-FE57 FF01 FF05 FF08-FF09 FF0C FF0E FF11 FF1A-FF1B FF1F FF5E FF61 10A56-10A57 10F55-10F59 "
    "10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 "
    "1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 "
    "11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88"
)

# Those of them with which FineWeb lets a line end (`TERMINAL_PUNCTUATION`): Unicode's sentence terminals.
TERMINALS = (
    "21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 17D4-17D6 "
    "17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 "
    "2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB "
    "FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143 "
    "111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 "
    "1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 "
    "16B37-16B38 16B44 16E98 1BC9F 1DA88"
)

CODE_POINTS = 0x110000
PADDING = 8
ASCII = np.uint64(0x8080808080808080)  # bits that are 0 in eight bytes of ASCII


@cache
def classes(unicode: bool) -> npt.NDArray[np.uint8]:
    """The flags of every code point, `uint8[0x110000]`, for white-space words or Unicode words.

    By the Unicode tables of the Python that runs.
    """
    characters = np.arange(CODE_POINTS, dtype=np.uint32).view("U1")
    table = np.full(CODE_POINTS, LEAD | REAL, np.uint8)
    table[np.strings.isspace(characters)] |= SPACE
    alphabetic = np.strings.isalpha(characters)
    table[alphabetic] |= ALPHABETIC
    table[alphabetic & np.strings.islower(characters) | np.strings.isdecimal(characters)] |= MINOR
    table[[ord(character) for character in LINE_BREAKS]] |= BREAK
    for span in _spans(SYMBOLS):
        table[span] &= 0xFF ^ REAL
    for span in _spans(TERMINALS):
        table[span] |= TERMINAL
    outside = ~_word_characters(characters) if unicode else table & SPACE != 0
    table[outside] |= OUTSIDE
    table.setflags(write=False)
    return table


def _spans(ranges: str) -> list[slice]:
    """`"41-43 61"` as slices of a table by code point."""
    bounds = [span.partition("-") for span in ranges.split()]
    return [slice(int(first, 16), int(last or first, 16) + 1) for first, _, last in bounds]


def _word_characters(characters: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Letters, marks, digits and the underscore."""
    inside = np.strings.isalnum(characters)
    inside[ord("_")] = True
    # Marks live in the first planes and among the variation selectors; asking all 1.1 million would take 0.2 s.
    for low, high in ((0, 0x20000), (0xE0000, 0xE0200)):
        inside[[code for code in range(low, high) if unicodedata.category(chr(code)).startswith("M")]] = True
    return inside


@part
def decode(text: Array, at: int) -> tuple[int, int]:
    """Code point and length in bytes of the character at `at`, which is not ASCII.

    Damaged UTF-8 reads as U+FFFD, one byte long: Arrow promises valid text, and this keeps within bounds where
    the promise is broken.
    """
    lead = signed(text[at])
    length = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
    if lead < 0xC0 or lead >= 0xF8 or at + length > len(text):
        return 0xFFFD, 1
    code = lead & (0x7F >> length)
    for index in range(at + 1, at + length):
        code = (code << 6) | signed(text[index] & 0x3F)
    return (code, length) if code < CODE_POINTS else (0xFFFD, 1)


@kernel
def classify(text: Array, table: Array, unicode: bool, flags: Array) -> int:
    """Write the flags of every byte of `text` to `flags`; returns how many characters there are.

    With `unicode`, an apostrophe between two word characters becomes one of them. Behind the last flag there
    is one `OUTSIDE`, so that every word ends somewhere; `flags` has room for `PADDING` more than the bytes.
    """
    size = characters = len(text)
    either = 0
    for index in range(size):
        byte = text[index]
        flags[index] = table[byte]
        either |= byte
    flags[size] = OUTSIDE
    at = 0 if either & 0x80 else size
    while at < size:
        if at + 8 <= size and not load64(text, at) & ASCII:
            at += 8
        elif text[at] < 0x80:
            at += 1
        else:
            code, length = decode(text, at)
            flag = table[code]
            for index in range(at, at + length):
                flags[index] = flag & ~(LEAD | BREAK)
            flags[at] |= LEAD
            flags[at + length - 1] |= flag & BREAK
            at += length
            characters -= length - 1
    if unicode:
        _join(text, flags)
    return characters


@kernel
def _join(text: Array, flags: Array) -> None:
    """Make apostrophes between two word characters part of the word."""
    for at in range(1, len(text) - 1):
        if text[at] == 0x27:
            length = 1
        elif text[at] == 0xE2 and text[at + 1] == 0x80 and at + 3 < len(text) and text[at + 2] == 0x99:  # U+2019
            length = 3
        else:
            continue
        if not (flags[at - 1] | flags[at + length]) & OUTSIDE:
            for index in range(at, at + length):
                flags[index] &= ~OUTSIDE


@part
def count_characters(text: Array, start: int, stop: int) -> int:
    """Code points in `text[start:stop]`: the bytes that do not continue a character."""
    count = 0
    for index in range(start, stop):
        count += (text[index] & 0xC0) != 0x80
    return count
