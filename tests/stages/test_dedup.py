"""The stage `dedup`, in a project of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from elek.dataset import Dataset
from elek.dedup.decisions import SCHEMA
from stages import dedup
from tests.dedup.project import Row, prose, row, seeded, write_project
from tests.project import write_params

TEXT = " ".join(prose(seeded(1), 60))
PARTS = [
    [row("book/1", TEXT, "book"), row("web/1", TEXT.upper(), "web"), row("web/2", TEXT + " more", "web")],
    [row("web/3", "", "web", kept=False), row("web/4", "something else", "web")],
]


def make(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: list[list[Row]], changes: dict[str, Any]) -> None:
    write_project(folder / "data", parts)
    write_params(folder, {"filter": {}, **changes})
    monkeypatch.chdir(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_decisions_are_aligned_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part by part the rows of `clean`, with survivor and cluster; the report's figures add up."""
    make(tmp_path, monkeypatch, PARTS, {"execution.workers": 1})
    dedup.main()
    result = Dataset(tmp_path / "data" / "dedup")
    assert [result.read(i)["id"].to_pylist() for i in range(2)] == [[r["id"] for r in part] for part in PARTS]
    table = result.read_all()
    assert table.schema.equals(SCHEMA)
    assert table["kept"].to_pylist() == [True, False, False, False, True]
    assert table["survivor"].to_pylist() == [None, "book/1", "book/1", None, None]
    assert table["cluster"].to_pylist() == ["book/1", "book/1", "book/1", None, "web/4"]
    assert result.manifest["parents"].keys() == {"clean", "annotate", "filter"}
    metrics = json.loads((tmp_path / "reports" / "dedup.json").read_text(encoding="utf-8"))
    assert metrics == {
        "in": 4,
        "kept": 2,
        "dropped": 2,
        "clusters": 2,
        "reasons": {"dedup.exact": 1, "dedup.minhash": 1},
        "failures": {"dedup.exact": 1, "dedup.minhash": 2},
        "by_source": {
            "book": {"in": 1, "kept": 1, "dropped": 0, "reasons": {}},
            "web": {"in": 3, "kept": 1, "dropped": 2, "reasons": {"dedup.exact": 1, "dedup.minhash": 1}},
        },
    }


def test_same_bytes_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker or two: the same files; and no temporary file is left."""
    make(tmp_path, monkeypatch, PARTS, {"execution.workers": 1})
    dedup.main()
    first = files(tmp_path / "data" / "dedup")
    write_params(tmp_path, {"filter": {}, "execution.workers": 2})
    dedup.main()
    assert files(tmp_path / "data" / "dedup") == first
    assert not list((tmp_path / ".cache").glob("tmp*"))


def test_unknown_source_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the wrong name and the near one, and nothing written."""
    make(tmp_path, monkeypatch, PARTS, {"execution.workers": 1, "dedup.source_priority": ["boook"]})
    with pytest.raises(SystemExit) as stopped:
        dedup.main()
    assert stopped.value.code == 2
    assert "did you mean `book`?" in capsys.readouterr().err
    assert not (tmp_path / "data" / "dedup").exists()
