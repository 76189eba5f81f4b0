"""Our Transformer as transformers' `LlamaForCausalLM`: the same numbers under other names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from elek.dataset import write_json
from elek.errors import ParamsError
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import Tokenizer

_SIZES = (
    "context",
    "layers",
    "width",
    "heads",
    "kv_heads",
    "ffn",
    "rope_theta",
    "norm_eps",
    "tie_embeddings",
    "vocab_size",
)
_TRAINING = ("depth", "document_masking", "dropout")  # of no consequence for a finished model
_EXPRESSED = frozenset((*_SIZES, *_TRAINING))
"""Fields of ModelConfig whose every value LlamaForCausalLM can express."""

_ONLY = {
    "objective": "causal",
    "norm": "rmsnorm",
    "positions": "rope",
    "mlp": "swiglu",
    "bias": False,
    "qk_norm": False,
}
"""And fields with the one value that is expressed here; `elek.model.config` says which class has the others."""

_NAMES = {
    r"embedding\.weight": "model.embed_tokens.weight",
    r"norm\.weight": "model.norm.weight",
    r"head\.weight": "lm_head.weight",
    r"blocks\.(\d+)\.attention_norm\.weight": r"model.layers.\1.input_layernorm.weight",
    r"blocks\.(\d+)\.attention\.query\.weight": r"model.layers.\1.self_attn.q_proj.weight",
    r"blocks\.(\d+)\.attention\.key\.weight": r"model.layers.\1.self_attn.k_proj.weight",
    r"blocks\.(\d+)\.attention\.value\.weight": r"model.layers.\1.self_attn.v_proj.weight",
    r"blocks\.(\d+)\.attention\.output\.weight": r"model.layers.\1.self_attn.o_proj.weight",
    r"blocks\.(\d+)\.feed_forward_norm\.weight": r"model.layers.\1.post_attention_layernorm.weight",
    r"blocks\.(\d+)\.feed_forward\.gate\.weight": r"model.layers.\1.mlp.gate_proj.weight",
    r"blocks\.(\d+)\.feed_forward\.up\.weight": r"model.layers.\1.mlp.up_proj.weight",
    r"blocks\.(\d+)\.feed_forward\.down\.weight": r"model.layers.\1.mlp.down_proj.weight",
}
# Our name → theirs. Both turn rotary pairs (i, i + D/2), so that no row is permuted.


def export_model(folder: Path, model: Transformer) -> None:
    """Write config.json, generation_config.json and model.safetensors.

    Raises ParamsError that names what LlamaForCausalLM cannot express.
    """
    config = llama_config(model.config)
    save_file(llama_state(model), folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", config)
    write_json(
        folder / "generation_config.json",
        {"bos_token_id": Tokenizer.bos, "eos_token_id": Tokenizer.eos, "pad_token_id": Tokenizer.pad},
    )


def llama_config(config: ModelConfig) -> dict[str, Any]:
    """config.json. Readers of two generations find the base of the rotary positions under their own key."""
    unknown = sorted(
        name
        for name in set(ModelConfig.model_fields) - _EXPRESSED
        if name not in _ONLY or getattr(config, name) != _ONLY[name]
    )
    if unknown:
        name, value = unknown[0], getattr(config, unknown[0])
        key = "train.objective" if name == "objective" else f"train.model.{name}"
        raise ParamsError(
            f"transformers' LlamaForCausalLM cannot express `{key}: {value}`",
            where="export",
            fix=f"the export knows {', '.join(f'{name}: {value}' for name, value in sorted(_ONLY.items()))}",
        )
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.ffn,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": config.tie_embeddings,
        "bos_token_id": Tokenizer.bos,
        "eos_token_id": Tokenizer.eos,
        "pad_token_id": Tokenizer.pad,
        "dtype": "float32",
        "torch_dtype": "float32",
        "use_cache": True,
    }


def llama_state(model: Transformer) -> dict[str, Tensor]:
    """Every tensor in float32 under its name in LlamaForCausalLM; a tied head is not written twice."""
    return {
        _llama_name(name): tensor.detach().float().cpu().contiguous() for name, tensor in model.state_dict().items()
    }


def _llama_name(name: str) -> str:
    for pattern, replacement in _NAMES.items():
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    raise ParamsError(f"LlamaForCausalLM has no place for the weights `{name}`", where="export")
