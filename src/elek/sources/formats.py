"""Choose the reader for a file by its format, which params or the extension give, and handle errors common to all.

A text file that is empty, incomplete or in another encoding is skipped as a whole; a broken line or page is skipped
alone. A damaged database (parquet, sqlite, xml) and a missing column raise an error, because params or the source must
be corrected.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from elek.errors import ParamsError, SourceError
from elek.sources.crawls import read_warc
from elek.sources.decoding import Unreadable, check_whole, compression
from elek.sources.files import File
from elek.sources.params import UNGROUPED, FileOptions
from elek.sources.records import Events, Skip, grouped
from elek.sources.tables import read_csv, read_jsonl, read_parquet, read_sqlite
from elek.sources.texts import read_conllu, read_html, read_lines, read_text, read_xml

EXTENSIONS: Mapping[str, str] = {
    **dict.fromkeys((".txt", ".text", ".rst"), "txt"),
    **dict.fromkeys((".md", ".markdown"), "md"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), "sqlite"),
    **dict.fromkeys((".warc", ".wet"), "warc"),
    ".parquet": "parquet",
    ".xml": "xml",
    ".conllu": "conllu",
}
READERS: Mapping[str, Callable[[File, FileOptions], Events]] = {
    "txt": read_text,
    "md": read_text,
    "html": read_html,
    "lines": read_lines,
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
    "sqlite": read_sqlite,
    "xml": read_xml,
    "conllu": read_conllu,
    "warc": read_warc,
}
RANDOM_ACCESS = frozenset({"parquet", "sqlite"})


def read_file(file: File, source: FileOptions) -> Events:
    """Everything in one file. Raises SourceError or ParamsError; what can be skipped is a Skip among the records."""
    kind = format_of(file, source)
    if problem := _problem(file):
        yield Skip(file.name, None, problem)
        return
    try:
        if kind != "warc":  # whose own reader reports where it is incomplete
            check_whole(file)
        events = READERS[kind](file, source)
        if source.group > 1:
            if kind in UNGROUPED:
                raise ParamsError(f"`group` joins records of a file, and {UNGROUPED[kind]}", where=file.name)
            events = grouped(events, source.group)
        yield from events
    except Unreadable as reason:  # only raised before the first record
        yield Skip(file.name, None, str(reason))
    except OSError as error:
        # Some of its records may have been used already, and half a file must not pass for a complete one.
        raise SourceError(f"reading broke off: {error.strerror or type(error).__name__}", where=file.name) from None


def _problem(file: File) -> str:
    """Why a file cannot be read at all, or empty."""
    try:
        if not stat.S_ISREG(file.path.stat().st_mode):  # opening a pipe would wait for its writer
            return "no file, but a pipe, a socket or a device"
        with file.path.open("rb") as stream:
            return "" if stream.read(1) else "the file is empty"
    except OSError as error:
        return f"cannot be opened: {error.strerror or type(error).__name__}"


def format_of(file: File, source: FileOptions) -> str:
    """The format by params or extension. Raises ParamsError where it is unknown or needs an option that is not set."""
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
