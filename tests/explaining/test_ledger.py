"""The ledger is a view: every decision is told as the stages wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from elek.cli.why import lines as told
from elek.dataset import DECISION, DOCUMENT, Dataset, write_manifest, write_part
from elek.errors import DataError
from elek.explaining import ledger
from elek.removal import REMOVE

IDS = ["s/a", "s/b", "s/c", "s/d", "s/e"]
FAILURE = {"rule": "gopher_quality.min_words", "value": 12.0, "threshold": 50.0, "evidence": None}
LICENCE = {"rule": "licence.policy", "value": None, "threshold": None, "evidence": "GPL-3.0-only is not permissive"}
COPY = {"rule": "dedup.minhash", "value": 0.91, "threshold": 0.8, "evidence": "duplicate of s/a"}


def write(folder: Path, tables: list[pa.Table]) -> None:
    folder.mkdir(parents=True)
    write_manifest(folder, [write_part(folder, index, table) for index, table in enumerate(tables)])


def documents(ids: list[str]) -> pa.Table:
    rows = [
        {
            "id": i,
            "text": f"text ğ {i}",
            "source": "s",
            "license": "MIT",
            "lang": "en",
            "url": f"https://x.org/?to={i[2:]}@x.org",
            "meta": "{}",
        }
        for i in ids
    ]
    return pa.Table.from_pylist(rows, schema=DOCUMENT)


def decisions(rows: list[tuple[str, bool, list[dict[str, Any]]]]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"id": i, "entered": entered, "kept": entered and not f, "failures": f} for i, entered, f in rows],
        schema=DECISION,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Five documents in two parts: one dropped by filter with two reasons, one by dedup, three kept; one held out."""
    data = tmp_path / "data"
    parts = [IDS[:3], IDS[3:]]
    write(data / "fetch" / "train", [documents(part) for part in parts])
    write(data / "fetch" / "evaluation", [documents(["e/held"])])
    masked = [
        documents(part).append_column("pii.email", pa.array([index] * len(part), pa.int32()))
        for index, part in enumerate(parts)
    ]
    write(data / "clean" / "train", masked)
    write(data / "clean" / "evaluation", [documents(["e/held"])])
    signals = [
        pa.table({"id": part, "gopher_quality.words": [12.0] * len(part), "hash.text": [b"x"] * len(part)})
        for part in parts
    ]
    write(data / "annotate", signals)
    kept: list[dict[str, Any]] = []
    write(
        data / "filter",
        [
            decisions([("s/a", True, kept), ("s/b", True, [LICENCE, FAILURE]), ("s/c", True, kept)]),
            decisions([("s/d", True, kept), ("s/e", True, kept)]),
        ],
    )
    copies = [
        decisions([("s/a", True, kept), ("s/b", False, kept), ("s/c", True, [COPY])]),
        decisions([("s/d", True, kept), ("s/e", True, kept)]),
    ]
    survivors = [[None, None, "s/a"], [None, None]]
    write(
        data / "dedup",
        [t.append_column("survivor", pa.array(s, pa.string())) for t, s in zip(copies, survivors, strict=True)],
    )
    split = [
        decisions([("s/a", True, kept), ("s/b", False, kept), ("s/c", False, kept)]),
        decisions([("s/d", True, kept), ("s/e", True, kept)]),
    ]
    names = [["train", None, None], ["validation", "test"]]
    write(
        data / "split" / "decisions",
        [t.append_column("split", pa.array(n, pa.string())) for t, n in zip(split, names, strict=True)],
    )
    return tmp_path


def test_removed_text_is_told(project: Path) -> None:
    """What `filter` takes out of a document that it keeps, in bytes and places; measured lists as their length."""
    spans = [{"start": 0, "end": 4}, {"start": 6, "end": 9}]
    add_column(project / "data" / "filter", REMOVE, lambda id: spans if id == "s/a" else [])
    add_column(project / "data" / "annotate", pa.field("c4.lines", pa.list_(pa.int64())), lambda id: [1, 2, 3])
    lines = told(ledger.story(project, "s/a"))
    assert "          │   removed = 7 bytes in 2 places" in lines
    assert "          │   c4.lines = 3 entries" in lines
    assert not any("removed" in line for line in told(ledger.story(project, "s/d")))


def add_column(folder: Path, field: pa.Field, value: Callable[[str], Any]) -> None:
    """Write a dataset again with one more column."""
    old = Dataset(folder)
    tables = [old.read(index) for index in range(len(old.parts))]
    columns = [pa.array([value(id) for id in table["id"].to_pylist()], field.type) for table in tables]
    parts = [
        write_part(folder, n, table.append_column(field, column))
        for n, (table, column) in enumerate(zip(tables, columns, strict=True))
    ]
    write_manifest(folder, parts)


def test_story_of_a_kept_document(project: Path) -> None:
    """Every stage is told, and the split it went to; the second part of a dataset is found as well."""
    story = ledger.story(project, "s/d")
    assert [event.stage for event in story.events] == ["fetch", "clean", "annotate", "filter", "dedup", "split"]
    assert story.fate == "kept, in the validation split"
    assert story.url == "https://x.org/?to=[EMAIL]"
    assert story.events[1].details == {"pii.email": 1}
    assert story.events[2].details == {"gopher_quality.words": 12.0}


def test_story_of_a_dropped_document(project: Path) -> None:
    """All failing rules are told with value and threshold, the reason first, and the story ends there."""
    story = ledger.story(project, "s/b")
    text = "\n".join(told(story))
    assert story.events[-1].stage == "filter"
    assert story.fate.startswith("dropped by filter: licence.policy (GPL-3.0-only")
    assert "gopher_quality.min_words: 12 is below 50" in text


def test_story_of_a_duplicate(project: Path) -> None:
    """The surviving duplicate is named."""
    story = ledger.story(project, "s/c")
    assert story.events[-1].details == {"survivor": "s/a"}
    assert "dedup.minhash: 0.91 is at or above 0.8 (duplicate of s/a)" in story.fate


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ("dedup.minhash", 0.91, "0.91 is at or above 0.8"),
        ("dedup.minhash", 0.8, "0.8 is at or above 0.8"),
        ("split.contaminated", 0.91, "0.91 is above 0.8"),
        ("gopher_quality.min_alpha_words", 0.5, "0.5 is below 0.8"),
    ],
)
def test_which_side_of_the_threshold(rule: str, value: float, said: str) -> None:
    """The words say what the rule compares: only a near-duplicate may lie exactly at the threshold."""
    assert said in str(ledger.Failure(rule, value, 0.8, None))


def test_story_of_a_held_out_document(project: Path) -> None:
    """Evaluation documents are never filtered, and their story says so."""
    story = ledger.story(project, "e/held")
    assert story.role == "evaluation"
    assert "held out" in story.fate


def test_a_wrong_id_gets_the_nearest(project: Path) -> None:
    """An id that nobody has is told with those that are near."""
    with pytest.raises(DataError, match="no document has the id `e/hold`") as wrong:
        ledger.story(project, "e/hold")
    assert "`e/held`" in str(wrong.value.fix)


def test_an_id_that_resembles_none(project: Path) -> None:
    """Where no id is near, the error shows what ids look like."""
    with pytest.raises(DataError) as wrong:
        ledger.story(project, "ğ" * 40)
    assert "`s/a`" in str(wrong.value.fix)


@pytest.mark.parametrize(
    ("stale", "ids"), [("filter", ["s/a", "s/x", "s/c"]), ("filter", ["s/a"]), ("dedup", []), ("clean", ["s/b", "s/a"])]
)
def test_no_other_documents_fate_is_told(project: Path, stale: str, ids: list[str]) -> None:
    """Where a stage has not run since documents were fetched anew, the error says so."""
    folder = project / "data" / stale / ("train" if stale == "clean" else "")
    tables = [documents(ids) if stale == "clean" else decisions([(i, True, []) for i in ids])] if ids else []
    write_manifest(folder, [write_part(folder, index, table) for index, table in enumerate(tables)])
    with pytest.raises(DataError, match="not of the documents") as wrong:
        ledger.story(project, "s/b" if ids else "s/a")
    assert str(folder) in str(wrong.value)


def test_tokens_of_an_earlier_run(project: Path) -> None:
    """Shards that are fewer than the parts of `split` are told as stale."""
    folder = project / "data" / "tokenize" / "validation"
    folder.mkdir(parents=True)
    write_manifest(folder, [])
    with pytest.raises(DataError, match="not in its shard"):
        ledger.story(project, "s/d")


def test_before_anything_ran(tmp_path: Path) -> None:
    """Without data the error says what to do; with half of the stages run the story says that it is not over."""
    with pytest.raises(DataError, match="no documents have been fetched"):
        ledger.story(tmp_path, "x")
    write(tmp_path / "data" / "fetch" / "train", [documents(["x"])])
    write(tmp_path / "data" / "fetch" / "evaluation", [documents([])])
    assert ledger.story(tmp_path, "x").fate.startswith("not decided yet")
