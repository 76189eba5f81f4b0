"""Decode bytes to text. Nothing is lost silently: bytes that do not decode and incomplete files raise an error."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

import zstandard

from elek.sources.files import File

MAX_TEXT = 512 * 2**20
"""Most bytes of a line or of a text file."""

CHUNK = 2**20
_MARKS = (  # UTF-32 first, because its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:\-]+)", re.IGNORECASE)
# The encodings of the web by their names in Python, and the encodings that browsers use for them (WHATWG Encoding
# Standard, section 4.2). Other codecs of Python that a page may name (`undefined`, `punycode`) are ignored.
_WEB = {
    **{f"iso8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"cp{page}": f"cp{page}" for page in (866, 874, *range(1250, 1259))},
    **{name: name for name in ("koi8-r", "koi8-u", "mac-roman", "mac-cyrillic")},
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
    **dict.fromkeys(("iso8859-11", "tis-620"), "cp874"),
    "iso8859-9": "cp1254",
    **{name: name for name in ("utf-8", "utf-16-le", "utf-16-be", "euc_jp", "iso2022_jp")},
    "utf-16": "utf-16-le",
    **dict.fromkeys(("gb2312", "gbk", "gb18030"), "gb18030"),
    **dict.fromkeys(("big5", "big5hkscs"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "cp932"), "cp932"),
    **dict.fromkeys(("euc_kr", "cp949"), "cp949"),
}
_SPELLINGS = {"x-sjis": "cp932", "windows-31j": "cp932", "windows-949": "cp949", "windows-874": "cp874"} | {
    "x-mac-cyrillic": "mac-cyrillic",
    "iso-8859-8-i": "iso8859-8",
}


class Unreadable(Exception):  # noqa: N818  (a message for the list of what was skipped, not an error of the run)
    """Why a file or a line is skipped."""


def compression(name: str) -> str:
    """`.gz` or `.zst` if the name ends so, otherwise empty."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in (".gz", ".zst") else ""


def open_binary(file: File) -> BinaryIO:
    """The uncompressed bytes of `file`. Call `check_whole` first, as an incomplete zst file ends without an error."""
    kind = compression(file.name)
    if kind == ".gz":
        return io.BufferedReader(gzip.open(file.path, "rb"), CHUNK)
    if kind == ".zst":
        # `zstd --long=31`, with which large public dumps are compressed, uses windows of 2 GiB.
        reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(
            file.path.open("rb"), read_across_frames=True
        )
        return io.BufferedReader(reader, CHUNK)
    return file.path.open("rb")


def check_whole(file: File) -> int:
    """The number of uncompressed bytes. Raises Unreadable where a compressed file is incomplete or damaged.

    A compressed file is decompressed once more for this. In return no document of an incomplete file is used, and
    memory stays small.
    """
    if not compression(file.name):
        return file.path.stat().st_size
    size = 0
    try:
        if compression(file.name) == ".zst":
            with file.path.open("rb") as packed:
                check_frames(packed)
        with open_binary(file) as stream:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
    except EOFError:
        raise Unreadable("the compressed file is cut off") from None
    except (OSError, zlib.error, zstandard.ZstdError) as error:
        raise Unreadable(f"the compressed file is damaged: {_plain(error)}") from None
    return size


def check_frames(stream: BinaryIO) -> None:
    """Raise EOFError where Zstandard data ends within a frame, which the reader of `zstandard` does not notice, and
    ZstdError where something else than a frame stands.

    Reads only the headers of frames and blocks (RFC 8878, sections 3.1.1 and 3.1.2).
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)

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
        if magic != 0xFD2FB528:
            raise zstandard.ZstdError(f"no Zstandard frame begins at byte {start:,}")
        stream.seek(start)
        head = stream.read(18)  # the maximum length of a frame header
        stream.seek(start + zstandard.frame_header_size(head))
        last = False
        while not last:
            block = int.from_bytes(take(3), "little")
            last = bool(block & 1)
            run_length = (block >> 1) & 3 == 1  # an RLE block stores a single byte
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
    """Text and its encoding: that of the byte order mark, otherwise the first of `encodings` that fits.

    For HTML, the encoding that the page itself names is tried last. Raises Unreadable where none fits.
    """
    return _first(data, [*encodings, *(_declared(data) if html else ())], encodings[0])


def decode_answer(data: bytes, charset: str, encodings: Sequence[str], *, html: bool) -> tuple[str, str]:
    """The same for a response: byte order mark, the `charset` of its header, that of the page, then `encodings`.

    Many servers label UTF-8 pages with an old encoding by default, and such an encoding fits nearly any bytes. So UTF-8
    is tried before it, as text in another encoding is hardly ever valid UTF-8 by accident. The exceptions are encodings
    made of ASCII bytes. Raises Unreadable where none fits.
    """
    asked: list[str] = []
    for label in (web_encoding(charset), *(_declared(data) if html else ())):
        if label == "iso2022_jp" or (label in ("utf-16-le", "utf-16-be") and b"\0" in data):
            asked.append(label)
        elif label:
            asked += ["utf-8", label]
    return _first(data, [*asked, *encodings], encodings[0])


def web_encoding(label: str) -> str | None:
    """The name in Python of the encoding that `label` means on the web, or None."""
    label = label.strip().lower()
    try:
        return _WEB.get(codecs.lookup(_SPELLINGS.get(label, label)).name) if len(label) < 40 else None
    except (LookupError, ValueError):  # ValueError: a NUL in it
        return None


def _declared(page: bytes) -> Iterator[str]:
    if declared := _CHARSET.search(page[:4096]):
        encoding = web_encoding(declared[1].decode("ascii"))
        if encoding:  # the label was read as single bytes, so the page is not UTF-16 (HTML standard, section 13.2.3.2)
            yield "utf-8" if encoding.startswith("utf-16") else encoding


def _first(data: bytes, candidates: Sequence[str], otherwise: str) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data, encoding), encoding.removesuffix("-sig")
    for encoding in candidates:
        try:
            return data.decode(encoding), codecs.lookup(encoding).name
        except UnicodeDecodeError:
            continue
    return _strict(data, otherwise), otherwise


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = f" in line {data.count(10, 0, error.start) + 1}" if b"\n" in data else ""
        raise Unreadable(
            f"not {encoding.removesuffix('-sig').upper()}: byte 0x{data[error.start]:02x} at {error.start}{line} "
            "(`encodings`, or `--encoding`, can name another)"
        ) from None


def lines(file: File) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number and its line end; None stands for a line of more than MAX_TEXT bytes.

    Raises Unreadable for UTF-16 and UTF-32, whose lines cannot be split as bytes.
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
