"""SplitMix64 (G. Steele et al., "Fast splittable pseudorandom number generators", 2014): numbers that look drawn."""

from __future__ import annotations

import numpy as np

from elek.dedup.kernels import U64
from elek.splitmix import GOLDEN, finalise


def drawn(count: int, seed: int) -> U64:
    """The first `count` numbers that follow from `seed`."""
    return finalise(np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)


def mixed(values: U64) -> U64:
    """One number for each value: the same for equal ones."""
    return finalise((values + np.uint64(1)) * GOLDEN)
