"""What the Gopher quality rules measure: one pass over the words, one over the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.kernels import Array, buffers, kernel, part
from elek.kernels.characters import ALPHABETIC, LEAD, OUTSIDE, PADDING, REAL, classes, classify
from elek.kernels.hashing import contains, load64, signed
from elek.kernels.segments import behind_line, trim
from elek.kernels.words import longest

HASH, HYPHEN, DOT = b"#-."
ALPHABETIC_BIT, REAL_BIT, LEAD_BIT = (flag.bit_length() - 1 for flag in (ALPHABETIC, REAL, LEAD))

BLOCK = 1 << 20
"""Bytes whose words are looked at together, and one word more."""

(WORDS, MEAN_LENGTH, HASHES, ELLIPSES, BULLET_LINES, ELLIPSIS_LINES, ALPHABETIC_WORDS, STOP_WORDS) = range(8)
"""Rows of what `measure` returns."""


class WordLists:
    """Word lists to look words up in: each sorted, with an index by first byte. At most 64 words a list."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        encoded = [sorted({word.encode() for word in words}) for words in lists]
        if any(len(words) > 64 for words in encoded):
            raise ValueError("a stop-word list holds at most 64 words")
        joined = [word for words in encoded for word in words]
        self.data = np.frombuffer(b"".join(joined), np.uint8)
        self.offsets = np.zeros(len(joined) + 1, np.int64)
        np.cumsum([len(word) for word in joined], out=self.offsets[1:])
        # Words of list `l` that begin with byte `b` are numbers first[l, b] to first[l, b + 1]; bit n of
        # lengths[l, b] says that one of them has n bytes (bit 63: 63 or more).
        self.first = np.zeros((len(encoded), 257), np.int64)
        self.lengths = np.zeros((len(encoded), 256), np.uint64)
        before = 0
        for row, words in enumerate(encoded):
            heads = np.array([word[0] for word in words], np.int64)
            self.first[row] = before + np.searchsorted(heads, np.arange(257))
            before += len(words)
            for word in words:
                self.lengths[row, word[0]] |= np.uint64(1 << min(len(word), 63))


@kernel
def _seen(
    text: Array, bounds: Array, words: int, listed: Array, offsets: Array, first: Array, lengths: Array, seen: Any
) -> Any:
    """`seen` and the bits of the words of a list that occur. `listed` and `offsets` hold the words of all lists,
    `first` and `lengths` are the index of this one.
    """
    for word in range(words):
        at = signed(bounds[2 * word])
        length = signed(bounds[2 * word + 1]) - at
        head = text[at]
        if not (lengths[head] >> np.uint64(min(length, 63))) & np.uint64(1):
            continue
        for number in range(first[head], first[signed(head) + 1]):
            bit = np.uint64(1) << np.uint64(number - first[0])
            if seen & bit or offsets[number + 1] - offsets[number] != length:
                continue
            same = True
            for index in range(1, length):
                same &= text[at + index] == listed[offsets[number] + index]
            if same:
                seen |= bit
    return seen


@kernel
def _words(flags: Array, size: int, bounds: Array) -> tuple[int, int, int, int]:
    """Words, those with a letter, those of more than symbols, and the characters of the last kind.

    Word `w` is `bounds[2 * w]` to `bounds[2 * w + 1]`.
    """
    edges = words = alphabetic = real = characters = 0
    seen, length, before = 0, 0, 1
    for index in range(size + 1):  # the flag behind the last byte ends the last word
        flag = signed(flags[index])
        outside = flag & OUTSIDE
        ends = outside & ~before
        words += ends
        alphabetic += ends & (seen >> ALPHABETIC_BIT)
        counts = ends & (seen >> REAL_BIT)
        real += counts
        characters += length & -counts
        inside = outside - 1  # all bits within a word, none outside
        seen = (seen | flag) & inside
        length = (length + (flag >> LEAD_BIT & 1)) & inside
        bounds[edges] = index
        edges += outside ^ before
        before = outside
    return words, alphabetic, real, characters


@part
def _is(text: Array, at: int, stop: int, last: int) -> bool:
    """Whether U+2022 (last byte A2) or U+2026 (last byte A6) begins at `at`."""
    return at + 3 <= stop and text[at] == 0xE2 and text[at + 1] == 0x80 and text[at + 2] == last


@part
def _dots(text: Array, at: int, stop: int) -> bool:
    """Whether three full stops begin at `at`."""
    return at + 3 <= stop and text[at] == DOT and text[at + 1] == DOT and text[at + 2] == DOT


@kernel
def _lines(text: Array, flags: Array) -> tuple[int, int, int]:
    """Lines, lines that begin with a bullet or hyphen, lines that end in an ellipsis, as by `str.splitlines`."""
    lines = bullets = trailing = first = 0
    while first < len(text):
        after = behind_line(text, flags, first)
        lines += 1
        left, right = trim(flags, first, after)
        bullets += (right > left and text[left] == HYPHEN) or _is(text, left, right, 0xA2)
        trailing += right - left >= 3 and (_dots(text, right - 3, right) or _is(text, right - 3, right, 0xA6))
        first = after
    return lines, bullets, trailing


@kernel
def _symbols(text: Array) -> tuple[int, int]:
    """Hash signs; ellipses, of which `...` is counted as `str.count` does, without overlap."""
    hashes = ellipses = at = 0
    size = len(text)
    while at < size:
        if at + 8 <= size:
            eight = load64(text, at)
            if not (contains(eight, HASH) | contains(eight, DOT) | contains(eight, 0xE2)):
                at += 8
                continue
        hashes += text[at] == HASH
        if _is(text, at, size, 0xA6) or _dots(text, at, size):
            ellipses += 1
            at += 3
        else:
            at += 1
    return hashes, ellipses


@kernel
def _measure(
    data: Array,
    offsets: Array,
    table: Array,
    unicode: bool,
    list_of_row: Array,
    listed: Array,
    listed_offsets: Array,
    first: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.uint64],
    block: int,
) -> npt.NDArray[np.float64]:
    rows = len(offsets) - 1
    out = np.full((8, rows), np.nan)
    most = longest(offsets)
    flags, bounds = np.empty(most + PADDING, np.uint8), np.empty(min(most, block) + 2, np.uint32)
    for row in range(rows):
        text = data[offsets[row] : offsets[row + 1]]
        classify(text, table, unicode, flags)
        words = alphabetic = real = characters = begin = 0
        number, seen = list_of_row[row], np.uint64(0)
        while begin < len(text):
            end = min(begin + block, len(text))
            while end < len(text) and not flags[end] & OUTSIDE:  # a block ends where a word does
                end += 1
            found, with_letter, of_more, length = _words(flags[begin:], end - begin, bounds)
            index, masks = first[number], lengths[number]
            seen = _seen(text[begin:end], bounds, found, listed, listed_offsets, index, masks, seen)
            words, alphabetic = words + found, alphabetic + with_letter
            real, characters, begin = real + of_more, characters + length, end
        distinct = 0
        while seen:
            seen &= seen - np.uint64(1)
            distinct += 1
        lines, bullets, trailing = _lines(text, flags)
        hashes, ellipses = _symbols(text)
        out[WORDS, row], out[STOP_WORDS, row] = real, distinct
        if real:
            out[MEAN_LENGTH, row] = characters / real
        if words:
            out[HASHES, row], out[ELLIPSES, row] = hashes / words, ellipses / words
            out[ALPHABETIC_WORDS, row] = alphabetic / words
        if lines:
            out[BULLET_LINES, row], out[ELLIPSIS_LINES, row] = bullets / lines, trailing / lines
    return out


def measure(
    text: pa.Array,
    lists: WordLists,
    list_of_row: npt.NDArray[np.int64],
    *,
    unicode: bool = False,
    block: int = BLOCK,
) -> npt.NDArray[np.float64]:
    """The eight measures of every document, `float64[8, len(text)]`; NaN where there is nothing to divide by.

    `block` bounds the memory and changes no figure.
    """
    data, offsets = buffers(text)
    result: npt.NDArray[np.float64] = _measure(
        data,
        offsets,
        classes(unicode),
        unicode,
        list_of_row,
        lists.data,
        lists.offsets,
        lists.first,
        lists.lengths,
        block,
    )
    return result
