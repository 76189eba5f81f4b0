"""Samples: continuations of fixed prompts."""

from __future__ import annotations

from typing import Any

from elek.evaluation.params import EvaluateParams
from elek.generation import generate
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import Tokenizer


def write_samples(model: Transformer, tokenizer: Tokenizer, params: EvaluateParams) -> list[dict[str, Any]]:
    """One continuation per prompt: `lang, prompt, text` (the continuation), its `tokens`, and whether it `ended`."""
    samples = []
    for lang, prompts in sorted(params.prompts.items()):
        for prompt in prompts:
            ids = generate(
                model,
                [tokenizer.bos, *tokenizer.encode(prompt)],
                stop_ids=[tokenizer.eos],
                **params.samples.model_dump(),
            )
            samples.append(
                {
                    "lang": lang,
                    "prompt": prompt,
                    "text": tokenizer.decode(ids),
                    "tokens": len(ids),
                    "ended": len(ids) < params.samples.max_new_tokens,
                }
            )
    return samples
