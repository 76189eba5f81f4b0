"""What FineWeb's own rules measure: how lines end, how short they are, and how often they repeat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.kernels import Array, buffers, kernel
from elek.kernels.characters import OUTSIDE, PADDING, TERMINAL, classes, classify, count_characters
from elek.kernels.hashing import signed
from elek.kernels.segments import LF, repeats, separator, trim
from elek.kernels.words import longest

LINES, PUNCTUATED, SHORT, REPEATED, NEWLINES = range(5)
"""Rows of what `measure` returns."""


@kernel
def _lines(text: Array, flags: Array, short: int) -> tuple[int, int, int]:
    """Lines that are not blank, those that end in a sentence's terminal, those of `short` characters or fewer.

    Lines end at line feeds alone, and white space at their ends is part of them.
    """
    lines = punctuated = few = begin = 0
    while begin < len(text):
        end, after = separator(text, begin, 1)
        left, right = trim(flags, begin, end)
        if left < right:
            lines += 1
            punctuated += flags[end - 1] & TERMINAL != 0
            length = end - begin  # bytes: at least as many as characters, and at most four times as many
            if length <= 4 * short:
                few += length <= short or count_characters(text, begin, end) <= short
        begin = after
    return lines, punctuated, few


@kernel
def _counts(text: Array, flags: Array) -> tuple[int, int]:
    """Line feeds and words."""
    newlines = words = 0
    before = 1
    for index in range(len(text)):
        outside = signed(flags[index]) & OUTSIDE
        newlines += text[index] == LF
        words += before & ~outside
        before = outside
    return newlines, words


@kernel
def _measure(data: Array, offsets: Array, table: Array, unicode: bool, short: int) -> npt.NDArray[np.float64]:
    rows = len(offsets) - 1
    out = np.full((5, rows), np.nan)
    flags = np.empty(longest(offsets) + PADDING, np.uint8)
    for row in range(rows):
        text = data[offsets[row] : offsets[row + 1]]
        size = classify(text, table, unicode, flags)
        lines, punctuated, few = _lines(text, flags, short)
        out[LINES, row] = lines
        if lines == 0:
            continue
        out[PUNCTUATED, row], out[SHORT, row] = punctuated / lines, few / lines
        newlines, words = _counts(text, flags)
        _, _, repeated = repeats(text, flags, 1, False)
        out[REPEATED, row] = repeated / (size - newlines)
        if words:
            out[NEWLINES, row] = newlines / words
    return out


def measure(text: pa.Array, short: int, *, unicode: bool = False) -> npt.NDArray[np.float64]:
    """The five measures of every document, `float64[5, len(text)]`; all but the first NaN where no line has text."""
    data, offsets = buffers(text)
    result: npt.NDArray[np.float64] = _measure(data, offsets, classes(unicode), unicode, short)
    return result
