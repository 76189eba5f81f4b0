"""What a person sees of a run, and that none of it touches a result."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from elek.training import watching
from elek.training.history import Row, speeds, to_csv
from elek.training.runtime import Runtime
from elek.training.watching import LiveCurve, live_line, measured_peak
from tests.training.runs import make_trainer
from tests.training.test_trainer import same, weights


def test_the_live_line_has_loss_speed_mfu_and_time_left() -> None:
    """MFU is the model's operations over the measured peak; without a peak it is left out."""
    assert live_line(4.1234, 10_200, 62, 1000, 2e7) == "loss 4.123, 10,200 tokens/s, MFU 51%, 1:02 left"
    assert live_line(4.1234, 10_200, 62, 1000, None) == "loss 4.123, 10,200 tokens/s, 1:02 left"


def test_the_peak_is_the_highest_ever_measured_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept per machine, arithmetic and threads; a busy hour lowers nothing, and a torn file is measured again."""
    cache, runtime = tmp_path / ".cache" / "peak.json", Runtime(torch.device("cpu"), "fp32")
    speeds = iter([2e9, 1e9, 5e9, 1e9])
    monkeypatch.setattr(watching, "matmul_speed", lambda *_: next(speeds))
    assert [measured_peak(runtime, 1, cache) for _ in range(3)] == [2e9, 2e9, 5e9]
    assert measured_peak(runtime, 2, cache) == 1e9
    assert len(json.loads(cache.read_text(encoding="utf-8"))) == 2
    cache.write_text("{", encoding="utf-8")
    monkeypatch.setattr(watching, "matmul_speed", lambda *_: 3e9)
    assert measured_peak(runtime, 1, cache) == 3e9


def test_a_measured_peak_is_a_speed() -> None:
    """Of a real product, and the number of threads is put back."""
    torch.set_num_threads(2)
    assert watching.matmul_speed(torch.device("cpu"), torch.float32, 1) > 1e8
    assert torch.get_num_threads() == 2


def test_the_curve_grows_row_by_row_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    """Every row is in the file when it is added; rows beyond the checkpoint are written anew, once."""
    path = tmp_path / "train.csv"

    def row(step: int) -> Row:
        return Row(step, step * 10, 4.0, None, 1e-3, 1.0)

    def steps() -> list[int]:
        with path.open(encoding="utf-8", newline="") as file:
            return [int(line["step"]) for line in csv.DictReader(file)]

    curve = LiveCurve(path, 100, 1e6)
    for step in (1, 10, 20, 30):
        curve.add(row(step), 500.0)
        assert steps()[-1] == step
    with path.open("a", encoding="utf-8") as file:
        file.write("40,4")  # killed in the middle of a row
    again = LiveCurve(path, 100, 1e6)
    again.add(row(20), 700.0)
    again.add(row(30), 700.0)
    assert steps() == [1, 10, 20, 30]
    with path.open(encoding="utf-8", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert (last["tokens_per_second"], last["mfu"], last["validation_loss"]) == ("700", "0.07", "")
    LiveCurve(path, 100, 1e6).add(row(1), 1.0)
    assert steps() == [1]


def test_watching_changes_nothing(tmp_path: Path) -> None:
    """The same weights, looked at or not."""
    plain, watched = make_trainer(), make_trainer()
    watched.peak = 1e9
    watched.watch = LiveCurve(tmp_path / "train.csv", 100, 1e9).add
    assert plain.run().history == watched.run().history
    assert same(weights(plain), weights(watched))


def test_speeds_are_told_of_the_very_run_alone(tmp_path: Path) -> None:
    """Where history.csv is another run's, as from DVC's cache, there are none."""
    trainer = make_trainer()
    trainer.watch = LiveCurve(tmp_path / "live.csv", 100, 1e9).add
    history = tmp_path / "history.csv"
    history.write_text(to_csv(trainer.run().history), encoding="utf-8")
    told = list(speeds(tmp_path / "live.csv", history))
    assert {name for name, _, _ in told} == {"tokens_per_second", "mfu"}
    assert [step for name, _, step in told if name == "mfu"] == [row.step for row in trainer.history]
    history.write_text(to_csv(make_trainer(seed=5).run().history), encoding="utf-8")
    assert list(speeds(tmp_path / "live.csv", history)) == []
    assert list(speeds(tmp_path / "none.csv", history)) == []
