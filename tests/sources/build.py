"""Small packages, indexes and sources made for the tests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from elek.dataset import Dataset
from elek.params import parse
from elek.sources.fetching import fetch
from elek.sources.files import File
from elek.sources.formats import read_file
from elek.sources.params import FetchParams, FilesSource
from elek.sources.records import Record, Skip


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel(folder: Path, members: dict[str, bytes], name: str = "texts-1.0-py3-none-any.whl") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def sdist(folder: Path, members: dict[str, bytes], name: str = "texts-1.0") -> Path:
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, data in members.items():
            info = tarfile.TarInfo(f"{name}/{member}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def use_folder_as_index(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: str) -> None:
    """Configure pip, and so Elek, to know nothing but the files in `folder`."""
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "PROXY", "TRUSTED_HOST", "NO_INDEX"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # which tells pip to read no configuration file at all
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    if not options:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name, value in options.items():
        monkeypatch.setenv(f"PIP_{name.upper()}", value)


def package(path: Path, **options: Any) -> dict[str, Any]:
    """A source that reads the package file `path`."""
    kind = "wheel" if path.suffix == ".whl" else "sdist"
    base = {"kind": "package", "package": "texts", "version": "1.0", "archive": kind, "sha256": digest(path)}
    return {**base, "files": "**/*.txt", "license": "MIT", "lang": "en", **options}


def files(pattern: str | list[str] = "data/raw/*", **options: Any) -> dict[str, Any]:
    return {"kind": "files", "files": pattern, "license": "CC0-1.0", "lang": "en", **options}


def put(project: Path, name: str, data: bytes | str) -> Path:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(path: Path, **options: Any) -> tuple[list[Record], list[Skip]]:
    """What one file gives."""
    source = FilesSource.model_validate(files("*", **options))
    events = list(read_file(File(path.name, path), source))
    return [e for e in events if isinstance(e, Record)], [e for e in events if isinstance(e, Skip)]


def texts(path: Path, **options: Any) -> list[str]:
    """The texts of a file of which nothing is skipped."""
    records, skipped = read(path, **options)
    assert skipped == []
    return [record.text for record in records]


def reasons(path: Path, **options: Any) -> list[tuple[int | None, str]]:
    """Line and reason of everything that is skipped of a file."""
    return [(skip.line, skip.reason) for skip in read(path, **options)[1]]


def run(project: Path, sources: dict[str, Any], **params: Any) -> tuple[Path, dict[str, Any]]:
    """`fetch` into a new folder of `project`: the folder and the metrics."""
    out = project / f"out-{len(list(project.glob('out-*')))}"
    out.mkdir()
    typed = parse("fetch", {"sources": sources, **params}, FetchParams)
    return out, fetch(typed, out, cache=project / ".cache", project=project)


class Fetched:
    """The result of `fetch`, read back."""

    def __init__(self, project: Path, sources: dict[str, Any], **params: Any) -> None:
        self.out, self.metrics = run(project, sources, **params)
        self.train = Dataset(self.out / "train")
        self.evaluation = Dataset(self.out / "evaluation")
        self.rows = self.train.read_all().to_pylist()
        self.ids = [row["id"] for row in self.rows]
        self.texts = [row["text"] for row in self.rows]
        self.meta = [json.loads(row["meta"]) for row in self.rows]
        lines = (self.out / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
        self.skipped = [json.loads(line) for line in lines]
        self.sources = json.loads((self.out / "sources.json").read_text(encoding="utf-8"))

    def content(self) -> dict[str, bytes]:
        """Every byte written."""
        return {p.relative_to(self.out).as_posix(): p.read_bytes() for p in self.out.rglob("*") if p.is_file()}
