"""The class of transformers that computes the same numbers as a model of Elek, and its config.json.

The options are those of `elek.model.config`. Nothing here imports torch, so that `elek.export.early` can check
params.yaml before anything is fetched or trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from elek.errors import ParamsError
from elek.model.config import ModelConfig
from elek.vocab.params import SPECIAL_PIECES

UNK, BOS, EOS, PAD, MASK = range(len(SPECIAL_PIECES))
_EITHER = (False, True)
_SIZES = frozenset(
    ("context", "layers", "width", "heads", "kv_heads", "ffn", "rope_theta", "norm_eps", "tie_embeddings", "vocab_size")
)
_TRAINING = frozenset(("depth", "document_masking", "dropout"))  # these only matter in training
_CHOICES = ("objective", "norm", "positions", "mlp", "qk_norm", "bias")
OWN = "Elek's own format"
NO_FOLDER = "export.huggingface: false, which writes the model in Elek's own format alone"

Zeros = Literal["none", "norms", "all"]
"""Parts of a class that have a bias even where our model has none: no part, every norm, or every norm and matrix."""


@dataclass(frozen=True, eq=False)
class HubClass:
    """A class of transformers, and the shapes of Elek's models that it supports."""

    name: str
    model_type: str
    options: Mapping[str, tuple[object, ...]]
    """Field of ModelConfig → the values that the class supports. Fields that are not named may have any value."""
    settings: Callable[[ModelConfig], dict[str, Any]]
    """The entries of its config.json that differ between classes."""
    zeros: Zeros = "none"
    """Parts that have a bias even where our model has none; it is then written as 0."""
    shares_keys: bool = True
    """Whether query heads can share the heads of keys and values."""

    def lacks(self, config: ModelConfig) -> dict[str, object]:
        """The options of `config` that the class does not support, each with a value that it does support."""
        found = {name: have[0] for name, have in self.options.items() if getattr(config, name) not in have}
        return found if self.shares_keys or config.kv_heads == config.heads else {**found, "kv_heads": config.heads}

    def config_json(self, config: ModelConfig) -> dict[str, Any]:
        """The content of config.json."""
        return {
            "architectures": [self.name],
            "model_type": self.model_type,
            "vocab_size": config.vocab_size,
            "tie_word_embeddings": config.tie_embeddings,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "pad_token_id": PAD,
            "dtype": "float32",
            "torch_dtype": "float32",
            "use_cache": config.causal,
            **self.settings(config),
        }


def _rotary(config: ModelConfig, **changes: Any) -> dict[str, Any]:
    """Names that all classes but GPT-2's share. Readers of two generations find the base of the rotary positions
    under their own key."""
    return {
        "max_position_embeddings": config.context,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.ffn,
        "hidden_act": "silu" if config.mlp == "swiglu" else "gelu_pytorch_tanh",
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_dropout": 0.0,
        **changes,
    }


def _llama(config: ModelConfig, **changes: Any) -> dict[str, Any]:
    biases = {"attention_bias": config.bias, "mlp_bias": config.bias}
    return _rotary(config, rms_norm_eps=config.norm_eps, **biases, **changes)


def _smollm3(config: ModelConfig) -> dict[str, Any]:
    turned = [0] * config.layers  # rotary positions in no layer
    return _llama(config, no_rope_layers=turned, layer_types=["full_attention"] * config.layers)


def _qwen3(config: ModelConfig) -> dict[str, Any]:
    window = {"use_sliding_window": False, "sliding_window": None}
    return _rotary(config, rms_norm_eps=config.norm_eps, attention_bias=False, **window)


def _starcoder2(config: ModelConfig) -> dict[str, Any]:
    dropout = {"residual_dropout": 0.0, "embedding_dropout": 0.0}
    return _rotary(config, norm_epsilon=config.norm_eps, use_bias=config.bias, sliding_window=None, **dropout)


def _stablelm(config: ModelConfig) -> dict[str, Any]:
    shape = _rotary(config, layer_norm_eps=config.norm_eps, use_qkv_bias=False, qk_layernorm=False)
    rope = {**shape["rope_parameters"], "partial_rotary_factor": 1.0}
    rest = {"use_parallel_residual": False, "hidden_dropout": 0.0, "partial_rotary_factor": 1.0}
    return {**shape, **rest, "rope_parameters": rope}


def _gpt2(config: ModelConfig) -> dict[str, Any]:
    return {
        "n_positions": config.context,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_inner": config.ffn,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }


def _eurobert(config: ModelConfig) -> dict[str, Any]:
    return _llama(config, mask_token_id=MASK)


def _shape(**choices: object) -> dict[str, tuple[object, ...]]:
    """Options by name, Llama's where nothing is said; a tuple where the class has several values."""
    llama = {"objective": "causal", "norm": "rmsnorm", "positions": "rope", "mlp": "swiglu", "qk_norm": False}
    every = {**llama, "bias": _EITHER, **choices}
    return {name: value if isinstance(value, tuple) else (value,) for name, value in every.items()}


_LAYERNORM, _GELU = {"norm": "layernorm"}, {"mlp": "gelu"}
_TABLES = ("learned", "sinusoidal", "none")

CLASSES = (
    HubClass("LlamaForCausalLM", "llama", _shape(), _llama),
    HubClass("SmolLM3ForCausalLM", "smollm3", _shape(positions="none"), _smollm3),
    HubClass("Qwen3ForCausalLM", "qwen3", _shape(qk_norm=True, bias=False), _qwen3),
    HubClass("ArceeForCausalLM", "arcee", _shape(**_GELU), _llama),
    HubClass("Starcoder2ForCausalLM", "starcoder2", _shape(**_LAYERNORM, **_GELU), _starcoder2, zeros="norms"),
    HubClass("StableLmForCausalLM", "stablelm", _shape(**_LAYERNORM, bias=False), _stablelm, zeros="norms"),
    HubClass(
        "GPT2LMHeadModel",
        "gpt2",
        _shape(**_LAYERNORM, **_GELU, positions=_TABLES),
        _gpt2,
        zeros="all",
        shares_keys=False,
    ),
    HubClass("EuroBertForMaskedLM", "eurobert", _shape(objective="masked"), _eurobert),
)


def hub_class(config: ModelConfig, where: str = "export") -> HubClass:
    """The class for `config`. Raises ParamsError, naming what the nearest classes lack, if there is none."""
    for name, field in ModelConfig.model_fields.items():
        if name not in (*_SIZES, *_TRAINING, *_CHOICES) and getattr(config, name) != field.default:
            raise ParamsError(
                f"the export knows no class of transformers with `{key(name)}: {told(getattr(config, name))}`",
                where=where,
                fix=f"leave {key(name)} at {told(field.default)}, or set {NO_FOLDER}",
            )
    lacking = {one: one.lacks(config) for one in CLASSES if config.objective in one.options["objective"]}
    fewest = min(len(lacks) for lacks in lacking.values())
    nearest = {one: lacks for one, lacks in lacking.items() if len(lacks) == fewest}
    if not fewest:
        return next(iter(nearest))
    lacks_what = (f"{one.name} does not have {_listed(config, lacks)}" for one, lacks in nearest.items())
    changes = (
        " and ".join(f"{key(name)}: {told(value)}" for name, value in lacks.items()) for lacks in nearest.values()
    )
    raise ParamsError(
        f"transformers has no class for this shape: {', '.join(lacks_what)}",
        where=where,
        fix=f"set {', or '.join(dict.fromkeys(changes))}, or {NO_FOLDER}",
    )


def _listed(config: ModelConfig, names: Iterable[str]) -> str:
    return " and ".join(f"`{key(name)}: {told(getattr(config, name))}`" for name in names)


def check_vocabulary(kind: str, where: str = "export") -> None:
    """Raises ParamsError for a vocabulary that tokenizer.json cannot hold."""
    if kind != "bpe":
        raise ParamsError(
            f"`vocab.kind: {kind}` cannot become a tokenizer.json: the Unigram model of `tokenizers` takes the name of "
            "a special piece or a byte (`</s>`, `<0x41>`) in a text for that piece, and would cut text in other places",
            where=where,
            fix=f"set vocab.kind: bpe, or {NO_FOLDER}",
        )


def key(name: str) -> str:
    """Where params.yaml has a field of ModelConfig."""
    return "train.objective" if name == "objective" else f"train.model.{name}"


def told(value: object) -> str:
    """A value as YAML writes it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
