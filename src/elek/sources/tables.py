"""Readers for tables, in which one column is the text."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from elek.errors import SourceError
from elek.pii import mask
from elek.sources.decoding import MAX_TEXT, Unreadable, decode_line, lines
from elek.sources.files import File
from elek.sources.params import FileOptions
from elek.sources.records import Events, Skip, check_columns, from_columns, valid_unicode
from elek.sources.texts import decoded_lines

BATCH_ROWS = 256
BROKEN = "?"


class Row(NamedTuple):
    """A row of a table, before its columns are interpreted."""

    number: int
    """Number in the file, from 1 (for jsonl, that of the line)."""
    line: int
    values: Mapping[str, Any]
    encoding: str


def read_jsonl(file: File, source: FileOptions) -> Events:
    first = True
    for item in json_rows(file, source):
        if isinstance(item, Skip):
            yield item
            continue
        if first:  # a column missing in the first record is an error in params; later, one of the file
            check_columns(item.values, source, f"{file.name}, line {item.line}")
            first = False
        yield from_columns(item.values, source, file=file.name, row=item.number, encoding=item.encoding)


class _Ambiguous(dict[str, Any]):
    """A JSON object in which a name occurs twice (Python keeps the last value)."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        [(self.name, _)] = Counter(name for name, _ in pairs).most_common(1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Ambiguous(pairs)


_JSON = json.JSONDecoder(object_pairs_hook=_object)


def json_rows(file: File, source: FileOptions) -> Iterator[Row | Skip]:
    """The objects of a file of JSON lines."""
    for item in decoded_lines(file, source):
        if isinstance(item, Skip):
            yield item
            continue
        number, line, encoding = item
        try:
            values = _JSON.decode(line)
        except (ValueError, RecursionError) as error:  # ValueError: for example an integer with thousands of digits
            reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            yield Skip(file.name, number, f"no JSON: {reason}")
            continue
        if not isinstance(values, dict):
            yield Skip(file.name, number, "JSON, but no object")
            continue
        if isinstance(values, _Ambiguous):  # in a nested object it would only affect metadata
            yield Skip(file.name, number, f"two values are called `{mask(valid_unicode(values.name)[0])[0][:40]}`")
            continue
        yield Row(number, number, values, encoding)


def read_csv(file: File, source: FileOptions) -> Events:
    for item in csv_rows(file, source):
        if isinstance(item, Skip):
            yield item
        else:
            number, line, values, encoding = item
            yield from_columns(values, source, file=file.name, row=number, line=line, encoding=encoding)


def csv_rows(file: File, source: FileOptions) -> Iterator[Row | Skip]:
    """The rows of a CSV file as values by column name. Raises SourceError where the header lacks a column."""
    csv.field_size_limit(min(MAX_TEXT, 2**31 - 1))
    used: set[str] = set()  # encodings of the lines of the current record
    delimiter = source.delimiter or _delimiter(file, source)
    reader = csv.reader(_csv_lines(file, source, used), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    row = 0
    while True:
        line = reader.line_num + 1
        used.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            cells, reason = [], str(error)
            if reason == "unexpected end of data":
                reason = "a quotation mark opened here is never closed: nothing after it could be read"
        else:
            reason = f"not {source.encodings[0].upper()}" if BROKEN in used else ""
        if reason and header is None:
            raise SourceError(f"the header cannot be read: {reason}", where=file.name)
        if cells is None:
            return
        if header is None:
            check_columns(cells, source, file.name)
            header = cells
            continue
        if not cells and not reason:
            continue  # an empty line
        row += 1
        if not reason and len(cells) != len(header):
            reason = f"{len(cells)} columns, and the header has {len(header)}"
        if reason:
            yield Skip(file.name, line, reason)
        else:
            values = dict(zip(header, cells, strict=True))
            encoding = " ".join(sorted(used - {"utf-8"})) or "utf-8"
            yield Row(row, line, values, encoding)


def _csv_lines(file: File, source: FileOptions, used: set[str]) -> Iterator[str]:
    """Lines for `csv.reader`. Adds the encoding of each to `used`, or BROKEN where none of the source's fits."""
    for number, raw in lines(file):
        if raw is None:
            raise SourceError(f"line {number} has more than {MAX_TEXT:,} bytes", where=file.name)
        try:
            line, encoding = decode_line(raw, source.encodings)
        except Unreadable:
            line, encoding = raw.rstrip(b"\r\n").decode("utf-8", "replace"), BROKEN
        used.add(encoding)
        yield line + ("\n" if raw.endswith(b"\n") else "")


def _delimiter(file: File, source: FileOptions) -> str:
    """The delimiter by the extension, or another one if only that gives a header with the text column.

    Spreadsheets write `;` into a .csv in languages with a decimal comma, such as Turkish.
    """
    usual = "\t" if ".tsv" in PurePosixPath(file.name).suffixes else ","
    first = next((raw for _, raw in lines(file)), None) or b""
    header = first.decode("utf-8", "replace").strip("\r\n").partition("\r")[0]
    fitting = [
        sign for sign in (usual, ";", "\t", "|") if source.text_column in next(csv.reader([header], delimiter=sign), [])
    ]
    return fitting[0] if fitting else usual


def read_parquet(file: File, source: FileOptions) -> Events:
    try:
        with pq.ParquetFile(file.path) as parquet:
            columns = parquet.schema_arrow.names
            check_columns(columns, source, file.name)
            batches = parquet.iter_batches(BATCH_ROWS, columns=[name for name in columns if name in _columns(source)])
            yield from _rows(file, source, (row for batch in batches for row in _values(batch)))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"no readable Parquet file: {str(error).splitlines()[0]}", where=file.name) from None


def _values(batch: pa.RecordBatch) -> Iterator[Mapping[str, object] | str]:
    """The rows of a batch. For a row that Python cannot represent (invalid UTF-8, a date out of range), the reason."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError) as error:
        if len(batch) == 1:
            yield str(error)
        else:
            for row in range(len(batch)):
                yield from _values(batch.slice(row, 1))


def _columns(source: FileOptions) -> set[str | None]:
    optional = {source.title_column, source.url_column, source.license_column, source.lang_column}
    return {source.text_column, source.id_column, *source.meta_columns} | optional


def read_sqlite(file: File, source: FileOptions) -> Events:
    journals = [file.path.with_name(file.path.name + end) for end in ("-wal", "-journal")]
    if any(path.is_file() and path.stat().st_size for path in journals):
        raise SourceError("the database is in use: a journal lies beside it", where=file.name, fix="close it first")
    try:
        # immutable: nothing is written, not even a lock.
        address = f"{file.path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = _sqlite_text
            connection.set_authorizer(_sqlite_access)
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":  # SQLite would read an incomplete file as far as it goes
                raise sqlite3.DatabaseError(state)
            cursor = connection.execute(source.query or "")
            names = [column[0] for column in cursor.description or ()]
            check_columns(names, source, file.name)
            yield from _rows(file, source, (dict(zip(names, row, strict=True)) for row in cursor))
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:  # the last: names that are not UTF-8
        raise SourceError(f"SQLite says: {error}", where=file.name, fix="see `query` in params") from None


def _sqlite_access(action: int, *_: str | None) -> int:
    """Deny ATTACH, by which a query could read or create other files."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _sqlite_text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data  # from_columns skips the record, because bytes are not a string


def _rows(file: File, source: FileOptions, rows: Iterable[Mapping[str, object] | str]) -> Events:
    for number, values in enumerate(rows, 1):
        if isinstance(values, str):
            yield Skip(file.name, number, f"the row cannot be read: {values}")
        else:
            yield from_columns(values, source, file=file.name, row=number)
