"""Words: separated by white space, or Unicode words.

*Whitespace* words are those of `str.split()`, and of the Gopher paper (Rae et al. 2021, arXiv:2112.11446). A
*Unicode* word is a longest run of letters, marks, digits and underscores; an apostrophe between two of them
belongs to the word, so that "don't" and "Atatürk'ün" are one.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from elek.kernels import Array, buffers, kernel
from elek.kernels.characters import OUTSIDE, PADDING, classes, classify


@kernel
def longest(offsets: Array) -> int:
    """Bytes of the longest document: the size of scratch that serves all of them."""
    most = 0
    for row in range(len(offsets) - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


@kernel
def _count(data: Array, offsets: Array, table: Array, unicode: bool) -> Array:
    counts = np.zeros(len(offsets) - 1, np.int32)
    flags = np.empty(longest(offsets) + PADDING, np.uint8)
    for row in range(len(counts)):
        text = data[offsets[row] : offsets[row + 1]]
        classify(text, table, unicode, flags)
        before = OUTSIDE
        for index in range(len(text)):
            outside = flags[index] & OUTSIDE
            counts[row] += before & ~outside
            before = outside
    return counts


def count_words(text: pa.Array, *, unicode: bool = False) -> pa.Array:
    """Words of each document, `int32`."""
    data, offsets = buffers(text)
    return pa.array(_count(data, offsets, classes(unicode), unicode))
