"""Masked language modelling (Devlin et al. 2019, §3.1): hide some tokens and predict them from both sides.

What is hidden in a window is a pure function of (digest of the data, seed, step, window). There is no state to save,
and neither a resumed run nor another micro-batch or number of processes changes it. The step counts on over the
epochs, so a window is masked in other places each time it comes again (as in RoBERTa, Liu et al. 2019, §4.1).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from elek.errors import ParamsError
from elek.splitmix import GOLDEN, finalise
from elek.training.batches import Indices
from elek.training.params import MaskingParams

if TYPE_CHECKING:
    from elek.vocab.tokenizer import Tokenizer

SPECIALS, MASK = 5, 4
"""Ids below `SPECIALS` are special pieces, such as the first and last token of a document: they are never hidden and
never used as a replacement. `elek.vocab.tokenizer` defines both numbers. It is not imported here, because it would
import SentencePiece."""


class Words:
    """The word boundaries of a vocabulary.

    `begins` [V] marks the pieces that begin a word, `alone` [V] those that are a word of their own (special pieces and
    white space); the piece after one of these begins a word as well.
    """

    def __init__(self, begins: npt.NDArray[np.bool_], alone: npt.NDArray[np.bool_]) -> None:
        self.begins, self.alone = begins, alone

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Words:
        """The word boundaries of a tokenizer's vocabulary."""
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
        """Inputs and targets [B, T] for tokens [B, T] of some windows. A target is -1 where nothing is predicted.

        With `step` None, as in validation, the same tokens are hidden every time.
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
        """Which tokens [B, T] are to be predicted: in each row the same share of those that are not special.

        Words are taken in the order of their draws while they fit into the share, always whole, and at least one.
        Without `words` every token is a word, and the number of tokens is exactly the share, rounded.
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
            taken = (end <= wanted) | (end == size)  # `end == size` holds only for the first word in the order
            chosen[row, places] = taken[member]
        return chosen

    def _draw(self, windows: Indices, step: int | None, purpose: str, length: int) -> npt.NDArray[np.uint64]:
        """Pseudo-random numbers [B, T], uniform over uint64."""
        keys = [f"{self.digest}/{self.seed}/{purpose}/{step}/{window}".encode() for window in windows.tolist()]
        starts = [int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") for key in keys]
        return finalise(np.array(starts, dtype=np.uint64)[:, None] + np.arange(1, length + 1, dtype=np.uint64) * GOLDEN)
