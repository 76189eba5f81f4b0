"""The stage `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from elek.model.files import save_model
from stages import evaluate, tokenize, vocab
from tests.evaluation.test_scoring import model
from tests.vocabulary import write_project


def _prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(folder)
    monkeypatch.chdir(folder)
    vocab.main()
    tokenize.main()
    save_model(folder / "data" / "train", model())


def test_evaluate_scores_every_split_and_shows_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures by language and source, a table per split, samples; a second run gives the same bytes."""
    _prepare(tmp_path, monkeypatch)
    evaluate.main()
    said = "".join(capsys.readouterr())
    assert "evaluation  no documents" in said
    assert "None" not in said
    report = (tmp_path / "reports" / "evaluate.json").read_bytes()
    metrics = json.loads(report)
    assert set(metrics) == {"validation", "test", "evaluation", "generations"}
    assert metrics["validation"]["ngram"]["tokens"] == metrics["validation"]["tokens"]
    assert metrics["validation"]["ngram"]["loss"] < metrics["validation"]["loss"]  # an untrained network's
    assert metrics["generations"]["memorisation"]["train"]["generations"] == 2
    records = json.loads((tmp_path / "data" / "evaluate" / "generations.json").read_text(encoding="utf-8"))
    assert {(record["group"], record["lang"]) for record in records} >= {("held_out", "en"), ("held_out", "tr")}
    assert set(metrics["validation"]["by_lang"]) == {"en", "tr"}
    assert metrics["test"]["bits_per_byte"] == metrics["test"]["by_source"]["book-tr"]["bits_per_byte"] > 0
    assert metrics["evaluation"]["loss"] is None
    table = pq.read_table(tmp_path / "data" / "evaluate" / "validation.parquet")
    assert sum(table["tokens"].to_pylist()) == metrics["validation"]["tokens"]
    samples = json.loads((tmp_path / "data" / "evaluate" / "samples.json").read_text(encoding="utf-8"))
    assert [sample["prompt"] for sample in samples] == ["The farmer", "Köyün"]
    files = {path: path.read_bytes() for path in (tmp_path / "data" / "evaluate").iterdir()}
    evaluate.main()
    assert (tmp_path / "reports" / "evaluate.json").read_bytes() == report
    assert {path: path.read_bytes() for path in (tmp_path / "data" / "evaluate").iterdir()} == files


def test_a_vocabulary_of_another_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shards and vocabulary that do not belong together end with exit code 4."""
    _prepare(tmp_path, monkeypatch)
    params = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params.replace("size: 700", "size: 690"), encoding="utf-8")
    vocab.main()
    with pytest.raises(SystemExit) as end:
        evaluate.main()
    assert end.value.code == 4
    assert "made with the vocabulary" in capsys.readouterr().err
