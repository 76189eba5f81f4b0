"""SplitMix64 (Steele, Lea and Flood 2014): 64-bit numbers that look random and are the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The step between two states of the generator: 2^64 over the golden ratio, made odd."""


def finalise(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The generator's output for each state. One-to-one, and every bit of a state changes half of the output's bits."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def drawn(count: int, seed: int) -> npt.NDArray[np.uint64]:
    """The first `count` numbers that follow from `seed`."""
    return finalise(np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """One number for each value: the same for equal ones."""
    return finalise((values + np.uint64(1)) * GOLDEN)
