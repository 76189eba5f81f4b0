"""What a person sees of a run, and that none of it touches a result."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.training import watching
from elek.training.history import Row, live_rows, read_rows, to_csv
from elek.training.runtime import Runtime
from elek.training.watching import LiveCurve, Pace, live_line, measured_peak
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


def test_pace_is_that_of_the_last_minute() -> None:
    """Of its steps but the slowest: neither compiling nor a break counts, and what is long ago does not either."""
    waits = [30.0, 0.5, 0.5, 0.5, 1000.0, 0.5, *[2.0] * 40]
    clock = itertools.accumulate([0.0, *waits])
    pace = Pace(lambda: next(clock))
    told = [pace.step() for _ in waits]
    assert told[0] == pytest.approx(1 / 30)  # there is no other yet
    assert told[1:4] == [2.0, 2.0, 2.0]
    assert told[4] == pytest.approx(4 / 31.5)  # the first one is in the minute still
    assert told[-1] == 0.5


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=50))
@settings(deadline=None, max_examples=60)
def test_a_pace_lies_between_those_of_its_steps(waits: list[float]) -> None:
    """Whatever they were."""
    clock = itertools.accumulate([0.0, *waits])
    pace = Pace(lambda: next(clock))
    for _ in waits:
        assert 0.999 / max(waits) <= pace.step() <= 1.001 / min(waits)


def row(step: int, loss: float = 4.0) -> Row:
    return Row(step, step * 10, loss, None, 1e-3, 1.0)


def live_curve(folder: Path, history: Sequence[Row] = ()) -> LiveCurve:
    """A curve that has begun, of a model of 100 operations a token on a machine that does a million."""
    curve = LiveCurve(folder / "train.csv", 100, 1e6, folder / "train.run.json", {"training": "abc"})
    curve.begin(history)
    return curve


def test_the_curve_grows_row_by_row_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    """Every row is in the file when it is added; of those of before, the checkpoint's stay, speeds and times too."""
    path = tmp_path / "train.csv"
    curve = live_curve(tmp_path)
    assert json.loads((tmp_path / "train.run.json").read_text(encoding="utf-8")) == {"training": "abc"}
    for step in (1, 10, 20, 30):
        curve.add(row(step), 500.0)
        assert read_rows(path)[-1]["step"] == str(step)
    with path.open("a", encoding="utf-8") as file:
        file.write("40,400,4,,0.001,1,500,0.0")  # killed in the middle of a row
    assert [line["step"] for line in read_rows(path)] == ["1", "10", "20", "30"]
    before = read_rows(path)
    again = live_curve(tmp_path, [row(1), row(10)])
    assert read_rows(path) == before[:2]
    again.add(row(20), 700.0)
    last = read_rows(path)[-1]
    assert (last["tokens_per_second"], last["mfu"], last["validation_loss"]) == ("700", "0.07", "")
    assert float(last["time"]) >= float(before[0]["time"])
    live_curve(tmp_path)
    assert read_rows(path) == []


def test_rows_of_another_run_are_not_taken_for_its_own(tmp_path: Path) -> None:
    """What the checkpoint does not know goes, also where its steps are the same."""
    other = live_curve(tmp_path)
    other.add(row(1), 500.0)
    other.add(row(10, loss=3.0), 500.0)
    live_curve(tmp_path, [row(1), row(10)])
    first, second = read_rows(tmp_path / "train.csv")
    assert (first["tokens_per_second"], second["tokens_per_second"]) == ("500", "")
    assert second["train_loss"] == "4"


def test_watching_changes_nothing(tmp_path: Path) -> None:
    """The same weights, looked at or not."""
    plain, watched = make_trainer(), make_trainer()
    watched.peak = 1e9
    watched.watch = live_curve(tmp_path)
    assert plain.run().history == watched.run().history
    assert same(weights(plain), weights(watched))


def test_a_live_curve_is_told_of_the_very_run_alone(tmp_path: Path) -> None:
    """Where history.csv is another run's, as from DVC's cache, its speeds are nobody's."""
    trainer = make_trainer()
    trainer.watch = live_curve(tmp_path)
    live, history = tmp_path / "train.csv", tmp_path / "history.csv"
    history.write_text(to_csv(trainer.run().history), encoding="utf-8")
    rows = live_rows(live, history)
    assert [int(told["step"]) for told in rows] == [row.step for row in trainer.history]
    assert all(float(told["tokens_per_second"]) > 0 and told["mfu"] and told["time"] for told in rows)
    history.write_text(to_csv(make_trainer(seed=5).run().history), encoding="utf-8")
    assert live_rows(live, history) == []
    assert live_rows(tmp_path / "none.csv", history) == []
