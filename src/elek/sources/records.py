"""The output of every reader: records, and what was skipped with the reason."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from elek.errors import SourceError, did_you_mean, nearest
from elek.pii import mask
from elek.sources.params import LANGUAGE, SourceBase, spdx

_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that could not be read: the file, the line where there is one, and the reason."""

    file: str
    line: int | None
    reason: str
    records: int | None = None
    """Number of records that this entry stands for, such as all pictures of a crawl; None for a single one."""

    @property
    def count(self) -> int:
        """The number of records skipped."""
        return 1 if self.records is None else self.records

    def row(self) -> dict[str, Any]:
        """The entry in `skipped.jsonl`; `records` only where it stands for several."""
        row = {"file": self.file, "line": self.line, "reason": self.reason}
        return row if self.records is None else {**row, "records": self.records}


def merge_counts(skips: Iterable[Skip]) -> list[Skip]:
    """Single entries unchanged, then those that stand for several records, added up by file and reason.

    A file that was read in pieces gives one of the latter for each piece.
    """
    single: list[Skip] = []
    sums: dict[tuple[str, str], Skip] = {}
    for skip in skips:
        if skip.records is None:
            single.append(skip)
        else:
            before = sums.get((skip.file, skip.reason))
            sums[skip.file, skip.reason] = replace(skip, records=skip.records + (before.count if before else 0))
    return single + [sums[key] for key in sorted(sums)]


@dataclass(slots=True)
class Record:
    """A text from a source, which becomes a document."""

    file: str
    """POSIX path, the same on every machine."""
    text: str
    row: int | None = None
    """Number in the file, from 1 (for jsonl and lines, that of the line); None where the file is one document."""
    given_id: str | None = None
    title: str | None = None
    url: str | None = None
    license: str | None = None
    lang: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


Events = Iterator[Record | Skip]


def valid_unicode(text: str) -> tuple[str, int]:
    """`text` with U+FFFD for each lone surrogate, which UTF-8 cannot encode, and their number."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATES.subn("\ufffd", text)
    return text, 0


def check_columns(columns: Iterable[str], source: SourceBase, file: str) -> None:
    """Raise SourceError where a column that `source` needs is missing from `columns` or occurs twice."""
    columns = list(columns)
    read = {*source.required_columns(), source.title_column, source.url_column, source.license_column}
    for name in sorted(filter(None, {*read, source.lang_column})):
        if columns.count(name) > 1:
            raise SourceError(f"two columns are called `{name}`", where=file, fix="rename one of them")
    for wanted in source.required_columns():
        if wanted not in columns:
            near = nearest(wanted, columns)
            raise SourceError(
                f"there is no column `{wanted}`; the columns are: {', '.join(columns) or 'none'}",
                where=file,
                fix=did_you_mean(wanted, columns) if near else "name the right one in params (`text_column` and so on)",
            )


def encoding_meta(encoding: str) -> dict[str, Any]:
    """The entry in `meta` for an encoding; none for UTF-8."""
    return {} if encoding == "utf-8" else {"encoding": encoding}


def from_columns(
    values: Mapping[str, Any],
    source: SourceBase,
    *,
    file: str,
    row: int,
    line: int | None = None,
    encoding: str = "utf-8",
) -> Record | Skip:
    """A record from the values of a row, with the licence and language that the row states."""
    text = values.get(source.text_column)
    if not isinstance(text, str):
        if source.text_column not in values:
            return Skip(file, line or row, f"no column `{source.text_column}` here")
        return Skip(file, line or row, f"`{source.text_column}` is {_type_name(text)}, not a string")
    if not text or text.isspace():
        return Skip(file, line or row, "the text is empty")
    text, replaced = valid_unicode(text)
    record = Record(file, text, row, meta=encoding_meta(encoding))
    if replaced:
        record.meta["replaced_surrogates"] = replaced
    try:
        record.license = _override(values, source.license_column, spdx)
        record.lang = _override(values, source.lang_column, _language)
    except ValueError as error:
        return Skip(file, line or row, mask(str(error))[0])  # it quotes the value
    record.title = _string(values, source.title_column)
    record.url = _string(values, source.url_column)
    identity = values.get(source.id_column) if source.id_column else None
    if isinstance(identity, (str, int)) and not isinstance(identity, bool):
        record.given_id = safe_id(str(identity)) or None
    for column in source.meta_columns:
        if values.get(column) is not None:
            record.meta[column] = _plain(values[column])
    return record


def safe_id(name: str) -> str:
    """`name` as part of an id: without spaces and control characters, and of limited length."""
    name = _UNSAFE.sub("_", name)
    if len(name) > MAX_ID:
        name = f"{name[:MAX_ID]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return name


def _override(values: Mapping[str, Any], column: str | None, check: Callable[[str], str]) -> str | None:
    value = values.get(column) if column else None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"`{column}` is {_type_name(value)}, not a string")
    return check(valid_unicode(value)[0])


def _language(value: str) -> str:
    # BCP 47 tags and locales begin with the language code: tr-TR, tr_TR.UTF-8.
    code = re.split(r"[-_.]", value.strip().lower())[0]
    if not re.match(LANGUAGE, code):
        raise ValueError(f"`{mask(value)[0][:40]}` is no language code (`lang_column: null` leaves the column alone)")
    return code


def _string(values: Mapping[str, Any], column: str | None) -> str | None:
    value = values.get(column) if column else None
    return valid_unicode(value)[0] if isinstance(value, str) and value else None


def _plain(value: object) -> object:
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return valid_unicode(str(value))[0]


def _type_name(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def grouped(events: Iterable[Record | Skip], size: int) -> Iterator[Record | Skip]:
    """Join `size` consecutive records at a time with line feeds; skipped entries are passed through.

    A group has one file, licence and language. Its id has the rows of its first and last record.
    """
    pending: list[Record] = []

    def joined() -> Iterator[Record]:
        if pending:
            first, last = pending[0], pending[-1]
            rows = f"{first.row}-{last.row}"
            text = "\n".join(record.text for record in pending)
            meta = {"records": len(pending), **_shared(pending)}
            yield Record(first.file, text, None, rows, None, None, first.license, first.lang, meta)
            pending.clear()

    for event in events:
        if isinstance(event, Skip) or not event.text or event.text.isspace():
            yield event
            continue
        if pending and _group_key(event) != _group_key(pending[0]):
            yield from joined()
        pending.append(event)
        if len(pending) == size:
            yield from joined()
    yield from joined()


def _shared(records: list[Record]) -> dict[str, Any]:
    # Only what decoding reports holds for the group; the columns of one record say nothing about the others.
    encodings = sorted({record.meta["encoding"] for record in records if "encoding" in record.meta})
    replaced = sum(record.meta.get("replaced_surrogates", 0) for record in records)
    return (encoding_meta(" ".join(encodings)) if encodings else {}) | (
        {"replaced_surrogates": replaced} if replaced else {}
    )


def _group_key(record: Record) -> tuple[str, str | None, str | None]:
    return record.file, record.license, record.lang
