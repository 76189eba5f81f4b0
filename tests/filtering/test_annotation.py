"""Signals of documents: which columns, from which language, and that batches do not show."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from elek.dataset import DOCUMENT, read_part, sha256_file, write_part
from elek.errors import DataError
from elek.filtering import annotation, discover
from elek.filtering.annotation import AnnotateParams, AnnotateTask, annotate, annotate_part, warm_up
from tests.annotated import rows, table


@pytest.fixture(scope="module")
def signals() -> pa.Table:
    return annotate(table(rows()), AnnotateParams())


def test_columns_are_those_of_the_contract(signals: pa.Table) -> None:
    """What a document is and declares, sizes, each filter's signals under its name, personal data, hashes."""
    filters = discover()
    order = sorted(filters, key=lambda name: (name != "language", name))
    measured = [f"{name}.{signal}" for name in order for signal in filters[name].signals]
    fixed = ["id", "source", "license", "lang", "bytes", "words"]
    assert signals.column_names == [*fixed, *measured, "pii.count", "hash.text", "hash.minhash"]
    types = {name: signals.schema.field(name).type for name in ("bytes", "words", "pii.count", "hash.text")}
    assert types == {"bytes": pa.int64(), "words": pa.int32(), "pii.count": pa.int32(), "hash.text": pa.binary(16)}


def test_rows_are_those_of_clean(signals: pa.Table) -> None:
    """The same documents in the same order, the empty one too, as declared."""
    documents = rows()
    for name in ("id", "source", "license", "lang"):
        assert signals[name].to_pylist() == [row[name] for row in documents]
    assert signals["bytes"].to_pylist() == [len(row["text"].encode()) for row in documents]
    assert signals["words"].to_pylist() == [len(row["text"].split()) for row in documents]
    assert signals["pii.count"].to_pylist() == [3] + [0] * (len(documents) - 1)


def test_the_identified_language_rules(signals: pa.Table) -> None:
    """An English page declared Turkish is measured by English stop words, and its declaration stays on record."""
    row = 10
    assert signals["lang"][row].as_py() == "tr"
    assert signals["language.rules"][row].as_py() == "en"
    english = annotate(table([rows()[row] | {"lang": "en"}]), AnnotateParams())
    assert signals["gopher_quality.stop_words"][row] == english["gopher_quality.stop_words"][0]
    assert signals["gopher_quality.stop_words"][row].as_py() >= 2


def test_hashes_tell_texts_apart(signals: pa.Table) -> None:
    """A hash for every document; a signature where there are words enough for a shingle."""
    assert signals["hash.text"].null_count == 0
    few = [row for row, count in enumerate(signals["words"].to_pylist()) if count < 5]
    assert [row for row in range(len(signals)) if signals["hash.minhash"][row].as_py() is None] == few


@pytest.mark.parametrize(("rows_", "size"), [(1, 8 << 20), (4, 8 << 20), (1024, 1), (1024, 3000)])
def test_batches_do_not_show(signals: pa.Table, rows_: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a part is cut into batches, its signals are the same."""
    monkeypatch.setattr(annotation, "BATCH_ROWS", rows_)
    monkeypatch.setattr(annotation, "BATCH_BYTES", size)
    again = annotate(table(rows()), AnnotateParams())
    assert again.combine_chunks().equals(signals.combine_chunks())


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch has more rows or bytes than it may, but one document is never cut."""
    monkeypatch.setattr(annotation, "BATCH_ROWS", 3)
    monkeypatch.setattr(annotation, "BATCH_BYTES", 100)

    def sizes(lengths: list[int]) -> list[int]:
        texts = [dict.fromkeys(DOCUMENT.names, "") | {"text": "x" * length} for length in lengths]
        return [len(batch) for batch in annotation._batches(pa.Table.from_pylist(texts, schema=DOCUMENT))]

    assert sizes([10, 100, 1, 1, 101, 5]) == [1, 1, 2, 1, 1]
    assert sizes([1] * 7) == [3, 3, 1]
    assert sizes([50, 50, 1]) == [2, 1]
    assert sizes([]) == [0]


def test_no_documents_have_no_signals() -> None:
    """An empty part has the columns of any other."""
    empty = annotate(table([]), AnnotateParams())
    assert empty.num_rows == 0
    assert empty.schema.equals(annotate(table(rows()[:1]), AnnotateParams()).schema)


def test_words_and_settings_reach_the_filters() -> None:
    """`annotate.words` and `annotate.settings` change what is measured."""
    raw: dict[str, Any] = {
        "words": "unicode",
        "settings": {"gopher_quality": {"stop_words": {"default": ["short"]}}},
    }
    document = rows()[11] | {"text": "Too-short, too short."}
    found = annotate(table([document]), AnnotateParams.model_validate(raw)).to_pylist()[0]
    assert (found["words"], found["gopher_quality.words"], found["gopher_quality.stop_words"]) == (4, 4, 1)


def test_a_part_is_written_with_its_languages(tmp_path: Path) -> None:
    """The worker's function: one part in, one part out, the same bytes each time; its task can be pickled."""
    (tmp_path / "in").mkdir()
    write_part(tmp_path / "in", 0, table(rows()))
    digests = []
    for name in ("one", "two"):
        out = tmp_path / name
        out.mkdir()
        params = AnnotateParams().model_dump(mode="json")
        task = pickle.loads(pickle.dumps(AnnotateTask(tmp_path / "in" / "part-00000.parquet", out, 7, params)))  # noqa: S301
        part = annotate_part(task)
        assert part.name == "part-00007.parquet"
        assert sum(part.counts.values()) == part.rows == len(rows())
        assert part.counts["lang.tr"] >= 5
        digests.append(sha256_file(out / part.name))
    assert digests[0] == digests[1] == part.sha256
    assert read_part(tmp_path / "one" / part.name).num_rows == len(rows())


def test_a_torn_part_is_told(tmp_path: Path) -> None:
    """A file that is no Parquet is named."""
    torn = tmp_path / "part-00000.parquet"
    torn.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="unreadable") as caught:
        annotate_part(AnnotateTask(torn, tmp_path, 0, {}))
    assert caught.value.where == str(torn)


def test_warming_up_needs_no_documents() -> None:
    """It measures a text of its own, so that every kernel is compiled before the workers start."""
    warm_up(AnnotateParams())
