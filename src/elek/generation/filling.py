"""Fill-mask: what a masked model would put where a text says `[MASK]`.

A mask stands for one piece of the vocabulary, the space before it included: "the [MASK] ran" asks for a piece that
begins a word, "the far[MASK] ran" for one that goes on with it. A word of several pieces needs as many masks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from elek.errors import DataError, ParamsError
from elek.model.transformer import Transformer
from elek.vocab.params import SPECIAL_PIECES
from elek.vocab.tokenizer import SPACE_MARK, Tokenizer

_MASK = re.compile(r"( ?)(?:\[MASK\]|<mask>)")
Order = Literal["left-to-right", "joint"]


@dataclass(frozen=True)
class Candidate:
    """A piece for one mask, as text, and its probability among all pieces of the vocabulary."""

    piece: str
    probability: float


@dataclass(frozen=True)
class Filled:
    """The text with the likeliest piece in each mask, and each mask's candidates, the likeliest first."""

    text: str
    masks: list[list[Candidate]]


@torch.inference_mode()
def fill(
    model: Transformer, tokenizer: Tokenizer, text: str, *, top_k: int = 5, order: Order = "left-to-right"
) -> Filled:
    """Fill each `[MASK]` (or `<mask>`) of `text` with what the model finds likeliest.

    `left-to-right` fills one mask after the other, each knowing what the earlier ones became, which costs a pass
    for each; `joint` asks for all in one pass, none knowing of another. The probabilities are those of the whole
    vocabulary; special pieces, and pieces that do not fit the space before the mask, are only not shown.

    Raises ParamsError for a causal model or a `top_k` below 1, DataError where nothing is masked or the text is
    longer than the model's context.
    """
    if model.config.causal:
        raise ParamsError(
            "a causal model cannot fill a mask: it sees only what stands before",
            where="elek fill",
            fix="`elek generate` continues a text; `train.objective: masked` trains a model that fills",
        )
    if top_k < 1:
        raise ParamsError(f"top_k is {top_k}", where="elek fill", fix="give at least 1")
    ids, spaced = _encode(text, tokenizer)
    if len(ids) > model.config.context:
        raise DataError(
            f"the text has {len(ids)} tokens, and the model sees {model.config.context}",
            where="elek fill",
            fix="give the sentences around the mask alone",
        )
    begins = torch.from_numpy(_begins_word(tokenizer))
    tokens = torch.tensor([ids], device=model.embedding.weight.device)
    places = [place for place, token in enumerate(ids) if token == Tokenizer.mask]
    states = model.states(tokens)
    masks: list[list[Candidate]] = []
    for place, space in zip(places, spaced, strict=True):
        if order == "left-to-right" and masks:
            states = model.states(tokens)
        best = _likeliest(model, states[0, place], begins if space else ~begins, top_k)
        masks.append([Candidate(_text(tokenizer, token), probability) for token, probability in best])
        tokens[0, place] = best[0][0]
    return Filled(tokenizer.decode(tokens[0].tolist()), masks)


def _encode(text: str, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """Ids of the text as a document, and of each mask whether a space stands before it, which it takes in."""
    first, *others = _MASK.split(text)
    if not others:
        raise DataError("nothing is masked in the text", where="elek fill", fix='write [MASK], as in "The [MASK] ran."')
    ids, spaced = [Tokenizer.bos, *tokenizer.encode(first)], []
    for space, after in zip(others[::2], others[1::2], strict=True):
        ids += [Tokenizer.mask, *tokenizer.encode(after)]
        spaced.append(bool(space))
    return [*ids, Tokenizer.eos], spaced


def _begins_word(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    return np.array([tokenizer.piece(index).startswith(SPACE_MARK) for index in range(tokenizer.size)])


def _text(tokenizer: Tokenizer, token: int) -> str:
    return tokenizer.piece(token) if tokenizer.is_byte(token) else tokenizer.decode([token])


def _likeliest(model: Transformer, state: Tensor, fitting: Tensor, top_k: int) -> Sequence[tuple[int, float]]:
    probabilities = torch.nn.functional.linear(state, model.head_weight).float().softmax(-1).cpu()
    shown = probabilities.masked_fill(~fitting, -1.0)
    shown[: len(SPECIAL_PIECES)] = -1.0
    values, found = shown.topk(min(top_k, int((shown >= 0).sum())))
    return list(zip(found.tolist(), values.tolist(), strict=True))
