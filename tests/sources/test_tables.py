"""Tables of any format: which columns are read, and what is said of rows that cannot be."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import SourceError
from tests.sources.build import put, read, reasons, texts


def test_jsonl_takes_what_is_right_and_records_the_rest(tmp_path: Path) -> None:
    """Each broken line is skipped alone, with its number and the reason; blank lines are nothing."""
    lines = [
        '{"text": "one", "title": "T", "url": "https://example.org/1", "id": "x"}',
        "{broken",
        "",
        "[1]",
        '{"text": 5}',
        '{"text": null}',
        '{"text": ["a"]}',
        '{"other": "x"}',
        '{"text": "two", "license": "Public Domain"}',
        '{"text": "three", "lang": "Turkish"}',
        "1" * 5000,
        "[" * 100_000,
        '{"text": "four", "license": "mit", "lang": "tr-TR"}',
        '{"text": "five", "id": 5, "text": "six"}',
        '{"text": "seven", "\\ud800": 1, "\\ud800": 2}',
    ]
    path = put(tmp_path, "a.jsonl", "\n".join(lines))
    records, skipped = read(path, id_column="id")
    assert [(r.text, r.row, r.given_id, r.title, r.url) for r in records] == [
        ("one", 1, "x", "T", "https://example.org/1"),
        ("four", 13, None, None, None),
    ]
    assert (records[1].license, records[1].lang) == ("MIT", "tr")
    found = {skip.line: skip.reason for skip in skipped}
    assert list(found) == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15]
    assert "no JSON: Expecting property name" in found[2]
    assert found[4] == "JSON, but no object"
    assert found[5] == "`text` is a number, not a string"
    assert found[6] == "`text` is null, not a string"
    assert found[8] == "no column `text` here"
    assert "LicenseRef-PublicDomain" in found[9]
    assert "no language code" in found[10]
    assert found[14] == "two values are called `text`"
    assert found[15] == "two values are called `\ufffd`"


def test_a_name_that_stands_twice_within_the_metadata_drops_nothing(tmp_path: Path) -> None:
    """Only the record's own names must be clear."""
    file = put(tmp_path, "a.jsonl", '{"text": "Kedi uyudu.", "more": {"x": 1, "x": 2}}\n')
    records, skipped = read(file)
    assert [record.text for record in records] == ["Kedi uyudu."]
    assert skipped == []


def test_lone_surrogates_are_replaced_and_told(tmp_path: Path) -> None:
    """Half an emoji in JSON, which UTF-8 cannot hold, becomes U+FFFD and is counted in `meta`; pairs are letters."""
    path = put(tmp_path, "a.jsonl", '{"text": "a\\ud83dz", "title": "\\udc00"}\n{"text": "\\ud83d\\ude00"}')
    records, _ = read(path)
    assert [r.text for r in records] == ["a\ufffdz", "😀"]
    assert (records[0].meta, records[0].title) == ({"replaced_surrogates": 1}, "\ufffd")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_missing_text_column_is_an_error(tmp_path: Path, name: str) -> None:
    """It is a mistake in params: the error names the file, the column, those that exist and the nearest."""
    path = tmp_path / name
    if name == "a.jsonl":
        path.write_text('{"txet": "x", "id": 1}\n', encoding="utf-8")
    elif name == "a.csv":
        path.write_text("txet,id\nx,1\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"txet": ["x"], "id": [1]}), path)
    with pytest.raises(SourceError) as caught:
        read(path)
    message = str(caught.value)
    assert "no column `text`; the columns are: txet, id" in message
    assert "did you mean `txet`?" in message
    assert name in message


def test_columns_that_params_name_must_exist(tmp_path: Path) -> None:
    """A licence column that is asked for in so many words and missing is an error; the default one is optional."""
    path = put(tmp_path, "a.csv", "text\nx\n")
    assert texts(path) == ["x"]
    for option in ({"license_column": "licence"}, {"id_column": "key"}, {"meta_columns": ["year"]}):
        with pytest.raises(SourceError, match="no column"):
            read(path, **option)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_two_columns_of_one_name_are_an_error(tmp_path: Path, name: str) -> None:
    """Which of them is meant nobody knows, and the other would be lost without a word."""
    if name == "a.csv":
        put(tmp_path, name, "text,text\na,b\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"]), tmp_path / name)
    with pytest.raises(SourceError, match="two columns are called `text`"):
        read(tmp_path / name)


def test_csv_quotes_newlines_and_bad_rows(tmp_path: Path) -> None:
    """Quoted line breaks are text; a row of another width and broken UTF-8 are recorded with the line they begin on."""
    data = b'id,text\n1,"two\nlines, ""quoted"""\n2\n3,bad \xff\n\n4,fine\n5,"oops"x\n6,last\n'
    path = put(tmp_path, "a.csv", data)
    records, skipped = read(path, id_column="id")
    assert [(r.text, r.given_id, r.row) for r in records] == [
        ('two\nlines, "quoted"', "1", 1),
        ("fine", "4", 4),
        ("last", "6", 6),
    ]
    assert [skip.line for skip in skipped] == [4, 5, 8]
    assert "1 columns, and the header has 2" in skipped[0].reason
    assert skipped[1].reason == "not UTF-8"


def test_an_open_quotation_mark_is_told(tmp_path: Path) -> None:
    """A quote that is never closed swallows the rest of a csv file: that is recorded where it opens."""
    found = reasons(put(tmp_path, "a.csv", 'text\none\n"two\nthree\n'))
    assert [line for line, _ in found] == [3]
    assert "never closed" in found[0][1]


def test_csv_delimiters(tmp_path: Path) -> None:
    """A `.tsv` is separated by tabs, anything else by a comma or what params say."""
    assert texts(put(tmp_path, "a.tsv", "text\tn\nx, y\t1\n")) == ["x, y"]
    assert texts(put(tmp_path, "b.csv", "text;n\nx;1\n"), delimiter=";") == ["x"]
    assert texts(put(tmp_path, "c.csv", "n;text\r\n1,5;x, y\r\n")) == ["x, y"]  # a spreadsheet's, in Turkish
    assert texts(put(tmp_path, "d.csv", "text;n,text\n1,x\n")) == ["x"]


@given(
    st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=60), max_size=8)
)
@settings(deadline=None, max_examples=60)
def test_tables_give_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, written: list[str]) -> None:
    """Whatever the text, jsonl, csv and parquet of the same rows give the same records, less what is blank."""
    folder = tmp_path_factory.mktemp("tables")
    # csv's own writer ends lines within a field as they are; the reader's bytes know only LF and CRLF as ends.
    written = [text.replace("\r", " ") for text in written]
    put(folder, "a.jsonl", "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in written) or "\n")
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["text"], *([t] for t in written)])
    put(folder, "a.csv", buffer.getvalue())
    pq.write_table(pa.table({"text": pa.array(written, pa.string())}), folder / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        assert [record.text for record in read(folder / name)[0]] == [text for text in written if text.strip()]
