"""The learning rate over the steps, as a share of its highest value."""

from __future__ import annotations

import math

from elek.training.params import ScheduleParams


def learning_rate_share(params: ScheduleParams, step: int, steps: int) -> float:
    """The share at `step` (from 0) of `steps`: a straight rise to 1, then what `kind` says, to `floor` at the end.

    The first step's share is above 0 and the last one's is `floor`, so that no step is wasted on a rate of 0.
    """
    warmup = min(round(params.warmup * steps), steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    start = warmup
    if params.kind == "wsd":
        start = max(warmup, steps - round(params.decay * steps))
    if params.kind == "constant" or step < start:
        return 1.0
    progress = (step - start) / max(1, steps - 1 - start)
    fall = (1 + math.cos(math.pi * progress)) / 2 if params.kind == "cosine" else 1 - progress
    return params.floor + (1 - params.floor) * fall
