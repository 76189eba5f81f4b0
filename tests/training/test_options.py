"""Options that must not change what is learned: precision, memory, the scale of the loss; and the early stop."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from elek.errors import ParamsError
from elek.training import scaling
from elek.training.runtime import choose_runtime
from elek.training.scaling import LossScaler
from elek.training.trainer import Trainer
from tests.training.runs import make_trainer
from tests.training.stream import chain
from tests.training.test_trainer import same, weights


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_activation_checkpointing_gives_the_same_bits(precision: str) -> None:
    """What is computed twice is computed alike: weights, history, names."""
    plain = make_trainer(precision=precision, steps=4)
    saving = make_trainer(precision=precision, steps=4, activation_checkpointing=True)
    assert plain.run().history == saving.run().history
    assert same(weights(plain), weights(saving))


def test_activation_checkpointing_saves_activations() -> None:
    """Far fewer numbers wait for the backward pass, though there are only two blocks."""

    def kept(**options: Any) -> int:
        trainer, numbers = make_trainer(**options), 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal numbers
            numbers += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            trainer.loss(trainer.batches, trainer.batches.windows(0))
        return numbers

    assert kept(activation_checkpointing=True) < kept() / 3


def test_float16_follows_float32() -> None:
    """With its loss scaled, the gradient is that of float32 to what float16 can tell apart."""
    gradients = []
    for precision in ("fp32", "fp16"):
        trainer = make_trainer(precision=precision, clip=1e9)
        loss, norm = trainer.gradient(trainer.batches.windows(0))
        gradients.append({name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None})
        assert loss == pytest.approx(3.466, abs=0.01)
        assert norm > 0
    for name, wanted in gradients[0].items():
        found = gradients[1][name]
        assert (found - wanted).norm() < 0.02 * wanted.norm() + 1e-6, name


def test_an_overflow_halves_the_scale_and_loses_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same windows are computed again until their gradient fits, and the step is taken."""
    monkeypatch.setattr(scaling, "FIRST", 2.0**40)
    trainer = make_trainer(precision="fp16", steps=3)
    taken: list[list[int]] = []
    accumulate = Trainer.accumulate

    def noted(self: Trainer, windows: Any) -> float:
        taken.append(windows.tolist())
        return accumulate(self, windows)

    monkeypatch.setattr(Trainer, "accumulate", noted)
    trained = trainer.run()
    assert trainer.scaler is not None
    assert trainer.scaler.scale < 2.0**40
    order = [windows for i, windows in enumerate(taken) if i == 0 or windows != taken[i - 1]]
    assert order == [trainer.batches.windows(step).tolist() for step in range(3)]
    assert len(taken) > 3
    assert trained.spikes == []


def test_the_scale_stays_between_its_ends_and_a_power_of_two() -> None:
    """It doubles after its patience, halves at an overflow, and says when it can fall no further."""
    scaler = LossScaler()
    for _ in range(scaling.PATIENCE):
        scaler.passed()
    assert scaler.scale == 2 * scaling.FIRST
    while scaler.lower():
        pass
    assert scaler.scale == scaling.LOWEST
    for _ in range(100 * scaling.PATIENCE):
        scaler.passed()
    assert scaler.scale == scaling.HIGHEST


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> dict[str, Any]:
    """So many GPUs, as torch tells of them; what they were told is returned."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: told.update(device=device))
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda mode: told.update(deterministic=mode))
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is taken back afterwards
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    return told


def test_precision_of_an_old_gpu_is_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it can, never by a timing: bf16, else fp16 on a GPU, else fp32 on a processor."""
    monkeypatch.setattr("elek.training.runtime.has_bf16", lambda device: False)
    assert choose_runtime("auto").precision == "fp32"
    pretend_gpus(monkeypatch, 1)
    assert choose_runtime("auto").precision == "fp16"


def test_a_gpu_adds_in_the_same_order_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process has a GPU of its own, told to repeat itself to the bit: attention's backward pass, and cuBLAS."""
    told = pretend_gpus(monkeypatch, 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_runtime("bf16").device == told["device"] == torch.device("cuda", 1)
    assert told["deterministic"] is True
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.utils.deterministic.fill_uninitialized_memory is False


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, with what would do: torch itself says `invalid device ordinal`."""
    pretend_gpus(monkeypatch, 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ParamsError, match="process 3 of this machine has no GPU of its own: there are 2"):
        choose_runtime("auto")


def overfitting(**changes: Any) -> Trainer:
    """A trainer that soon knows its hundred windows by heart, and does worse and worse on other text."""
    small = make_trainer()
    values = {
        **small.params.model_dump(),
        "steps": 200,
        "batch": 8,
        "optimizer": {"name": "adamw", "learning_rate": 1e-2, "weight_decay": 0.0},
        "schedule": {"kind": "constant"},
        "validation": {"every": 5, "windows": 16, "patience": 3},
        **changes,
    }
    params = type(small.params).model_validate(values)
    return Trainer(params, chain(260), chain(800, seed=1))


def test_early_stop_ends_with_the_best_weights() -> None:
    """`patience` measurements after the best one, whose very weights come out."""
    trainer = overfitting()
    trained = trainer.run()
    measured = [row for row in trained.history if row.validation_loss is not None]
    best = min(measured, key=lambda row: row.validation_loss or 0.0)
    assert trained.step == best.step
    assert trained.validation_loss == best.validation_loss
    assert measured[-1].step == best.step + 3 * 5 < 200
    trainer.model.load_state_dict(trained.model.state_dict())
    assert trainer.validation_loss() == best.validation_loss


def test_without_patience_the_last_weights_stand() -> None:
    """All steps are taken, whatever the validation loss does."""
    trained = overfitting(validation={"every": 5, "windows": 16}, steps=60).run()
    assert trained.step == 60
    assert trained.validation_loss == trained.history[-1].validation_loss
