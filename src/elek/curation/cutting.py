"""Files to curate, cut into pieces of bounded size that workers can read apart from each other.

A file of JSON lines is cut between lines, a table between rows, a crawl between records; a small file is a piece as
it lies. Pieces are written to a scratch folder only where a file is compressed, large, or a table. Nothing is parsed
here but csv, whose rows cannot be told apart without.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from elek.curation.inputs import format_of
from elek.errors import DISK_FULL, SourceError
from elek.sources.crawls import cut_warc
from elek.sources.decoding import Unreadable, check_whole, compression, lines
from elek.sources.files import File
from elek.sources.params import Encodings, FilesSource
from elek.sources.records import Skip, valid_unicode
from elek.sources.tables import BATCH_ROWS, Row, csv_rows

COLUMNS = ("text", "id", "source", "license", "lang", "url", "title")
"""What is read of a record; other columns stay behind, and come back by joining on `id`."""

UTF_8 = ("utf-8",)
PIECE_BYTES = 4_000_000
"""Of input in a piece, and of pieces in a shard: what one worker holds in memory several times over."""
TAPER = 8
"""Towards the end of the input, a piece is this part of what is left, down to the same part of PIECE_BYTES: the last
worker to end leaves the others idle for a small piece only (guided self-scheduling: Polychronopoulos and Kuck 1987)."""
PIECE_COST = 500
"""Bytes counted for a piece as such: a folder of tiny files is cut too."""


@dataclass(frozen=True)
class Piece:
    """Records `first`… of a file."""

    file: str
    """The name by which skipped lines and made-up ids know the file."""
    path: Path
    format: str
    """One of FORMATS, or `rows`: an Arrow file of records."""
    first: int = 1
    bytes: int = 0


@dataclass(frozen=True)
class Shard:
    """Pieces that one worker takes at a time, in the order of the input, and what cutting had to leave out."""

    pieces: tuple[Piece, ...]
    skips: tuple[Skip, ...] = ()


def options(encodings: Encodings) -> FilesSource:
    """How files are read, as `fetch` would be told it."""
    return FilesSource(kind="files", files=("*",), license="NOASSERTION", lang="und", encodings=encodings)


class Cutter:
    """`Cutter(folder).shards(files)`; `folder` must exist, and last as long as the pieces are read."""

    def __init__(self, folder: Path, piece_bytes: int = PIECE_BYTES, encodings: Encodings = UTF_8) -> None:
        self._folder, self._piece_bytes, self._options = folder, piece_bytes, options(encodings)
        self._written = self._left = 0

    @property
    def _limit(self) -> int:
        return max(self._piece_bytes // TAPER, min(self._piece_bytes, self._left // TAPER))

    def shards(self, files: Sequence[File]) -> Iterator[Shard]:
        """Every file in order, cut as shards are asked for. What is damaged is left out whole and told.

        Raises SourceError where a file breaks off whose beginning is in a shard already.
        """
        pieces: list[Piece] = []
        skips: list[Skip] = []
        held = 0
        self._left = sum(_size(file) for file in files)
        for file in files:
            later = self._left - _size(file)
            for piece in self._whole(file, later, skips):
                if pieces and held + piece.bytes > self._limit:
                    yield Shard(tuple(pieces), tuple(skips))
                    pieces, skips, held = [], [], 0
                pieces.append(piece)
                held += piece.bytes + PIECE_COST
                self._left -= piece.bytes
            self._left = later
        if pieces or skips:
            yield Shard(tuple(pieces), tuple(skips))

    def _whole(self, file: File, later: int, skips: list[Skip]) -> Iterator[Piece]:
        """The pieces of a file, or none and a skip. `later` are the bytes of the files behind it."""
        given = False
        try:
            for piece in self._pieces(file, later, skips):
                given = True
                yield piece
        except (Unreadable, SourceError, OSError) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            reason = _reason(error)
            if given:
                raise SourceError(reason, where=file.name) from None
            skips.append(Skip(file.name, None, reason))

    def _pieces(self, file: File, later: int, skips: list[Skip]) -> Iterator[Piece]:
        kind = format_of(file.name)
        size = file.path.stat().st_size
        with file.path.open("rb") as stream:  # here and not in a worker: a file that may not be opened is left out too
            if not stream.read(1):
                raise Unreadable("the file is empty")
        if kind in ("txt", "md", "html") or (size <= self._limit and not compression(file.name) and kind != "parquet"):
            yield Piece(file.name, file.path, kind, bytes=size)
        elif kind == "jsonl":
            self._left = later + check_whole(file)
            yield from self._lines(file, skips)
        elif kind == "warc":
            cut = cut_warc(file, self._options, self._limit, lambda: self._path("warc"))
            yield from [Piece(file.name, path, kind, first, size) for path, first, size in cut]
        elif kind == "parquet":
            yield from list(self._tables(file, _parquet_batches(file)))  # whole or not: known at its end, as of a crawl
        else:
            self._left = later + check_whole(file)
            yield from list(self._tables(file, _csv_batches(file, self._options, self._limit, skips)))

    def _lines(self, file: File, skips: list[Skip]) -> Iterator[Piece]:
        held: list[bytes] = []
        size, first = 0, 1
        for number, raw in lines(file):
            if raw is None:  # keeps its place, so that the lines behind it keep their numbers
                skips.append(Skip(file.name, number, "a line that is too long to be a document"))
                raw = b"\n"
            if held and size + len(raw) > self._limit:
                yield self._lines_piece(file, held, first, size)
                held, size, first = [], 0, number
            held.append(raw)
            size += len(raw)
        if held:
            yield self._lines_piece(file, held, first, size)

    def _lines_piece(self, file: File, held: list[bytes], first: int, size: int) -> Piece:
        path = self._path("jsonl")
        # The mark keeps a line that begins like UTF-16 from being taken for the beginning of such a file.
        path.write_bytes(codecs.BOM_UTF8 + b"".join(held))
        return Piece(file.name, path, "jsonl", first, size)

    def _tables(self, file: File, batches: Iterator[pa.Table]) -> Iterator[Piece]:
        held: list[pa.Table] = []
        size, first, rows = 0, 1, 0
        for batch in batches:
            if held and size + batch.nbytes > self._limit:
                yield self._table_piece(file, held, first, size)
                held, size, first = [], 0, first + rows
                rows = 0
            held.append(batch)
            size += batch.nbytes
            rows += len(batch)
        if held:
            yield self._table_piece(file, held, first, size)

    def _table_piece(self, file: File, held: list[pa.Table], first: int, size: int) -> Piece:
        path = self._path("arrow")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, held[0].schema) as writer:
            for table in held:
                writer.write_table(table)
        return Piece(file.name, path, "rows", first, size)

    def _path(self, suffix: str) -> Path:
        self._written += 1
        return self._folder / f"piece-{self._written:07d}.{suffix}"


def _size(file: File) -> int:
    try:
        return file.path.stat().st_size
    except OSError:  # told when the file is read
        return 0


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or type(error).__name__}"
    return error.what if isinstance(error, SourceError) else str(error)


def _parquet_batches(file: File) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(file.path) as parquet:
            names = parquet.schema_arrow.names
            check_text(names, file.name)
            wanted = [name for name in COLUMNS if name in names]
            for batch in parquet.iter_batches(BATCH_ROWS, columns=wanted):
                table = plain(pa.Table.from_batches([batch]))
                yield table.append_column("line", pa.nulls(len(table), pa.int64()))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"no readable Parquet file: {str(error).splitlines()[0]}", where=file.name) from None


def plain(table: pa.Table) -> pa.Table:
    """Without dictionaries, as an Arrow file has one of each column and row groups of Parquet have one each; times,
    which may lie where Python has none, as strings."""
    for index, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        kind = pa.string() if pa.types.is_temporal(kind) else kind
        if kind != field.type:
            table = table.set_column(index, field.name, table.column(index).cast(kind))
    return table


def _csv_batches(file: File, options: FilesSource, limit: int, skips: list[Skip]) -> Iterator[pa.Table]:
    """Rows of csv as strings. A row that is broken is told in `skips`."""
    held: list[dict[str, Any]] = []
    size = 0

    def table() -> pa.Table:
        schema = pa.schema([*((name, pa.large_string()) for name in COLUMNS), ("line", pa.int64())])
        return pa.Table.from_pylist(held, schema=schema)

    before = len(skips)
    try:
        for row in csv_rows(file, options):
            if isinstance(row, Skip):
                skips.append(row)
                continue
            values = csv_values(row)
            held.append({**values, "line": row.line})
            size += sum(map(len, values.values()))
            if size > limit // 2 or len(held) == 8192:
                yield table()
                held, size = [], 0
    except SourceError:
        del skips[before:]
        raise
    if held:
        yield table()


def csv_values(row: Row) -> dict[str, str]:
    """Of a csv row what has a name of ours; a table of text has no empty values, only empty cells."""
    return {name: valid_unicode(row.values[name])[0] for name in COLUMNS if row.values.get(name)} | {
        "text": valid_unicode(row.values["text"])[0]
    }


def check_text(columns: Sequence[str], name: str) -> None:
    """Raise SourceError where a table has no column of text."""
    if "text" not in columns:
        raise SourceError(f"there is no column `text`; the columns are: {', '.join(columns) or 'none'}", where=name)
