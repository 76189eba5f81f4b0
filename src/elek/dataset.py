"""Dataset folders: documents, or columns that belong to them, either complete or absent.

A dataset is a folder of `part-00000.parquet`, `part-00001.parquet`… of bounded size and a `_manifest.json` that
is written last: rows, bytes and SHA-256 of each part, and the digests of the datasets that it was made from.
A writer that is killed leaves a temporary folder whose name begins with a dot, and never one that looks complete.

Part n of `annotate`, `filter` and `dedup` has the same rows in the same order as part n of `clean`, so a
decision is a column and never a copy of text.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from elek.errors import DataError

SCHEMA_VERSION = 1
MANIFEST = "_manifest.json"
"""Begins with an underscore, because pyarrow, pandas and Spark skip such names when they read a folder as a table."""

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),  # SPDX expression
        pa.field("lang", pa.string(), nullable=False),  # ISO 639-1, as declared
        pa.field("url", pa.string(), nullable=False),
        pa.field("meta", pa.string(), nullable=False),  # JSON object
    ]
)
"""The columns of a document, from `fetch` on. `id` is the same on every run and machine."""

OPT_OUT = "opt_out"
"""The key of `meta` for reservations against text and data mining outside the text: a list of strings."""

LICENCE_LINKS = "licence_links"
"""The key of `meta` for licences that the markup of a page or its server states: a list of addresses or names."""

DECISION = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("entered", pa.bool_(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field(
            "failures",
            pa.list_(
                pa.struct(
                    [
                        pa.field("rule", pa.string()),
                        pa.field("value", pa.float64()),
                        pa.field("threshold", pa.float64()),
                        pa.field("evidence", pa.string()),
                    ]
                )
            ),
            nullable=False,
        ),
    ]
)
"""The decision of `filter`, `dedup` or `split` on every row of `clean`.

`entered` is false where an earlier stage dropped the document; `kept` implies `entered`. `failures` names every failing
rule (`ruleset.rule`), and the first one is the reason. `value` and `threshold` are null where the rule compares no
numbers; `evidence` then says what it found.
"""


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a small text file whole or not at all, with LF line ends on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """Write JSON in the one form that Elek writes: sorted keys, two spaces, non-ASCII letters as they are."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n")


@dataclass(frozen=True)
class Part:
    """One file of a dataset. `counts` are figures that are added up over all parts (PII masked, …)."""

    name: str
    rows: int
    bytes: int
    sha256: str
    counts: Mapping[str, int] = field(default_factory=dict)


def part_name(index: int) -> str:
    return f"part-{index:05d}.parquet"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which becomes `path` when the block ends without an error.

    Two processes may write the same file at once, for example where a cluster took a slow worker for a dead one.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_part(
    folder: Path, index: int, table: pa.Table, counts: Mapping[str, int] | None = None, *, passing: bool = False
) -> Part:
    """Write one part, with a checksum on every page; the same table gives the same bytes.

    A `passing` part, which the same run reads and deletes, is not compressed, which takes an eighth of the time.
    """
    path = folder / part_name(index)
    packing: dict[str, Any] = {"compression": "zstd", "compression_level": 3}
    if passing:
        packing = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, store_schema=True, write_page_checksum=True, **packing)
    return Part(path.name, table.num_rows, path.stat().st_size, sha256_file(path), dict(counts or {}))


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target`, which takes its place when the block ends without an error.

    Temporary folders of ended processes are removed. If two processes write the same folder, the last one wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        if not _alive(stale):
            shutil.rmtree(stale)
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    temporary.mkdir()
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if target.exists():
        shutil.rmtree(target)
    temporary.rename(target)


def _alive(temporary: Path) -> bool:
    """Whether another process, whose id is in the name of the temporary folder, is still running."""
    import psutil

    number = temporary.name.split(".")[-2]
    return number.isdecimal() and int(number) != os.getpid() and psutil.pid_exists(int(number))


def write_manifest(
    folder: Path,
    parts: Sequence[Part],
    *,
    parents: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Dataset:
    """Declare `parts` a complete dataset. `parents` maps a name to the digest of what it was made from."""
    for debris in folder.glob(".*.tmp"):  # left by workers that were killed
        debris.unlink()
    counts: dict[str, int] = {}
    for part in parts:
        for key, value in part.counts.items():
            counts[key] = counts.get(key, 0) + value
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "rows": sum(part.rows for part in parts),
        "bytes": sum(part.bytes for part in parts),
        "counts": counts,
        "parts": [asdict(part) for part in parts],
        "parents": dict(parents or {}),
        **(extra or {}),
    }
    write_json(folder / MANIFEST, manifest)
    return Dataset(folder)


class Dataset:
    """A dataset folder opened for reading.

    Raises DataError where the manifest is missing (the dataset is incomplete) or of another schema version, or where a
    part is missing or has another size. `verify()` reads every byte.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest, self.parts = _read_manifest(folder / MANIFEST)
        for part in self.parts:
            file = folder / part.name
            if not file.is_file() or file.stat().st_size != part.bytes:
                raise DataError(
                    f"{part.name} is missing or not of {part.bytes} bytes",
                    where=str(folder),
                    fix="run `dvc repro`",
                )

    def __len__(self) -> int:
        return int(self.manifest["rows"])

    @property
    def counts(self) -> dict[str, int]:
        """The counts of all parts, added up."""
        return dict(self.manifest["counts"])

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the parts, independent of the folder's name."""
        return hashlib.sha256("".join(part.sha256 for part in self.parts).encode()).hexdigest()

    def path(self, index: int) -> Path:
        return self.folder / self.parts[index].name

    def read(self, index: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Part `index`, whole or only `columns`."""
        return read_part(self.path(index), columns)

    def read_all(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All parts as one table. Only for small columns."""
        tables = [self.read(index, columns) for index in range(len(self.parts))]
        if not tables:
            raise DataError("the dataset has no parts", where=str(self.folder))
        return pa.concat_tables(tables)

    def followed_by(self, *others: Dataset) -> Dataset:
        """The rows of this one and then of the others, as one dataset; no file is copied."""
        whole = copy(self)  # an absolute name is found in whatever folder
        whole.parts = self.parts + [replace(p, name=str(d.path(i))) for d in others for i, p in enumerate(d.parts)]
        whole.manifest = {**self.manifest, "rows": sum(part.rows for part in whole.parts)}
        return whole

    def verify(self) -> None:
        """Read every byte. Raises DataError where a part does not have its SHA-256."""
        for part in self.parts:
            if sha256_file(self.folder / part.name) != part.sha256:
                raise DataError(
                    f"{part.name} does not have the SHA-256 that its manifest says",
                    where=str(self.folder),
                    fix="delete the folder and run `dvc repro`",
                )


def _read_manifest(path: Path) -> tuple[dict[str, Any], list[Part]]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
        if version == SCHEMA_VERSION:
            return manifest, [Part(**part) for part in manifest["parts"]]
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"this is no complete dataset: {path.name} is missing",
            where=str(path.parent),
            fix="run `dvc repro`, which rebuilds what is missing",
        ) from None
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{path.name} is damaged: {error}", where=str(path), fix="run `dvc repro`") from None
    raise DataError(f"schema version {version}, and this Elek reads {SCHEMA_VERSION}", where=str(path))


def read_part(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """One Parquet file as a table.

    Raises DataError where it is not a readable Parquet file, lacks a column, or has a page with a wrong checksum.
    """
    try:
        # Not pq.read_table, which imports pyarrow.dataset and pandas and so takes a quarter of a second.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if columns is None:
                return file.read()
            missing = sorted(set(columns) - set(file.schema_arrow.names))
            if missing:
                raise pa.ArrowInvalid(f"no column {', '.join(missing)}")
            return file.read(list(columns)).select(list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name in the footer that is not UTF-8
        raise DataError(f"unreadable: {error}", where=str(path), fix="delete it and run `dvc repro`") from None
