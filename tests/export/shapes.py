"""The lines of the table in `elek.model.config`, with both values of `bias` where it is free, and their models."""

from __future__ import annotations

from typing import Any

import torch

from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise

_GPT2 = {"norm": "layernorm", "mlp": "gelu", "bias": True}

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {"tie_embeddings": False, "document_masking": True, "dropout": 0.1}),
    "llama, grouped": ("LlamaForCausalLM", {"kv_heads": 2, "rope_theta": 500.0, "norm_eps": 1e-3, "ffn": 40}),
    "llama, bias": ("LlamaForCausalLM", {"kv_heads": 2, "bias": True}),
    "no positions": ("SmolLM3ForCausalLM", {"positions": "none"}),
    "no positions, bias": ("SmolLM3ForCausalLM", {"positions": "none", "bias": True, "kv_heads": 1}),
    "qk_norm": ("Qwen3ForCausalLM", {"qk_norm": True, "kv_heads": 2}),
    "rmsnorm, gelu": ("ArceeForCausalLM", {"mlp": "gelu"}),
    "rmsnorm, gelu, bias": ("ArceeForCausalLM", {"mlp": "gelu", "bias": True, "kv_heads": 2}),
    "layernorm, gelu": ("Starcoder2ForCausalLM", {"norm": "layernorm", "mlp": "gelu", "kv_heads": 2}),
    "layernorm, gelu, bias": ("Starcoder2ForCausalLM", {**_GPT2, "norm_eps": 1e-4}),
    "layernorm, swiglu": ("StableLmForCausalLM", {"norm": "layernorm", "kv_heads": 2, "rope_theta": 500.0}),
    "gpt2": ("GPT2LMHeadModel", {**_GPT2, "positions": "learned"}),
    "gpt2, sines": ("GPT2LMHeadModel", {**_GPT2, "positions": "sinusoidal", "norm_eps": 1e-4}),
    "gpt2, no positions": ("GPT2LMHeadModel", {**_GPT2, "positions": "none", "tie_embeddings": False}),
    "gpt2, learned, no bias": ("GPT2LMHeadModel", {**_GPT2, "positions": "learned", "bias": False}),
    "masked": ("EuroBertForMaskedLM", {"objective": "masked", "kv_heads": 2}),
    "masked, bias": ("EuroBertForMaskedLM", {"objective": "masked", "bias": True, "tie_embeddings": False}),
}


def build(shape: dict[str, Any], seed: int = 5, **sizes: int) -> Transformer:
    """A random model whose every weight matters: norms that are not 1, biases that are not 0, logits far from flat."""
    default = {"vocab_size": 700, "context": 32, "layers": 2, "width": 32, "heads": 4}
    model = initialise(Transformer(ModelConfig(**{**default, **sizes, **shape})), seed).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6) if parameter.dim() > 1 else parameter.add_(torch.linspace(-0.5, 0.5, len(parameter)))
    return model
