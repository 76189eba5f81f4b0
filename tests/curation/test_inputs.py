"""Input of every kind, and input that is bad."""

from __future__ import annotations

import csv
import errno
import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from elek.curation import cutting
from elek.curation.cutting import Cutter
from elek.curation.inputs import find_inputs
from elek.curation.reading import read_shard
from elek.errors import DataError, ElekError, ParamsError, SourceError
from elek.sources.decoding import lines
from elek.sources.files import File
from elek.sources.records import Skip, merge_counts
from tests.curation.files import run, write
from tests.sources.crawl import members, page


def read(
    files: list[File], scratch: Path, piece_bytes: int = 4_000_000, encodings: tuple[str, ...] = ("utf-8",)
) -> tuple[list[dict[str, Any]], list[Skip]]:
    """Documents and skips of all shards."""
    scratch.mkdir(exist_ok=True)
    shards = list(Cutter(scratch, piece_bytes, encodings).shards(files))
    parts = [read_shard(shard, "NOASSERTION", "und", encodings) for shard in shards]
    return [row for part in parts for row in part.documents.to_pylist()], [s for part in parts for s in part.skips]


def test_globs_folders_and_files_are_found_once_in_order(tmp_path: Path) -> None:
    """Windows' shells do not expand globs, so we do; names are relative to what the files share."""
    for name in ("b/2.jsonl", "b/1.jsonl", "a.jsonl", "b/readme.doc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"text": "x"}\n', "utf-8")
    found = find_inputs([str(tmp_path / "b" / "*.jsonl"), str(tmp_path / "b"), str(tmp_path / "a.jsonl")])
    assert [file.name for file in found] == ["b/1.jsonl", "b/2.jsonl", "a.jsonl"]


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told, not passed over: what lies in it would be lost in silence."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.txt").write_text("x", "utf-8")
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(SourceError, match=r"(?s)cannot be listed: Permission denied.*closed"):
        find_inputs([str(tmp_path)])


@pytest.mark.parametrize(("name", "error"), [("missing.jsonl", SourceError), ("page.doc", ParamsError)])
def test_an_argument_that_finds_nothing_is_told(tmp_path: Path, name: str, error: type[ElekError]) -> None:
    """With the nearest file, or the formats that there are."""
    (tmp_path / "page.doc").write_text("x", "utf-8")
    (tmp_path / "misssing.jsonl").write_text("{}", "utf-8")
    with pytest.raises(error, match="misssing" if error is SourceError else "jsonl"):
        find_inputs([str(tmp_path / name)])


@pytest.mark.parametrize("piece_bytes", [4_000_000, 300])
def test_files_in_an_old_encoding(tmp_path: Path, piece_bytes: int) -> None:
    """Read as `--encoding` says, whole or in pieces, and beside UTF-8; without it told, and nothing is guessed."""
    text = "Ağaçların gölgesinde çay içerken günün nasıl geçtiğini anlamadım, İstanbul'a döndüm. "
    old = "".join(json.dumps({"text": f"{text}{n}"}, ensure_ascii=False) + "\n" for n in range(9))
    (tmp_path / "a.jsonl").write_bytes(old.encode("cp1254"))
    (tmp_path / "b.csv").write_bytes(("text\n" + "".join(f'"{text}{n}"\n' for n in range(9))).encode("cp1254"))
    (tmp_path / "c.txt").write_bytes(text.encode("cp1254"))
    (tmp_path / "d.txt").write_text(text, encoding="utf-8")
    files = find_inputs([str(tmp_path)])
    rows, skips = read(files, tmp_path / "scratch", piece_bytes, ("utf-8", "cp1254"))
    assert [row["text"] for row in rows] == [f"{text}{n}" for n in range(9)] * 2 + [text] * 2
    assert skips == []
    rows, skips = read(files, tmp_path / "scratch", piece_bytes)
    assert [row["id"] for row in rows] == ["d.txt"]
    assert {skip.file for skip in skips} == {"a.jsonl", "b.csv", "c.txt"}
    with pytest.raises(ParamsError, match=r"(?s)no such text encoding.*windows-1254"):
        run([tmp_path / "d.txt"], tmp_path / "out", encodings=("utf-8", "windows-1245"))


def test_every_format_gives_its_documents(tmp_path: Path) -> None:
    """The columns of ours are taken from each; what has no id is called after file and line."""
    rows = [{"id": f"n{i}", "text": f"text {i}", "license": "mit", "lang": "tr-TR", "source": "s"} for i in range(3)]
    write(tmp_path / "a.jsonl", rows)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.compress((tmp_path / "a.jsonl").read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    with (tmp_path / "e.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    names = ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.parquet", "e.csv"]
    for name in names:
        for piece_bytes in (4_000_000, 100):
            found, skips = read([File(name, tmp_path / name)], tmp_path / "scratch", piece_bytes)
            assert skips == []
            assert [row["id"] for row in found] == ["n0", "n1", "n2"], name
            assert {(r["license"], r["lang"], r["source"]) for r in found} == {("MIT", "tr", "s")}
            assert [json.loads(row["meta"])["row"] for row in found] == [1, 2, 3]
    (tmp_path / "f.txt").write_text("a whole file", "utf-8")
    (row,), _ = read([File("folder/f.txt", tmp_path / "f.txt")], tmp_path / "scratch")
    assert (row["id"], row["text"], row["source"]) == ("folder/f.txt", "a whole file", "folder")


def test_ids_are_taken_as_they_are(tmp_path: Path) -> None:
    """Spaces, numbers and length too; a made-up one counts lines of the file, however it was cut."""
    given = ["a b\tc", 7, "x" * 300, None, ""]
    rows = [{"id": value, "text": "t" * 50} for value in given]
    found, _ = read([File("f.jsonl", write(tmp_path / "f.jsonl", rows))], tmp_path / "scratch", 100)
    assert [row["id"] for row in found] == ["a b\tc", "7", "x" * 300, "f.jsonl#4", "f.jsonl#5"]


def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    """A bad line is skipped alone and the lines behind it keep their numbers, whether the file is cut or not."""
    bad = [b"{broken", b"[1]", b'{"txt": "no"}', b'{"text": null}', b"\xff\xfe"]
    lines = [b'{"text": "one"}', *bad, b"", b'{"text": "two"}']
    (tmp_path / "f.jsonl").write_bytes(b"\n".join(lines))
    for piece_bytes in (10, 4_000_000):
        found, skips = read([File("f.jsonl", tmp_path / "f.jsonl")], tmp_path / "scratch", piece_bytes)
        assert [row["id"] for row in found] == ["f.jsonl#1", "f.jsonl#8"]
        assert [skip.line for skip in skips] == [2, 3, 4, 5, 6]


def test_a_damaged_file_is_left_out_whole(tmp_path: Path) -> None:
    """Half a file must not pass for a whole one; the files beside it are read."""
    whole = write(tmp_path / "ok.jsonl", [{"text": f"number {i} " * 50} for i in range(400)])
    packed = gzip.compress(whole.read_bytes())
    (tmp_path / "torn.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "torn.jsonl.zst").write_bytes(zstandard.compress(whole.read_bytes())[:-9])
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "wide.jsonl").write_bytes('{"text": "x"}\n'.encode("utf-16"))
    pq.write_table(pa.table({"text": ["x" * 1000] * 100, "n": range(100)}), tmp_path / "torn.parquet")
    raw = (tmp_path / "torn.parquet").read_bytes()
    (tmp_path / "torn.parquet").write_bytes(raw[: len(raw) // 2])
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "other.parquet")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", "utf-8")
    files = find_inputs([str(tmp_path)])
    found, skips = read(files, tmp_path / "scratch", 20_000)
    assert len(found) == 400
    assert {skip.file for skip in skips} == {file.name for file in files} - {"ok.jsonl"}
    assert all(skip.line is None for skip in skips)
    assert any("`text`" in skip.reason and "body" in skip.reason for skip in skips)


def test_a_file_that_may_not_be_opened_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like a damaged one, of every format: it is no reason to say that the output cannot be written."""
    names = ("closed.csv", "closed.jsonl", "closed.txt", "closed.warc")
    for name in names:
        (tmp_path / name).write_text("x", "utf-8")
    write(tmp_path / "ok.jsonl", [{"text": "x"}])
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.stem == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", refusing)
    shards = list(Cutter(tmp_path).shards(find_inputs([str(tmp_path)])))
    assert [piece.file for shard in shards for piece in shard.pieces] == ["ok.jsonl"]
    skips = [(skip.file, skip.reason) for shard in shards for skip in shard.skips]
    assert skips == [(name, "cannot be read: Permission denied") for name in names]


def test_a_crawl_is_cut_between_records(tmp_path: Path) -> None:
    """Cut or whole, packed or not: the same documents, what their site reserves, numbers and sums."""
    robots = page("User-agent: CCBot\nDisallow: /shut", url="https://example.org/robots.txt", kind="text/plain")
    own = [page(f"<p>page {n}" * 50, number=n, url=f"https://example.org/{'shut' if n % 3 else n}") for n in range(9)]
    own[0] = own[0].replace(b"WARC-Date", b"Elek-Reserved: cut before\r\nWARC-Date")
    own[4] = page(b"\xff\xff", kind="text/plain")
    own[6] = own[6].replace(b"WARC-Record-ID", b"X-No-ID").replace(b"WARC-Date", b"X").replace(b"WARC-Target-URI", b"Y")
    whole = [*own, page("x", kind="image/png"), robots]
    (tmp_path / "a.warc").write_bytes(b"".join(whole))
    (tmp_path / "b.warc.gz").write_bytes(members(whole))
    (tmp_path / "torn.warc.gz").write_bytes(members(whole)[:-1])
    seen = []
    for name in ("a.warc", "b.warc.gz"):
        for piece_bytes in (4_000_000, 700):
            found, skips = read([File(name, tmp_path / name)], tmp_path / "scratch", piece_bytes)
            for row in found:
                row["id"] = row["id"].removeprefix(name)
                row["meta"] = {**json.loads(row["meta"]), "file": ""}
                del row["source"]
            seen.append((found, [(skip.line, skip.reason, skip.records) for skip in merge_counts(skips)]))
    assert [row["id"] for row in seen[0][0]][4:6] == ["00000000-0000-4000-8000-000000000005", "#7"]
    assert [row["meta"]["row"] for row in seen[0][0]] == [1, 2, 3, 4, 6, 7, 8, 9]
    shut = ["robots.txt: CCBot"]
    assert [row["meta"].get("opt_out") for row in seen[0][0]] == [
        ["cut before"],
        shut,
        shut,
        None,
        shut,
        None,
        shut,
        shut,
    ]
    assert [line for line, _, _ in seen[0][1]] == [5, None, None]
    for found, told in seen[1:]:
        assert found == seen[0][0]
        assert sorted(told, key=str) == sorted(seen[0][1], key=str)
    _, skips = read([File("torn.warc.gz", tmp_path / "torn.warc.gz")], tmp_path / "scratch", 700)
    assert [(skip.line, "is cut off" in skip.reason) for skip in skips] == [(None, True)]


hostile = st.text(st.characters(codec=None), max_size=60)


@examples(max_examples=40, deadline=None)
@given(texts=st.lists(hostile, max_size=8), cut=st.integers(1, 400))
def test_every_text_of_a_file_comes_through(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cut: int
) -> None:
    """NUL, surrogates, line separators: as many documents as lines, in order, wherever the file is cut."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (folder / "f.jsonl").write_text(lines, "utf-8", newline="\n")
    if not texts:
        return
    found, skips = read([File("f.jsonl", folder / "f.jsonl")], folder / "scratch", cut)
    assert skips == []
    expected = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert len(found) == len(expected)
    plain = [(a["text"], b) for a, b in zip(found, texts, strict=True) if not any("\ud800" <= c <= "\udfff" for c in b)]
    assert all(a == b for a, b in plain)


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.zst"])
def test_pieces_are_cut_as_they_are_asked_for_and_get_smaller_at_the_end(tmp_path: Path, name: str) -> None:
    """The first shard comes before the rest is cut; the last ones leave nobody waiting long for one worker."""
    path = write(tmp_path / "in.jsonl", [{"id": str(n), "text": "x" * 60} for n in range(2000)])
    if name.endswith(".zst"):
        (tmp_path / name).write_bytes(zstandard.compress(path.read_bytes()))
    (tmp_path / "scratch").mkdir()
    shards = Cutter(tmp_path / "scratch", 8000).shards([File(name, tmp_path / name)])
    sizes = [sum(piece.bytes for piece in next(shards).pieces)]
    assert len(list((tmp_path / "scratch").iterdir())) <= 2
    sizes += [sum(piece.bytes for piece in shard.pieces) for shard in shards]
    assert sizes[0] > 7800
    assert all(after < before + 100 for before, after in pairwise(sizes))  # a line is 83 to 86 bytes
    assert 800 < sizes[-2] <= 1000
    assert sum(sizes) == path.stat().st_size


def test_a_file_that_breaks_off_when_it_is_half_read_ends_the_run(tmp_path: Path) -> None:
    """Its beginning is with a worker already, and half a file must not pass for a whole one."""
    path = write(tmp_path / "in.jsonl", [{"id": str(n), "text": "x" * 60} for n in range(200)])

    def torn(file: File) -> Iterator[tuple[int, bytes | None]]:
        yield from islice(lines(file), 150)
        raise OSError(5, "Input/output error")

    (tmp_path / "scratch").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "lines", torn)
        with pytest.raises(SourceError, match=r"(?s)Input/output error.*in\.jsonl"):
            list(Cutter(tmp_path / "scratch", 2000).shards([File("in.jsonl", path)]))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_piece_that_cannot_be_written_is_no_damaged_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Where no more can be written, nothing of the input is left out as if it could not be read."""
    path = write(tmp_path / "in.jsonl", [{"id": str(n), "text": "x" * 60} for n in range(200)])
    compressed = tmp_path / "cut.jsonl.gz"
    compressed.write_bytes(gzip.compress(path.read_bytes()))

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="the disk is full"):
        run([path, compressed], tmp_path / "out")


def test_columns_of_odd_types_are_read(tmp_path: Path) -> None:
    """Dictionaries of several row groups, bytes, views, decimals, times beyond Python's, a list of one licence."""
    rows = 6
    table = pa.table(
        {
            "text": pa.array([b"text"] * rows, pa.binary()),
            "source": pa.array([f"s{row}" for row in range(rows)]).dictionary_encode(),
            "id": pa.array([2**62] * rows, pa.timestamp("us")),
            "license": [["mit"], ["MIT"], [], None, [" "], ["MIT", "0BSD"]],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    found, skips = read([File("a.parquet", tmp_path / "a.parquet")], tmp_path / "scratch")
    assert skips == []
    assert [row["source"] for row in found] == [f"s{row}" for row in range(rows)]
    assert {row["text"] for row in found} == {"text"}
    assert [row["license"] for row in found] == ["MIT"] * 2 + ["NOASSERTION"] * 3 + ['["MIT", "0BSD"]']
    for ids in (
        pa.array([Decimal(7)]),
        pa.array([b"7"]),
        pa.array([7], pa.uint64()),
        pa.array(["7"], pa.string_view()),
    ):
        pq.write_table(pa.table({"text": ["text"], "id": ids}), tmp_path / "b.parquet")
        (row,), _ = read([File("b.parquet", tmp_path / "b.parquet")], tmp_path / "scratch")
        assert row["id"] == "7"


@pytest.mark.skipif(os.name == "nt", reason="Windows wants rights for links, and has no pipes in folders")
def test_what_lies_in_a_folder_and_is_no_file_of_ours(tmp_path: Path) -> None:
    """Hidden files, pipes and our own results are left out, a link keeps its name, one that leads nowhere is told."""
    folder = tmp_path / "in"
    for name in (".git/a.txt", "._a.jsonl", "out/a.txt", "out/manifest.json", "blob", "\udcff.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"kind": "elek curate"}', "utf-8")
    (folder / "link.txt").symlink_to("blob")
    (folder / "nowhere.txt").symlink_to("gone")
    os.mkfifo(folder / "pipe.txt")
    files = find_inputs([str(folder)])
    assert [file.name for file in files] == ["link.txt", "nowhere.txt", "\\xff.txt"]
    manifest = run([folder], tmp_path / "out", skip=["filter", "dedup"])
    assert (manifest["in"], manifest["skipped"]) == (2, 1)
    assert manifest["inputs"]["nowhere.txt"] == {"sha256": None, "bytes": None, "documents": 0}
