"""The stage `annotate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elek.dataset import Dataset
from stages import annotate
from tests.annotated import rows, write_clean


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clean(folder, parts=4)
    (folder / "params.yaml").write_text("execution:\n  workers: 1\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    annotate.main()


def test_annotate_is_row_aligned_with_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part n has the ids of part n of `clean`, an empty part too, and no text."""
    _run(tmp_path, monkeypatch)
    clean, annotated = Dataset(tmp_path / "data/clean/train"), Dataset(tmp_path / "data/annotate")
    assert len(clean.parts) == len(annotated.parts) == 4
    for index in range(4):
        signals = annotated.read(index)
        assert signals["id"].to_pylist() == clean.read(index, ["id"])["id"].to_pylist()
        assert not {"text", "url", "meta"} & set(signals.column_names)
    assert annotated.manifest["parents"] == {"clean": clean.digest}


def test_metrics_count_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every document is of one identified language."""
    _run(tmp_path, monkeypatch)
    metrics = json.loads((tmp_path / "reports/annotate.json").read_text(encoding="utf-8"))
    assert metrics["documents"] == sum(metrics["languages"].values()) == len(rows())
    assert {"en", "tr"} <= set(metrics["languages"])


def test_no_clean_data_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4, what is missing, and nothing that looks whole."""
    (tmp_path / "params.yaml").write_text("execution:\n  workers: 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        annotate.main()
    assert caught.value.code == 4
    assert "_manifest.json is missing" in capsys.readouterr().err
    assert not (tmp_path / "data/annotate").exists()


def test_a_model_is_named_with_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage reads the model that params name, relative to the project; another one at its place ends the stage."""
    from elek.classifier.labelled import read
    from elek.classifier.training import TrainingParams, settings_for, train
    from tests.classifier import documents

    write_clean(tmp_path, parts=1)
    rows = read([documents.write(tmp_path / "rows.jsonl", 300, lang="en")])
    _, digest = train(rows, "quality", TrainingParams(bits=10, epochs=1), tmp_path / "models/quality", "CC0-1.0")
    params = "execution:\n  workers: 1\n" + settings_for("quality", "models/quality", digest) + "\n"
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    annotate.main()
    assert Dataset(tmp_path / "data/annotate").read_all(["quality_model.score"])["quality_model.score"].null_count == 0

    train(rows, "quality", TrainingParams(bits=10, epochs=2), tmp_path / "models/quality", "CC0-1.0")
    with pytest.raises(SystemExit) as stopped:
        annotate.main()
    assert stopped.value.code == 4
