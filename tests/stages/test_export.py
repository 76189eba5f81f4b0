"""The stage `export`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elek.model.files import save_model
from stages import export
from tests.evaluation.test_scoring import model
from tests.vocabulary import tokenizer, write_project


def test_export_writes_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that readers look for, with its digest in the metrics."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "data" / "train", model())
    (tmp_path / "data" / "vocab").mkdir()
    (tmp_path / "data" / "vocab" / "tokenizer.model").write_bytes(tokenizer().model)
    export.main()
    metrics = json.loads((tmp_path / "reports" / "export.json").read_text(encoding="utf-8"))
    expected = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.model", "model.gguf"}
    assert expected | {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} == set(metrics["files"])
    assert {path.name for path in (tmp_path / "data" / "export").iterdir()} == set(metrics["files"])
    assert metrics["parameters"] == model().config.parameters


def test_export_without_a_model_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4 and the remedy."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        export.main()
    assert end.value.code == 4
    assert "dvc repro train" in capsys.readouterr().err
