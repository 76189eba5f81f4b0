"""What a model and its training cost, before anything is trained: parameters, operations, memory.

Operations are those of the matrix products, 2 for each weight and token (Kaplan et al. 2020, §2.1 and table 1;
Hoffmann et al. 2022, app. F), everything else being a few percent. Attention adds 2 · 2 · width · context per layer
and token, for its scores and for its sums. That is what kernels are counted with, and what `torch.utils.flop_counter`
says; a causal model needs but half of it, and `ModelConfig.flops_per_token`, on which MFU is based, counts that half
(Chowdhery et al. 2022, app. B). The backward pass costs twice the forward one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elek.model.config import ModelConfig
from elek.training.footprint import footprint
from elek.training.params import TrainParams
from elek.training.rates import advised_tokens, laws
from elek.training.runtime import Precision


@dataclass(frozen=True)
class Costs:
    """All that `elek explain` shows. Bytes, and operations per token, by part."""

    shape: dict[str, Any]
    """Every field of the model, the learning rates, batch and steps."""
    derived: dict[str, str]
    """The fields whose value was derived from others, and the rule for each (see `elek.training.rates`)."""
    parameters: dict[str, int]
    forward_flops: dict[str, int]
    """Of one token in a full context, as kernels are counted."""
    training_flops: int
    """Of one token, forward and backward, with the blocks forward once more where activations are checkpointed."""
    model_flops: int
    """Of one token, forward and backward, without anything computed twice: the basis of MFU."""
    memory: dict[str, int]
    """The most that each part holds at any moment of a step; the moments differ between parts. With several processes,
    this and the fields below are about the first one."""
    memory_at_peak: dict[str, int]
    """What each part holds at the moment of the highest total."""
    peak_memory: int
    """The sum of those. PyTorch itself, some 300 MB, comes on top."""
    cache_per_token: int
    """Of the KV cache in float32, for each token and text; 0 for a masked model, which has none."""
    tokens: int
    """Tokens that the run processes."""
    epochs: float | None
    """How often it passes over the training text; None where its size is unknown."""
    advised_tokens: int
    """20 per parameter of the blocks (see `elek.training.rates`)."""

    @property
    def flops(self) -> int:
        """Model operations of the whole run."""
        return self.tokens * self.model_flops


def forward_flops(config: ModelConfig, head_share: float = 1.0) -> dict[str, int]:
    """Operations of a forward pass per token in a full context; `head_share` of the tokens go through the head."""
    products = config.products
    return {
        "attention, projections": 2 * products["attention"],
        "attention, scores and sums": 4 * config.layers * config.width * config.context,
        "feed_forward": 2 * products["feed_forward"],
        "head": round(2 * products["head"] * head_share),
    }


def explain(config: ModelConfig, params: TrainParams, precision: Precision, corpus_tokens: int | None = None) -> Costs:
    """The costs of a run in `precision` over a training text of `corpus_tokens`."""
    share = 1.0 if config.causal else params.masking.share
    forward = forward_flops(config, share)
    again = sum(forward.values()) - forward["head"] if params.activation_checkpointing else 0
    held = footprint(config, params, precision)
    tokens = params.steps * params.batch * config.context
    run = {"batch": params.batch, "steps": params.steps}
    shape = {**config.model_dump(), "head_dim": config.head_dim, **params.optimizer.rates, **run}
    follow = laws(params.model, params.optimizer.name, params.batch)
    return Costs(
        shape=shape,
        derived={name: law for name, (value, law) in follow.items() if shape[name] == value},
        parameters=config.parts,
        forward_flops=forward,
        training_flops=3 * sum(forward.values()) + again,
        model_flops=config.flops_per_token - round(6 * config.products["head"] * (1 - share)),
        memory=held.most,
        memory_at_peak=held.fullest,
        peak_memory=held.peak,
        cache_per_token=cache_bytes_per_token(config) if config.causal else 0,
        tokens=tokens,
        epochs=tokens / corpus_tokens if corpus_tokens else None,
        advised_tokens=advised_tokens(params.model),
    )


def cache_bytes_per_token(config: ModelConfig, number: int = 4) -> int:
    """Of the KV cache, for numbers of `number` bytes: a key and a value of every layer and head."""
    return 2 * config.layers * config.kv_heads * config.head_dim * number
