"""Token streams for tests: text that a tiny model can learn, without files."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

VOCAB = 32


class ArrayStream:
    """A token stream over an array, cut into documents of `length` tokens."""

    def __init__(self, tokens: npt.NDArray[np.uint16], length: int = 20, vocab_size: int = VOCAB) -> None:
        self.tokens, self.length, self.vocab_size = tokens, length, vocab_size

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.tokens.tobytes()).hexdigest()

    def window(self, start: int, length: int) -> npt.NDArray[np.unsignedinteger]:
        return self.tokens[start : start + length]

    @property
    def document_starts(self) -> npt.NDArray[np.int64]:
        return np.arange(0, len(self.tokens), self.length, dtype=np.int64)

    def document_at(self, token: int) -> dict[str, Any]:
        row = token // self.length
        return {"id": f"doc-{row}", "start": row * self.length, "length": self.length}


def chain(tokens: int, seed: int = 0) -> ArrayStream:
    """A Markov chain: each token is followed by one of two others, so that the best loss is ln 2 = 0.69."""
    rng = np.random.Generator(np.random.PCG64(seed))
    followers = np.random.Generator(np.random.PCG64(7)).integers(0, VOCAB, (VOCAB, 2))
    coins = rng.integers(0, 2, tokens)
    stream = np.zeros(tokens, dtype=np.uint16)
    for place in range(1, tokens):
        stream[place] = followers[stream[place - 1], coins[place]]
    return ArrayStream(stream)
