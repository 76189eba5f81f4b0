"""Small models for generation: one random, one that has learned, each also as transformers loads it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from elek.export.weights import export_model
from elek.generation import TextModel
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from tests.vocabulary import prose, tokenizer

CONTEXT = 64


@cache
def random_model() -> Transformer:
    """Large weights and shared key heads, so that what is likely depends on the text."""
    config = ModelConfig(vocab_size=97, context=CONTEXT, layers=2, width=32, heads=4, kv_heads=2, tie_embeddings=False)
    model = initialise(Transformer(config), seed=3).eval()
    for parameter in model.parameters():
        parameter.data.mul_(6 if parameter.dim() > 1 else 1)
    return model


@cache
def trained_model() -> Transformer:
    """Some seconds of training on made-up prose: sure of some tokens, unsure of others, and it ends its texts."""
    config = ModelConfig(vocab_size=tokenizer().size, context=CONTEXT, layers=2, width=64, heads=2)
    model = initialise(Transformer(config), seed=4)
    text = [*prose("en", 12)["text"].to_pylist(), *prose("tr", 12)["text"].to_pylist()]
    # Sentences, so that the end of a text is often near.
    sentences = [sentence + "." for document in text for sentence in document.split(".") if sentence.strip()]
    ids = torch.tensor([token for sentence in sentences for token in [1, *tokenizer().encode(sentence.strip()), 2]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(5)
    for _ in range(60):
        starts = torch.randint(0, len(ids) - CONTEXT - 1, (8,), generator=generator)
        window = torch.stack([ids[start : start + CONTEXT + 1] for start in starts])
        loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@cache
def text_model() -> TextModel:
    return TextModel(trained_model(), tokenizer())


@cache
def exported(name: str) -> Any:
    """`random_model` or `trained_model` as transformers reads what `elek.export` writes."""
    from transformers import LlamaForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        export_model(Path(folder), MODELS[name]())
        return LlamaForCausalLM.from_pretrained(folder, attn_implementation="sdpa").eval()


MODELS = {"random": random_model, "trained": trained_model}


def prompts(name: str, count: int = 6) -> list[list[int]]:
    """Prompts of 1 to 16 tokens: any ids for the random model, beginnings of sentences for the other."""
    if name == "random":
        generator = torch.Generator().manual_seed(6)
        return [torch.randint(5, 97, (1 + 3 * n,), generator=generator).tolist() for n in range(count)]
    texts = [*prose("en", 3, first=60)["text"].to_pylist(), *prose("tr", 3, first=60)["text"].to_pylist()]
    return [[1, *tokenizer().encode(text)[: 3 * n]] for n, text in enumerate(texts[:count])]
