"""One reader per format: what it takes, and what it says of what it cannot take."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError, SourceError
from elek.sources.html import html_text
from elek.sources.records import Record, Skip, grouped
from tests.sources.build import put, read


def texts(path: Path, **options: Any) -> list[str]:
    records, skipped = read(path, **options)
    assert skipped == []
    return [record.text for record in records]


def reasons(path: Path, **options: Any) -> list[tuple[int | None, str]]:
    return [(skip.line, skip.reason) for skip in read(path, **options)[1]]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "A.TXT"])
def test_a_text_file_is_a_document(tmp_path: Path, name: str) -> None:
    """Plain text and Markdown come as they are, line ends included."""
    assert texts(put(tmp_path, name, "# Başlık\r\n\r\nmetin\n")) == ["# Başlık\r\n\r\nmetin\n"]


def test_an_empty_file_is_recorded(tmp_path: Path) -> None:
    """A file of no bytes is no document, whatever its format."""
    for name in ("a.txt", "a.jsonl", "a.csv", "a.parquet", "a.html", "a.txt.gz"):
        assert reasons(put(tmp_path, name, b"")) == [(None, "the file is empty")]


def test_an_unknown_extension_asks_for_the_format(tmp_path: Path) -> None:
    """Nothing is guessed from content; params can say what it is."""
    path = put(tmp_path, "a.log", "one\ntwo")
    with pytest.raises(ParamsError, match=r"`\.log` tells no format"):
        read(path)
    assert texts(path, format="lines") == ["one", "two"]


def test_html_becomes_text() -> None:
    """Blocks are lines, paragraphs stand apart, scripts vanish, `pre` keeps its lines, entities are letters."""
    page = """<html><head><title> A  page </title><style>p {}</style></head><body><nav>Menu</nav>
    <p>First <b>bold</b>
    text &ccedil;.</p>tail<script>alert(1)</script><ul><li>one<li>two</ul>
    <pre>a
  b</pre><table><tr><td>x</td><td>y</td></tr></table>end<br>line<br><br>new<!-- no --></body></html>"""
    text, title = html_text(page)
    assert title == "A page"
    assert text == "Menu\n\nFirst bold text ç.\n\ntail\n\none\ntwo\n\na\n  b\n\nx y\n\nend\nline\n\nnew"


def test_a_reservation_in_the_head_goes_into_the_metadata(tmp_path: Path) -> None:
    """The text of a page does not show what its head reserves, so that it is kept beside it."""
    head = '<html><head><meta name="robots" content="noai"></head>'
    (marked,), (plain,) = (
        read(put(tmp_path, name, page))[0]
        for name, page in (("a.html", f"{head}<body>Text</body>"), ("b.html", "<html><body>Text</body>"))
    )
    assert marked.text == plain.text == "Text"
    assert marked.meta["opt_out"] == ["robots: noai"]
    assert "opt_out" not in plain.meta


def test_deep_html_is_no_matter() -> None:
    """Thousands of nested elements neither overflow the stack nor take long."""
    text, _ = html_text("<div>" * 20_000 + "deep" + "</div>" * 20_000)
    assert text == "deep"


def test_a_page_of_spaces_takes_no_longer() -> None:
    """A million spaces in `pre` are read in linear time."""
    text, _ = html_text(f"<pre>a{' ' * 1_000_000}b</pre>")
    assert len(text) == 1_000_002


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_is_some_page(page: str) -> None:
    """No input makes the HTML reader fail, and what it gives can be written as UTF-8."""
    text, _ = html_text(page.encode("utf-8", "replace").decode())
    text.encode()


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
    ]
    path = put(tmp_path, "a.jsonl", "\n".join(lines))
    records, skipped = read(path, id_column="id")
    assert [(r.text, r.row, r.given_id, r.title, r.url) for r in records] == [
        ("one", 1, "x", "T", "https://example.org/1"),
        ("four", 13, None, None, None),
    ]
    assert (records[1].license, records[1].lang) == ("MIT", "tr")
    found = {skip.line: skip.reason for skip in skipped}
    assert list(found) == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert "no JSON: Expecting property name" in found[2]
    assert found[4] == "JSON, but no object"
    assert found[5] == "`text` is a number, not a string"
    assert found[6] == "`text` is null, not a string"
    assert found[8] == "no column `text` here"
    assert "LicenseRef-PublicDomain" in found[9]
    assert "no language code" in found[10]


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
    """Whatever the text, jsonl, csv and parquet of the same rows give the same records."""
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
        assert texts(folder / name) == written


def test_parquet_reads_rows_with_their_columns(tmp_path: Path) -> None:
    """Licence, language, id and meta columns come along; a null text is recorded."""
    table = pa.table(
        {
            "text": ["a", None, "c"],
            "lang": ["en", "tr", "tr"],
            "license": ["MIT", "MIT", None],
            "n": [1, 2, 3],
            "x": [0, 0, 0],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    records, skipped = read(tmp_path / "a.parquet", id_column="n", meta_columns=["x"])
    assert [(r.text, r.lang, r.license, r.given_id, r.meta) for r in records] == [
        ("a", "en", "MIT", "1", {"x": 0}),
        ("c", "tr", None, "3", {"x": 0}),
    ]
    assert skipped == [Skip("a.parquet", 2, "`text` is null, not a string")]


def test_rows_of_a_table_that_cannot_be_read_are_told_alone(tmp_path: Path) -> None:
    """A string that is no UTF-8 and a date beyond all years cost their own row."""
    buffers = [None, pa.py_buffer(np.array([0, 1, 3, 4], np.int32)), pa.py_buffer(b"a\xff\xfeb")]
    text = pa.StringArray.from_buffers(3, buffers[1], buffers[2])
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    records, skipped = read(tmp_path / "a.parquet")
    assert [(record.row, record.text) for record in records] == [(1, "a"), (3, "b")]
    assert [(skip.line, "utf-8" in skip.reason) for skip in skipped] == [(2, True)]
    dates = pa.array([0, 2**62], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["a", "b"], "date": dates}), tmp_path / "b.parquet")
    records, skipped = read(tmp_path / "b.parquet", meta_columns=["date"])
    assert [record.text for record in records] == ["a"]
    assert len(skipped) == 1


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_two_columns_of_one_name_are_an_error(tmp_path: Path, name: str) -> None:
    """Which of them is meant nobody knows, and the other would be lost without a word."""
    if name == "a.csv":
        put(tmp_path, name, "text,text\na,b\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"]), tmp_path / name)
    with pytest.raises(SourceError, match="two columns are called `text`"):
        read(tmp_path / name)


def test_a_licence_in_json_ld_that_is_no_unicode(tmp_path: Path) -> None:
    """An escape of half a character becomes U+FFFD, as elsewhere, and the page can be written."""
    data = r'{"@type": "Article", "license": "https://example.org/\ud800"}'
    page = f'<html><head><script type="application/ld+json">{data}</script></head><body>Metin.</body></html>'
    ((record,), _) = read(put(tmp_path, "a.html", page))
    assert record.meta["licence_links"] == ["https://example.org/\ufffd"]


def test_names_in_an_sqlite_database_that_are_no_utf8(tmp_path: Path) -> None:
    """Of its columns, or of what is wrong with it: an error like others of the database."""
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute('CREATE TABLE page (text, "wordéword")')
        connection.execute("INSERT INTO page VALUES ('a', 'b')")
        connection.commit()
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(SourceError, match="SQLite says"):
        read(path, query="SELECT * FROM page")


def test_a_query_reaches_no_other_database(tmp_path: Path) -> None:
    """ATTACH would read what nobody watches, and make a file of a name that there is not."""
    path, other = tmp_path / "a.db", tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE page (text)")
        connection.commit()
    with pytest.raises(SourceError, match="not authorized"):
        read(path, query=f"ATTACH '{other.as_posix()}' AS other")
    assert not other.exists()


def test_a_torn_sqlite_database_is_an_error(tmp_path: Path) -> None:
    """SQLite itself reads what is missing as nothing, or does not look."""
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE page (text)")
        connection.execute("INSERT INTO page VALUES ('a')")
        connection.commit()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SourceError, match="SQLite says"):
        read(path, query="SELECT text FROM page ORDER BY rowid")


@pytest.mark.parametrize("encoding", ["shift_jis", "nobody-knows"])
def test_xml_in_an_encoding_that_the_parser_cannot_read(tmp_path: Path, encoding: str) -> None:
    """It is told like XML that is broken."""
    path = put(tmp_path, "a.xml", f'<?xml version="1.0" encoding="{encoding}"?><a><D>x</D></a>')
    with pytest.raises(SourceError, match="encoding"):
        read(path, element="D")


@pytest.mark.parametrize("cut", [10, 200])
def test_a_damaged_database_is_an_error(tmp_path: Path, cut: int) -> None:
    """A parquet or sqlite file that is cut off stops the fetch by name instead of being half read."""
    pq.write_table(pa.table({"text": ["x" * 100] * 10}), tmp_path / "a.parquet")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("create table t (text text)")
        connection.executemany("insert into t values (?)", [("x" * 5000,)] * 10)
    connection.close()
    for name, options in (("a.parquet", {}), ("a.db", {"query": "select text from t"})):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-cut] if name == "a.parquet" else path.read_bytes()[:9000])
        with pytest.raises(SourceError, match=name):
            read(path, **options)


def test_sqlite_runs_the_query_and_changes_nothing(tmp_path: Path) -> None:
    """Columns are named by the query; nothing is written beside the file, and a write is refused."""
    path = tmp_path / "folder with #?%" / "a.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("create table t (n integer, body, title text)")
    connection.executemany("insert into t values (?, ?, ?)", [(2, "iki", "B"), (1, "bir", "A"), (3, b"\xff", "C")])
    connection.commit()
    connection.close()
    before = path.read_bytes()
    records, skipped = read(path, query="select n as id, body as text, title from t order by n", id_column="id")
    assert [(r.given_id, r.text, r.title) for r in records] == [("1", "bir", "A"), ("2", "iki", "B")]
    assert skipped == [Skip("a.db", 3, "`text` is bytes, not a string")]
    with pytest.raises(SourceError, match="SQLite says"):
        read(path, query="delete from t")
    with pytest.raises(SourceError, match="no such table: tt"):
        read(path, query="select * from tt")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["a.db"]
    put(path.parent, "a.db-wal", "x")
    with pytest.raises(SourceError, match="in use"):
        read(path, query="select body as text from t")


def test_xml_gives_each_element(tmp_path: Path) -> None:
    """The end of the path chooses; nested markup is text; namespaces do not matter."""
    page = '<r xmlns="urn:x"><w><DEF> one <b>bold</b></DEF></w><v><DEF>other</DEF></v><w><DEF>two</DEF></w></r>'
    path = put(tmp_path, "a.xml", page)
    assert texts(path, element="w/DEF") == ["one bold", "two"]
    assert texts(path, element="DEF") == ["one bold", "other", "two"]
    with pytest.raises(SourceError, match="no element `x`"):
        read(path, element="x")
    with pytest.raises(SourceError, match="no well-formed XML"):
        read(put(tmp_path, "b.xml", page[:-10]), element="DEF")
    with pytest.raises(ParamsError, match="needs an `element`"):
        read(path)


def test_an_xml_entity_bomb_does_not_go_off(tmp_path: Path) -> None:
    """Entities that multiply are refused by the parser."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    page = f'<!DOCTYPE r [<!ENTITY e0 "{"x" * 1000}">{entities}]><r>&e11;</r>'
    with pytest.raises(SourceError, match="no well-formed XML"):
        read(put(tmp_path, "a.xml", page), element="r")


def test_conllu_gives_the_sentences(tmp_path: Path) -> None:
    """Of a treebank only the sentences' own spelling is text."""
    data = "# sent_id = 1\n# text = Kedi uyudu.\n1\tKedi\n\n# text = Köpek de.\n1\tKöpek\n"
    assert texts(put(tmp_path, "a.conllu", data)) == ["Kedi uyudu.", "Köpek de."]


def test_records_are_grouped_in_order(tmp_path: Path) -> None:
    """`group` joins so many records, the last group being what is left, and says which rows they were."""
    path = put(tmp_path, "a.txt", "\n".join(f"line {n}" for n in range(1, 8)))
    records, _ = read(path, format="lines", group=3)
    assert [r.text for r in records] == ["line 1\nline 2\nline 3", "line 4\nline 5\nline 6", "line 7"]
    assert [(r.given_id, r.meta) for r in records] == [
        ("1-3", {"records": 3}),
        ("4-6", {"records": 3}),
        ("7-7", {"records": 1}),
    ]


KINDS = st.sampled_from([("a", None, None), ("a", "MIT", None), ("a", None, "tr"), ("b", None, None)])


@given(st.lists(st.tuples(KINDS, st.sampled_from(["x", "yy", " "]))), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_a_group_never_mixes_licences(rows: list[tuple[tuple[str, str | None, str | None], str]], size: int) -> None:
    """Nothing is lost, and no group joins two files, licences or languages."""
    events = [Record(f, text, n, None, None, None, li, la) for n, ((f, li, la), text) in enumerate(rows, 1)]
    groups = list(grouped(events, size))
    joined = [g for g in groups if isinstance(g, Record) and g.text.strip()]
    assert "\n".join(g.text for g in joined) == "\n".join(text for _, text in rows if text.strip())
    assert [g.license for g in joined for _ in g.text.split("\n")] == [k[1] for k, text in rows if text.strip()]
    assert all(len(g.text.split("\n")) <= size for g in joined)


def test_a_very_long_line_is_read(tmp_path: Path) -> None:
    """A hundred megabytes on one line are one document."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "')
        for _ in range(100):
            file.write(b"word " * 200_000)
        file.write(b'"}\n{"text": "next"}\n')
    assert [len(text) for text in texts(path)] == [100_000_000, 4]
