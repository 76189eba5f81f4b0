"""WARC records written by hand, byte by byte, so that no writer of ours hides what the reader must take."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

DATE = "2026-03-04T05:06:07Z"


def record(kind: str, block: bytes, url: str | None = "https://example.org/", number: int = 1, **fields: str) -> bytes:
    """One record; `fields` (with `_` for `-`) replace those that it would have, and an empty one takes it out."""
    head = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{number:012d}>",
        "WARC-Date": DATE,
        "WARC-Target-URI": url or "",
        "Content-Type": "application/http; msgtype=response" if kind == "response" else "text/plain",
        "Content-Length": str(len(block)),
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    return b"WARC/1.0\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n"


def http(body: bytes, *headers: str, status: str = "200 OK", kind: str = "text/html; charset=utf-8") -> bytes:
    """A response of HTTP/1.1."""
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else []), *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def page(body: bytes | str, *headers: str, number: int = 1, url: str = "https://example.org/", **options: str) -> bytes:
    """A `response` record of a page."""
    raw = body.encode() if isinstance(body, str) else body
    return record("response", http(raw, *headers, **options), url, number)


def members(records: Sequence[bytes]) -> bytes:
    """One gzip member per record, as crawls are stored."""
    return b"".join(gzip.compress(one, mtime=0) for one in records)
