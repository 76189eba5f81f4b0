"""Fill-mask: what a masked model predicts for each `[MASK]` in a text.

A mask stands for one piece of the vocabulary, including the space before it: in "the [MASK] ran" the piece begins a
word, in "the far[MASK] ran" it continues one. A word of several pieces needs as many masks, or `max_pieces`: then a
mask stands for a whole word, and every number of pieces up to `max_pieces` is tried.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from elek.errors import DataError, ParamsError
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import SPACE_MARK, Tokenizer

_MASK = re.compile(r"( ?)(?:\[MASK\]|<mask>)")
Order = Literal["left-to-right", "joint"]


@dataclass(frozen=True)
class Candidate:
    """A text that may replace a mask, and its probability among all pieces of the vocabulary."""

    piece: str
    probability: float
    """For a word of several pieces, the geometric mean of the probabilities of its pieces, each given those before it.
    Words of different lengths fill different numbers of masks, so their joint probabilities cannot be compared."""


@dataclass(frozen=True)
class Filled:
    """The text with the likeliest piece in each mask, and each mask's candidates, the likeliest first."""

    text: str
    masks: list[list[Candidate]]


@torch.inference_mode()
def fill(
    model: Transformer,
    tokenizer: Tokenizer,
    text: str,
    *,
    top_k: int = 5,
    order: Order = "left-to-right",
    max_pieces: int = 1,
) -> Filled:
    """Fill each `[MASK]` (or `<mask>`) of `text` with what the model finds likeliest.

    `left-to-right` fills one mask after the other, and each takes the earlier ones into account, which costs a pass
    for each mask; `joint` fills all in one pass, independently of each other. Probabilities are over the whole
    vocabulary, but control pieces and pieces that do not fit the space before the mask are not returned.

    With `max_pieces` above 1, a mask becomes a word of letters and digits with at most that many pieces: for each
    number of pieces, a beam search from left to right keeps the `top_k` likeliest. The pieces of such a word need not
    be those that the tokenizer would choose for it.

    Raises ParamsError for a causal model, a `top_k` or `max_pieces` below 1, and whole words with `joint`. Raises
    DataError where nothing is masked, the text is longer than the context, or the vocabulary is not the model's.
    """
    _check(model, top_k, max_pieces, order)
    tokenizer.require(model.config.vocab_size, "elek fill")
    ids, spaced = _encode(text, tokenizer)
    size = len(ids) + (max_pieces - 1) * len(spaced)
    if size > model.config.context:
        raise DataError(
            f"the text has {size} tokens, and the model sees {model.config.context}",
            where="elek fill",
            fix="give the sentences around the mask alone",
        )
    if max_pieces > 1:
        return _fill_words(model, tokenizer, ids, spaced, top_k, max_pieces)
    return _fill_pieces(model, tokenizer, ids, spaced, top_k, order)


def _check(model: Transformer, top_k: int, max_pieces: int, order: Order) -> None:
    if model.config.causal:
        raise ParamsError(
            "a causal model cannot fill a mask: it sees only what stands before",
            where="elek fill",
            fix="`elek generate` continues a text; `train.objective: masked` trains a model that fills",
        )
    if top_k < 1:
        raise ParamsError(f"top_k is {top_k}", where="elek fill", fix="give at least 1")
    if max_pieces < 1:
        raise ParamsError(f"max_pieces is {max_pieces}", where="elek fill", fix="give at least 1")
    if max_pieces > 1 and order == "joint":
        raise ParamsError(
            "words of several pieces are filled piece by piece, and never all masks at once",
            where="elek fill",
            fix="leave out --joint, or --max-pieces",
        )


def _fill_pieces(
    model: Transformer, tokenizer: Tokenizer, ids: list[int], spaced: list[bool], top_k: int, order: Order
) -> Filled:
    first, later = _fitting(tokenizer)
    tokens = torch.tensor([ids], device=model.embedding.weight.device)
    places = [place for place, token in enumerate(ids) if token == Tokenizer.mask]
    states = model.states(tokens)
    masks: list[list[Candidate]] = []
    for place, space in zip(places, spaced, strict=True):
        if order == "left-to-right" and masks:
            states = model.states(tokens)
        best = _likeliest(model, states[0, place], first if space else later, top_k)
        masks.append([Candidate(_text(tokenizer, token), probability) for token, probability in best])
        tokens[0, place] = best[0][0]
    return Filled(tokenizer.decode(tokens[0].tolist()), masks)


def _fill_words(
    model: Transformer, tokenizer: Tokenizer, ids: list[int], spaced: list[bool], top_k: int, max_pieces: int
) -> Filled:
    pieces = [tokenizer.piece(index).removeprefix(SPACE_MARK) for index in range(tokenizer.size)]
    letters = torch.tensor([piece.isalnum() and not tokenizer.is_byte(index) for index, piece in enumerate(pieces)])
    first, later = (fitting & letters for fitting in _fitting(tokenizer))
    masks: list[list[Candidate]] = []
    for space in spaced:
        place = ids.index(Tokenizer.mask)
        words = [
            word
            for length in range(1, max_pieces + 1)
            for word in _words(model, ids, place, [first if space else later, *[later] * (length - 1)], top_k)
        ]
        best = sorted(words, key=lambda word: (-word[1], word[0]))[:top_k]
        masks.append([Candidate(tokenizer.decode(list(word)), probability) for word, probability in best])
        ids = [*ids[:place], *best[0][0], *ids[place + 1 :]]
    return Filled(tokenizer.decode(ids), masks)


def _words(
    model: Transformer, ids: list[int], place: int, fitting: Sequence[Tensor], top_k: int
) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest words of `len(fitting)` pieces in place of a mask, with the mean probability of their pieces."""
    length = len(fitting)
    beams: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for at, allowed in enumerate(fitting):
        rows = [[*ids[:place], *word, *[Tokenizer.mask] * (length - at), *ids[place + 1 :]] for word, _ in beams]
        states = model.states(torch.tensor(rows, device=model.embedding.weight.device))[:, place + at]
        logits = torch.nn.functional.linear(states, model.head_weight).float().cpu()
        totals = logits.log_softmax(-1).double() + torch.tensor([[total] for _, total in beams], dtype=torch.float64)
        totals = totals.masked_fill(~allowed, -torch.inf)
        values, found = totals.flatten().topk(min(top_k, int(totals.isfinite().sum())))
        beams = [
            ((*beams[index // totals.shape[1]][0], index % totals.shape[1]), total)
            for index, total in zip(found.tolist(), values.tolist(), strict=True)
        ]
    return [(word, math.exp(total / length)) for word, total in beams]


def _encode(text: str, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """Ids of the text as a document, and for each mask whether it includes the space before it."""
    first, *others = _MASK.split(text)
    if not others:
        raise DataError("nothing is masked in the text", where="elek fill", fix='write [MASK], as in "The [MASK] ran."')
    ids, spaced = [Tokenizer.bos, *tokenizer.encode(first)], []
    for space, after in zip(others[::2], others[1::2], strict=True):
        ids += [Tokenizer.mask, *tokenizer.encode(after)]
        spaced.append(bool(space))
    return [*ids, Tokenizer.eos], spaced


def _fitting(tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """The pieces that include a space before them, and those that do not, as bool [V] each."""
    begins = torch.tensor([tokenizer.piece(index).startswith(SPACE_MARK) for index in range(tokenizer.size)])
    written = torch.arange(tokenizer.size) >= tokenizer.controls
    return written & begins, written & ~begins


def _text(tokenizer: Tokenizer, token: int) -> str:
    return tokenizer.piece(token) if tokenizer.is_byte(token) else tokenizer.decode([token])


def _likeliest(model: Transformer, state: Tensor, fitting: Tensor, top_k: int) -> Sequence[tuple[int, float]]:
    probabilities = torch.nn.functional.linear(state, model.head_weight).float().softmax(-1).cpu()
    values, found = probabilities.masked_fill(~fitting, -1.0).topk(min(top_k, int(fitting.sum())))
    return list(zip(found.tolist(), values.tolist(), strict=True))
