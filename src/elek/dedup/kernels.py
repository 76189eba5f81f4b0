"""The compiled half of deduplication and decontamination: integers over Arrow buffers, no object for a word.

Every kernel releases the GIL, allocates next to nothing, is linear in its input, and gives the same integers on
every machine.

A *run* is a sequence of words: a shingle in MinHash, an n-gram in decontamination.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from elek.kernels import kernel, part

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LIMIT = 0x30000
"""Length of a folding table: no character above it decomposes, folds, or is punctuation or a digit."""
EXPANDS = 0x8000_0000
"""A folding table's entry with this bit points into `more`: a length, then so many characters."""
DROP = 0xFFFF_FFFF
SPACE = 0x20
BLOCK = 512  # shingles that stay in the first-level cache while all permutations pass over them
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio
_29, _32, _33 = np.uint64(29), np.uint64(32), np.uint64(33)
_EXPANDS_MASK = np.uint32(EXPANDS - 1)


@kernel
def normalise(offsets: I64, data: U8, one: U32, more: U32, out: U8, ends: I64, words: U64, word_ends: I64) -> None:
    """UTF-8 rows → folded UTF-8 rows with one space between words, and the hashes of the words.

    See `elek.dedup.normalise`. In one pass: to find where words end costs more than to hash them.
    """
    at = count = 0
    state = _FNV_OFFSET
    for row in range(len(offsets) - 1):
        i, stop, begin = offsets[row], offsets[row + 1], at
        gap = False
        while i < stop:
            byte = data[i]
            if byte < 0x80:
                i += 1
                folded = one[byte]
                if folded < 0x80 and folded != SPACE:
                    if gap:
                        if at > begin:
                            out[at] = SPACE
                            at += 1
                            words[count] = mix(state)
                            count += 1
                            state = _FNV_OFFSET
                        gap = False
                    out[at] = folded
                    at += 1
                    state = (state ^ np.uint64(folded)) * _FNV_PRIME
                    continue
                code = np.uint32(byte)
            else:
                length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                if i + length > stop:  # Arrow promises valid UTF-8; a broken promise must not read elsewhere
                    break
                code = np.uint32(byte & (0x7F >> length))
                for k in range(i + 1, i + length):
                    code = code << np.uint32(6) | np.uint32(data[k] & 0x3F)
                i += length
                folded = one[code] if code < LIMIT else code
            if folded == SPACE:
                gap = True
                continue
            if folded == DROP:
                continue
            first, last = np.int64(0), np.int64(1)
            if folded & EXPANDS:
                first = np.int64(folded & _EXPANDS_MASK) + 1
                last = first + np.int64(more[first - 1])
            for k in range(first, last):
                letter = more[k] if folded & EXPANDS else folded
                if letter == SPACE:
                    gap = True
                    continue
                if gap:
                    if at > begin:
                        out[at] = SPACE
                        at += 1
                        words[count] = mix(state)
                        count += 1
                        state = _FNV_OFFSET
                    gap = False
                start = at
                at = _put(out, at, letter)
                for j in range(start, at):
                    state = (state ^ np.uint64(out[j])) * _FNV_PRIME
        if at > begin:
            words[count] = mix(state)
            count += 1
            state = _FNV_OFFSET
        ends[row + 1] = at
        word_ends[row + 1] = count


@part
def _put(out: U8, at: int, code: int) -> int:
    """Write a code point as UTF-8 and return the position behind it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@part
def mix(value: np.uint64) -> np.uint64:
    """MurmurHash3's 64-bit finaliser, a permutation: every bit of the result depends on every bit of `value`."""
    value ^= value >> _33
    value *= _MIX_1
    value ^= value >> _33
    value *= _MIX_2
    return value ^ (value >> _33)


@part
def extend(run: np.uint64, word: np.uint64) -> np.uint64:
    """The state of a run of words, lengthened by one word. Starts from 0; its `mix` is the run's hash."""
    run = (run ^ word) * _GOLDEN
    return run ^ (run >> _29)


@kernel
def minhash(words: U64, offsets: I64, size: int, multiply: U64, add: U64, values: U32) -> None:
    """values[row, j] = the least of (multiply[j]·x + add[j] mod 2⁶⁴) div 2³² over the row's runs x of `size` words."""
    block = np.empty(BLOCK, dtype=np.uint64)
    lowest = np.empty(len(multiply), dtype=np.uint64)
    for row in range(len(offsets) - 1):
        start, count = offsets[row], max(offsets[row + 1] - offsets[row] - size + 1, 0)
        lowest[:] = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
        for first in range(0, count, BLOCK):
            length = min(BLOCK, count - first)
            for i in range(length):
                state = np.uint64(0)
                for k in range(size):
                    state = extend(state, words[start + first + i + k])
                block[i] = mix(state)
            for j in range(len(multiply)):
                a, b, low = multiply[j], add[j], lowest[j]
                for i in range(length):
                    low = min(low, a * block[i] + b)
                lowest[j] = low
        for j in range(len(multiply)):
            values[row, j] = lowest[j] >> _32


@kernel
def runs(words: U64, offsets: I64, size: int, out: U64, ends: I64) -> None:
    """The hashes of each row's runs of `size` words, one after the other, and where each row's end."""
    at = 0
    for row in range(len(offsets) - 1):
        for first in range(offsets[row], offsets[row + 1] - size + 1):
            state = np.uint64(0)
            for k in range(first, first + size):
                state = extend(state, words[k])
            out[at] = mix(state)
            at += 1
        ends[row + 1] = at


@kernel
def unique(values: U64, ends: I64) -> None:
    """Of the equal values that follow each other in a row of `values` keep one, in place, and close up the rows."""
    at = 0
    start = ends[0]
    for row in range(len(ends) - 1):
        stop = ends[row + 1]
        for i in range(start, stop):
            if i == start or values[i] != values[i - 1]:
                values[at] = values[i]
                at += 1
        start, ends[row + 1] = stop, at


@kernel
def band_keys(signatures: U32, first: int, rows: int, keys: U64) -> None:
    """One hash of signatures[:, first : first + rows] per document."""
    for document in range(len(signatures)):
        state = np.uint64(0)
        for k in range(first, first + rows):
            state = extend(state, np.uint64(signatures[document, k]))
        keys[document] = mix(state)


@kernel
def bucket_pairs(
    signatures: U32, keys: U64, order: I64, crowd: int, agree: int, position: int, bucket: int, out: U64
) -> tuple[int, int, int]:
    """Pairs (right << 32 | left) of documents in one bucket whose signatures agree in at least `agree` values.

    `order` sorts `keys`, stably, so that a bucket's members ascend; each member meets the first `crowd` of its
    bucket. Stops where `out` may not hold one more member's pairs; returns where to go on (position and its
    bucket's start) and how many pairs were written.
    """
    count = 0
    while position < len(order) and count + crowd <= len(out):
        right = order[position]
        if keys[right] != keys[order[bucket]]:
            bucket = position
        for other in range(bucket, min(position, bucket + crowd)):
            left = order[other]
            equal = 0
            for k in range(signatures.shape[1]):
                equal += signatures[left, k] == signatures[right, k]
            if equal >= agree:
                out[count] = np.uint64(right) << _32 | np.uint64(left)
                count += 1
        position += 1
    return position, bucket, count


@kernel
def jaccard(sets: U64, offsets: I64, left: I64, right: I64) -> F64:
    """|A ∩ B| / |A ∪ B| for pairs of rows of ascending sets; 0 where both are empty."""
    result = np.zeros(len(left), dtype=np.float64)
    for pair in range(len(left)):
        a, a_stop = offsets[left[pair]], offsets[left[pair] + 1]
        b, b_stop = offsets[right[pair]], offsets[right[pair] + 1]
        total = (a_stop - a) + (b_stop - b)
        common = 0
        while a < a_stop and b < b_stop:
            x, y = sets[a], sets[b]
            common += x == y
            a += x <= y
            b += y <= x
        if total:
            result[pair] = common / (total - common)
    return result


@kernel
def survivors(count: int, left: I64, right: I64, similarity: F64) -> tuple[I64, F64]:
    """For each of `count` texts in order of rank: the text that stays in its place (-1: it stays) and how similar.

    Pairs are sorted by (right, left), left < right. A text is dropped when an earlier one that stays is similar,
    in favour of the most similar of those, and of the first where several are.
    """
    keeper = np.full(count, -1, dtype=np.int64)
    best = np.full(count, np.nan)
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        if keeper[a] < 0 and (keeper[b] < 0 or similarity[pair] > best[b]):
            keeper[b] = a
            best[b] = similarity[pair]
    return keeper, best


@kernel
def components(count: int, left: I64, right: I64) -> I64:
    """Union-find: for each of `count` nodes the smallest node of its connected component."""
    parent = np.arange(count)
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        parent[max(a, b)] = min(a, b)
    for node in range(count):
        parent[node] = parent[parent[node]]
    return parent
