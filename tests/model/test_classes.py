"""The table in `elek.model.config`: each shape computes what the named class of transformers computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise

transformers = pytest.importorskip("transformers")

VOCAB, CONTEXT, WIDTH, LAYERS, HEADS, FFN = 97, 16, 32, 2, 4, 64
PLAIN = {"rms_norm_eps": 1e-5}
STARCODER = {
    "norm_epsilon": 1e-5,
    "hidden_act": "gelu_pytorch_tanh",
    "sliding_window": None,
    "residual_dropout": 0.0,
    "embedding_dropout": 0.0,
}
STABLE = {
    "layer_norm_eps": 1e-5,
    "use_qkv_bias": False,
    "use_parallel_residual": False,
    "partial_rotary_factor": 1.0,
    "hidden_dropout": 0.0,
}


def both(flag: bool) -> dict[str, bool]:
    return {"attention_bias": flag, "mlp_bias": flag}


ROWS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    row
    for bias in (False, True)
    for row in (
        ({"bias": bias}, "LlamaForCausalLM", PLAIN | both(bias)),
        ({"bias": bias, "positions": "none"}, "SmolLM3ForCausalLM", PLAIN | both(bias) | {"no_rope_layers": [0, 0]}),
        ({"bias": bias, "mlp": "gelu"}, "ArceeForCausalLM", PLAIN | both(bias) | {"hidden_act": "gelu_pytorch_tanh"}),
        ({"bias": bias, "norm": "layernorm", "mlp": "gelu"}, "Starcoder2ForCausalLM", STARCODER | {"use_bias": bias}),
        ({"bias": bias, "objective": "masked"}, "EuroBertForMaskedLM", PLAIN | both(bias) | {"mask_token_id": 4}),
    )
]
ROWS += [
    ({"qk_norm": True}, "Qwen3ForCausalLM", PLAIN | {"head_dim": WIDTH // HEADS}),
    ({"norm": "layernorm"}, "StableLmForCausalLM", STABLE),
]

OURS = {
    "model.embed_tokens.": "embedding.",
    "lm_head.": "embedding.",
    "model.norm.": "norm.",
    "model.layers.": "blocks.",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "feed_forward_norm",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.output",
    "self_attn.q_norm": "attention.query_norm",
    "self_attn.k_norm": "attention.key_norm",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.up",
    "mlp.c_fc": "feed_forward.up",
    "mlp.down_proj": "feed_forward.down",
    "mlp.c_proj": "feed_forward.down",
}


def build(choice: dict[str, Any]) -> Transformer:
    sizes = {"vocab_size": VOCAB, "context": CONTEXT, "width": WIDTH, "layers": LAYERS, "heads": HEADS, "ffn": FFN}
    model = initialise(Transformer(ModelConfig.model_validate({**sizes, **choice})), 1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5) if parameter.dim() > 1 else parameter.add_(torch.linspace(-0.4, 0.4, len(parameter)))
    return model


def differs(model: Transformer, theirs: Any) -> float:
    tokens = torch.randint(5, VOCAB, (2, CONTEXT), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = model(tokens)
        assert logits.std() > 0.1
        return float((logits - theirs(tokens).logits).abs().max())


@pytest.mark.parametrize(("choice", "name", "fields"), ROWS)
def test_shapes_with_matrices_of_their_own(choice: dict[str, Any], name: str, fields: dict[str, Any]) -> None:
    """Weights under other names, biases of 0 where we have none: the same logits; with shared heads too."""
    model = build({"kv_heads": 2, **choice})
    cls = getattr(transformers, name)
    config = cls.config_class(
        vocab_size=VOCAB,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        intermediate_size=FFN,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
        **fields,
    )
    theirs, own, state = cls(config).eval(), model.state_dict(), {}
    for key, tensor in theirs.state_dict().items():
        ours = key
        for their_part, our_part in OURS.items():
            ours = ours.replace(their_part, our_part)
        assert ours in own or key.endswith("bias"), key
        state[key] = own.pop(ours).clone() if ours in own and ours != "embedding.weight" else own.get(ours)
        state[key] = torch.zeros_like(tensor) if state[key] is None else state[key]
    assert set(own) <= {"embedding.weight"}, "every weight of ours has a place"
    theirs.load_state_dict(state)
    assert differs(model, theirs) < 1e-5


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize("bias", [True, False])
def test_shapes_of_gpt2(positions: str, bias: bool) -> None:
    """Query, key and value fused, matrices transposed, and a table of positions whatever ours are."""
    model = build({"norm": "layernorm", "mlp": "gelu", "positions": positions, "bias": bias})
    config = transformers.GPT2Config(
        vocab_size=VOCAB,
        n_positions=CONTEXT,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        n_inner=FFN,
        activation_function="gelu_new",
        bos_token_id=1,
        eos_token_id=2,
    )
    own = model.state_dict()

    def ours(name: str, size: int) -> Tensor:
        return own[name] if name in own else torch.zeros(size)

    tables = {"none": torch.zeros(CONTEXT, WIDTH)}
    if positions != "none":
        tables = {"learned": own.get("positions.weight"), "sinusoidal": getattr(model, "sinusoids", None)}
    state = {
        "transformer.wte.weight": own["embedding.weight"],
        "lm_head.weight": own["embedding.weight"],
        "transformer.wpe.weight": tables[positions],
        "transformer.ln_f.weight": own["norm.weight"],
        "transformer.ln_f.bias": ours("norm.bias", WIDTH),
    }
    for layer in range(LAYERS):
        here, there = f"blocks.{layer}.", f"transformer.h.{layer}."
        for norm, name in (("ln_1", "attention_norm"), ("ln_2", "feed_forward_norm")):
            state[f"{there}{norm}.weight"] = own[f"{here}{name}.weight"]
            state[f"{there}{norm}.bias"] = ours(f"{here}{name}.bias", WIDTH)
        fused = [f"{here}attention.{name}" for name in ("query", "key", "value")]
        state[f"{there}attn.c_attn.weight"] = torch.cat([own[f"{name}.weight"] for name in fused]).T
        state[f"{there}attn.c_attn.bias"] = torch.cat([ours(f"{name}.bias", WIDTH) for name in fused])
        for name, matrix, size in (
            ("attn.c_proj", "attention.output", WIDTH),
            ("mlp.c_fc", "feed_forward.up", FFN),
            ("mlp.c_proj", "feed_forward.down", WIDTH),
        ):
            state[f"{there}{name}.weight"] = own[f"{here}{matrix}.weight"].T
            state[f"{there}{name}.bias"] = ours(f"{here}{matrix}.bias", size)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    theirs.load_state_dict(state)
    assert differs(model, theirs) < 1e-5
