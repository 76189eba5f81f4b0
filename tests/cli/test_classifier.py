"""`elek classifier`: what it prints and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from elek.cli import app, classifier
from elek.errors import DataError, ParamsError
from tests.classifier import documents

COLUMNS: dict[str, Any] = {"text_column": "text", "label_column": "label", "positive": None, "lang": "en"}
OPTIONS = {"bits": 12, "epochs": 2}


def train(folder: Path, **changes: Any) -> None:
    data = [str(documents.write(folder / "rows.jsonl", 300))]
    options: dict[str, Any] = {"columns": COLUMNS, "license": "cc0-1.0", "options": OPTIONS, "as_json": False}
    classifier.train("quality", data, str(folder / "model"), **{**options, **changes})


def test_train_then_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Training prints figures of held-out text and what to write into params; judging on its own text warns."""
    train(tmp_path)
    printed = capsys.readouterr().out
    assert "Held out:" in printed
    assert "    quality_model:\n      model: " in printed
    classifier.evaluate(
        str(tmp_path / "model"), [str(tmp_path / "rows.jsonl")], columns=COLUMNS, threshold=0.5, as_json=False
    )
    assert "trained on rows.jsonl: what follows says little" in capsys.readouterr().out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON document each, with the digest that params want."""
    train(tmp_path, as_json=True)
    header = json.loads(capsys.readouterr().out)
    assert header["data"]["license"] == "CC0-1.0"
    other = documents.write(tmp_path / "other.jsonl", 500)
    classifier.evaluate(str(tmp_path / "model"), [str(other)], columns=COLUMNS, threshold=0.5, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["sha256"], found["trained_on"]) == (header["sha256"], [])
    assert found["auc"] > 0.8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"license": "CC-BY"}, "CC-BY"),
        ({"options": {"bits": 60}}, "train.bits"),
        ({"columns": {**COLUMNS, "positive": ["good"]}}, "no row is labelled good"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """What, where and the fix; nothing is written."""
    with pytest.raises(ParamsError, match=message) as error:
        train(tmp_path, **changes)
    assert error.value.where
    assert not (tmp_path / "model").exists()


def test_an_unknown_task_names_the_nearest(tmp_path: Path) -> None:
    """A typo in --task; a threshold that nothing exceeds; a folder without a model."""
    with pytest.raises(ParamsError, match="no task") as error:
        classifier.train("toxcity", ["x"], "y", columns=COLUMNS, license="MIT", options={}, as_json=False)
    assert "toxicity" in str(error.value)
    with pytest.raises(ParamsError, match="never exceeded"):
        classifier.evaluate("m", ["x"], columns=COLUMNS, threshold=2.0, as_json=False)
    with pytest.raises(DataError, match="no model"):
        classifier.evaluate(str(tmp_path), ["x"], columns=COLUMNS, threshold=0.5, as_json=False)


def test_the_command_line_takes_several_files(tmp_path: Path) -> None:
    """`--data a b` and `--data a --data b` are the same, down to the digest."""
    first, second = (str(documents.write(tmp_path / f"{name}.jsonl", count, lang="en")) for name, count in
                     (("a", 200), ("b", 300)))  # fmt: skip
    start = ["classifier", "train", "--task", "quality", "--bits", "12", "--epochs", "1", "--json", "--out"]
    digests = []
    for files in (["--data", first, second], ["--data", first, "--data", second]):
        done = CliRunner().invoke(app, [*start, str(tmp_path / "model"), *files])
        assert done.exit_code == 0, done.output
        digests.append(json.loads(done.stdout)["sha256"])
    assert digests[0] == digests[1]
