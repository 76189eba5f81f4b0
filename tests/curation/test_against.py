"""`elek curate --against`: what an earlier result kept is not kept again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from elek.curation import running
from elek.errors import DataError, ElekError, ParamsError
from tests.corpus import document
from tests.curation.files import decisions, run, table, write
from tests.curation.test_curate import digests

PARAMS = "filter: {}\ndedup: {url: true}\n"


def texts(folder: Path, *seeds: int, kind: str = "doc", more: str = "") -> Path:
    """Documents of these seeds as a file of JSON lines."""
    rows = [{"id": f"{kind}/{seed}", "text": document("en", seed) + more} for seed in seeds]
    return write(folder / f"{kind}.jsonl", rows)


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result: five documents, one of which repeats another."""
    folder = tmp_path_factory.mktemp("earlier")
    run([texts(folder, 0, 1, 2, 3), texts(folder, 3, kind="copy")], folder / "january")
    return folder / "january"


def test_what_was_kept_before_is_not_kept_again(tmp_path: Path, january: Path) -> None:
    """Copies and near copies are dropped in its favour though their ids come first; the rest is kept; the report, the
    manifest and the evidence tell with whom it was compared, and the earlier result has not changed a byte."""
    before = digests(january)
    inputs = [texts(tmp_path, 0, 7, kind="a"), texts(tmp_path, 1, 8, kind="b", more=" And so on.")]
    manifest = run([*inputs, texts(tmp_path, 8, kind="c")], tmp_path / "february", against=[january])
    found = {row["id"]: row for row in decisions(tmp_path / "february")}
    assert [name for name, row in found.items() if row["kept"]] == ["a/7", "b/8"]
    assert found["a/0"]["reasons"] == ["dedup.exact", "dedup.minhash"]
    assert found["a/0"]["evidence"] == "duplicate of doc/0 in january"
    assert found["b/1"]["reasons"] == ["dedup.minhash"]
    assert found["b/1"]["evidence"] == "duplicate of doc/1 in january"
    assert 1 > found["b/1"]["value"] >= found["b/1"]["threshold"]
    assert found["c/8"]["evidence"] == "duplicate of b/8"
    earlier = json.loads((january / "manifest.json").read_text("utf-8"))["outputs"]["documents"]
    assert manifest["against"] == {"january": {"documents": earlier["rows"], "sha256": earlier["sha256"]}}
    assert manifest["repeated"] == 2
    report = (tmp_path / "february" / "report.html").read_text("utf-8")
    assert "2 documents repeat one that was kept earlier, in january" in report
    assert ">doc/0 in january<" in report  # shown as what was kept in its place
    assert digests(january) == before


def test_month_by_month_keeps_what_all_at_once_would(tmp_path: Path) -> None:
    """Every result against all before it: together they keep what one curation keeps that ranks them in this order.
    Results that were not compared with each other may both have a document, and stay as they are."""
    asked: dict[str, Any] = {"skip": ("filter",)}
    months = [
        [*range(6), 2],
        [*range(4, 9), 4],
        [*range(1, 12, 2), 8],
    ]
    files = [
        write(tmp_path / f"{m}.jsonl", [{"id": f"{m}/{i}", "text": text(seed, i)} for i, seed in enumerate(seeds)])
        for m, seeds in enumerate(months)
    ]
    run(files, tmp_path / "once", **asked)
    chain: list[Path] = []
    for file in files:
        run([file], tmp_path / f"out-{file.stem}", against=chain, **asked)
        chain.append(tmp_path / f"out-{file.stem}")
    kept = [name for folder in chain for name in table(folder, "documents")["id"].to_pylist()]
    assert len(kept) == 11  # as many texts as there are
    assert kept == table(tmp_path / "once", "documents")["id"].to_pylist()
    run([files[1]], tmp_path / "apart", **asked)
    manifest = run([files[2]], tmp_path / "both", against=[chain[0], tmp_path / "apart", chain[0]], **asked)
    assert table(tmp_path / "both", "documents")["id"].to_pylist() == [name for name in kept if name[0] == "2"]
    assert list(manifest["against"]) == ["out-0", "apart"]


def text(seed: int, place: int) -> str:
    """Of one seed all are near copies of each other, at every third place copies."""
    return document("en", seed) + (f" {place} of them." if place % 3 else "")


def test_a_page_that_was_kept_before_is_not_kept_again(tmp_path: Path) -> None:
    """Where URLs are compared: whatever its text is now."""
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    asked = {"params": tmp_path / "params.yaml"}
    for seed, name in enumerate(("old", "new")):
        row = {"id": name, "text": document("en", seed), "url": "https://example.org/a"}
        write(tmp_path / f"{name}.jsonl", [row])
    run([tmp_path / "old.jsonl"], tmp_path / "first", **asked)
    run([tmp_path / "new.jsonl"], tmp_path / "second", against=[tmp_path / "first"], **asked)
    (row,) = decisions(tmp_path / "second")
    assert (row["reason"], row["evidence"]) == ("dedup.url", "duplicate of old in first")


def test_boilerplate_is_counted_over_earlier_results_too(tmp_path: Path) -> None:
    """A line that enough documents have, old and new together, goes out of the new ones."""
    (tmp_path / "params.yaml").write_text("filter: {}\ndedup: {boilerplate: {max_documents: 2}}\n", "utf-8")
    asked = {"params": tmp_path / "params.yaml"}
    for month, seeds in (("old", (1, 2)), ("new", (3,))):
        rows = [
            {"id": str(seed), "text": document("en", seed) + "\nAll rights to the tower are ours", "source": "site"}
            for seed in seeds
        ]
        write(tmp_path / f"{month}.jsonl", rows)
    run([tmp_path / "old.jsonl"], tmp_path / "first", **asked)
    run([tmp_path / "new.jsonl"], tmp_path / "second", against=[tmp_path / "first"], **asked)
    assert all("ours" in left for left in table(tmp_path / "first", "documents")["text"].to_pylist())
    assert table(tmp_path / "second", "documents")["text"].to_pylist() == [document("en", 3) + "\n"]


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, january: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker or two: every file is the same."""
    monkeypatch.setattr(running, "Cutter", partial(running.Cutter, piece_bytes=4000))  # several shards
    corpus = texts(tmp_path, *range(2, 9), kind="new")
    for workers in (1, 2):
        run([corpus], tmp_path / str(workers), workers=workers, against=[january])
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"params": "dedup: {jaccard: 0.9}\n"}, "`dedup.jaccard` was 0.8 when this result was made, and is 0.9 now"),
        ({"params": "annotate: {minhash: {shingle: 4}}\n"}, "`annotate.minhash.shingle` was 5"),
        ({"params": "clean: {pii: []}\n"}, "`clean.pii` was"),
        ({"skip": ("clean",)}, "`skip` was"),
        ({"skip": ("dedup",)}, "leave out --against"),
    ],
)
def test_results_of_other_settings_are_refused(tmp_path: Path, january: Path, asked: dict[str, Any], told: str) -> None:
    """Before anything is read, with both values."""
    if "params" in asked:
        (tmp_path / "params.yaml").write_text(f"filter: {{}}\n{asked['params']}", "utf-8")
        asked = {"params": tmp_path / "params.yaml"}
    with pytest.raises(ElekError) as caught:
        run([texts(tmp_path, 0)], tmp_path / "out", against=[january], **asked)
    assert told in str(caught.value)
    assert caught.value.where
    assert caught.value.fix
    assert not (tmp_path / "out").exists()


def test_other_filters_and_priorities_are_no_conflict(tmp_path: Path, january: Path) -> None:
    """They say what is kept, and not what a duplicate is."""
    (tmp_path / "params.yaml").write_text("filter: {}\ndedup: {source_priority: [doc]}\n", "utf-8")
    run([texts(tmp_path, 0)], tmp_path / "out", against=[january], params=tmp_path / "params.yaml")
    assert [row["kept"] for row in decisions(tmp_path / "out")] == [False]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no result of `elek curate`"),
        (lambda folder: edit(folder / "manifest.json", settings={}), "manifest.json lacks 'clean'"),
        (lambda folder: edit(folder / "documents" / "_manifest.json", schema_version=9), "schema version 9"),
        (lambda folder: next((folder / "documents").glob("*.parquet")).unlink(), "is missing"),
        (lambda folder: flip(next((folder / "documents").glob("*.parquet"))), "SHA-256"),
    ],
)
def test_a_result_that_is_not_whole_is_refused(tmp_path: Path, damage: Any, told: str) -> None:
    """No result, one of another version, or altered: told, and how to go on; nothing is written."""
    run([texts(tmp_path, 0)], tmp_path / "earlier", skip=("filter",))
    damage(tmp_path / "earlier")
    with pytest.raises(DataError, match=told) as caught:
        run([texts(tmp_path, 0)], tmp_path / "out", skip=("filter",), against=[tmp_path / "earlier"])
    assert caught.value.where
    assert caught.value.fix
    assert not (tmp_path / "out").exists()


def test_a_result_whose_text_was_cut_is_refused(tmp_path: Path) -> None:
    """What is left of a document is not what it was compared by."""
    lines = write(tmp_path / "in.jsonl", [{"id": "a", "text": document("en", 6, 24) + "\nClick here for more\n"}])
    run([lines], tmp_path / "earlier", preset="c4")
    with pytest.raises(DataError, match="took lines out"):
        run([lines], tmp_path / "out", preset="c4", against=[tmp_path / "earlier"])


def test_an_empty_result_and_a_wrong_name(tmp_path: Path) -> None:
    """A result that kept nothing drops nothing; the nearest result is told where there is none of the name."""
    run([write(tmp_path / "short.jsonl", [{"text": "Too short."}])], tmp_path / "earlier", preset="gopher")
    manifest = run([texts(tmp_path, 0)], tmp_path / "out", against=[tmp_path / "earlier"])
    assert (manifest["kept"], manifest["repeated"]) == (1, 0)
    with pytest.raises(DataError, match="did you mean `earlier`"):
        run([texts(tmp_path, 0)], tmp_path / "out", against=[tmp_path / "earlir"])


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_the_output_never_lies_in_an_earlier_result(tmp_path: Path, january: Path) -> None:
    """Nor in its place, nor around it."""
    for out in (january, january / "documents", january.parent):
        with pytest.raises((DataError, ParamsError)):
            run([texts(tmp_path, 0)], out, against=[january])
