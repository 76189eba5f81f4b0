"""SplitMix64 (G. Steele et al., "Fast splittable pseudorandom number generators", 2014): numbers that look drawn."""

from __future__ import annotations

import numpy as np

from elek.dedup.kernels import U64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def drawn(count: int, seed: int) -> U64:
    """The first `count` numbers that follow from `seed`."""
    return _mix(np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)


def mixed(values: U64) -> U64:
    """One number for each value: the same for equal ones."""
    return _mix((values + np.uint64(1)) * _GOLDEN)


def _mix(state: U64) -> U64:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
