# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Where any of a few words stand in a text: one compiled pass in place of a search for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from elek.kernels import kernel


class Words(NamedTuple):
    """Words laid end to end, those of one first byte behind each other."""

    letters: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    """[257] the number of the first word that begins with a byte, or a later one."""
    begins: npt.NDArray[np.bool_]
    """[65536] whether a word begins with two bytes."""


def words(these: Sequence[bytes]) -> Words:
    """Words of two bytes at least, in a shape that numba takes."""
    order = sorted(these)
    pairs = np.array([word[0] << 8 | word[1] for word in order])
    begins = np.zeros(1 << 16, np.bool_)
    begins[pairs] = True
    first = np.searchsorted(pairs >> 8, np.arange(257))
    letters = np.frombuffer(b"".join(order), np.uint8)
    return Words(letters, np.cumsum([0, *map(len, order)]), first, begins)


def places(raw: bytes, these: Words) -> list[int]:
    """Where a word begins, ascending; a word is not looked for within itself, as `bytes.find` from its end would."""
    found: list[int] = _places(np.frombuffer(raw, np.uint8), *these).tolist()
    return found


@kernel
def _places(raw, letters, offsets, first, begins):
    found = np.empty(len(raw), np.int64)  # of which only what is written to is ever touched
    count = 0
    behind = np.zeros(len(offsets) - 1, np.int64)  # each word's last find
    for at in range(len(raw) - 1):
        byte = np.int64(raw[at])
        if not begins[byte << 8 | np.int64(raw[at + 1])]:
            continue
        for word in range(first[byte], first[byte + 1]):
            begin, size = offsets[word], offsets[word + 1] - offsets[word]
            if at + size > len(raw) or at < behind[word]:
                continue
            same = True
            for index in range(1, size):
                if raw[at + index] != letters[begin + index]:
                    same = False
                    break
            if same:
                behind[word] = at + size
                if count == 0 or found[count - 1] != at:
                    found[count] = at
                    count += 1
    return found[:count]
