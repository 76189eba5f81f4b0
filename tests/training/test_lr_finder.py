"""The learning-rate range test and its command."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from elek.cli.lr import lr, page, sentence, shown, suggestion
from elek.errors import ParamsError
from elek.training.lr_finder import Point, Sweep, sweep
from elek.training.params import TrainParams
from stages import tokenize, vocab
from tests.training.runs import make_trainer
from tests.vocabulary import write_project


def test_the_rate_rises_exponentially_until_the_loss_does() -> None:
    """From `low` to `high` times both optimizers' rates; the suggestion is below where the loss turned up."""
    trainer = make_trainer(optimizer={"name": "muon"})
    seen: list[Point] = []
    found = sweep(trainer, 0.01, 1000.0, 60, seen.append)
    assert found.points == seen
    ratios = [b.factor / a.factor for a, b in pairwise(seen)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert seen[0].learning_rate == pytest.approx(0.01 * trainer.params.optimizer.learning_rate)
    assert 0.01 < found.suggested <= found.lowest / 3
    assert min(point.smoothed for point in seen) < seen[0].smoothed
    rates = {group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups}
    assert len(rates) == 2


def test_the_same_test_gives_the_same_curve() -> None:
    """No timing and no chance in it."""
    one, other = (sweep(make_trainer(), 0.1, 100.0, 15, lambda point: None) for _ in range(2))
    assert one == other


def test_a_loss_that_is_no_number_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what the high end is for, and no error."""
    trainer = make_trainer()
    monkeypatch.setattr(trainer, "gradient", lambda windows: (math.nan, 1.0))
    found = sweep(trainer, 0.1, 10.0, 20, lambda point: None)
    assert found.points == []
    assert found.diverged
    assert suggestion(trainer.params, found) == {}
    assert "lower --low" in sentence(found, {})


def test_at_most_sixteen_rows_are_shown_and_the_page_needs_nothing() -> None:
    """The first and the last among them; the picture is inside the page."""
    points = [Point(0.01 * 1.1**i, 1e-5 * 1.1**i, 9 - 0.01 * i, 9 - 0.01 * i) for i in range(80)]
    rows = shown(points)
    assert (len(rows), rows[0], rows[-1]) == (16, points[0], points[-1])
    found = Sweep(points, points[40].factor, points[-1].factor, False)
    rates = suggestion(TrainParams(), found)
    assert sorted(rates) == ["learning_rate", "matrix_learning_rate"]
    text = page(found, rates)
    assert "<svg" in text
    assert "http" not in text
    assert "still falling" in sentence(found, rates)


def test_the_command_suggests_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table, a page and a suggestion; params.yaml keeps its bytes."""
    write_project(tmp_path)
    path = tmp_path / "params.yaml"
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write("train: {batch: 4, threads: 1, model: {context: 16, layers: 2, width: 32, heads: 2}}\n")
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    vocab.main()
    tokenize.main()
    before = path.read_bytes()
    capsys.readouterr()
    lr(low=0.1, high=10.0, steps=12, out=None, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert len(said["points"]) == 12
    assert said["suggested"]
    assert "<svg" in (tmp_path / ".cache" / "lr.html").read_text(encoding="utf-8")
    assert path.read_bytes() == before
    for low, high in [(1.0, 1.0), (0.0, 1.0), (0.1, math.inf), (math.nan, 1.0)]:
        with pytest.raises(ParamsError, match="rates cannot rise from"):
            lr(low=low, high=high, steps=12, out=None, as_json=False)
