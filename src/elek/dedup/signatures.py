"""What deduplication needs of a document in 464 bytes: an exact hash and a MinHash signature.

MinHash: A. Broder, "On the resemblance and containment of documents" (1997). The share of equal values in two
signatures is an unbiased estimate of the Jaccard similarity of the two sets of shingles.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pyarrow as pa

from elek.dedup import kernels
from elek.dedup.kernels import U32, U64
from elek.dedup.normalise import words
from elek.dedup.params import MinHashParams
from elek.splitmix import drawn

__all__ = ["MinHashParams", "from_binary", "signatures"]


def signatures(text: pa.Array, params: MinHashParams) -> tuple[pa.FixedSizeBinaryArray, pa.FixedSizeBinaryArray]:
    """For every text: the BLAKE2b-128 of its normalised form (16 bytes), and its MinHash signature or null.

    A signature is `params.permutations` little-endian uint32 in one fixed-size binary: pyarrow before 26 writes
    fixed-size lists with nulls to Parquet but cannot read them (apache/arrow issue 35692). Null where the text has
    fewer words than a shingle. Language plays no part: see `elek.dedup.normalise`. Pure: a row's result depends on
    that row and `params` alone. `from_binary` turns signatures back into numbers.
    """
    normalised, hashes, offsets = words(text)
    values = np.empty((len(text), params.permutations), dtype="<u4")
    kernels.minhash(hashes, offsets, params.shingle, *permutations(params.permutations, params.seed), values)
    present = np.packbits(np.diff(offsets) >= params.shingle, bitorder="little")
    minhash = pa.Array.from_buffers(
        pa.binary(4 * params.permutations), len(text), [pa.py_buffer(present), pa.py_buffer(values)]
    )
    return _exact(normalised), minhash


def from_binary(minhash: pa.FixedSizeBinaryArray) -> U32:
    """uint32[rows, permutations], a view of the column; what stands in the rows that are null means nothing."""
    width = minhash.type.byte_width
    data = np.frombuffer(minhash.buffers()[1] or b"", np.uint8)
    rows = data[minhash.offset * width : (minhash.offset + len(minhash)) * width]
    return rows.view("<u4").reshape(len(minhash), width // 4)


def permutations(count: int, seed: int) -> tuple[U64, U64]:
    """Multipliers (odd) and summands of h(x) = (a·x + b mod 2⁶⁴) div 2³², drawn by SplitMix64 from `seed`.

    A universal family: M. Dietzfelbinger et al., "A reliable randomized algorithm for the closest-pair problem"
    (1997), section 2.
    """
    numbers = drawn(2 * count, seed)
    return numbers[:count] | np.uint64(1), numbers[count:]


def _exact(normalised: pa.LargeStringArray) -> pa.FixedSizeBinaryArray:
    _, offsets, data = normalised.buffers()
    ends = np.frombuffer(offsets, np.int64).tolist()
    view = memoryview(data)
    digests = (hashlib.blake2b(view[start:stop], digest_size=16).digest() for start, stop in pairwise(ends))
    return pa.Array.from_buffers(pa.binary(16), len(normalised), [None, pa.py_buffer(b"".join(digests))])
