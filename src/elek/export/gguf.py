"""Our Transformer and its vocabulary in one GGUF file, which llama.cpp and what is built on it read.

Most of its architectures turn rotary pairs (i, i + D/2) as we do. `llama` turns (2i, 2i + 1), so the rows of the query
and key matrices are put in that order there. And its SentencePiece reader takes U+2581 for a space, as SentencePiece
does itself: a text that holds that character comes back with spaces.

llama.cpp's processor code looks GELU up in a table of half-precision numbers, whatever the weights are: with `mlp:
gelu` its log probabilities differ from ours by up to 1e-3, and with `swiglu` by 1e-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from elek.errors import ParamsError
from elek.export.classes import Zeros, hub_class
from elek.export.weights import as_gpt2, plain_state, renamed
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import Tokenizer

_NAMES = {
    "embedding": "token_embd",
    "positions": "position_embd",
    "norm": "output_norm",
    "head": "output",
    "attention_norm": "attn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.fused": "attn_qkv",
    "attention.query_norm": "attn_q_norm",
    "attention.key_norm": "attn_k_norm",
    "attention.output": "attn_output",
    "feed_forward_norm": "ffn_norm",
    "feed_forward.gate": "ffn_gate",
    "feed_forward.up": "ffn_up",
    "feed_forward.down": "ffn_down",
}
"""Our name → llama.cpp's, for what stands in each layer and outside of the layers."""

FILE_NAME = "model.gguf"


@dataclass(frozen=True)
class Architecture:
    """What llama.cpp calls a network that computes what a class of transformers does."""

    name: str
    zeros: Zeros = "none"
    own_head: bool = False
    """Whether a tied head has to be written all the same."""


_ARCHITECTURES = {
    "LlamaForCausalLM": Architecture("llama"),
    "SmolLM3ForCausalLM": Architecture("llama"),
    "Qwen3ForCausalLM": Architecture("qwen3"),
    "Starcoder2ForCausalLM": Architecture("starcoder2", zeros="all"),
    "StableLmForCausalLM": Architecture("stablelm", zeros="norms", own_head=True),
    "GPT2LMHeadModel": Architecture("gpt2", zeros="all"),
}

_WHY_NOT = {
    "ArceeForCausalLM": "its network of that name has relu² and no GELU",
    "EuroBertForMaskedLM": "its network of that name has no head that fills a mask",
}
"""What it lacks for the others."""


def architecture(config: ModelConfig, tokenizer: Tokenizer) -> Architecture:
    """Raises ParamsError that names what the file cannot express."""
    if tokenizer.kind != "bpe":
        raise ParamsError(
            f"llama.cpp reads every SentencePiece vocabulary as BPE, and this one is {tokenizer.kind}",
            where="vocab.kind",
            fix="set vocab.kind: bpe, or export.gguf: false",
        )
    hub = hub_class(config)
    if hub.name not in _ARCHITECTURES:
        raise ParamsError(f"llama.cpp computes nothing like {hub.name}: {_WHY_NOT[hub.name]}", where="export.gguf")
    return _ARCHITECTURES[hub.name]


def export_gguf(folder: Path, model: Transformer, tokenizer: Tokenizer, name: str) -> None:
    """Write `model.gguf` in float32: the same numbers as in model.safetensors.

    Raises ParamsError that names what the file cannot express.
    """
    from gguf import GGUFWriter
    from gguf.constants import LlamaFileType

    config = model.config
    arch = architecture(config, tokenizer)
    writer = GGUFWriter(folder / FILE_NAME, arch.name)
    writer.add_name(name)
    writer.add_file_type(LlamaFileType.ALL_F32)
    _add_shape(writer, config)
    _add_vocabulary(writer, tokenizer)
    for key, tensor in sorted(_state(model, arch).items()):
        writer.add_tensor(key, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleaved(rows: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows [heads · D, …] reordered within each head: row i and row i + D/2 become neighbours."""
    pairs = rows.reshape(heads, 2, len(rows) // heads // 2, -1)
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def _state(model: Transformer, arch: Architecture) -> dict[str, npt.NDArray[np.float32]]:
    config, state = model.config, plain_state(model, arch.zeros)
    if arch.name == "gpt2":
        state = as_gpt2(state, model)
    if arch.own_head and config.tie_embeddings:
        state["head.weight"] = state["embedding.weight"]
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    if arch.name == "llama" and config.positions == "rope":
        heads = {"attention.query": config.heads, "attention.key": config.kv_heads}
        for name, array in arrays.items():
            part = ".".join(name.split(".")[2:4])
            if part in heads:
                arrays[name] = interleaved(array, heads[part])
    return {renamed(name, _NAMES, "blk", "llama.cpp"): array for name, array in arrays.items()}


def _add_shape(writer: Any, config: ModelConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ffn)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    if config.norm == "rmsnorm":
        writer.add_layer_norm_rms_eps(config.norm_eps)
    else:
        writer.add_layer_norm_eps(config.norm_eps)
        writer.add_parallel_residual(False)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    if config.norm == "rmsnorm" and config.positions == "none":
        _turn_nothing(writer)


def _turn_nothing(writer: Any) -> None:
    """Places so near to each other that no angle differs from 0 in float32: llama.cpp always turns."""
    from gguf.constants import RopeScalingType

    writer.add_rope_scaling_type(RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(1e30)


def _add_vocabulary(writer: Any, tokenizer: Tokenizer) -> None:
    from gguf.constants import TokenType

    types = [TokenType.NORMAL] * tokenizer.size
    for index in range(tokenizer.controls):
        types[index] = TokenType.CONTROL
    types[Tokenizer.unk] = TokenType.UNKNOWN
    for index in tokenizer.user_defined:
        types[index] = TokenType.USER_DEFINED
    for index in range(tokenizer.size):
        if tokenizer.is_byte(index):
            types[index] = TokenType.BYTE
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([tokenizer.piece(index).encode() for index in range(tokenizer.size)])
    writer.add_token_scores([tokenizer.score(index) for index in range(tokenizer.size)])
    writer.add_token_types([int(kind) for kind in types])
    writer.add_unk_token_id(Tokenizer.unk)
    writer.add_bos_token_id(Tokenizer.bos)
    writer.add_eos_token_id(Tokenizer.eos)
    writer.add_pad_token_id(Tokenizer.pad)
    writer.add_mask_token_id(Tokenizer.mask)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
