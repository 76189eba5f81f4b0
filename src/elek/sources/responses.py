"""Parse an HTTP response as a crawler stored it: status, headers and body (RFC 9110, RFC 9112).

Some crawlers decode a page before they store it, but keep the headers that describe the encoding. So a body that is
labelled as chunked or gzip, but clearly is not, is used as it is.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass

import zstandard

from elek.sources.decoding import Unreadable, check_frames
from elek.sources.warc import named_fields

MAX_MEMBERS = 64
"""Most gzip members in one body. Servers send one, and each further one costs a copy of the rest."""

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?:[ \t\r\n]|\Z)", re.IGNORECASE)
_LINE_END = re.compile(rb"\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and headers. `size` is their length in bytes, including the empty line after them."""

    status: int
    headers: dict[str, str]
    """By name in lower case. Several with one name are joined by commas (RFC 9110, section 5.2)."""
    size: int


def parse_head(block: bytes) -> Head | None:
    """The head of the response at the beginning of `block`, or None if there is none."""
    status = _STATUS.match(block)
    if status is None:
        return None
    end = _EMPTY_LINE.search(block)
    if end is None and not block.endswith(b"\n"):
        return None
    size = end.end() if end else len(block)
    headers: dict[str, str] = {}
    for name, value in named_fields(block[: end.start() if end else size].decode("latin-1").partition("\n")[2]):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(int(status[1]), headers, size)


def media_type(value: str) -> tuple[str, str]:
    """Type and charset of a `Content-Type`, both in lower case and possibly empty."""
    kind, _, options = value.partition(";")
    charset = _CHARSET.search(options)
    return kind.partition(",")[0].strip().lower(), charset[1].lower() if charset else ""


def unpack_body(body: bytes, headers: dict[str, str], limit: int, *, torn: bool = False) -> bytes:
    """The decoded body: chunks joined, and decompressed. If it is `torn`, as much of it as there is.

    Raises Unreadable if it cannot be decoded or has more than `limit` bytes.
    """
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _joined(body, torn)
    codings = re.split(r"[\s,]+", headers.get("content-encoding", "").lower())
    for coding in reversed([name for name in codings if name not in ("", "identity")]):
        body = _decompressed(body, coding, limit, torn)
    return body


def _joined(body: bytes, torn: bool) -> bytes:
    size = _SIZE.match(body)
    if size is None:
        return body
    pieces = []
    while size is not None and int(size[1], 16):
        end = size.end() + int(size[1], 16)
        piece = body[size.end() : end]
        pieces.append(piece)
        after = _LINE_END.match(body, end)
        size = _SIZE.match(body, after.end()) if after else None
    if size is None and not torn:
        raise Unreadable("the chunks of the body break off or are damaged")
    return b"".join(pieces)


def _decompressed(body: bytes, coding: str, limit: int, torn: bool) -> bytes:
    coding = coding.removeprefix("x-")
    if not body or (coding == "gzip" and body[:2] != b"\x1f\x8b"):
        return body
    if coding == "gzip":
        return _inflated(body, 31, limit, torn)
    if coding == "deflate":  # by the standard in the format of zlib, but some servers send raw deflate
        zlib_form = body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflated(body, 15 if zlib_form else -15, limit, torn)
    if coding == "zstd":
        if body[:4] != zstandard.FRAME_HEADER:
            return body
        try:
            if not torn:
                check_frames(io.BytesIO(body))
            with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
                return _within(reader.read(limit + 1), limit)
        except EOFError:
            raise Unreadable("the body's compression breaks off") from None
        except zstandard.ZstdError as error:
            raise Unreadable(f"the body's compression is damaged: {error}") from None
    known = coding if re.fullmatch(r"[a-z0-9-]{1,16}", coding) else "another coding"
    raise Unreadable(f"the body is compressed by {known}, which is not read here")


def _inflated(body: bytes, wbits: int, limit: int, torn: bool) -> bytes:
    pieces: list[bytes] = []
    left = limit + 1
    while body and left > 0:
        if len(pieces) == MAX_MEMBERS:
            raise Unreadable(f"the body's compression has more than {MAX_MEMBERS} members")
        inflate = zlib.decompressobj(wbits=wbits)
        try:
            pieces.append(inflate.decompress(body, left))
        except zlib.error as error:
            raise Unreadable(f"the body's compression is damaged: {error}") from None
        left -= len(pieces[-1])
        if not inflate.eof and left > 0 and not torn:
            raise Unreadable("the body's compression breaks off")
        # A gzip body may have several members. Like browsers, ignore anything else after the last one.
        body = inflate.unused_data if wbits == 31 and inflate.unused_data[:2] == b"\x1f\x8b" else b""
    return _within(b"".join(pieces), limit)


def _within(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise Unreadable(f"the body unpacks to more than {limit:,} bytes")
    return data
