"""HTTP as crawlers store it: heads, chunks, compressed bodies, and bombs."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.sources.decoding import Unreadable
from elek.sources.responses import media_type, parse_head, unpack_body

TEXT = b"text of a page " * 20
CHUNKED = {"transfer-encoding": "chunked"}


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same bytes, and so the same names of tests, in every process


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def test_heads() -> None:
    """Names in any case, repeated headers joined, folded lines, LF for CRLF; what is no response is none."""
    block = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nLong: a\r\n  b\r\nnonsense\r\n\r\nbody"
    head = parse_head(block)
    assert head is not None
    assert (head.status, head.headers) == (200, {"x-a": "1, 2", "long": "a b"})
    assert block[head.size :] == b"body"
    for none in (b"", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nCut: of"):
        assert parse_head(none) is None
    assert parse_head(b"HTTP/2 404\nA: b\n\n").status == 404  # type: ignore[union-attr]
    assert parse_head(b"HTTP/1.1 204 No Content\r\n").size == 25  # type: ignore[union-attr]
    assert media_type('Text/HTML; Charset="ISO-8859-9", x') == ("text/html", "iso-8859-9")
    assert media_type("text/html, text/html") == ("text/html", "")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TEXT, {}),
        (chunked(TEXT[:7], TEXT[7:]), CHUNKED),
        (TEXT, CHUNKED),  # joined by the crawler, the header kept
        (packed(TEXT), {"content-encoding": "x-gzip"}),
        (TEXT, {"content-encoding": "gzip"}),
        (packed(TEXT[:9]) + packed(TEXT[9:]) + b"rest", {"content-encoding": "gzip"}),
        (zlib.compress(TEXT), {"content-encoding": "deflate"}),
        (raw_deflate(TEXT), {"content-encoding": "deflate"}),
        (zstandard.compress(TEXT), {"content-encoding": "zstd"}),
        (packed(zlib.compress(TEXT)), {"content-encoding": "deflate, gzip"}),
        (chunked(packed(TEXT)), {**CHUNKED, "content-encoding": "gzip, identity"}),
    ],
)
def test_bodies_unpack(body: bytes, headers: dict[str, str]) -> None:
    """Chunks and every coding that browsers ask for but brotli, one within another, done or undone."""
    assert unpack_body(body, headers, 10_000) == TEXT


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (chunked(TEXT)[:50], CHUNKED, "chunks .* break off"),
        (b"5\r\nfive!oops\r\n0\r\n\r\n", CHUNKED, "chunks .* damaged"),
        (packed(TEXT)[:-9], {"content-encoding": "gzip"}, "breaks off"),
        (zstandard.compress(TEXT)[:-4], {"content-encoding": "zstd"}, "breaks off"),
        (b"\x1f\x8bnonsense", {"content-encoding": "gzip"}, "damaged"),
        (b"anything", {"content-encoding": "br"}, "compressed by br, which is not read here"),
        (b"anything", {"content-encoding": "a\x00b" * 9}, "compressed by another coding"),
        (packed(bytes(10_001)), {"content-encoding": "gzip"}, "more than 10,000 bytes"),
        (zstandard.compress(bytes(10_001)), {"content-encoding": "zstd"}, "more than 10,000 bytes"),
        (packed(bytes(6_000)) * 2, {"content-encoding": "gzip"}, "more than 10,000 bytes"),
        (packed(b"") * 100, {"content-encoding": "gzip"}, "more than 64 members"),
    ],
)
def test_what_cannot_be_unpacked_is_told(body: bytes, headers: dict[str, str], reason: str) -> None:
    """Torn, damaged, in a coding that is not read, or a bomb; of a body that the crawler cut what is there is taken."""
    with pytest.raises(Unreadable, match=reason):
        unpack_body(body, headers, 10_000)
    if "off" in reason:
        assert TEXT.startswith(unpack_body(body, headers, 10_000, torn=True))


CODINGS = [packed(b""), zlib.compress(b"x"), zstandard.compress(b"x"), b"3\r\nabc\r\n"]


@given(st.binary(max_size=200), st.sampled_from([b"", *CODINGS]), st.sampled_from(["", "gzip", "deflate", "zstd"]))
@settings(deadline=None, max_examples=60)
def test_any_body_unpacks_or_is_told(body: bytes, start: bytes, coding: str) -> None:
    """No bytes raise anything but the reason to skip the page."""
    headers = {**CHUNKED, "content-encoding": coding}
    with suppress(Unreadable):
        assert len(unpack_body(start + body, headers, 1000)) <= 1000
