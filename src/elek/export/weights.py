"""Our Transformer as a class of transformers: the same numbers under other names.

Most classes differ in names alone, for both sides turn rotary pairs (i, i + D/2). GPT-2's has the query, key and value
matrices as one, every matrix transposed, and a table of positions whatever ours are.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from elek.dataset import write_json
from elek.errors import ParamsError
from elek.export.classes import BOS, EOS, PAD, HubClass, Zeros, hub_class
from elek.model.transformer import Transformer

_NAMES = {
    "embedding": "model.embed_tokens",
    "norm": "model.norm",
    "head": "lm_head",
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.query_norm": "self_attn.q_norm",
    "attention.key_norm": "self_attn.k_norm",
    "attention.output": "self_attn.o_proj",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}
"""Our name → theirs, for what stands in each layer and outside of the layers."""

_OTHER_NAMES = {
    "Starcoder2ForCausalLM": {"feed_forward.up": "mlp.c_fc", "feed_forward.down": "mlp.c_proj"},
    "GPT2LMHeadModel": {
        "embedding": "transformer.wte",
        "positions": "transformer.wpe",
        "norm": "transformer.ln_f",
        "attention_norm": "ln_1",
        "attention.fused": "attn.c_attn",
        "attention.output": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "feed_forward.up": "mlp.c_fc",
        "feed_forward.down": "mlp.c_proj",
    },
}
"""And where a class has its own."""

State = dict[str, Tensor]
_FUSED = ("query", "key", "value")


def export_model(folder: Path, model: Transformer) -> HubClass:
    """Write config.json, model.safetensors and, for a model that writes text, generation_config.json.

    Returns the class of transformers that the folder is for. Raises ParamsError that names what no class has.
    """
    hub = hub_class(model.config)
    save_file(hub_state(model, hub), folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", hub.config_json(model.config))
    if model.config.causal:
        ids = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
        write_json(folder / "generation_config.json", ids)
    return hub


def hub_state(model: Transformer, hub: HubClass) -> State:
    """Every tensor in float32 under its name in `hub`; a tied head is not written twice."""
    state = plain_state(model, hub.zeros)
    if hub.name == "GPT2LMHeadModel":
        state = _transposed(as_gpt2(state, model))
    if hub.name == "EuroBertForMaskedLM" and model.config.bias:
        state["head.bias"] = torch.zeros(model.config.vocab_size)
    names = {**_NAMES, **_OTHER_NAMES.get(hub.name, {})}
    layers = "transformer.h" if hub.name == "GPT2LMHeadModel" else "model.layers"
    return {renamed(name, names, layers, hub.name): tensor.contiguous() for name, tensor in state.items()}


def plain_state(model: Transformer, zeros: Zeros) -> State:
    """Our tensors in float32 under our names, with zeros for the biases that only the reader has."""
    state = {name: tensor.detach().float().cpu() for name, tensor in model.state_dict().items()}
    for name, weight in list(state.items()):
        stem, _, kind = name.rpartition(".")
        norm = stem.endswith("norm")
        matrix = stem.startswith("blocks.") and not norm
        missing = kind == "weight" and f"{stem}.bias" not in state
        if missing and ((norm and zeros != "none") or (matrix and zeros == "all")):
            state[f"{stem}.bias"] = torch.zeros(len(weight))
    return state


def as_gpt2(state: State, model: Transformer) -> State:
    """With query, key and value of each layer as one, `attention.fused`, in this order, and a table of positions."""
    state = {**state, "positions.weight": _position_table(model)}
    for layer in range(model.config.layers):
        stem = f"blocks.{layer}.attention"
        for kind in ("weight", "bias"):
            state[f"{stem}.fused.{kind}"] = torch.cat([state.pop(f"{stem}.{name}.{kind}") for name in _FUSED])
    return state


def _position_table(model: Transformer) -> Tensor:
    """What is added to the embedding at each place, [context, C]: zeros where the model adds nothing."""
    config = model.config
    if config.positions == "learned":
        return model.positions.weight.detach().float().cpu()
    if config.positions == "sinusoidal":
        return model.get_buffer("sinusoids").float().cpu()
    return torch.zeros(config.context, config.width)


def _transposed(state: State) -> State:
    """With the matrices of the blocks [in, out], as GPT2LMHeadModel has them."""
    turned = re.compile(r"blocks\.\d+\.(attention|feed_forward)\.\w+\.weight")
    return {name: tensor.T if turned.fullmatch(name) else tensor for name, tensor in state.items()}


def renamed(name: str, names: dict[str, str], layers: str, reader: str) -> str:
    """`blocks.3.feed_forward.up.weight` → `model.layers.3.mlp.up_proj.weight`.

    Raises ParamsError for weights that `reader` has no place for.
    """
    stem, _, kind = name.rpartition(".")
    prefix = ""
    if block := re.fullmatch(r"blocks\.(\d+)\.(.+)", stem):
        prefix, stem = f"{layers}.{block[1]}.", block[2]
    if stem not in names:
        raise ParamsError(f"{reader} has no place for the weights `{name}`", where="export")
    return f"{prefix}{names[stem]}.{kind}"
