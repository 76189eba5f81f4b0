"""Spikes: what is one, what is done about it, and what is told."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import TrainingError
from elek.training.guard import DEVIATION, LEAST_RISE, MOST_IN_A_ROW, SpikeGuard
from elek.training.params import TrainParams
from elek.training.trainer import Trainer
from tests.training.runs import make_trainer
from tests.training.test_trainer import same, weights


def guard(**values: Any) -> tuple[SpikeGuard, list[str]]:
    said: list[str] = []
    return SpikeGuard(TrainParams.model_validate({"spike_window": 8, **values}), said.append), said


def taken(found: SpikeGuard, *losses: float) -> list[bool]:
    return [found.judge(step, loss, 1.0, lambda: ["doc-1"]) for step, loss in enumerate(losses, start=1)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 20), min_size=8, max_size=30), st.floats(0.5, 30))
def test_the_threshold_is_the_documented_one(losses: list[float], factor: float) -> None:
    """Median plus factor · 1.4826 · MAD of the last accepted losses, at least half a nat above the median."""
    found, _ = guard(on_spike="ignore", spike_factor=factor)
    taken(found, *losses)
    last = losses[-8:]
    median = statistics.median(last)
    mad = statistics.median(abs(loss - median) for loss in last)
    assert found.threshold() == median + max(factor * DEVIATION * mad, LEAST_RISE)


def test_before_the_window_is_full_nothing_finite_is_a_spike() -> None:
    """At the start losses fall too fast for a threshold to mean anything."""
    found, _ = guard()
    assert all(taken(found, 9.0, 1.0, 8.0, 0.5, 7.0, 6.0, 1000.0))


def test_stopping_names_loss_threshold_and_documents() -> None:
    """All that one needs to look at the batch; of many documents some in the error, and all of them before it."""
    found, said = guard()
    taken(found, *[2.0] * 8)
    with pytest.raises(TrainingError, match=r"loss of step 9 is 7, a spike: the losses before it allow 2\.5") as caught:
        found.judge(9, 7.0, 1.0, lambda: ["doc-a", "doc-b"])
    assert "doc-a, doc-b" in str(caught.value)
    assert "train.on_spike" in str(caught.value)
    assert not said
    many = [f"doc-{number}" for number in range(30)]
    with pytest.raises(TrainingError, match="doc-19 and 10 more"):
        found.judge(9, 7.0, 1.0, lambda: many)
    assert said[0].endswith(", ".join(many))


def test_skipped_losses_do_not_move_the_threshold() -> None:
    """And the spike is kept with everything about it; ignored, it counts as any other loss."""
    found, said = guard(on_spike="skip")
    taken(found, *[2.0] * 8)
    before = found.threshold()
    assert not found.judge(9, 7.0, 1.0, lambda: ["doc-1"])
    assert found.threshold() == before
    assert found.skipped == 1
    (spike,) = found.spikes
    assert (spike.step, spike.loss, spike.threshold, spike.documents) == (9, 7.0, 2.5, ["doc-1"])
    assert "skipped" in said[0]
    other, _ = guard(on_spike="ignore")
    assert all(taken(other, *[2.0] * 8, 7.0))
    assert other.skipped == 0
    assert [spike.action for spike in other.spikes] == ["ignore"]


@pytest.mark.parametrize(("loss", "norm", "what"), [(math.nan, 1.0, "loss"), (2.0, math.inf, "gradient")])
def test_what_is_no_number_cannot_be_ignored(loss: float, norm: float, what: str) -> None:
    """Training on it would lose the weights; skipping it does not."""
    found, _ = guard(on_spike="ignore")
    with pytest.raises(TrainingError, match=f"the {what} of step 3 is"):
        found.judge(3, loss, norm, list)
    skipping, _ = guard(on_spike="skip")
    assert not skipping.judge(3, loss, norm, list)
    assert skipping.spikes[0].threshold is None


def test_skipping_ends_where_it_is_not_the_batches() -> None:
    """A model whose weights are lost would skip to its last step."""
    found, _ = guard(on_spike="skip")
    with pytest.raises(TrainingError, match=f"{MOST_IN_A_ROW} steps in a row") as caught:
        taken(found, *[math.nan] * 20)
    assert "to skip" not in str(caught.value)  # it does already
    assert len(found.spikes) == MOST_IN_A_ROW


def test_a_skipped_step_leaves_no_trace_but_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and optimizer state stay, the batch is not asked again, and the history's step has no gradient norm."""
    trainer = make_trainer(on_spike="skip", history_every=1)
    take, before = Trainer.accumulate, {}

    def poisoned(self: Trainer, windows: Any) -> float:
        if self.step == 4:
            before.update(weights(self))
        loss = take(self, windows)
        return math.nan if self.step == 4 else loss

    monkeypatch.setattr(Trainer, "accumulate", poisoned)
    step, after = trainer._step, {}

    def watched() -> float:
        loss = step()
        if trainer.step == 5:
            after.update(weights(trainer))
        return loss

    monkeypatch.setattr(trainer, "_step", watched)
    trained = trainer.run()
    assert same(before, after)
    (spike,) = trained.spikes
    assert (spike.step, spike.loss, spike.action) == (5, None, "skip")
    assert spike.documents == trainer.batches.documents(trainer.batches.windows(4))
    row = trained.history[4]
    assert (row.step, row.train_loss, row.grad_norm) == (5, None, None)
    assert trained.history[-1].step == 12


def test_no_text_makes_usual_losses_a_spike() -> None:
    """The shipped factor stands far off the noise of small batches, even of a heavy-tailed one."""
    rng = np.random.Generator(np.random.PCG64(1))
    losses = 4.0 + 0.15 * rng.standard_t(4, 2000)
    found, _ = guard(spike_window=50)
    assert all(taken(found, *losses.tolist()))
    assert torch.isfinite(torch.tensor(found.threshold()))
