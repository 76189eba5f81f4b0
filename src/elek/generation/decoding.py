"""Decoding with a KV cache: each new token costs one pass over itself alone.

The model sees at most `context` tokens. Of a longer prompt the last `context` count; and when a text has filled
the context, it goes on from its last half, which is read once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import torch

from elek.errors import DataError, ParamsError
from elek.generation.sampling import Sampling, choose
from elek.model.transformer import Transformer


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

    See `Sampling` for what the numbers mean. The same model, prompt and seed give the same ids.

    Raises DataError for an empty prompt (begin with the bos id) or an id outside the vocabulary, ParamsError for
    a number that means nothing.
    """
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty)
    return list(stream(model, prompt_ids, max_new_tokens, sampling, seed=seed, stop_ids=stop_ids))


@torch.inference_mode()
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
    if not model.config.causal:
        raise ParamsError(
            "a masked model cannot continue a text: it was made to fill in what is missing",
            where="generation",
            fix="`elek fill` does that; `train.objective: causal` trains a model that writes",
        )
    _check_prompt(prompt_ids, model.config.vocab_size)
    device = model.embedding.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    text, context = list(prompt_ids), model.config.context
    cache = model.new_cache()
    pending = text[-context:]  # tokens that the cache has not seen yet
    for _ in range(max_new_tokens):
        if cache.length + len(pending) > context:
            cache.length, pending = 0, text[-max(1, context // 2) :]
        states = model.states(torch.tensor([pending], device=device), cache)
        logits = torch.nn.functional.linear(states[0, -1], model.head_weight).float()
        seen = torch.tensor(text, device=device) if sampling.repetition_penalty != 1 else states.new_empty(0)
        token = choose(logits, seen, sampling, generator)
        if token in stop_ids:
            return
        yield token
        text.append(token)
        pending = [token]


def _check_prompt(prompt_ids: Sequence[int], vocab_size: int) -> None:
    if not prompt_ids:
        raise DataError("the prompt is empty", where="generation", fix="begin with the id of <s>, the start of a text")
    for token in prompt_ids:
        if not 0 <= token < vocab_size:
            raise DataError(
                f"token id {token} is not in a vocabulary of {vocab_size}",
                where="the prompt",
                fix="encode the prompt with the tokenizer that the model was trained with",
            )
