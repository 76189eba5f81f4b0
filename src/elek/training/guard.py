"""Loss spikes: losses far above those of the last steps."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from elek.errors import TrainingError
from elek.training.params import TrainParams

DEVIATION = 1.4826
"""Standard deviation over median absolute deviation, for a normal distribution."""
LEAST_RISE = 0.5
"""A spike is at least this many nats above the median, however little the losses varied."""
SHOWN = 20
"""Ids of documents in one message. All of them are in reports/train.json or printed before training stops."""
MOST_IN_A_ROW = 10
"""Consecutive spikes after which training stops even if spikes are skipped: then the batches are not the cause."""


@dataclass(frozen=True)
class Spike:
    """A step with a loss spike. None stands for a number that is not finite."""

    step: int
    loss: float | None
    threshold: float | None
    """None where the loss or the gradient was not a number."""
    grad_norm: float | None
    action: str
    documents: list[str]
    """Ids of the documents in the batch, sorted."""


class SpikeGuard:
    """`threshold()` = median + max(factor · 1.4826 · MAD, 0.5 nats) over the last `window` accepted losses.

    Median and MAD (median absolute deviation) hardly change by a single spike. Before the window is full there is no
    threshold, because at the beginning of a run the loss falls too fast for one.
    """

    def __init__(self, params: TrainParams, say: Callable[[str], None]) -> None:
        self._policy, self._factor, self._say = params.on_spike, params.spike_factor, say
        self._recent: deque[float] = deque(maxlen=params.spike_window)
        self._in_a_row = 0
        self.spikes: list[Spike] = []

    def threshold(self) -> float:
        """The highest loss that is not a spike; infinite before the window is full."""
        if len(self._recent) < (self._recent.maxlen or 0):
            return math.inf
        median = statistics.median(self._recent)
        mad = statistics.median(abs(loss - median) for loss in self._recent)
        return median + max(self._factor * DEVIATION * mad, LEAST_RISE)

    def judge(self, step: int, loss: float, norm: float, documents: Callable[[], list[str]]) -> bool:
        """Whether to take a step (from 1) of this loss and gradient norm.

        Raises TrainingError, naming the batch's documents, where it is a spike and the policy is to stop.
        """
        threshold = self.threshold()
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite and loss <= threshold:
            return self._accept(loss)
        action = "stop" if self._policy == "ignore" and not finite else self._policy
        ids = documents()
        known = [value if math.isfinite(value) else None for value in (loss, threshold if finite else math.inf, norm)]
        self.spikes.append(Spike(step, known[0], known[1], known[2], action, ids))
        what, value = ("gradient", norm) if math.isfinite(loss) and not finite else ("loss", loss)
        said = f"the {what} of step {step} is {value:.6g}"
        if finite:
            said += f", a spike: the losses before it allow {threshold:.4g}"
        if action == "ignore":
            self._say(f"{said}; trained on, as train.on_spike says (documents: {_some(ids)})")
            return self._accept(loss)
        self._in_a_row += 1
        if action == "skip" and self._in_a_row < MOST_IN_A_ROW:
            self._say(f"{said}; skipped, as train.on_spike says (documents: {_some(ids)})")
            return False
        if action == "skip":
            said += f", and {MOST_IN_A_ROW} steps in a row were spikes: it is not these batches"
        if len(ids) > SHOWN:
            self._say(f"documents of the batch of step {step}: {', '.join(ids)}")
        raise TrainingError(
            said,
            where=f"documents of its batch: {_some(ids)}",
            fix="lower the learning rates of train.optimizer (`elek lr` shows a range), or look at those documents"
            + ("" if action == "skip" else ", or set train.on_spike to skip"),
        )

    def _accept(self, loss: float) -> bool:
        self._recent.append(loss)
        self._in_a_row = 0
        return True

    @property
    def skipped(self) -> int:
        """The number of steps skipped so far."""
        return sum(spike.action == "skip" for spike in self.spikes)

    def state(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        spikes = [dict(vars(spike)) for spike in self.spikes]
        return {"recent": list(self._recent), "in_a_row": self._in_a_row, "spikes": spikes}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._recent.extend(state["recent"])
        self._in_a_row = int(state["in_a_row"])
        self.spikes = [Spike(**spike) for spike in state["spikes"]]


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
