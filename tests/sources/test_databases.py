"""Parquet and SQLite: rows of a file that is whole or refused."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elek.errors import SourceError
from elek.sources.records import Skip
from tests.sources.build import put, read


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


@pytest.mark.parametrize("cut", [10, 200])
def test_a_damaged_parquet_file_is_an_error(tmp_path: Path, cut: int) -> None:
    """One that is cut off stops the fetch by name instead of being half read."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x" * 100] * 10}), path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(SourceError, match="no readable Parquet file"):
        read(path)


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
