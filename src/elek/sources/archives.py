"""Read wheels and sdists as archives; nothing in them is ever installed, built or run.

Archives are not trusted. Only the wanted members are read. Each is written to a file with a number as its name, so no
member can choose its path; links are not followed; and the extracted bytes are counted, so a small archive cannot fill
the disk.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from elek.errors import SourceError
from elek.sources.files import File, plain_name
from elek.sources.records import Skip

MAX_EXTRACTED = 4 * 2**30
"""Upper limit of the bytes extracted from one archive."""

CHUNK = 2**20
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, ValueError),
)


class _Member(NamedTuple):
    name: str
    is_file: bool
    open: Callable[[], IO[bytes]]


def extract(
    archive: Path, into: Path, want: Callable[[str], bool], *, strip_root: bool, limit: int = MAX_EXTRACTED
) -> tuple[list[File], list[Skip], list[str]]:
    """Write the members that `want(name)` accepts to numbered files in `into`.

    `strip_root` removes the first folder of each name (an sdist keeps everything in `name-version/`).
    Returns the files sorted by name, the refused members with reasons, and the names that were not wanted.
    Raises SourceError for a damaged archive, or one that unpacks to more than `limit` bytes.
    """
    files: list[File] = []
    skipped: list[Skip] = []
    others: list[str] = []
    total = 0
    try:
        with _members(archive) as members:
            for member in members:
                inside = member.name.partition("/")[2] if strip_root else member.name
                name = plain_name(inside)
                if not name or not want(name):
                    others.append(name)
                    continue
                if not _is_safe(inside):
                    skipped.append(Skip(name, None, "the archive gives this member an unsafe path"))
                    continue
                if not member.is_file:
                    skipped.append(Skip(name, None, "a link or a special file inside the archive"))
                    continue
                path = into / f"{len(files):06d}"
                with member.open() as source, path.open("wb") as target:
                    while chunk := source.read(CHUNK):
                        total += len(chunk)
                        if total > limit:
                            raise _too_large(archive, limit)
                        target.write(chunk)
                files.append(File(name, path))
    except _DAMAGED as error:
        # Errors of gzip, bz2 and lzma have no number; EINVAL is an offset before the beginning of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # an error of the disk, not of the archive
        raise SourceError(
            f"the archive is damaged: {error}", where=archive.name, fix="pin another file of this package"
        ) from None
    return sorted(files, key=lambda file: file.name), skipped, [name for name in others if name]


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    if not path.parts:  # `.`
        return False
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in path.parts[0]


def _too_large(archive: Path, limit: int) -> SourceError:
    return SourceError(
        f"the archive unpacks to more than {limit:,} bytes", where=archive.name, fix="narrow `files` to what is needed"
    )


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield _zip_members(zipped)
    else:
        # As a stream, "r|": members are read in their order in the file, and only once. tarfile does not decompress,
        # because it would not notice that a compressed file is cut off.
        with _uncompressed(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tarred:
            yield _tar_members(tarred, archive)


def _uncompressed(archive: Path) -> IO[bytes]:
    match archive.suffix:
        case ".gz" | ".tgz":
            return cast(IO[bytes], gzip.open(archive))
        case ".bz2":
            return bz2.open(archive)
        case ".xz":
            return lzma.open(archive)
    return archive.open("rb")


def _zip_members(zipped: zipfile.ZipFile) -> Iterator[_Member]:
    for info in zipped.infolist():
        if not info.is_dir():
            mode = info.external_attr >> 16 & 0o170000
            # Mode 0: written on a system without modes. Anything but a regular file is a link or a device.
            yield _Member(info.filename, mode in (0, 0o100000), partial(zipped.open, info))


def _tar_members(tarred: tarfile.TarFile, archive: Path) -> Iterator[_Member]:
    total = 0
    for info in tarred:
        total += info.size
        if total > 4 * MAX_EXTRACTED:  # unwanted members cost time as well
            raise _too_large(archive, 4 * MAX_EXTRACTED)
        if not info.isdir():
            yield _Member(info.name, info.isreg(), partial(_tar_open, tarred, info))


def _tar_open(tarred: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    opened = tarred.extractfile(info)
    if opened is None:
        raise tarfile.TarError(f"{info.name} cannot be read")
    return opened
