"""What the Gopher repetition rules measure: repeated paragraphs, lines and word n-grams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.kernels import Array, buffers, kernel
from elek.kernels.characters import PADDING, classes, classify
from elek.kernels.hashing import signed
from elek.kernels.large import BITS, LARGE, repetition
from elek.kernels.ngrams import choose, duplicated, group, load_words, top, windows
from elek.kernels.segments import repeats, strip
from elek.kernels.words import longest

CHARACTERS, PARAGRAPHS, PARAGRAPH_CHARACTERS, LINES, LINE_CHARACTERS = range(5)
TOP = 5
"""Row of the most frequent 2-gram; those of the 3- and 4-gram follow."""
DUPLICATED = 8
"""Row of the repeated 5-grams; those of the 6- to 10-grams follow."""
ROWS = 14


@kernel
def _measure(
    data: Array, offsets: Array, table: Array, unicode: bool, large: int, bits: int
) -> npt.NDArray[np.float64]:
    rows = len(offsets) - 1
    out = np.full((ROWS, rows), np.nan)
    # Scratch for the longest document; pages that no document needs are never touched.
    most = longest(offsets)
    flags, joined = np.empty(most + PADDING, np.uint8), np.empty(most + PADDING, np.uint8)
    most = min(most, large) // 2 + 2  # words
    ends, characters, prefix = np.empty(most, np.uint32), np.empty(most, np.uint32), np.empty(most, np.uint64)
    candidates, chosen, hashes = np.empty(most, np.uint32), np.empty(most, np.uint32), np.empty(most, np.uint64)
    firsts, counts = np.empty(most, np.uint32), np.empty(most, np.uint32)
    grams = np.empty(9, np.int64)
    for row in range(rows):
        text = data[offsets[row] : offsets[row + 1]]
        size = classify(text, table, unicode, flags)
        out[CHARACTERS, row] = size
        if size == 0:
            continue
        first, last = strip(len(text), flags)
        segments, duplicates, length = repeats(text[first:last], flags[first:], 2, True)
        out[PARAGRAPHS, row], out[PARAGRAPH_CHARACTERS, row] = duplicates / segments, length / size
        segments, duplicates, length = repeats(text, flags, 1, True)
        out[LINES, row], out[LINE_CHARACTERS, row] = duplicates / segments, length / size

        if len(text) > large:
            repetition(text, flags, joined, bits, grams)
            for index in range(len(grams)):
                out[TOP + index, row] = grams[index] / size
            continue
        words = load_words(text, flags, joined, ends, characters, prefix)
        left = max(words - 1, 0)
        for word in range(words):
            candidates[word], counts[word] = word, 0
        for n in range(2, 5):
            found = choose(ends, prefix, candidates, left, n, True, chosen, hashes)
            group(joined, ends, chosen, hashes, found, n, True, firsts)
            length, left = top(characters, words, n, chosen, firsts, found, counts, candidates)
            out[TOP + n - 2, row] = length / size
        left = windows(joined, ends, words, candidates)
        for word in range(left):
            counts[candidates[word]] = 0
        for n in range(5, 11):
            while left and signed(candidates[left - 1]) + n > words:
                left -= 1
            found = choose(ends, prefix, candidates, left, n, False, chosen, hashes)
            group(joined, ends, chosen, hashes, found, n, False, firsts)
            length = duplicated(characters, n, chosen, firsts, found, counts)
            out[DUPLICATED + n - 5, row] = length / size
    return out


def measure(text: pa.Array, *, unicode: bool = False, large: int = LARGE, bits: int = BITS) -> npt.NDArray[np.float64]:
    """The measures of every document, `float64[14, len(text)]`; all but the first NaN where the text is empty.

    `large` and `bits` bound the memory (see `elek.kernels.large`) and change no figure.
    """
    data, offsets = buffers(text)
    result: npt.NDArray[np.float64] = _measure(data, offsets, classes(unicode), unicode, large, bits)
    return result
