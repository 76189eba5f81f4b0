"""The fetch stage in a project of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from elek.dataset import Dataset
from stages import fetch
from tests.sources.build import files, put


def project(
    folder: Path, monkeypatch: pytest.MonkeyPatch, sources: dict[str, Any], deps: list[str] | None = None
) -> Path:
    monkeypatch.chdir(folder)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"fetch": {"sources": sources}}, file)
    if deps is not None:
        with (folder / "dvc.yaml").open("w", encoding="utf-8") as file:
            YAML().dump({"stages": {"fetch": {"deps": deps}}}, file)
    return folder


def test_the_stage_writes_what_the_next_ones_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two datasets, the skipped, the sources, the metrics and a table of them all."""
    put(tmp_path, "data/raw/a.txt", "şiirler")
    put(tmp_path, "data/raw/b.txt", b"\xff")
    put(tmp_path, "data/raw/held/c.txt", "held out")
    sources = {"a": files("data/raw/*.txt"), "h": files("data/raw/held/*.txt", role="evaluation", lang="tr")}
    project(tmp_path, monkeypatch, sources)
    fetch.main()
    assert len(Dataset(tmp_path / "data/fetch/train")) == 1
    assert len(Dataset(tmp_path / "data/fetch/evaluation")) == 1
    assert json.loads((tmp_path / "data/fetch/skipped.jsonl").read_text(encoding="utf-8"))["file"] == "data/raw/b.txt"
    metrics = json.loads((tmp_path / "reports/fetch.json").read_text(encoding="utf-8"))
    assert metrics["documents"] == {"train": 1, "evaluation": 1}
    assert metrics["bytes"] == {"train": 8, "evaluation": 8}
    assert (metrics["skipped"], metrics["renamed"]) == (1, 0)
    assert metrics["sources"]["a"] == {
        "documents": 1,
        "bytes": 8,
        "license": "CC0-1.0",
        "lang": "en",
        "role": "train",
        "skipped": 1,
        "renamed": 0,
        "ids_with_email": 0,
    }
    table = capsys.readouterr().out
    assert "(1 skipped)" in table
    assert "1 documents, 0.00 MB to train on" in table


@pytest.mark.parametrize(
    ("pattern", "deps", "allowed"),
    [
        ("data/raw/*.txt", None, True),
        ("data/rawest/*.txt", None, False),
        ("notes/*.txt", None, False),
        ("notes/*.txt", ["src/elek/x.py", "notes"], True),
        ("notes/*.txt", ["data/raw"], False),
        ("**/*.txt", ["data/raw"], False),
    ],
)
def test_local_files_lie_where_dvc_watches(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pattern: str,
    deps: Any,
    allowed: bool,
) -> None:
    """A pattern outside of the stage's deps is refused: DVC would not run the stage again when a file changes."""
    for folder in ("data/raw", "data/rawest", "notes"):
        put(tmp_path, f"{folder}/a.txt", "x")
    project(tmp_path, monkeypatch, {"a": files(pattern)}, deps)
    if allowed:
        fetch.main()
        return
    with pytest.raises(SystemExit) as caught:
        fetch.main()
    assert caught.value.code == 2
    assert "DVC would not notice a change" in capsys.readouterr().err
    assert not (tmp_path / "data/fetch").exists()


def test_a_local_data_set_lies_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same holds for the folder of a Hugging Face data set."""
    put(tmp_path, "sets/one/train.jsonl", '{"text": "x"}')
    source = {"kind": "huggingface", "path": "./sets/one", "license": "MIT", "lang": "en"}
    project(tmp_path, monkeypatch, {"s": source})
    with pytest.raises(SystemExit):
        fetch.main()
    assert "`sets/one`" in capsys.readouterr().err


def test_a_failure_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source that cannot be read ends with its exit code and no data, though another was read before it."""
    put(tmp_path, "data/raw/a.txt", "x")
    project(tmp_path, monkeypatch, {"a": files("data/raw/a.txt"), "b": files("data/raw/none.txt")})
    with pytest.raises(SystemExit) as caught:
        fetch.main()
    assert caught.value.code == 3
    assert "no file matches" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]
    assert not (tmp_path / "reports").exists()
