"""The training loop: it learns, it repeats itself to the bit, and it says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from elek.errors import DataError, TrainingError
from elek.model.files import save_model
from elek.training.history import to_csv
from elek.training.runtime import has_bf16, has_compiler
from elek.training.trainer import Trainer
from tests.training.runs import make_trainer
from tests.training.stream import chain


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_runs_write_the_same_bytes(tmp_path: Path, precision: str) -> None:
    """Weights and history, whatever random numbers were drawn elsewhere."""
    for name in ("a", "b"):
        trained = make_trainer(precision=precision).run()
        save_model(tmp_path / name, trained.model)
        (tmp_path / name / "history.csv").write_text(to_csv(trained.history), encoding="utf-8")
        torch.rand(3)
    for name in ("model.safetensors", "config.json", "history.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("micro_batch", [1, 2, 5, 8])
def test_accumulated_gradients_are_those_of_one_big_batch(micro_batch: int) -> None:
    """To rounding, also where the micro-batches are not all of one size; and both are those of plain PyTorch."""
    trainer = make_trainer(batch=8, micro_batch=micro_batch)
    windows = trainer.batches.windows(0)
    mean = trainer.accumulate(windows)
    found = {
        name: parameter.grad.clone()
        for name, parameter in trainer.model.named_parameters()
        if parameter.grad is not None
    }
    trainer.model.zero_grad()
    tokens = torch.from_numpy(trainer.batches.tokens(windows))
    loss = torch.nn.functional.cross_entropy(trainer.model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    assert mean == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in trainer.model.named_parameters():
        one, other = found[name], parameter.grad
        assert one is not None
        assert other is not None
        assert torch.allclose(one, other, atol=1e-6), name


def test_history_has_the_promised_rows() -> None:
    """The first step, every second one and the last, with a validation loss where it was measured."""
    rows = make_trainer(steps=13).run().history
    assert [row.step for row in rows] == [1, 2, 4, 6, 8, 10, 12, 13]
    assert [row.step for row in rows if row.validation_loss is not None] == [6, 12, 13]
    assert [row.tokens for row in rows][-1] == 13 * 4 * 16
    text = to_csv(rows)
    assert text.splitlines()[0] == "step,tokens,train_loss,validation_loss,learning_rate,grad_norm"
    assert text.splitlines()[1].split(",")[3] == ""


def test_measuring_does_not_change_what_is_trained() -> None:
    """How often the validation loss is measured is a matter of looking, not of training."""
    often, seldom = make_trainer(validation={"every": 1, "windows": 3}), make_trainer()
    often.run()
    seldom.run()
    assert same(weights(often), weights(seldom))


def test_a_loss_that_is_no_number_names_step_and_documents() -> None:
    """And training ends there, with an error that says where to look."""
    trainer = make_trainer(batch=2)
    with torch.no_grad():
        trainer.model.norm.weight[0] = torch.nan
    with pytest.raises(TrainingError) as caught:
        trainer.run()
    assert "the loss of step 1 is nan" in str(caught.value)
    for document in trainer.batches.documents(trainer.batches.windows(0)):
        assert document in str(caught.value)


def test_a_gradient_that_is_no_number_is_told_before_it_is_applied() -> None:
    """The weights stay what they were."""
    trainer = make_trainer()
    trainer.model.embedding.weight.register_hook(lambda gradient: gradient * torch.inf)
    before = weights(trainer)
    with pytest.raises(TrainingError, match="gradient of step 1"):
        trainer.run()
    assert same(before, weights(trainer))


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ({"train": chain(16)}, "data/tokenize/train"),
        ({"validation": chain(3)}, "data/tokenize/validation"),
    ],
)
def test_data_that_does_not_fit_is_refused(streams: dict[str, Any], said: str) -> None:
    """Text shorter than a window."""
    values = {"train": chain(400), "validation": chain(400), **streams}
    with pytest.raises(DataError, match=said):
        Trainer(make_trainer().params, **values)


def test_compiling_is_off_where_there_is_no_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a word on it, and as another run than a compiled one, whose last bits differ."""
    monkeypatch.setattr("elek.training.trainer.has_compiler", lambda device: False)
    trainer = make_trainer(compile=True)
    assert trainer.states == trainer.model.states
    assert "no compiler here" in capsys.readouterr().err
    assert trainer.identity()["compiled"] is False


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(torch.device("cpu")), reason="needs a C++ compiler")
def test_a_compiled_model_trains_alike() -> None:
    """The losses are those of the plain one to rounding."""
    plain, compiled = make_trainer(steps=4).run(), make_trainer(steps=4, compile=True).run()
    for one, other in zip(plain.history, compiled.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)


def test_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 where it has instructions for it, float32 elsewhere, and what was asked for always."""
    for able in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: {"avx512_bf16": able})
        assert has_bf16(torch.device("cpu")) is able
        assert make_trainer(precision="bf16").runtime.precision == "bf16"
        assert make_trainer(precision="fp32").runtime.precision == "fp32"
