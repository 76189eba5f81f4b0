"""How much of a model's output is copied verbatim from its training text (Carlini et al. 2023).

The training shards are read once, as a stream of tokens. A rolling hash of every run of `SHORTEST` tokens is looked up
among the hashes of the generations, and only matches are compared token by token. Memory grows with the generations,
time linearly with the training tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from elek.kernels import Array, kernel
from elek.shards import TokenShards

SHORTEST = 6
"""Tokens. Shorter overlaps occur in any text and are reported as 0."""

BASE = 0x9E3779B97F4A7C15
FILTER_BITS = 18
STEP = 1 << 22
"""Training tokens that are read at a time."""


@dataclass(frozen=True)
class Overlap:
    """The longest run of a generation's tokens that occurs in the training text."""

    tokens: int
    """Length of the run; 0 where none has `SHORTEST` tokens."""
    position: int
    """Where the run first begins in the stream of training tokens; -1 where there is none."""


def longest_overlaps(generations: Sequence[Sequence[int]], train: TokenShards) -> list[Overlap]:
    """The longest overlap of each generation; of equally long ones, the first in the training text."""
    ids = np.concatenate([np.asarray(one, np.int64) for one in generations] or [np.empty(0, np.int64)])
    borders = np.cumsum([0, *map(len, generations)])
    # A run lies within one generation.
    starts = [np.arange(begin, end - SHORTEST + 1) for begin, end in pairwise(borders.tolist())]
    runs = np.concatenate(starts or [np.empty(0, np.int64)]).astype(np.int64)
    hashes = _hashes(ids, runs)
    order = np.lexsort((runs, hashes))
    hashes, runs = hashes[order], runs[order]
    sieve = np.zeros(1 << FILTER_BITS, np.bool_)
    sieve[(hashes >> np.uint64(64 - FILTER_BITS)).astype(np.int64)] = True
    owner = np.repeat(np.arange(len(generations)), np.diff(borders))
    best = np.zeros(len(generations), np.int64)
    where = np.full(len(generations), -1, np.int64)
    longest = max(map(len, generations), default=0)
    for begin in range(0, max(0, len(train) - SHORTEST + 1), STEP):
        # The window is longer by the longest generation, so that no run is cut at its end.
        reach = min(len(train), begin + STEP + longest + SHORTEST)
        before = int(begin > 0)
        stream = train.window(begin - before, reach - begin + before).astype(np.int64)
        count = min(STEP, len(train) - begin)
        _search(stream, before, count, begin, ids, borders, owner, hashes, runs, sieve, best, where)
    return [Overlap(int(tokens), int(at)) for tokens, at in zip(best, where, strict=True)]


def _hashes(ids: npt.NDArray[np.int64], runs: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    value = np.zeros(len(runs), np.uint64)
    for offset in range(SHORTEST):
        value = value * np.uint64(BASE) + ids[runs + offset].astype(np.uint64) + np.uint64(1)
    return value * np.uint64(BASE)


@kernel
def _search(
    stream: Array,
    first: int,
    count: int,
    offset: int,
    ids: Array,
    borders: Array,
    owner: Array,
    hashes: Array,
    runs: Array,
    sieve: Array,
    best: Array,
    where: Array,
) -> None:
    """Search runs that begin at `stream[first]` to `stream[first + count - 1]`; `offset` is the position of that."""
    base = np.uint64(BASE)
    power = np.uint64(1)  # of a run's first token in its hash
    for _ in range(SHORTEST - 1):
        power = power * base
    value = np.uint64(0)
    for at in range(first, first + SHORTEST - 1):
        if at < len(stream):
            value = value * base + np.uint64(stream[at]) + np.uint64(1)
    last = min(first + count, len(stream) - SHORTEST + 1)
    for at in range(first, last):
        value = value * base + np.uint64(stream[at + SHORTEST - 1]) + np.uint64(1)
        key = value * base
        if sieve[np.int64(key >> np.uint64(64 - FILTER_BITS))]:
            found = np.searchsorted(hashes, key)
            while found < len(hashes) and hashes[found] == key:
                begin = runs[found]
                found += 1
                one = owner[begin]
                # If the preceding tokens agree as well, this run was already found one token earlier.
                if at > 0 and begin > borders[one] and stream[at - 1] == ids[begin - 1]:
                    continue
                length = 0
                while (
                    begin + length < borders[one + 1]
                    and at + length < len(stream)
                    and stream[at + length] == ids[begin + length]
                ):
                    length += 1
                if length >= SHORTEST and length > best[one]:
                    best[one] = length
                    where[one] = offset + at - first
        # Takes the run's first token out of the hash.
        value -= (np.uint64(stream[at]) + np.uint64(1)) * power
