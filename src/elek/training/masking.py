"""Masked language modelling (Devlin et al. 2019, §3.1): hide some tokens, and ask for them from both sides.

What is hidden in a window is a pure function of (digest of the data, seed, step, window): no generator, no state to
save, nothing that a resumed run, another micro-batch or another number of processes could change. The step counts
on over the epochs, so that a window which comes again is hidden in other places (as in RoBERTa, Liu et al. 2019,
§4.1).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from elek.errors import ParamsError
from elek.training.batches import Indices, mixed
from elek.training.params import MaskingParams

if TYPE_CHECKING:
    from elek.vocab.tokenizer import Tokenizer

SPECIALS, MASK = 5, 4
"""Ids below the first are special, among them a document's first and last token: they are never hidden, and never
stand in for what is. `elek.vocab.tokenizer` fixes both; it is not imported, for masking needs no SentencePiece."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Words:
    """Which pieces of a vocabulary begin a word: those with the mark of a space, and what follows white space."""

    def __init__(self, begins: npt.NDArray[np.bool_], alone: npt.NDArray[np.bool_]) -> None:
        self.begins, self.alone = begins, alone

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Words:
        begins, alone = np.zeros(tokenizer.size, dtype=np.bool_), np.zeros(tokenizer.size, dtype=np.bool_)
        for index in range(tokenizer.size):
            piece = tokenizer.piece(index)
            begins[index] = piece.startswith("\u2581")
            alone[index] = index < SPECIALS or (tokenizer.is_byte(index) and chr(int(piece[3:5], 16)).isspace())
        return cls(begins, alone)

    def number(self, tokens: Indices) -> Indices:
        """Which word of its row each token [B, T] belongs to. Special tokens and line ends are words of their own."""
        alone = self.alone[tokens]
        first = self.begins[tokens] | alone
        first[:, 1:] |= alone[:, :-1]
        return np.cumsum(first, axis=1)


class Masking:
    """`Masking(params, seed, digest, vocab_size, words).hide(tokens, windows, step)`.

    Raises ParamsError where whole words are wanted and `words` is None.
    """

    def __init__(
        self, params: MaskingParams, seed: int, digest: str, vocab_size: int, words: Words | None = None
    ) -> None:
        if params.whole_words and words is None:
            raise ParamsError("whole words are to be masked, and nobody said which pieces begin a word", where="train")
        self.params, self.seed, self.digest, self.vocab_size = params, seed, digest, vocab_size
        self.words = words if params.whole_words else None

    def hide(self, tokens: Indices, windows: Indices, step: int | None) -> tuple[Indices, Indices]:
        """Inputs and targets [B, T] for tokens [B, T] of some windows; a target is -1 where nothing is asked.

        `step` None, as in validation, always hides the same.
        """
        draws = [self._draw(windows, step, purpose, tokens.shape[1]) for purpose in ("choose", "replace", "token")]
        chosen = self.choose(tokens, draws[0])
        kind = draws[1].astype(np.float64) / 2.0**64
        inputs = tokens.copy()
        inputs[chosen & (kind < self.params.masked)] = MASK
        replaced = chosen & (kind >= self.params.masked) & (kind < self.params.masked + self.params.random)
        others = SPECIALS + (draws[2] % np.uint64(max(1, self.vocab_size - SPECIALS))).astype(np.int64)
        inputs[replaced] = others[replaced]
        return inputs, np.where(chosen, tokens, -1)

    def choose(self, tokens: Indices, draws: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which tokens [B, T] are asked for: in each row the same share of those that may be, whole words together.

        Words come in the order of their draws until the next one would be too much; at least one is taken. Without
        `words` every token is a word, and the number is exact: the share, rounded.
        """
        rows, length = tokens.shape
        allowed = tokens >= SPECIALS
        words = self.words.number(tokens) if self.words else np.broadcast_to(np.arange(length), tokens.shape)
        chosen = np.zeros(tokens.shape, dtype=np.bool_)
        for row in range(rows):
            places = np.flatnonzero(allowed[row])
            _, first, member, size = np.unique(
                words[row, places], return_index=True, return_inverse=True, return_counts=True
            )
            order = np.argsort(draws[row, places[first]], kind="stable")
            end = np.empty(len(size), dtype=np.int64)
            end[order] = np.cumsum(size[order])
            wanted = max(1, round(self.params.share * len(places)))
            taken = (end <= wanted) | (end == size)  # the second is the first in the order alone
            chosen[row, places] = taken[member]
        return chosen

    def _draw(self, windows: Indices, step: int | None, purpose: str, length: int) -> npt.NDArray[np.uint64]:
        """Numbers [B, T], each as good as drawn from all of uint64."""
        keys = [f"{self.digest}/{self.seed}/{purpose}/{step}/{window}".encode() for window in windows.tolist()]
        starts = [int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") for key in keys]
        return mixed(np.array(starts, dtype=np.uint64)[:, None] + np.arange(1, length + 1, dtype=np.uint64) * _GOLDEN)
