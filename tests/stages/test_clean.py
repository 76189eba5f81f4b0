"""The clean stage in a project of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from elek.dataset import DOCUMENT, Dataset, write_manifest, write_part
from elek.text.cleaning import SCHEMA
from stages import clean
from tests.text.test_cleaning import documents


def project(folder: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]) -> None:
    monkeypatch.chdir(folder)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"clean": params, "execution": {"workers": 1}}, file)
    train, evaluation = folder / "data/fetch/train", folder / "data/fetch/evaluation"
    train.mkdir(parents=True)
    evaluation.mkdir(parents=True)
    parts = [
        write_part(train, 0, documents("bir\r\n", "TÃ¼rkÃ§e")),
        write_part(train, 1, documents("ali@example.com 10000000146", "temiz")),
    ]
    write_manifest(train, parts)
    write_manifest(evaluation, [write_part(evaluation, 0, DOCUMENT.empty_table())])


def test_the_stage_cleans_both_roles_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parts and rows are those of fetch, the parent is named, metrics add up, an empty role stays a dataset."""
    project(tmp_path, monkeypatch, {})
    clean.main()
    fetched, cleaned = Dataset(tmp_path / "data/fetch/train"), Dataset(tmp_path / "data/clean/train")
    assert [part.rows for part in cleaned.parts] == [part.rows for part in fetched.parts]
    assert cleaned.manifest["parents"] == {"fetch": fetched.digest}
    table = cleaned.read_all()
    assert table.schema == SCHEMA
    assert table["text"].to_pylist() == ["bir", "Türkçe", "[EMAIL] [TCKN]", "temiz"]
    assert len(Dataset(tmp_path / "data/clean/evaluation")) == 0
    metrics = json.loads((tmp_path / "reports/clean.json").read_text(encoding="utf-8"))
    assert metrics["documents"] == {"train": 4, "evaluation": 0}
    assert metrics["changed"] == 3
    assert metrics["changed_by"]["encoding"] == metrics["changed_by"]["pii"] == 1
    assert {kind: count for kind, count in metrics["pii"].items() if count} == {"email": 1, "tckn": 1}
    assert "1 email, 1 tckn" in capsys.readouterr().out


def test_no_original_is_left_in_any_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the data nor the report nor the manifest holds what was masked."""
    project(tmp_path, monkeypatch, {})
    clean.main()
    for folder in ("data/clean", "reports"):
        for file in (tmp_path / folder).rglob("*"):
            assert not file.is_file() or b"ali@example" not in file.read_bytes()
    for role in ("train", "evaluation"):
        for text in Dataset(tmp_path / "data/clean" / role).read_all(["text"])["text"].to_pylist():
            assert "10000000146" not in text


def test_params_reach_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What params switch off is not done."""
    project(tmp_path, monkeypatch, {"encoding": False, "pii": ["email"]})
    clean.main()
    texts = Dataset(tmp_path / "data/clean/train").read_all(["text"])["text"].to_pylist()
    assert texts == ["bir", "TÃ¼rkÃ§e", "[EMAIL] 10000000146", "temiz"]


def test_without_fetch_the_stage_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No manifest, no start: exit code 4, the folder named, and nothing left behind."""
    project(tmp_path, monkeypatch, {})
    (tmp_path / "data/fetch/train/_manifest.json").unlink()
    with pytest.raises(SystemExit) as stopped:
        clean.main()
    assert stopped.value.code == 4
    assert "_manifest.json" in capsys.readouterr().err
    assert not (tmp_path / "data/clean").exists()
