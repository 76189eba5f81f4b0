"""Every pair of documents of at least some exact Jaccard similarity, for the benchmark of deduplication.

Prefix filtering (S. Chaudhuri et al., "A Primitive Operator for Similarity Joins in Data Cleaning", 2006): with
the shingles of every text in one order, the rarest first, two texts of similarity s or more share one among the
first |x| - ⌈s·|x|⌉ + 1 of each. Nothing is sampled and nothing is missed.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.dedup import kernels
from elek.dedup.normalise import shingle_sets

I64 = npt.NDArray[np.int64]


def similar_pairs(text: pa.Array, threshold: float, shingle: int) -> I64:
    """int64[2, pairs] of rows of `text`, left < right; texts under `shingle` words have none."""
    sets, ends = shingle_sets(text, shingle)
    sizes = np.diff(ends)
    _, rank, count = np.unique(sets, return_inverse=True, return_counts=True)
    owner = np.repeat(np.arange(len(text)), sizes)
    order = np.lexsort((rank, count[rank], owner))
    place = np.arange(len(sets)) - np.repeat(ends[:-1], sizes)
    # A hair less than the threshold, so that rounding cannot shorten a prefix.
    prefix = sizes - np.array([math.ceil(threshold * size - 1e-9) for size in sizes.tolist()]) + 1
    chosen = order[place < np.repeat(prefix, sizes)]
    key, owner = rank[chosen], owner[chosen]
    order = np.lexsort((owner, key))
    key, owner = key[order], owner[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
    found: list[I64] = []
    lists = np.split(owner, starts[1:])
    for members in {tuple(item.tolist()) for item in lists if len(item) > 1}:
        left, right = np.triu_indices(len(members), 1)
        rows = np.array(members)
        a, b = rows[left], rows[right]
        near = np.minimum(sizes[a], sizes[b]) >= threshold * np.maximum(sizes[a], sizes[b]) - 1e-9
        found.append(a[near] * len(text) + b[near])
    pairs = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
    pairs = np.stack(np.divmod(pairs, len(text)))
    similar = kernels.jaccard(sets, ends, pairs[0], pairs[1]) >= threshold
    result: I64 = pairs[:, similar]
    return result
