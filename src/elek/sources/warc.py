"""Read the records of a WARC file one after the other.

WARC is ISO 28500:2017 (versions 1.0 and 1.1; 0.17 and 0.18 have the same form). A record is a version line, named
fields, an empty line, a block of `Content-Length` bytes, and two empty lines. Only the requested bytes of a block are
in memory.

After a damaged record it is unknown where the next one begins. So the whole file is refused, and the error names the
position: for `.gz`, the byte at which the gzip member begins, as in an index (CDX).
"""

from __future__ import annotations

import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import zstandard

from elek.sources.decoding import CHUNK, Unreadable, check_frames, compression, open_binary
from elek.sources.files import File

MAX_HEAD = 2**20
"""Most bytes of the fields of a record. In crawls, they have a few kilobytes, mostly for the address."""

READ_AHEAD = 2**16
"""Bytes of content that may be read ahead of a call of `start_of`."""

_VERSION = re.compile(rb"WARC/(?:0\.1[78]|1\.\d)\s*\Z")
_LENGTH = re.compile(r"[0-9]{1,18}\Z")
_DICTIONARY = 0x184D2A5D
"""A skippable frame with a dictionary for all later frames ("Zstandard compression for WARC files", IIPC, 2020)."""


class WarcRecord:
    """One record. The rest of its block is skipped when the next record is read.

    `number` is its number in the file, from 1; `where` adds its position, for error messages. `head` is its bytes
    before the block, `fields` the values in it by names in lower case, the first for each name.
    """

    def __init__(self, number: int, where: str, head: bytes, fields: Mapping[str, str], stream: BinaryIO) -> None:
        self.number, self.where, self.head, self.fields = number, where, head, fields
        self.length = int(fields["content-length"])
        self.type = fields.get("warc-type", "").lower()
        self.url = fields.get("warc-target-uri", "").strip("<> ")
        self._stream, self._left = stream, self.length

    def read(self, size: int) -> bytes:
        """The next bytes of the block, at most `size`. Raises Unreadable where the file ends within them."""
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        if len(data) < size and self._left:
            raise Unreadable(
                f"{self.where} is cut off: of its {self.length:,} bytes the last {self._left:,} are missing"
            )
        return data

    def chunks(self) -> Iterator[bytes]:
        """The rest of the block."""
        while self._left:
            yield self.read(CHUNK)


def read_records(file: File) -> Iterator[WarcRecord]:
    """Every record. Raises Unreadable, with the position, where the file is incomplete or damaged."""
    try:
        with _opened(file) as (stream, place):
            yield from _records(stream, place)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Unreadable(f"the compressed file is damaged: {error}") from None


def _records(stream: BinaryIO, place: Callable[[int], str]) -> Iterator[WarcRecord]:
    number = 0
    at = 0
    while line := stream.readline(MAX_HEAD):
        if line in (b"\r\n", b"\n"):  # two of them end the record before
            at += len(line)
            continue
        number += 1
        where = f"record {number:,} ({place(at)})"
        if not line.endswith(b"\n") and line[:5] == b"WARC/"[: len(line)]:
            raise Unreadable(f"{where} is cut off within its fields")
        if not _VERSION.match(line):
            before = f", or record {number - 1:,} is not as long as its Content-Length says" if number > 1 else ""
            raise Unreadable(f"{where} is no WARC record{before}")
        record = _record(number, where, line, stream)
        yield record
        for _ in record.chunks():
            pass
        at += len(record.head) + record.length


def _record(number: int, where: str, version: bytes, stream: BinaryIO) -> WarcRecord:
    lines = [version]
    size = len(version)
    while (line := stream.readline(MAX_HEAD)) not in (b"\r\n", b"\n"):
        size += len(line)
        if size > MAX_HEAD:
            raise Unreadable(f"{where} has more than {MAX_HEAD:,} bytes of fields")
        if not line.endswith(b"\n"):
            raise Unreadable(f"{where} is cut off within its fields")
        lines.append(line)
    fields: dict[str, str] = {}
    for name, value in named_fields(b"".join(lines[1:]).decode("utf-8", "replace")):
        fields.setdefault(name, value)
    if not _LENGTH.match(fields.get("content-length", "")):
        raise Unreadable(f"{where} has no Content-Length that is a number")
    return WarcRecord(number, where, b"".join([*lines, line]), fields, stream)


def named_fields(head: str) -> Iterator[tuple[str, str]]:
    """Names in lower case and values of lines `Name: value`, as in WARC and HTTP.

    A line that begins with a space continues the one before.
    """
    for line in re.sub(r"\r?\n[ \t]+", " ", head).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


@contextmanager
def _opened(file: File) -> Iterator[tuple[BinaryIO, Callable[[int], str]]]:
    """The uncompressed bytes, and a function that describes the position of one of them."""
    kind = compression(file.name)
    if kind == ".gz":
        with file.path.open("rb") as packed:
            members = GzipMembers(packed)
            with io.BufferedReader(members, READ_AHEAD) as stream:
                yield stream, lambda at: f"in the gzip member at byte {members.start_of(at):,}"
        return
    if kind == ".zst":
        _check_zstandard(file)
    with open_binary(file) as stream:
        yield stream, lambda at: f"at byte {at:,}{' of what is compressed' if kind else ''}"


def _check_zstandard(file: File) -> None:
    with file.path.open("rb") as stream:
        head = stream.read(18)
    dictionary = int.from_bytes(head[:4], "little") == _DICTIONARY
    if dictionary or (head[:4] == zstandard.FRAME_HEADER and zstandard.get_frame_parameters(head).dict_id):
        raise Unreadable("compressed with a dictionary, which is not read here: repack it with `zstd` without one")
    try:
        with file.path.open("rb") as stream:
            check_frames(stream)
    except EOFError:
        raise Unreadable("the compressed file is cut off") from None


class GzipMembers(io.RawIOBase):
    """The uncompressed content of a gzip file (RFC 1952) and the position of each member. Raises Unreadable."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._pending = b""
        self._inflate = zlib.decompressobj(wbits=31)
        self._inside = False
        self._taken = self._given = 0
        self._starts: deque[tuple[int, int]] = deque(maxlen=2 * READ_AHEAD)  # of members that are not empty

    def start_of(self, at: int) -> int:
        """The position in the file of the member with byte `at` of the content. Calls must not go back."""
        while len(self._starts) > 1 and self._starts[1][0] <= at:
            self._starts.popleft()
        return self._starts[0][1] if self._starts else 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while self._inside or self._begin():
            if not self._pending and not self._fill():
                raise Unreadable(f"the gzip member at byte {self._starts[-1][1]:,} is cut off")
            before = len(self._pending)
            try:
                data = self._inflate.decompress(self._pending, len(buffer))
            except zlib.error as error:
                start = self._starts[-1][1]
                raise Unreadable(f"the gzip member at byte {start:,} is damaged: {error}") from None
            self._pending = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            self._taken += before - len(self._pending)
            self._inside = not self._inflate.eof
            if data:
                buffer[: len(data)] = data
                self._given += len(data)
                return len(data)
        return 0

    def _begin(self) -> bool:
        """Go to the next member; returns whether there is one. As in `gzip`, zeros after the last are padding."""
        while self._pending or self._fill():
            rest = self._pending.lstrip(b"\0") if self._starts else self._pending
            self._taken += len(self._pending) - len(rest)
            self._pending = rest
            if rest:
                if len(rest) == 1 and not self._fill() and rest == b"\x1f":
                    raise Unreadable(f"the gzip member at byte {self._taken:,} is cut off")
                if self._pending[:2] != b"\x1f\x8b":
                    raise Unreadable(f"no gzip member begins at byte {self._taken:,}")
                if self._starts and self._starts[-1][0] == self._given:  # the one before was empty
                    self._starts.pop()
                self._starts.append((self._given, self._taken))
                self._inflate = zlib.decompressobj(wbits=31)
                return True
        return False

    def _fill(self) -> bool:
        more = self._packed.read(2**16)
        self._pending += more
        return bool(more)
