"""Which windows of text make up which batch: sampling without replacement, with random access to any step.

The stream of tokens is cut into fixed windows of `context` inputs and as many targets, shifted by one; the last target
of a window is the first input of the next. Every epoch visits all windows once, in an order of its own. Batch `step` is
a pure function of (digest of the data, seed, step). There is no shuffle buffer and no state to save, and neither the
number of workers nor a resumed run changes it.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from elek.errors import DataError
from elek.splitmix import finalise

Indices = npt.NDArray[np.int64]
_ROUNDS = 6


class TokenStream(Protocol):
    """What `Batches` needs of a stream of tokens; `elek.shards.TokenShards` implements it."""

    vocab_size: int

    def __len__(self) -> int: ...

    @property
    def digest(self) -> str: ...

    def window(self, start: int, length: int) -> npt.NDArray[np.unsignedinteger]: ...

    @property
    def document_starts(self) -> npt.NDArray[np.int64]: ...

    def document_at(self, token: int) -> dict[str, Any]: ...


def permuted(positions: Indices, size: int, key: bytes) -> Indices:
    """Where each of `positions` goes in the permutation of range(size) that `key` chooses.

    A Feistel network (Luby and Rackoff 1988) on the smallest even number of bits that holds `size`; a position that
    lands outside is permuted again until it is inside (cycle walking, Black and Rogaway 2002), which takes a few rounds
    on average. It needs no memory and, unlike a library's shuffle, never changes between versions.
    """
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    keys = np.frombuffer(hashlib.sha512(key).digest(), dtype="<u8")[:_ROUNDS]
    result = positions.astype(np.uint64)
    walking = np.ones(len(result), dtype=bool)
    while walking.any():
        left, right = result[walking] >> half, result[walking] & mask
        for round_key in keys:
            left, right = right, left ^ (finalise(right ^ round_key) & mask)
        result[walking] = left << half | right
        walking = result >= np.uint64(size)
    return result.astype(np.int64)


class Batches:
    """The batches of a run: `Batches(stream, context, batch, seed).windows(step)`.

    Raises DataError where the stream is shorter than one window.
    """

    def __init__(self, stream: TokenStream, context: int, batch: int, seed: int, *, where: str = "") -> None:
        self.stream, self.context, self.batch, self.seed = stream, context, batch, seed
        self.count = (len(stream) - 1) // context
        """Windows in an epoch; the tokens after the last one, fewer than a window, are left out."""
        if self.count < 1:
            raise DataError(
                f"{len(stream)} tokens are less than one window of {context} and the token after it",
                where=where or None,
                fix="add text, or lower train.model.context in params.yaml",
            )

    def windows(self, step: int) -> Indices:
        """Numbers of the windows in batch `step` (from 0). A batch may begin in one epoch and end in the next."""
        position = np.arange(step * self.batch, (step + 1) * self.batch, dtype=np.int64)
        epoch, place = position // self.count, position % self.count
        result = np.empty_like(position)
        for one in np.unique(epoch):
            key = f"{self.stream.digest}/{self.seed}/{one}".encode()
            result[epoch == one] = permuted(place[epoch == one], self.count, key)
        return result

    def spread(self, windows: int) -> Indices:
        """At most `windows` windows, evenly spaced over the stream: a fixed sample."""
        number = min(windows, self.count)
        return np.arange(number, dtype=np.int64) * self.count // number

    def tokens(self, windows: Indices) -> npt.NDArray[np.int64]:
        """The tokens [len(windows), context + 1] of some windows: inputs and, one further on, targets."""
        result = np.empty((len(windows), self.context + 1), dtype=np.int64)
        for row, window in enumerate(windows):
            result[row] = self.stream.window(int(window) * self.context, self.context + 1)
        return result

    def document_numbers(self, windows: Indices) -> Indices:
        """Which document each input of some windows belongs to, [len(windows), context]: a number, never an id."""
        positions = windows[:, None] * self.context + np.arange(self.context)
        return np.searchsorted(self.stream.document_starts, positions, side="right")

    def documents(self, windows: Indices) -> list[str]:
        """Ids of the documents that have a token in some windows, sorted."""
        found = set()
        for window in windows:
            token = int(window) * self.context
            end = token + self.context + 1
            while token < end:
                document = self.stream.document_at(token)
                found.add(str(document["id"]))
                token = int(document["start"]) + int(document["length"])
        return sorted(found)
