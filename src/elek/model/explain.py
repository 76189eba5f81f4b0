"""What a model and its training cost, before anything is trained: parameters, operations, memory.

Operations are those of the matrix products, 2 for each weight and token (Kaplan et al. 2020, §2.1 and table 1;
Hoffmann et al. 2022, app. F), everything else being a few percent. Attention adds 2 · 2 · width · context per layer
and token, for its scores and for its sums. That is what kernels are counted with, and what `torch.utils.flop_counter`
says; a causal model needs but half of it, and `ModelConfig.flops_per_token`, on which MFU is based, counts that half
(Chowdhery et al. 2022, app. B). The backward pass costs twice the forward one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elek.model import memory
from elek.model.config import ModelConfig

if TYPE_CHECKING:
    from elek.training.params import TrainParams

TOKENS_PER_PARAMETER = 20


@dataclass(frozen=True)
class Costs:
    """All that `elek explain` shows. Bytes, and operations per token, by part."""

    shape: dict[str, Any]
    """Every field of the model, and the learning rates."""
    derived: list[str]
    """Fields of the model that nobody gave: they follow from others or stand at their default."""
    parameters: dict[str, int]
    forward_flops: dict[str, int]
    """Of one token in a full context, as kernels are counted."""
    training_flops: int
    """Of one token, forward and backward, with the blocks forward once more where activations are checkpointed."""
    model_flops: int
    """Of one token, forward and backward, that cannot be done without: what MFU is a share of."""
    memory: dict[str, int]
    """Weights, gradients, optimizer, activations by part, and what is needed for a moment by loss and optimizer."""
    peak_memory: int
    """The most that is needed at once: at the end of the forward pass, or while the optimizer steps."""
    cache_per_token: int
    """Of the KV cache in float32, for each token and text; 0 for a masked model, which has none."""
    tokens: int
    """That the run sees."""
    epochs: float | None
    """How often it sees the training text, where that is known."""
    advised_tokens: int
    """20 per parameter (Hoffmann et al. 2022, §3.4): more improves the model, but a larger one would improve more."""

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


def explain(
    config: ModelConfig, params: TrainParams, precision: memory.Precision, corpus_tokens: int | None = None
) -> Costs:
    """The costs of a run in `precision` over a training text of `corpus_tokens`."""
    checkpointing = bool(getattr(params, "activation_checkpointing", False))
    optimizer, windows = params.optimizer.name, min(params.batch, params.micro_batch)
    asked = windows * config.context
    share = 1.0 if config.causal else params.masking.share
    forward = forward_flops(config, share)
    training = 3 * sum(forward.values()) + (sum(forward.values()) - forward["head"] if checkpointing else 0)

    standing = memory.weight_bytes(config, optimizer)
    kept = memory.activation_bytes(config, windows, precision, checkpointing)
    loss = memory.loss_bytes(config, round(asked * share), precision)
    step = memory.optimizer_bytes(config, optimizer, precision)
    # Gradients stand beside the activations only from the second micro-batch on.
    earlier = standing["gradients"] if windows < params.batch else 0
    forward_peak = standing["weights"] + standing["optimizer"] + earlier + sum(kept.values()) + loss

    tokens = params.steps * params.batch * config.context
    rates = {name: getattr(params.optimizer, name) for name in ("learning_rate", "matrix_learning_rate")}
    return Costs(
        shape={**config.model_dump(), "head_dim": config.head_dim, **rates},
        derived=sorted(set(type(params.model).model_fields) - params.model.model_fields_set),
        parameters=config.parts,
        forward_flops=forward,
        training_flops=training,
        model_flops=config.flops_per_token - round(6 * config.products["head"] * (1 - share)),
        memory={
            **standing,
            **{f"activations, {part}": size for part, size in kept.items()},
            "loss, for a moment": loss,
            "optimizer, for a moment": step,
        },
        peak_memory=max(forward_peak, sum(standing.values()) + step),
        cache_per_token=memory.cache_bytes_per_token(config) if config.causal else 0,
        tokens=tokens,
        epochs=tokens / corpus_tokens if corpus_tokens else None,
        advised_tokens=TOKENS_PER_PARAMETER * config.parameters,
    )
