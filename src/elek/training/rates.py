"""Learning rates that follow the width of a model, for the `depth` dial. Nothing here imports torch.

A rate found at one width is the right one at another if the outputs of every layer still move as much per step.
The size of the step's effect is its spectral norm (Yang, Simon and Bernstein 2023, condition 1), which for a matrix
of n × n whose numbers each move by a fixed amount

- is proportional to n with AdamW, whose steps are nearly of rank one: rate ∝ 1 / width (Yang et al. 2022, table 3);
- is proportional to √n with Muon as scaled here, whose steps are orthogonal: rate ∝ 1 / √width.

An embedding's rate stays, for each token moves its row alone, and an output head's falls as 1 / width (Yang et al.
2022, table 3). A tied matrix is both: the geometric mean of the two, 1 / √width. Where AdamW has an embedding and a
head of its own beside Muon, it takes the smaller rate for both.
"""

from __future__ import annotations

from elek.model.config import ModelShape

WIDTH = 192
"""The width at which the two rates below were found: that of the shipped params.yaml."""
LEARNING_RATE, MATRIX_LEARNING_RATE = 3e-3, 1e-2


def learning_rates(shape: ModelShape, optimizer: str) -> dict[str, float]:
    """`learning_rate` and `matrix_learning_rate` for a shape's width and an optimizer, to three digits."""
    ratio = WIDTH / shape.width
    everything = optimizer == "adamw" or not shape.tie_embeddings
    rates = {
        "learning_rate": LEARNING_RATE * (ratio if everything else ratio**0.5),
        "matrix_learning_rate": MATRIX_LEARNING_RATE * ratio**0.5,
    }
    return {name: float(f"{rate:.3g}") for name, rate in rates.items()}
