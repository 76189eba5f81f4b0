"""Pairs of documents that are probably similar, found from signatures alone.

Locality-sensitive hashing (P. Indyk, R. Motwani, 1998; J. Leskovec et al., "Mining of Massive Datasets", 3.4):
a signature is cut into bands of r values; documents with an equal band meet in a bucket. A pair of Jaccard
similarity s meets in at least one of b bands with a chance of 1 - (1 - sʳ)ᵇ.
"""

from __future__ import annotations

from collections.abc import Collection
from math import sqrt

import numpy as np

from elek.dedup import kernels
from elek.dedup.kernels import I64, U32, U64
from elek.dedup.sorting import firsts, stable_order

RECALL = 0.99
"""The chance that a pair exactly at the threshold meets in a bucket; above the threshold it is higher."""

CROWD = 32
"""Members of a bucket that each later member is compared with.

Without a bound, a bucket of n documents costs n²/2 comparisons, and a page that thousands of sites repeat makes
such a bucket. The bound keeps the first members in the order of documents, which are the likeliest survivors. A
pair is missed only where both came after the first 32 of every bucket in which they meet; on 31,000 pages of
manuals and package descriptions, with buckets of 264, the same documents were dropped with 16 as without a bound.
"""

_PAIRS = 1 << 20  # pairs that one call of the kernel may write
_STANDARD_ERRORS = 4


def bands(threshold: float, permutations: int) -> tuple[int, int]:
    """(bands, rows per band): the most rows, and so the fewest chance meetings, that still give `RECALL`.

    For 112 permutations: 18 × 6 at 0.8, 37 × 3 at 0.5.
    """
    for rows in range(permutations, 1, -1):
        count = permutations // rows
        if 1 - (1 - threshold**rows) ** count >= RECALL:
            return count, rows
    return permutations, 1


def candidates(signatures: U32, thresholds: Collection[float]) -> I64:
    """Pairs (left, right), left < right, that probably reach a threshold: int64[2, pairs], sorted by (right, left).

    `signatures` is uint32[documents, permutations]. Each threshold has bands of its own: those of a low one have
    fewer rows, and so larger buckets, in which the bound on a crowd is felt sooner. A pair met in a bucket is kept
    when its signatures agree in a share of at least the threshold less four standard errors, which loses one in
    30,000 of those exactly at it. Needs 8 bytes per document and 16 per pair beside the signatures.
    """
    documents, permutations = signatures.shape
    found = np.empty(0, dtype=np.uint64)
    keys, out = np.empty(documents, dtype=np.uint64), np.empty(_PAIRS, dtype=np.uint64)
    for threshold in sorted(thresholds):
        error = sqrt(threshold * (1 - threshold) / permutations)
        agree = int((threshold - _STANDARD_ERRORS * error) * permutations)
        count, rows = bands(threshold, permutations)
        for band in range(count):
            kernels.band_keys(signatures, band * rows, rows, keys)
            order = stable_order(keys)
            chunks, position, bucket = [found], 0, 0
            while position < documents:
                position, bucket, pairs = kernels.bucket_pairs(
                    signatures, keys, order, CROWD, agree, position, bucket, out
                )
                chunks.append(out[:pairs].copy())
            found = _distinct(np.concatenate(chunks))
    return np.stack([found & np.uint64(0xFFFF_FFFF), found >> np.uint64(32)]).astype(np.int64)


def _distinct(pairs: U64) -> U64:
    # Not np.unique: its hash table is quadratic where many numbers differ in their high bits alone.
    pairs.sort()
    return pairs[firsts(pairs)]
