"""Decoding with a KV cache, for one text or several at once: a new token costs a forward pass over itself only.

The model sees at most `context` tokens. Of a longer prompt, the last `context` tokens are read. When a text has filled
the context, its last half is read again, and generation continues from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elek.errors import DataError, ParamsError
from elek.generation.decoder import Decoder, decoder_for
from elek.generation.sampling import Sampling, choose
from elek.model.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was chosen. Probabilities are the model's own, before any filter."""

    row: int
    """Which of the texts it continues."""
    id: int
    logprob: float | None = None
    """Natural logarithm of its probability, if requested."""
    top: tuple[tuple[int, float], ...] = ()
    """The likeliest ids with their logprobs, the likeliest first."""


def generate(
    model: Transformer,
    prompt_ids: Sequence[int],
    *,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    seed: int = 0,
    stop_ids: Collection[int] = (),
) -> list[int]:
    """The ids that follow `prompt_ids`, at most `max_new_tokens`; a stop id ends them and is not among them.

    `Sampling` documents the settings. The same model, prompt and seed give the same ids.

    Raises DataError for an empty prompt (begin with the bos id) or an id outside the vocabulary, ParamsError for
    an invalid setting.
    """
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty)
    return list(stream(model, prompt_ids, max_new_tokens, sampling, seed=seed, stop_ids=stop_ids))


def stream(
    model: Transformer,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    sampling: Sampling,
    *,
    seed: int = 0,
    stop_ids: Collection[int] = (),
) -> Iterator[int]:
    """The ids of `generate`, one by one as they are found."""
    for token in decode(model, [prompt_ids], max_new_tokens, sampling, seeds=[seed], stop_ids=stop_ids):
        yield token.id


def generate_batch(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling,
    *,
    seeds: Sequence[int],
    stop_ids: Collection[int] = (),
) -> list[list[int]]:
    """What `generate` returns for each prompt with its seed. Faster, because all prompts share each pass."""
    texts: list[list[int]] = [[] for _ in prompts]
    for token in decode(model, prompts, max_new_tokens, sampling, seeds=seeds, stop_ids=stop_ids):
        texts[token.row].append(token.id)
    return texts


@torch.inference_mode()
def decode(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling,
    *,
    seeds: Sequence[int],
    stop_ids: Collection[int] = (),
    top: int | None = None,
    ended: Collection[int] = frozenset(),
) -> Iterator[Token]:
    """The continuations of all prompts, one token of each in turn. `top` requests logprobs and that many candidates.

    Each row has its own positions, cache and random numbers, so a text does not depend on the others. `ended` is
    checked before each step: the consumer of the tokens can end a row by adding its number.
    """
    check_length(max_new_tokens)
    for prompt in prompts:
        check_prompt(prompt, model.config.vocab_size)
    if not prompts or not max_new_tokens:
        return
    decoder = decoder_for(model, len(prompts))
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    texts = [list(prompt) for prompt in prompts]
    logits = _read_prompts(decoder, prompts)
    running = list(range(len(prompts)))
    for _ in range(max_new_tokens):
        going = []
        for row in running:
            seen = torch.tensor(texts[row]) if sampling.repetition_penalty != 1 else _NOTHING
            chosen = choose(logits[row], seen, sampling, generators[row])
            if chosen in stop_ids:
                continue
            yield _token(row, chosen, logits[row], top)
            texts[row].append(chosen)
            going.append(row)
        running = [row for row in going if row not in ended]
        if not running:
            return
        logits = _advance(decoder, texts, running)


def _read_prompts(decoder: Decoder, prompts: Sequence[Sequence[int]]) -> dict[int, Tensor]:
    """Logits after each prompt. Equal prompts are read once."""
    first: dict[tuple[int, ...], int] = {}
    parents = [first.setdefault(tuple(prompt), row) for row, prompt in enumerate(prompts)]
    logits = {row: decoder.read(row, prompts[row][-decoder.context :]) for row in sorted(set(parents))}
    decoder.fork(parents)
    return {row: logits[parent] for row, parent in enumerate(parents)}


def _advance(decoder: Decoder, texts: list[list[int]], running: list[int]) -> dict[int, Tensor]:
    """Logits after the last token of each running row. A full row is reduced to its last half first."""
    full = [row for row in running if decoder.length(row) == decoder.context]
    logits = {row: decoder.read(row, texts[row][-max(1, decoder.context // 2) :]) for row in full}
    rest = [row for row in running if row not in logits]
    if rest:
        logits |= zip(rest, decoder.step(rest, [texts[row][-1] for row in rest]), strict=True)
    return logits


_NOTHING = torch.empty(0, dtype=torch.int64)


def _token(row: int, chosen: int, logits: Tensor, top: int | None) -> Token:
    if top is None:
        return Token(row, chosen)
    logprobs = logits.log_softmax(-1)
    values, ids = logprobs.topk(min(top, logits.numel()))
    return Token(row, chosen, float(logprobs[chosen]), tuple(zip(ids.tolist(), values.tolist(), strict=True)))


def check_length(max_new_tokens: int) -> None:
    """Raises ParamsError for a negative number."""
    if max_new_tokens < 0:
        raise ParamsError(f"max_new_tokens is {max_new_tokens}", where="generation", fix="give at least 0")


def check_prompt(prompt_ids: Sequence[int], vocab_size: int) -> None:
    """Raises DataError for an empty prompt or an id outside the vocabulary."""
    if not prompt_ids:
        raise DataError("the prompt is empty", where="generation", fix="begin with the id of <s>, the start of a text")
    for token in prompt_ids:
        if not 0 <= token < vocab_size:
            raise DataError(
                f"token id {token} is not in a vocabulary of {vocab_size}",
                where="the prompt",
                fix="encode the prompt with the tokenizer that the model was trained with",
            )
