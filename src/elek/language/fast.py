# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""fastText's language model, asked for many texts at once by compiled code: the same answers in a third of the time.

The library reads a text at a time through a stream, and looks its pieces up in tables that scatter over memory; half
of the time of `elek curate` went there. What it computes is this (Bojanowski et al. 2017, Joulin et al. 2017; the
file's layout and the order of work are those of fastText 0.9.2): the vectors of a text's words and of their runs of
2 to 4 characters, whose hashes are looked up among those that the compression left, are averaged, and a binary tree
over the labels (hierarchical softmax) turns the mean into probabilities. A vector is stored as one byte per pair of
numbers, an index into 256 pairs (product quantisation). The tests hold the probabilities against the library's.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.kernels import buffers, kernel
from elek.language.weights import END_OF_LINE, SLOTS, load, slot

__all__ = ["TOP", "load", "predict"]

TOP = 5
"""Labels that are told of a text."""

FLOOR = np.float32(np.log(1e-5))
LABEL = np.frombuffer(b"__label__", np.uint8)


def predict(lines: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Numbers of the likeliest labels and their probabilities, int32 and float64[texts, TOP], best first.

    A label is -1 where nothing of a text is known to the model. `lines` is large_string, the words of each text
    separated by single spaces.
    """
    tables, _ = load()
    data, offsets = buffers(lines)
    labels = np.full((len(lines), TOP), -1, np.int32)
    scores = np.full((len(lines), TOP), -np.inf, np.float32)
    _predict(data, offsets, tables, labels, scores)
    return labels, np.exp(scores).astype(np.float64)


@kernel
def _add(mean, row, tables):
    norm = tables.norms[row]
    for part in range(tables.codes.shape[1]):
        code = tables.codes[row, part]
        mean[2 * part] += norm * tables.centroids[part, code, 0]
        mean[2 * part + 1] += norm * tables.centroids[part, code, 1]


@kernel
def _add_word(mean, word, size, tables):
    """Add the vectors of `word[:size]`, which stands between `<` and `>`, and of its runs; how many there were."""
    added = 0
    value = np.uint64(0xCBF29CE484222325)
    for at in range(1, size - 1):
        value = (value ^ np.uint64(word[at])) * np.uint64(0x100000001B3)
    place = np.searchsorted(tables.words, value)
    if place < len(tables.words) and tables.words[place] == value:
        _add(mean, tables.word_rows[place], tables)
        added += 1
    for start in range(size):
        if (word[start] & 0xC0) == 0x80:
            continue
        hashed = np.uint32(2166136261)
        end, length = start, 1
        while end < size and length <= tables.maxn:
            while True:
                byte = np.uint32(word[end])
                if byte & np.uint32(0x80):
                    byte |= np.uint32(0xFFFFFF00)  # the library hashes signed characters
                hashed = np.uint32((hashed ^ byte) * np.uint32(16777619))
                end += 1
                if end >= size or (word[end] & 0xC0) != 0x80:
                    break
            if length >= tables.minn:
                bucket = np.int32(hashed % np.uint32(tables.buckets))
                if tables.there[bucket >> 3] >> (bucket & 7) & 1:
                    place = slot(bucket)
                    while tables.bucket_keys[place] != bucket:
                        place = (place + 1) & (SLOTS - 1)
                    _add(mean, tables.bucket_rows[place], tables)
                    added += 1
            length += 1
    return added


@kernel
def _predict(data, offsets, tables, labels, scores):
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    word = np.empty(longest + 2, np.uint8)
    mean = np.empty(tables.output.shape[1], np.float32)
    count = tables.output.shape[0]
    so_far = np.empty(2 * count - 1, np.float32)
    ends = np.searchsorted(tables.words, END_OF_LINE)
    for row in range(len(offsets) - 1):
        mean[:] = 0
        added = 0
        at, stop = offsets[row], offsets[row + 1]
        ended = False
        while at < stop and not ended:
            size = 1
            word[0] = 60  # <
            while at < stop and data[at] != 32 and data[at] != 0:
                word[size] = data[at]
                size += 1
                at += 1
            at += 1
            if size == 1:
                continue
            word[size] = 62  # >
            size += 1
            if size == 6 and word[1] == 60 and word[2] == 47 and word[3] == 115 and word[4] == 62:
                ended = True  # </s>, spelled out, is an end of the line to the library
            elif size > 10 and _is_label(word):
                continue
            else:
                added += _add_word(mean, word, size, tables)
        if ends < len(tables.words) and tables.words[ends] == END_OF_LINE:
            _add(mean, tables.word_rows[ends], tables)
            added += 1
        if added == 0:
            continue
        mean *= np.float32(1.0 / added)
        _walk_tree(mean, tables, so_far, labels[row], scores[row])


@kernel
def _is_label(word):
    for at in range(len(LABEL)):  # noqa: SIM110 - numba compiles no generators
        if word[1 + at] != LABEL[at]:
            return False
    return True


@kernel
def _walk_tree(mean, tables, so_far, labels, scores):
    """The TOP leaves with the largest logarithms of probability, from the root, which has the highest number."""
    count = tables.output.shape[0]
    so_far[2 * count - 2] = 0
    for node in range(2 * count - 2, -1, -1):  # children have lower numbers than their parents
        score = so_far[node]
        if node >= count:
            dot = np.float32(0)
            for at in range(len(mean)):
                dot += tables.output[node - count, at] * mean[at]
            share = np.float32(1.0 / (1.0 + math.exp(-np.float64(dot))))
            so_far[tables.left[node]] = score + np.float32(math.log(np.float64(1.0) - share + 1e-5))
            so_far[tables.right[node]] = score + np.float32(math.log(np.float64(share) + 1e-5))
            continue
        if score < FLOOR:
            continue
        place = TOP
        while place > 0 and score > scores[place - 1]:
            place -= 1
        if place < TOP:
            for at in range(TOP - 1, place, -1):
                scores[at], labels[at] = scores[at - 1], labels[at - 1]
            scores[place], labels[place] = score, node
