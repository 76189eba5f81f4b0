"""The stage `report` on a project's data as the stages before it leave it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stages import report
from tests.conftest import ROOT
from tests.report.project import ROWS, build


def test_the_stage_writes_the_page_and_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page, cards and `reports/report.json`, in which every document is accounted for."""
    build(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    report.main()
    assert (tmp_path / "data" / "report" / "index.html").is_file()
    metrics = json.loads((tmp_path / "reports" / "report.json").read_text(encoding="utf-8"))
    assert metrics["accounted"] == {"documents": len(ROWS), "kept": 3, "dropped": 4}


def test_missing_figures_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the figures of a stage there is no page, and the message says which file is missing."""
    _, reports = build(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (reports / "vocab.json").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        report.main()
    assert caught.value.code == 4
    assert "vocab.json" in capsys.readouterr().err
    assert not (tmp_path / "data" / "report").exists()
