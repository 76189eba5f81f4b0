"""One reader per file format: `File` → records, and what was skipped, with its line and the reason.

A text file that is empty, torn or in another encoding is skipped whole; a line that is broken is skipped alone.
A damaged database (parquet, sqlite, xml) and a missing column are errors, because params or the source need mending.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq

from elek.dataset import OPT_OUT
from elek.errors import ParamsError, SourceError
from elek.sources.decoding import (
    MAX_TEXT,
    Unreadable,
    check_whole,
    compression,
    decode,
    decode_line,
    lines,
    open_binary,
    read_all,
)
from elek.sources.files import File
from elek.sources.html import html_text
from elek.sources.params import WHOLE_FILE, FileOptions
from elek.sources.records import Record, Skip, check_columns, encoding_meta, from_columns, grouped, valid_unicode
from elek.text.markup import reservations

Events = Iterator[Record | Skip]

EXTENSIONS: Mapping[str, str] = {
    **dict.fromkeys((".txt", ".text", ".rst"), "txt"),
    **dict.fromkeys((".md", ".markdown"), "md"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), "sqlite"),
    ".parquet": "parquet",
    ".xml": "xml",
    ".conllu": "conllu",
}
RANDOM_ACCESS = frozenset({"parquet", "sqlite"})
BATCH_ROWS = 256
BROKEN = "?"


def read_file(file: File, source: FileOptions) -> Events:
    """Everything in one file. Raises SourceError or ParamsError; what can be skipped is a Skip among the records."""
    kind = format_of(file, source)
    try:
        with file.path.open("rb") as stream:
            problem = "" if stream.read(1) else "the file is empty"
    except OSError as error:
        problem = f"cannot be opened: {error.strerror or type(error).__name__}"
    if problem:
        yield Skip(file.name, None, problem)
        return
    try:
        check_whole(file)
        events = READERS[kind](file, source)
        if source.group > 1:
            if kind in WHOLE_FILE:
                raise ParamsError(
                    f"`group` joins records of a file, and a {kind} file is one document", where=file.name
                )
            events = grouped(events, source.group)
        yield from events
    except Unreadable as reason:  # raised before the first record only
        yield Skip(file.name, None, str(reason))
    except OSError as error:
        # Records of it may be taken already, and half a file must not pass for a whole one.
        raise SourceError(f"reading broke off: {error.strerror or type(error).__name__}", where=file.name) from None


def format_of(file: File, source: FileOptions) -> str:
    """The format that params say, else the extension. Raises ParamsError where neither tells, or a need is unmet."""
    name = PurePosixPath(file.name)
    compressed = compression(file.name)
    extension = (name.with_suffix("") if compressed else name).suffix.lower()
    kind = source.format or EXTENSIONS.get(extension)
    if kind is None:
        raise ParamsError(
            f"the extension `{extension}` tells no format",
            where=file.name,
            fix=f"set `format` of this source; known extensions: {', '.join(sorted(EXTENSIONS))}",
        )
    if compressed and kind in RANDOM_ACCESS:
        raise ParamsError(f"{kind} cannot be read from a {compressed} file", where=file.name, fix="decompress it")
    if kind == "sqlite" and not source.query:
        raise ParamsError("the format sqlite needs a `query`", where=file.name)
    if kind == "xml" and not source.element:
        raise ParamsError("the format xml needs an `element`", where=file.name)
    return kind


def _text(file: File, source: FileOptions) -> Events:
    text, encoding = decode(read_all(file), source.encodings)
    yield Record(file.name, text, meta=encoding_meta(encoding))


def _html(file: File, source: FileOptions) -> Events:
    page, encoding = decode(read_all(file), source.encodings, html=True)
    text, title = html_text(page)
    reserved = reservations(page)
    meta = encoding_meta(encoding) | ({OPT_OUT: reserved} if reserved else {})
    yield Record(file.name, text, title=title, meta=meta)


def _decoded(file: File, source: FileOptions) -> Iterator[tuple[int, str, str] | Skip]:
    """Lines that hold something, with number and encoding."""
    for number, raw in lines(file):
        try:
            line, encoding = decode_line(raw, source.encodings)
        except Unreadable as reason:
            yield Skip(file.name, number, str(reason))
            continue
        if line.strip():
            yield number, line, encoding


def _lines(file: File, source: FileOptions) -> Events:
    for item in _decoded(file, source):
        yield item if isinstance(item, Skip) else Record(file.name, item[1], item[0], meta=encoding_meta(item[2]))


def _conllu(file: File, source: FileOptions) -> Events:
    # https://universaldependencies.org/format.html: a sentence's own spelling is its comment `# text = …`.
    row = 0
    for item in _decoded(file, source):
        if isinstance(item, Skip):
            yield item
        elif item[1].startswith("# text ="):
            row += 1
            yield Record(file.name, item[1].removeprefix("# text =").strip(), row, meta=encoding_meta(item[2]))


class Row(NamedTuple):
    """A record of a file of records, before anybody asks what is in its columns."""

    number: int
    """Which one of its file, from 1 (in jsonl: its line)."""
    line: int
    values: Mapping[str, Any]
    encoding: str


def _jsonl(file: File, source: FileOptions) -> Events:
    first = True
    for item in json_rows(file, source):
        if isinstance(item, Skip):
            yield item
            continue
        if first:  # columns missing from the first record are a mistake in params, later ones the file's
            check_columns(item.values, source, f"{file.name}, line {item.line}")
            first = False
        yield from_columns(item.values, source, file=file.name, row=item.number, encoding=item.encoding)


def json_rows(file: File, source: FileOptions) -> Iterator[Row | Skip]:
    """The objects of a file of JSON lines."""
    for item in _decoded(file, source):
        if isinstance(item, Skip):
            yield item
            continue
        number, line, encoding = item
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
            reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            yield Skip(file.name, number, f"no JSON: {reason}")
            continue
        if not isinstance(values, dict):
            yield Skip(file.name, number, "JSON, but no object")
            continue
        yield Row(number, number, values, encoding)


def _csv(file: File, source: FileOptions) -> Events:
    for item in csv_rows(file, source):
        if isinstance(item, Skip):
            yield item
        else:
            number, line, values, encoding = item
            yield from_columns(values, source, file=file.name, row=number, line=line, encoding=encoding)


def csv_rows(file: File, source: FileOptions) -> Iterator[Row | Skip]:
    """The rows of a csv file by the names in its header. Raises SourceError where that lacks a column."""
    csv.field_size_limit(min(MAX_TEXT, 2**31 - 1))
    used: set[str] = set()  # encodings of the lines of the record at hand

    def text() -> Iterator[str]:
        for number, raw in lines(file):
            if raw is None:
                raise SourceError(f"line {number} has more than {MAX_TEXT:,} bytes", where=file.name)
            ending = "\n" if raw.endswith(b"\n") else ""
            try:
                line, encoding = decode_line(raw, source.encodings)
            except Unreadable:
                line, encoding = raw.rstrip(b"\r\n").decode("utf-8", "replace"), BROKEN
            used.add(encoding)
            yield line + ending

    delimiter = source.delimiter or _delimiter(file, source)
    reader = csv.reader(text(), delimiter=delimiter, strict=True)
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


def _delimiter(file: File, source: FileOptions) -> str:
    """What the extension says; where the header then lacks the text, what parts it from its neighbours.

    Spreadsheets write `;` into a .csv wherever the comma is the decimal sign, as in Turkish.
    """
    usual = "\t" if ".tsv" in PurePosixPath(file.name).suffixes else ","
    first = next((raw for _, raw in lines(file)), None) or b""
    header = first.decode("utf-8", "replace").strip("\r\n").partition("\r")[0]
    fitting = [
        sign for sign in (usual, ";", "\t", "|") if source.text_column in next(csv.reader([header], delimiter=sign), [])
    ]
    return fitting[0] if fitting else usual


def _parquet(file: File, source: FileOptions) -> Events:
    try:
        with pq.ParquetFile(file.path) as parquet:
            columns = parquet.schema_arrow.names
            check_columns(columns, source, file.name)
            batches = parquet.iter_batches(BATCH_ROWS, columns=[name for name in columns if name in _asked(source)])
            yield from _rows(file, source, (row for batch in batches for row in batch.to_pylist()))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"no readable Parquet file: {str(error).splitlines()[0]}", where=file.name) from None


def _asked(source: FileOptions) -> set[str | None]:
    optional = {source.title_column, source.url_column, source.license_column, source.lang_column}
    return {source.text_column, source.id_column, *source.meta_columns} | optional


def _sqlite(file: File, source: FileOptions) -> Events:
    journals = [file.path.with_name(file.path.name + end) for end in ("-wal", "-journal")]
    if any(path.is_file() and path.stat().st_size for path in journals):
        raise SourceError("the database is in use: a journal lies beside it", where=file.name, fix="close it first")
    try:
        # immutable: nothing is written, not even a lock.
        address = f"{file.path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = _sqlite_text
            cursor = connection.execute(source.query or "")
            names = [column[0] for column in cursor.description or ()]
            check_columns(names, source, file.name)
            yield from _rows(file, source, (dict(zip(names, row, strict=True)) for row in cursor))
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise SourceError(f"SQLite says: {error}", where=file.name, fix="see `query` in params") from None


def _sqlite_text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data  # bytes are "not a string", which skips the record and tells so


def _rows(file: File, source: FileOptions, rows: Iterable[Mapping[str, object]]) -> Events:
    for number, values in enumerate(rows, 1):
        yield from_columns(values, source, file=file.name, row=number)


def _xml(file: File, source: FileOptions) -> Events:
    wanted = (source.element or "").split("/")
    path: list[ElementTree.Element] = []
    tags: list[str] = []
    row = inside = 0
    try:
        with open_binary(file) as stream:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):  # noqa: S314
                if event == "start":
                    path.append(element)
                    tags.append(element.tag.rpartition("}")[2])
                    inside += tags[-len(wanted) :] == wanted
                    continue
                if tags[-len(wanted) :] == wanted:
                    inside -= 1
                    row += 1
                    text, replaced = valid_unicode("".join(element.itertext()).strip())
                    yield Record(file.name, text, row, meta={"replaced_surrogates": replaced} if replaced else {})
                path.pop()
                tags.pop()
                if path and not inside:
                    path[-1].remove(element)  # a read element would only fill the memory
    except ElementTree.ParseError as error:
        raise SourceError(f"no well-formed XML: {error}", where=file.name) from None
    if row == 0:
        raise SourceError(f"there is no element `{source.element}`", where=file.name, fix="see `element` in params")


READERS: Mapping[str, Callable[[File, FileOptions], Events]] = {
    "txt": _text,
    "md": _text,
    "html": _html,
    "lines": _lines,
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "sqlite": _sqlite,
    "xml": _xml,
    "conllu": _conllu,
}
