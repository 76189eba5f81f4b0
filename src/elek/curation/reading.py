"""One shard of input → documents, and what of it could not be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa

from elek.curation.cutting import UTF_8, Piece, Shard, csv_values, options
from elek.dataset import DOCUMENT
from elek.errors import SourceError
from elek.licences.spdx import NOASSERTION, check, normalise
from elek.pii import mask
from elek.sources.decoding import Unreadable, compression
from elek.sources.files import File
from elek.sources.formats import read_file
from elek.sources.params import LANGUAGE, Encodings, FilesSource
from elek.sources.records import Skip, valid_unicode
from elek.sources.tables import csv_rows, json_rows


class Read(NamedTuple):
    """What a shard gave: `documents` (DOCUMENT) in order, how many came from each file, and what was left out."""

    documents: pa.Table
    files: dict[str, int]
    skips: list[Skip]
    undeclared: int
    """Documents that declare no licence."""


def read_shard(shard: Shard, license: str, lang: str, encodings: Encodings = UTF_8) -> Read:
    """Documents of a shard; `license` and `lang` are of those that declare none.

    An `id` is taken as it is, twice where it is there twice; a record without one is called after its file and
    line. A `license` that is no SPDX expression stays for the filter to judge, with personal data masked; a `lang`
    that is no language code says nothing.
    """
    columns: dict[str, list[str]] = {name: [] for name in DOCUMENT.names}
    skips, files = list(shard.skips), dict[str, int]()
    undeclared, how = 0, options(encodings)
    for piece in shard.pieces:
        rows: list[dict[str, str]] = []
        own: list[Skip] = []
        try:
            for item in _records(piece, how):
                if isinstance(item, Skip):
                    own.append(item)
                    continue
                rows.append(item)
        except (SourceError, Unreadable) as error:  # half a file must not pass for a whole one
            reason = error.what if isinstance(error, SourceError) else str(error)
            rows, own = [], [Skip(piece.file, None, reason)]
        skips += own
        files[piece.file] = files.get(piece.file, 0) + len(rows)
        for row in rows:
            undeclared += not row["license"]
            row["license"] = row["license"] or license
            row["lang"] = row["lang"] or lang
            for name, column in columns.items():
                column.append(row[name])
    return Read(pa.Table.from_pydict(columns, schema=DOCUMENT), files, skips, undeclared)


def _records(piece: Piece, how: FilesSource) -> Iterator[dict[str, str] | Skip]:
    source = _source(piece.file)
    # Lines and records that were cut out of a compressed file are not compressed any more.
    file = File(f"piece.{piece.format}" if piece.format in ("jsonl", "warc") else piece.file, piece.path)
    if piece.format == "rows":
        yield from _arrow(piece, source)
    elif piece.format in ("jsonl", "csv"):
        rows = json_rows(file, how) if piece.format == "jsonl" else csv_rows(file, how)
        shift = piece.first - 1
        for row in rows:
            if isinstance(row, Skip):
                yield Skip(piece.file, None if row.line is None else row.line + shift, row.reason)
            else:
                values = csv_values(row) if piece.format == "csv" else row.values
                yield document(values, piece.file, row.number + shift, row.line + shift, source)
    else:
        for record in read_file(file, how):
            if isinstance(record, Skip):
                line = None if record.line is None else record.line + piece.first - 1
                yield replace(record, file=piece.file, line=line)
                continue
            meta = {"file": piece.file, **record.meta, **({"title": record.title} if record.title else {})}
            name = piece.file
            if record.row is not None:
                meta["row"] = record.row + piece.first - 1
                name = record.given_id or f"{name}#{meta['row']}"
            yield _row(name, record.text, source, "", "", record.url or "", meta)


def _arrow(piece: Piece, source: str) -> Iterator[dict[str, str] | Skip]:
    with pa.memory_map(str(piece.path)) as mapped:
        reader = pa.ipc.open_file(mapped)
        number = piece.first
        for index in range(reader.num_record_batches):
            for values in reader.get_batch(index).to_pylist():
                yield document(values, piece.file, number, values.pop("line") or number, source)
                number += 1


def document(values: Mapping[str, Any], file: str, number: int, line: int, source: str) -> dict[str, str] | Skip:
    """A row of DOCUMENT from named values; `license` and `lang` are empty where nothing is declared."""
    text = values.get("text")
    if isinstance(text, bytes):  # strings, to many a writer of Parquet
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return Skip(file, line, "`text` is bytes that are not UTF-8")
    if not isinstance(text, str):
        kind = "null" if text is None else type(text).__name__
        return Skip(file, line, f"`text` is {kind}, not a string" if "text" in values else "no column `text` here")
    text, replaced = valid_unicode(text)
    meta: dict[str, Any] = {"file": file, "row": number}
    if replaced:
        meta["replaced_surrogates"] = replaced
    if title := _string(values, "title"):
        meta["title"] = title
    return _row(
        _identity(values.get("id")) or f"{file}#{number}",
        text,
        _string(values, "source") or source,
        _licence(values.get("license")),
        _language(_string(values, "lang")),
        _string(values, "url"),
        meta,
    )


def _row(id: str, text: str, source: str, license: str, lang: str, url: str, meta: dict[str, Any]) -> dict[str, str]:
    return {
        "id": id,
        "text": text,
        "source": source,
        "license": license,
        "lang": lang,
        "url": url,
        "meta": json.dumps(meta, ensure_ascii=False, sort_keys=True),
    }


def _identity(value: object) -> str:
    if isinstance(value, str):
        return valid_unicode(value)[0]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, Decimal | UUID):
        return str(value)
    # A table that was once a data frame often has its numbers as floats.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else ""


def _string(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return valid_unicode(value)[0] if isinstance(value, str) else ""


def _licence(value: object) -> str:
    if isinstance(value, list) and len(value) < 2:  # a list of one is that one
        value = value[0] if value else None
    if value is None or value != value or (isinstance(value, str) and not value.strip()):  # null, NaN, blank
        return ""
    text = valid_unicode(value if isinstance(value, str) else json.dumps(value, default=str))[0]
    if check(text):
        return _masked(text)
    declared = normalise(text)
    return "" if declared == NOASSERTION else declared  # which declares none, in SPDX's words


@lru_cache(256)
def _masked(licence: str) -> str:
    """Reports list licences, and one in words may name its holder: "© 2020 Ada, ada@…"."""
    return mask(licence)[0]


def _language(value: str) -> str:
    code = re.split(r"[-_.]", value.strip().lower())[0]  # tr-TR, tr_TR.UTF-8
    return code if re.match(LANGUAGE, code) else ""


def _source(file: str) -> str:
    """A file of records is a source; of files that are a document each, their folder is."""
    name = file.removesuffix(compression(file)) if compression(file) else file
    stem, _, extension = name.rpartition(".")
    if extension.lower() in ("jsonl", "ndjson", "csv", "tsv", "parquet", "warc", "wet"):
        return stem
    return name.rpartition("/")[0] or "files"
