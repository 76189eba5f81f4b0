"""Bytes to text, and never a silent loss: what does not decode, or comes from a torn file, is refused by name."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import zstandard

from elek.sources.files import File

MAX_TEXT = 512 * 2**20
"""Bytes of the longest line or text file that is read; more is no document."""

CHUNK = 2**20
_MARKS = (  # UTF-32 first: its mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:\-]+)", re.IGNORECASE)
# What browsers take these labels for (WHATWG Encoding Standard, section 4.2).
_WEB = {"iso-8859-9": "windows-1254", "iso-8859-1": "windows-1252", "latin1": "windows-1252", "ascii": "windows-1252"}


class Unreadable(Exception):  # noqa: N818  (a message for the list of what was skipped, not an error of the run)
    """Why a file or a line is skipped."""


def compression(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in (".gz", ".zst") else ""


def open_binary(file: File) -> BinaryIO:
    """The uncompressed bytes of `file`. Check `damage` first: a torn zst ends like a whole one."""
    kind = compression(file.name)
    if kind == ".gz":
        return io.BufferedReader(gzip.open(file.path, "rb"), CHUNK)
    if kind == ".zst":
        # Windows of 2 GiB are what `zstd --long=31` writes, as large public dumps are packed.
        reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(
            file.path.open("rb"), read_across_frames=True
        )
        return io.BufferedReader(reader, CHUNK)
    return file.path.open("rb")


def check_whole(file: File) -> None:
    """Read a compressed file once to its end. Raises Unreadable where it is torn or damaged.

    Costs a second decompression; in return not one document of a torn file gets in, and memory stays small.
    """
    if not compression(file.name):
        return
    try:
        if compression(file.name) == ".zst":
            _check_frames(file.path)
        with open_binary(file) as stream:
            while stream.read(CHUNK):
                pass
    except EOFError:
        raise Unreadable("the compressed file is cut off") from None
    except (OSError, zlib.error, zstandard.ZstdError) as error:
        raise Unreadable(f"the compressed file is damaged: {_plain(error)}") from None


def _check_frames(path: Path) -> None:
    """Raise EOFError where a Zstandard file ends within a frame, which zstandard's reader takes for its end.

    Only the headers of frames and blocks are looked at (RFC 8878, sections 3.1.1 and 3.1.2).
    """
    size = path.stat().st_size
    with path.open("rb") as stream:

        def take(count: int) -> bytes:
            data = stream.read(count)
            if len(data) < count:
                raise EOFError
            return data

        while stream.tell() < size:
            start = stream.tell()
            magic = int.from_bytes(take(4), "little")
            if magic >> 4 == 0x184D2A5:  # a skippable frame: only a length
                stream.seek(int.from_bytes(take(4), "little"), io.SEEK_CUR)
                continue
            stream.seek(start)
            head = stream.read(18)  # the longest header there is
            stream.seek(start + zstandard.frame_header_size(head))
            last = False
            while not last:
                block = int.from_bytes(take(3), "little")
                last = bool(block & 1)
                run_length = (block >> 1) & 3 == 1  # one byte stands for all of the block
                stream.seek(1 if run_length else block >> 3, io.SEEK_CUR)
            if zstandard.get_frame_parameters(head).has_checksum:
                take(4)
        if stream.tell() > size:
            raise EOFError


def _plain(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def read_all(file: File) -> bytes:
    """The whole file. Raises Unreadable where it is too large to be one text."""
    with open_binary(file) as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise Unreadable(f"larger than {MAX_TEXT:,} bytes")
    return data


def decode(data: bytes, encodings: Sequence[str], *, html: bool = False) -> tuple[str, str]:
    """Text and the encoding that it was in: by byte order mark, else the first of `encodings` that fits.

    In HTML the encoding that the page names of itself is tried last. Raises Unreadable where none fits.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data, encoding), encoding.removesuffix("-sig")
    candidates = list(encodings)
    if html and (declared := _CHARSET.search(data[:4096])):
        label = declared[1].decode("ascii").lower()
        candidates.append(_WEB.get(label, label))
    for encoding in candidates:
        try:
            return data.decode(encoding), codecs.lookup(encoding).name
        except UnicodeDecodeError:
            continue
        except LookupError:  # a page may claim anything
            continue
    return _strict(data, encodings[0]), encodings[0]


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"not {encoding.removesuffix('-sig').upper()}: byte 0x{data[error.start]:02x} at {error.start} "
            f"in line {line} (`encodings` can name another encoding)"
        ) from None


def lines(file: File) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number, its end kept; None stands for one of more than MAX_TEXT bytes.

    Raises Unreadable for UTF-16 and UTF-32, whose lines cannot be told apart by bytes.
    """
    with open_binary(file) as stream:
        number = 0
        while raw := stream.readline(MAX_TEXT + 1):
            number += 1
            if number == 1:
                for mark, encoding in _MARKS:
                    if raw.startswith(mark) and not encoding.startswith("utf-8"):
                        raise Unreadable(f"{encoding.upper()} in a format of lines: save it as UTF-8")
                raw = raw.removeprefix(codecs.BOM_UTF8)
            if len(raw) <= MAX_TEXT:
                yield number, raw
                continue
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(CHUNK)
            yield number, None


def decode_line(raw: bytes | None, encodings: Sequence[str]) -> tuple[str, str]:
    """One line without its end, and its encoding. Raises Unreadable."""
    if raw is None:
        raise Unreadable(f"a line of more than {MAX_TEXT:,} bytes")
    raw = raw.rstrip(b"\r\n")
    for encoding in encodings:
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return _strict(raw, encodings[0]), encodings[0]
