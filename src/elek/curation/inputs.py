"""The files to curate: found by name, by folder or by pattern, and called the same wherever one stands."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from elek.errors import ParamsError, SourceError, did_you_mean
from elek.sources.decoding import compression
from elek.sources.files import File, plain_name
from elek.sources.formats import EXTENSIONS

KIND = "elek curate"
"""What the manifest of our output says that it is."""

FORMATS = ("csv", "html", "jsonl", "md", "parquet", "txt", "warc")


def find_inputs(arguments: Sequence[str]) -> list[File]:
    """The files that arguments name, in their order: files, folders (all that is readable below), globs.

    A name is the path below the folder that all files share, so that it is the same wherever one stands. A link has
    its own name, not that of what it leads to (a cache's blob has no extension); one file is taken once. Raises
    SourceError where an argument finds nothing, ParamsError where a file's extension tells no format.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        for path in _expand(argument):
            found.setdefault(Path(os.path.realpath(path)), Path(os.path.abspath(path)))  # noqa: PTH100 - takes `..` out
    return [File(name, real) for name, real in zip(names(list(found.values())), found, strict=True)]


def names(paths: Sequence[Path]) -> list[str]:
    """Of every absolute path what comes below the folder that all share."""
    try:
        shared = Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # two drives of a Windows machine
        return [plain_name(path.as_posix()).replace(":", "", 1) for path in paths]
    return [plain_name(path.relative_to(shared).as_posix()) for path in paths]


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_file():
        format_of(path.name)
        return [path]
    if path.is_dir():
        # A pipe would be waited for; a link that leads nowhere stays, to be told.
        readable = sorted(f for f in _below(path) if _kind(f.name) in FORMATS and (f.is_file() or not f.exists()))
        if not readable:
            raise SourceError("the folder holds no file of a known format", where=argument, fix=_known())
        return readable
    # Windows' shells leave globs to programs.
    matches = glob.glob(argument, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    matching = sorted(path for path in map(Path, matches) if path.is_file())
    if not matching:
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = did_you_mean(path.name, names) if names else None
        raise SourceError("there is no such file", where=argument, fix=near)
    for match in matching:
        format_of(match.name)
    return matching


def _below(folder: Path) -> Iterator[Path]:
    """Files in a folder and those below it, without what is hidden and what an earlier `elek curate` wrote."""

    def refuse(error: OSError) -> None:
        why = error.strerror or type(error).__name__
        raise SourceError(f"the folder cannot be listed: {why}", where=plain_name(Path(error.filename).as_posix()))

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if name[0] != "." and not is_result(Path(parent, name))]
        yield from (Path(parent, name) for name in names if name[0] != ".")


def is_result(folder: Path) -> bool:
    """Whether `elek curate` wrote a folder."""
    try:
        return bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _kind(name: str) -> str | None:
    path = PurePosixPath(name)
    return EXTENSIONS.get((path.with_suffix("") if compression(name) else path).suffix.lower())


def format_of(name: str) -> str:
    """The one of FORMATS that a file's name tells. Raises ParamsError where it tells none."""
    kind = _kind(name)
    if kind not in FORMATS:
        raise ParamsError("the extension tells no format that can be curated", where=name, fix=_known())
    if kind == "parquet" and compression(name):
        raise ParamsError("parquet cannot be read from a compressed file", where=name, fix="decompress it")
    return kind


def _known() -> str:
    known = sorted(extension for extension, kind in EXTENSIONS.items() if kind in FORMATS)
    return f"known: {', '.join(known)}; all but .parquet also with .gz or .zst"
