"""Our Transformer and its vocabulary in one GGUF file, which llama.cpp and what is built on it read.

Two things differ from the Hugging Face folder. llama.cpp turns rotary pairs (2i, 2i + 1) in this architecture where
we turn (i, i + D/2), so the rows of the query and key matrices are put in that order. And its SentencePiece reader
takes U+2581 for a space, as SentencePiece does itself: a text that holds that character comes back with spaces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from elek.errors import ParamsError
from elek.export.weights import llama_config, llama_state
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import Tokenizer

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""transformers' name → llama.cpp's, for what stands in each layer and outside of the layers."""

FILE_NAME = "model.gguf"


def export_gguf(folder: Path, model: Transformer, tokenizer: Tokenizer, name: str) -> None:
    """Write `model.gguf` in float32: the same numbers as in model.safetensors.

    Raises ParamsError that names what the file cannot express.
    """
    from gguf import GGUFWriter
    from gguf.constants import LlamaFileType

    config = model.config
    llama_config(config)  # refuses by name what is no Llama
    writer = GGUFWriter(folder / FILE_NAME, "llama")
    writer.add_name(name)
    writer.add_file_type(LlamaFileType.ALL_F32)
    _add_shape(writer, config)
    _add_vocabulary(writer, tokenizer)
    state = {key: tensor.numpy() for key, tensor in llama_state(model).items()}
    for key in sorted(state):
        tensor = state[key]
        if key.endswith("q_proj.weight"):
            tensor = interleaved(tensor, config.heads)
        elif key.endswith("k_proj.weight"):
            tensor = interleaved(tensor, config.kv_heads)
        writer.add_tensor(_gguf_name(key), np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleaved(matrix: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows [heads · D, width] reordered within each head: row i and row i + D/2 become neighbours."""
    rows, width = matrix.shape
    pairs = matrix.reshape(heads, 2, rows // heads // 2, width)
    return pairs.swapaxes(1, 2).reshape(rows, width)


def _add_shape(writer: Any, config: ModelConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ffn)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)


def _add_vocabulary(writer: Any, tokenizer: Tokenizer) -> None:
    from gguf.constants import TokenType

    if tokenizer.kind != "bpe":
        raise ParamsError(
            f"llama.cpp reads every SentencePiece vocabulary as BPE, and this one is {tokenizer.kind}",
            where="vocab.kind",
            fix="set vocab.kind to bpe, or export.gguf to false",
        )
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


def _gguf_name(key: str) -> str:
    """`model.layers.3.mlp.up_proj.weight` → `blk.3.ffn_up.weight`."""
    stem, _, kind = key.rpartition(".")
    if stem.startswith("model.layers."):
        _, _, number, part = stem.split(".", 3)
        return f"blk.{number}.{_NAMES[part]}.{kind}"
    return f"{_NAMES[stem]}.{kind}"
