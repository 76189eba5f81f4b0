"""The shard cache: a stage that makes one file from each part makes it once, however often the stage runs.

The key of an entry covers all that its file depends on: the digest of the input part, the params, the digest of the
code, the versions of what is installed, and the function's name. The number of the part in its dataset is not in it, so
a corpus that grows by one part costs one part. An entry is one file:

    SHA-256 of all that follows, in hexadecimal, and a line feed
    {"rows", "counts"} of the part as JSON, and a line feed
    the bytes of the part

It is written under a temporary name and renamed, and used only if its digest is right; a damaged one is reported,
deleted and made again. It is copied to the output and never linked, so editing an output cannot change the cache.
Several runs may share a folder at the same time: they write the same bytes, and where one run's tidying deletes an
entry, another run computes it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from elek.dataset import Part, sha256_file, whole_file
from elek.errors import DataError

CHUNK = 1 << 20
ABANDONED_SECONDS = 3600.0
"""Age at which a temporary file belongs to a writer that was killed."""
TIDY_EVERY = 16
"""One write in this many, chosen by the entry's key, checks whether the cache has become too large."""


class PartTask(Protocol):
    """The least that a task has: the file to read, and the folder and number of the file to write."""

    @property
    def source(self) -> Path: ...
    @property
    def out(self) -> Path: ...
    @property
    def index(self) -> int: ...


@dataclass(frozen=True)
class CachedTask:
    """A call of `function(task)`, which writes the file `name` into `task.out` and returns its Part."""

    function: Callable[[Any], Part]
    task: PartTask
    name: str
    digest: str
    """SHA-256 that `task.source` must have."""
    key: str
    folder: Path | None
    """Folder of the entries; None switches the cache off."""
    limit: int
    """Bytes that the entries of all stages may take together."""


@dataclass(frozen=True)
class Outcome:
    """The part, whether it came from the cache, and a warning where the cache could not be used as it should."""

    part: Part
    hit: bool
    warning: str = ""


def key(function: Callable[..., Any], digest: str, code: str, params: object) -> str:
    """The name of an entry. `params` is whatever JSON can write; `code` the digest of what `function` runs."""
    parts = [function.__qualname__, digest, code, environment(), params]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def code_digest(files: Iterable[Path], root: Path) -> str:
    """SHA-256 over names (below `root`) and contents of source files."""
    lines = (f"{sha256_file(file)}  {file.relative_to(root).as_posix()}\n" for file in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def environment() -> str:
    """Digest of the version of Python and of every installed package: a new ftfy, for example, may clean differently.

    Reads the names of the packages' folders and opens none. Cautious on purpose: installing an unrelated package
    costs one recomputation.
    """
    found: set[str] = set()
    for path in map(Path, sys.path):
        if path.is_dir():
            found.update(entry.name for pattern in ("*.dist-info", "*.egg-info") for entry in path.glob(pattern))
    return hashlib.sha256("\n".join([sys.version, *sorted(found)]).encode()).hexdigest()


def cached_part(job: CachedTask) -> Outcome:
    """The part from the cache, or made and put there. Raises DataError where the input was altered."""
    if sha256_file(job.task.source) != job.digest:
        raise DataError(
            "the part does not have the SHA-256 that its manifest says",
            where=str(job.task.source),
            fix="delete the folder and run `dvc repro`",
        )
    if job.folder is None:
        return Outcome(job.function(job.task), hit=False)
    entry = job.folder / job.key[:2] / job.key
    found, warning = _take(entry, job.task.out / job.name)
    if found is not None:
        return Outcome(found, hit=True)
    part = job.function(job.task)
    if part.name != job.name:
        raise RuntimeError(f"{job.function.__qualname__} wrote {part.name}, not {job.name}")
    if part.bytes <= job.limit:
        warning += _put(entry, job.task.out / job.name, part)
        if int(job.key[:8], 16) % TIDY_EVERY == 0:
            tidy(job.folder.parent, job.limit)
    return Outcome(part, hit=False, warning=warning)


def _take(entry: Path, target: Path) -> tuple[Part | None, str]:
    """Copy an entry to `target`: its part, or None and, where the entry was there and damaged, a warning."""
    try:
        file = entry.open("rb")
    except OSError:  # it does not exist, or cannot be read
        return None, ""
    try:
        with file, whole_file(target) as temporary:
            part = _copy_out(file, temporary, target.name)
            if part is None:
                raise _DamagedError
    except _DamagedError:
        with contextlib.suppress(OSError):
            entry.unlink()
        return None, f"a damaged entry of the cache was computed again: {entry.name[:12]}"
    with contextlib.suppress(OSError):  # another run has tidied it away, or the folder is read-only
        os.utime(entry)
    return part, ""


class _DamagedError(Exception):
    """The entry does not have its digest."""


def _copy_out(file: BinaryIO, target: Path, name: str) -> Part | None:
    """Copy the part in an entry to `target`; None where the digest is wrong."""
    promised = file.readline(80)
    head = file.readline(CHUNK)
    whole, own, size = hashlib.sha256(head), hashlib.sha256(), 0
    with target.open("wb") as out:
        while chunk := file.read(CHUNK):
            whole.update(chunk)
            own.update(chunk)
            size += len(chunk)
            out.write(chunk)
    if promised != whole.hexdigest().encode() + b"\n":
        return None
    facts = json.loads(head)
    return Part(name, facts["rows"], size, own.hexdigest(), facts["counts"])


def _put(entry: Path, source: Path, part: Part) -> str:
    """Store a part. Returns a warning, and raises nothing, where the cache cannot be written to."""
    head = json.dumps({"rows": part.rows, "counts": dict(part.counts)}).encode() + b"\n"
    digest = hashlib.sha256(head)
    temporary = entry.with_name(f".{entry.name}.{secrets.token_hex(4)}.tmp")
    try:
        with source.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        entry.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as file, temporary.open("wb") as out:
            out.write(digest.hexdigest().encode() + b"\n" + head)
            shutil.copyfileobj(file, out, CHUNK)
        temporary.replace(entry)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        return f"the shard cache could not be written: {error.strerror or error}"
    return ""


def tidy(root: Path, limit: int) -> None:
    """Delete what was used longest ago until all entries below `root` take at most `limit` bytes."""
    entries, total = [], 0
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if not name.startswith("."):
                    entries.append((status.st_mtime_ns, name, status.st_size, path))
                    total += status.st_size
                elif time.time() - status.st_mtime > ABANDONED_SECONDS:
                    path.unlink()
    for _, _, size, path in sorted(entries):
        if total <= limit:
            break
        with contextlib.suppress(OSError):  # already gone, or open on Windows: left for the next time
            path.unlink()
        total -= size
