"""The learning-rate range test (Smith 2017, §3.3): one short run in which the rate rises from far too low to far too
high, while the loss shows at which rates the model learns.

The rates of both optimizers rise together, in the ratio given in params.yaml. The test writes nothing, and the same
params, data and kind of machine give the same curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from elek.training.trainer import Trainer

SMOOTHING = 0.9
"""Share of the past in the running mean, which is corrected for its start (Kingma and Ba 2015, §3)."""
DIVERGED = 1.0
"""The test stops when the smoothed loss is this many nats above its lowest value."""
AWAY_FROM_LOWEST = 3.0
"""The suggestion is at most the rate of the lowest loss divided by this, because that rate is close to divergence."""


@dataclass(frozen=True)
class Point:
    """One step of the test."""

    factor: float
    """Of the rates in params."""
    learning_rate: float
    loss: float
    """Nats per token of this batch, before its step."""
    smoothed: float


@dataclass(frozen=True)
class Sweep:
    """The result of the test. `steepest`, `lowest` and `suggested` are factors of the rates in params."""

    points: list[Point]
    steepest: float
    """Where the smoothed loss fell fastest over the logarithm of the rate."""
    lowest: float
    """Where it was lowest."""
    diverged: bool
    """Whether the loss rose again before the highest rate."""

    @property
    def suggested(self) -> float:
        """The rate of the steepest fall, but not too close to that of the lowest loss."""
        return min(self.steepest, self.lowest / AWAY_FROM_LOWEST)


def sweep(trainer: Trainer, low: float, high: float, steps: int, seen: Callable[[Point], None]) -> Sweep:
    """Train for `steps` batches while the rates rise exponentially from `low` to `high` times those of params.

    `trainer` must be new and cannot be used afterwards. `seen` is called with each point.
    """
    points: list[Point] = []
    mean, best, diverged = 0.0, math.inf, False
    for step in range(steps):
        factor = low * (high / low) ** (step / max(1, steps - 1))
        rate = trainer.rates.set(factor)
        loss, norm = trainer.gradient(trainer.batches.windows(step))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            diverged = True
            break
        for optimizer in trainer.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed = mean / (1 - SMOOTHING ** (step + 1))
        points.append(Point(factor, rate, loss, smoothed))
        seen(points[-1])
        best = min(best, smoothed)
        if smoothed > best + DIVERGED:
            diverged = True
            break
    return Sweep(points, _steepest(points), min(points, key=lambda p: p.smoothed).factor if points else low, diverged)


def _steepest(points: list[Point], reach: int = 3) -> float:
    """The factor at which the smoothed loss falls fastest, over `reach` steps to either side."""
    slopes = [
        ((after.smoothed - before.smoothed) / math.log(after.factor / before.factor), at.factor)
        for before, at, after in zip(points, points[reach:], points[2 * reach :], strict=False)
    ]
    return min(slopes)[1] if slopes else points[0].factor if points else math.nan
