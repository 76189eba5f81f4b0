"""Dataset folders are complete or not there, and tell what was done to them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import (
    DOCUMENT,
    Dataset,
    atomic_folder,
    read_part,
    sha256_file,
    write_json,
    write_manifest,
    write_part,
)
from elek.errors import DataError


def documents(texts: list[str]) -> pa.Table:
    rows = [
        {"id": f"a/{n}", "text": t, "source": "a", "license": "MIT", "lang": "tr", "url": "", "meta": "{}"}
        for n, t in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=DOCUMENT)


def make(folder: Path, *parts: list[str]) -> Dataset:
    folder.mkdir(parents=True)
    return write_manifest(folder, [write_part(folder, n, documents(p), {"texts": len(p)}) for n, p in enumerate(parts)])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
@settings(deadline=None, max_examples=25)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Any text comes back as it was, and the same rows give the same digest."""
    folder = tmp_path_factory.mktemp("dataset")
    first, second = make(folder / "a", texts), make(folder / "b", texts)
    assert first.read(0)["text"].to_pylist() == texts
    assert first.digest == second.digest
    assert len(first) == len(texts)


def test_datasets_behind_each_other(tmp_path: Path) -> None:
    """All rows in order, wherever the parts lie; neither dataset changes."""
    first, second = make(tmp_path / "a", ["a", "b"], ["c"]), make(tmp_path / "b", ["d"])
    whole = first.followed_by(second, first)
    assert whole.read_all(["text"])["text"].to_pylist() == list("abcdabc")
    assert (len(whole), len(first), len(first.parts)) == (7, 3, 2)


def test_counts_are_summed_over_parts(tmp_path: Path) -> None:
    """A part's additive figures appear as their sum."""
    dataset = make(tmp_path / "d", ["a", "b"], ["c"])
    assert dataset.counts == {"texts": 3}
    assert dataset.read_all(["id"]).num_rows == 3


def test_others_read_the_folder_as_one_table(tmp_path: Path) -> None:
    """pyarrow takes the folder itself: the manifest beside the parts is in nobody's way."""
    dataset = make(tmp_path / "d", ["a", "b"], ["c"])
    assert pq.read_table(dataset.folder)["text"].to_pylist() == ["a", "b", "c"]
    assert ds.dataset(dataset.folder).count_rows() == 3


def test_a_folder_without_manifest_is_no_dataset(tmp_path: Path) -> None:
    """Parts that a killed writer left behind are refused, with the way out."""
    make(tmp_path / "d", ["a"])
    (tmp_path / "d" / "_manifest.json").unlink()
    with pytest.raises(DataError, match=r"(?s)no complete dataset.*dvc repro"):
        Dataset(tmp_path / "d")


def test_a_missing_or_short_part_is_refused(tmp_path: Path) -> None:
    """A part that is missing, or torn, is found when the dataset is opened."""
    dataset = make(tmp_path / "d", ["a"], ["b"])
    path = dataset.path(1)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"part-00001\.parquet"):
        Dataset(tmp_path / "d")


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """verify() reads every byte."""
    dataset = make(tmp_path / "d", ["a"])
    dataset.verify()
    data = bytearray(dataset.path(0).read_bytes())
    data[len(data) // 2] ^= 1
    dataset.path(0).write_bytes(data)
    with pytest.raises(DataError, match="SHA-256"):
        Dataset(tmp_path / "d").verify()


def test_a_damaged_manifest_and_a_foreign_schema_are_refused(tmp_path: Path) -> None:
    """Half a manifest, or one of a later schema, is an error and not an empty dataset."""
    dataset = make(tmp_path / "d", ["a"])
    path = dataset.folder / "_manifest.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:20], encoding="utf-8")
    with pytest.raises(DataError, match="damaged"):
        Dataset(dataset.folder)
    write_json(path, {**json.loads(whole), "schema_version": 99})
    with pytest.raises(DataError, match="schema version 99"):
        Dataset(dataset.folder)


@pytest.mark.parametrize(
    "manifest",
    ["[]", '"x"', "null", '{"schema_version": 1}', '{"schema_version": 1, "parts": 3}', "[" * 100_000,
     '{"schema_version": 1, "parts": [{"file": "x"}]}', '{"schema_version": 1, "parts": ["part-00000.parquet"]}'],
)  # fmt: skip
def test_a_manifest_of_another_shape_is_refused(tmp_path: Path, manifest: str) -> None:
    """JSON that is no manifest is a damaged one, and so is JSON that nests without end."""
    (tmp_path / "_manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(DataError, match="damaged"):
        Dataset(tmp_path)


def test_a_file_in_the_place_of_a_folder_and_the_other_way_round(tmp_path: Path) -> None:
    """What cannot be opened is told with its place."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "d" / "_manifest.json").mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "d"):
        with pytest.raises(DataError, match=r"is missing|cannot be read"):
            Dataset(folder)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_an_altered_part_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever byte is overwritten, in a page or in the footer, no other error comes out."""
    folder = tmp_path_factory.mktemp("dataset")
    path = folder / write_part(folder, 0, documents([f"text {n}" for n in range(9)])).name
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1) | st.integers(len(raw) - 1500, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with contextlib.suppress(DataError):
        read_part(path, ["id", "text"])


def test_names_in_a_footer_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    """pyarrow decodes them late, with an error of Python's."""
    path = tmp_path / write_part(tmp_path, 0, documents(["a"])).name
    path.write_bytes(path.read_bytes().replace(b"license", b"lic\xffnse"))
    with pytest.raises(DataError, match="unreadable"):
        read_part(path, ["id"])


def test_an_atomic_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """An error leaves the old content, success replaces it, and what a killed writer left is cleared away."""
    target = tmp_path / "data"
    with atomic_folder(target) as folder:
        (folder / "old").touch()

    def fail() -> None:
        with atomic_folder(target) as folder:
            (folder / "new").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in target.iterdir()] == ["old"]
    (tmp_path / ".data.2147483646.tmp").mkdir()  # no process has that number
    with atomic_folder(target) as folder:
        (folder / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_json_has_one_form(tmp_path: Path) -> None:
    """Equal values give equal bytes, whatever the order of keys; NaN is refused, since it is not JSON."""
    write_json(tmp_path / "a.json", {"b": 1, "a": "ışık"})
    write_json(tmp_path / "b.json", {"a": "ışık", "b": 1})
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")
    assert "ışık" in (tmp_path / "a.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "c.json", float("nan"))
    assert not (tmp_path / "c.json").exists()


def test_a_text_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of it under its name nor under another."""

    def full(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"{")
        raise OSError(errno.ENOSPC, "No space left on device")

    write_json(tmp_path / "a.json", 1)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_json(tmp_path / "a.json", {"much": 2})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.json", b"1\n")]


def test_a_living_process_keeps_its_folder(tmp_path: Path) -> None:
    """Two processes may write one folder at once: neither takes the other's away, and the last one stays."""
    living = tmp_path / f".data.{os.getppid()}.tmp"
    dead = tmp_path / f".data.{2**31 - 2}.tmp"
    living.mkdir()
    dead.mkdir()
    with atomic_folder(tmp_path / "data") as folder:
        (folder / "a").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, "data"])
