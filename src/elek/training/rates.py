"""What the dial `model.depth` derives beside the shape: learning rates, batch and steps. Nothing here imports torch.

**Learning rates** follow the width. A rate found at one width is the right one at another if the outputs of every
layer still move as much per step. The size of the step's effect is its spectral norm (Yang, Simon and Bernstein 2023,
condition 1), which for a matrix of n × n whose numbers each move by a fixed amount

- is proportional to n with AdamW, whose steps are nearly of rank one: rate ∝ 1 / width (Yang et al. 2022, table 3);
- is proportional to √n with Muon as scaled here, whose steps are orthogonal: rate ∝ 1 / √width.

An embedding's rate stays, for each token moves its row alone, and an output head's falls as 1 / width (Yang et al.
2022, table 3). A tied matrix is both: the geometric mean of the two, 1 / √width. Where AdamW has an embedding and a
head of its own beside Muon, it takes the smaller rate for both.

**Tokens** are 20 for each parameter (Hoffmann et al. 2022, §3.4) of the blocks: the vocabulary's are left out, as in
Kaplan et al. 2020, §2.1, for its size is not the model's. **The batch** is 0.58 · tokens^0.571 tokens (Li et al. 2025,
"Step Law"; measured on models of 59 million parameters and more, below that an extrapolation), as the nearest power of
two of windows, so that it divides among processes and into micro-batches. **Steps** are the tokens over the batch.

The batch does not change the rates: with both batch and tokens derived, Step Law's best rate of AdamW, ∝ N^-0.713 ·
tokens^0.307, falls as N^-0.41, which is width^-1.2 on this dial and so nearly the rule above.
"""

from __future__ import annotations

import math

from elek.model.config import HEAD_SIZE, ModelConfig, ModelShape, default_ffn, default_heads

WIDTH = 192
"""The width at which the two rates below were found: that of the shipped params.yaml."""
LEARNING_RATE, MATRIX_LEARNING_RATE = 3e-3, 1e-2

TOKENS_PER_PARAMETER = 20


def learning_rates(shape: ModelShape, optimizer: str) -> dict[str, float]:
    """`learning_rate` and `matrix_learning_rate` for a shape's width and an optimizer, to three digits."""
    ratio = WIDTH / shape.width
    everything = optimizer == "adamw" or not shape.tie_embeddings
    rates = {
        "learning_rate": LEARNING_RATE * (ratio if everything else ratio**0.5),
        "matrix_learning_rate": MATRIX_LEARNING_RATE * ratio**0.5,
    }
    return {name: float(f"{rate:.3g}") for name, rate in rates.items()}


def advised_tokens(shape: ModelShape) -> int:
    """Tokens to train a shape on: more improves the model, but a larger one would improve more."""
    parts = ModelConfig(**shape.model_dump(exclude={"vocab_size", "objective"}), vocab_size=2).parts
    return TOKENS_PER_PARAMETER * (parts["attention"] + parts["feed_forward"] + parts["norms"])


def advised_batch(shape: ModelShape) -> int:
    """Windows of a step."""
    return int(2 ** max(0, round(math.log2(0.58 * advised_tokens(shape) ** 0.571 / shape.context))))


def advised_steps(shape: ModelShape, batch: int) -> int:
    """Steps of `batch` windows that see the advised tokens, rounded up."""
    return math.ceil(advised_tokens(shape) / (batch * shape.context))


def laws(shape: ModelShape, optimizer: str, batch: int) -> dict[str, tuple[float, str]]:
    """What follows from what: name in `train.model`, `train.optimizer` or `train` → value, and its law."""
    sizes = {"depth": shape.depth, "width": shape.width, "mlp": shape.mlp}
    ffn = "4 · width" if shape.mlp == "gelu" else "8/3 · width, in 32s (Shazeer 2020)"
    found: dict[str, tuple[float, str]] = {"kv_heads": (shape.heads, "heads"), "ffn": (default_ffn(sizes), ffn)}
    if shape.depth is None:
        return found
    rates = learning_rates(shape, optimizer)
    falling = f"{{}} at {WIDTH} wide, and as 1 / {{}} (Yang et al. 2022; Yang, Simon and Bernstein 2023)"
    tied = optimizer == "muon" and shape.tie_embeddings
    found |= {
        "layers": (shape.depth, "depth"),
        "width": (HEAD_SIZE * shape.depth, f"{HEAD_SIZE} · depth (Kaplan et al. 2020, §3.1)"),
        "heads": (default_heads(sizes), f"width / {HEAD_SIZE}, which kernels are made for"),
        "learning_rate": (rates["learning_rate"], falling.format(LEARNING_RATE, "√width" if tied else "width")),
        "batch": (advised_batch(shape), "0.58 · tokens^0.571 tokens, a power of two of windows (Li et al. 2025)"),
        "steps": (
            advised_steps(shape, batch),
            f"{TOKENS_PER_PARAMETER} tokens per parameter of the blocks (Hoffmann et al. 2022), over the batch",
        ),
    }
    if optimizer == "muon":
        found["matrix_learning_rate"] = rates["matrix_learning_rate"], falling.format(MATRIX_LEARNING_RATE, "√width")
    return found
