"""A crawl in a WARC file: its pages as documents, with the licences and mining reservations of page and site.

Pages are HTTP responses with status 200 or 203 and `resource` records, if they are HTML or plain text, and the plain
text of `conversion` records (WET). What was never meant to be text (pictures, scripts, redirections, errors, requests,
metadata) is counted by kind and reported in one line per kind. A page that cannot be read is reported by itself, with
the number of its record. A file is read twice: first to check that it is complete and to collect what sites state for
all their pages, then for the pages.

Licences and reservations outside the text go into `meta`, for the filter `licence`.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from elek.dataset import LICENCE_LINKS, OPT_OUT
from elek.sources.decoding import Unreadable, decode_answer
from elek.sources.files import File
from elek.sources.html import read_page
from elek.sources.params import FileOptions
from elek.sources.records import Events, Record, Skip, encoding_meta, safe_id
from elek.sources.responses import Head, media_type, parse_head, unpack_body
from elek.sources.rights import header_licences, header_reservations
from elek.sources.sites import Sites, speaks_of_site
from elek.sources.warc import WarcRecord, read_records
from elek.text.markup import reservations

MAX_PAGE = 64 * 2**20
"""Most bytes of a page, both as it was sent and unpacked."""
MAX_HEADERS = 2**16
PAGES = frozenset({"response", "resource", "conversion"})
HTML = frozenset({"text/html", "application/xhtml+xml"})
ADDRESSES = frozenset({"http", "https", "ftp", "ftps", "file", ""})
"""URL schemes under which a `resource` record may be a page. Crawlers store their logs, and their own renderings of
stored pages, under `metadata:` (wget, Heritrix) and `urn:` (Browsertrix)."""
KEPT = ("content-language", "last-modified", "tdm-policy", "x-robots-tag")
"""Headers that `meta` keeps under `http`."""
MAX_HEADER = 500
RESERVED = "elek-reserved"
"""Our own field in the records of a crawl that was cut into pieces: the reservations of the site, joined by `; `."""

_TYPES = frozenset({*PAGES, "warcinfo", "request", "metadata", "revisit", "continuation"})
_NAMED = frozenset(
    {
        *("application/pdf", "application/json", "application/javascript", "application/xml", "application/rss+xml"),
        *("text/css", "text/javascript", "text/xml", "application/octet-stream", "text/dns"),
    }
)
_GENERAL = frozenset({"image", "video", "audio", "font", "text", "application", "model", "multipart", "message"})


class PassedOver(Exception):  # noqa: N818  (a kind to count, not an error)
    """The record was never meant to be text; the message says why."""


def read_warc(file: File, source: FileOptions) -> Events:
    """Every page; then, by kind, what was passed over. Raises Unreadable where the file is incomplete or damaged."""
    sites = survey(file, source)
    passed: Counter[str] = Counter()
    for record in read_records(file):
        try:
            yield _page(file, record, source, sites)
        except PassedOver as what:
            passed[str(what)] += 1
        except Unreadable as reason:
            yield Skip(file.name, record.number, str(reason))
    for kind, number in sorted(passed.items()):
        yield Skip(file.name, None, f"passed over: {kind}", number)


def survey(file: File, source: FileOptions) -> Sites:
    """Read the whole file and collect what sites state. Raises Unreadable where it is incomplete, damaged or empty."""
    sites = Sites(source.agents)
    number = 0
    for record in read_records(file):
        number = record.number
        if record.type in PAGES and speaks_of_site(record.url):
            with suppress(Unreadable, PassedOver):  # reported when the pages are read
                sites.add(record.url, _site_file(record))
    if not number:
        raise Unreadable("the file holds no record")
    return sites


def cut_warc(file: File, source: FileOptions, limit: int, new: Callable[[], Path]) -> Iterator[tuple[Path, int, int]]:
    """Cut a crawl between records into files at `new()` of about `limit` bytes: path, first record and bytes of each.

    Each record gets the reservations of its site, because the robots.txt may be in another piece. Raises Unreadable
    before the first piece where the file is incomplete or damaged.
    """
    sites = survey(file, source)
    records = read_records(file)
    record = next(records, None)
    while record is not None:
        path, first, size = new(), record.number, 0
        with path.open("wb") as out:
            while record is not None and (size == 0 or size + record.length <= limit):
                marks = _site_reservations(record, sites) if record.type in PAGES else []
                field = f"{RESERVED}: {'; '.join(marks)}\r\n".encode() if marks else b""
                version, _, fields = record.head.partition(b"\n")
                out.write(version + b"\n" + field + fields)
                for chunk in record.chunks():
                    out.write(chunk)
                out.write(b"\r\n\r\n")
                size += len(record.head) + record.length
                record = next(records, None)
        yield path, first, size


def _site_reservations(record: WarcRecord, sites: Sites) -> list[str]:
    before = {mark for mark in record.fields.get(RESERVED, "").split("; ") if mark}
    return sorted(before.union(sites.reservations(record.url)))


def _page(file: File, record: WarcRecord, source: FileOptions, sites: Sites) -> Record:
    """The page of a record. Raises PassedOver and Unreadable."""
    if record.type not in PAGES:
        raise PassedOver(f"records of type {record.type if record.type in _TYPES else 'unknown'}")
    if record.type == "resource" and record.url.partition(":")[0].lower() not in ADDRESSES:
        raise PassedOver("the crawler's own notes")
    if speaks_of_site(record.url):
        _site_file(record)
        raise PassedOver("robots.txt and tdmrep.json, which speak of other pages")
    head = Head(200, {"content-type": record.fields.get("content-type", "")}, 0)
    start = b""
    if record.type == "response":
        start = record.read(min(MAX_HEADERS, record.length))
        head = _answer(record, start)
    kind, charset = media_type(head.headers.get("content-type", ""))
    kind = kind or record.fields.get("warc-identified-payload-type", "").lower()
    if kind not in HTML and kind != "text/plain":
        raise PassedOver(f"content of type {_kind(kind)}")
    if record.fields.get("warc-segment-number"):
        raise Unreadable("a page in several records (WARC-Segment-Number), which are not put together here")
    if record.length > MAX_PAGE:
        raise Unreadable(f"the page has more than {MAX_PAGE:,} bytes")
    torn = record.fields.get("warc-truncated", "")
    body = start[head.size :] + record.read(record.length - len(start))
    if record.type == "response":
        torn = torn or _broken_off(body, head)
        body = unpack_body(body, head.headers, MAX_PAGE, torn=bool(record.fields.get("warc-truncated")))
    if torn:  # perhaps within a character
        body = _without_partial_character(body)
    text, encoding = decode_answer(body, charset, source.encodings, html=kind in HTML)
    return _record(
        file, record, head, text, kind in HTML, sites, {**encoding_meta(encoding), **_date_and_truncation(record, torn)}
    )


def _site_file(record: WarcRecord) -> bytes:
    """A robots.txt or the like. Raises PassedOver and Unreadable."""
    block = record.read(min(record.length, MAX_PAGE))
    if record.type == "resource":
        return block
    head = _answer(record, block[:MAX_HEADERS])
    return unpack_body(block[head.size :], head.headers, MAX_PAGE)


def _answer(record: WarcRecord, start: bytes) -> Head:
    media, _ = media_type(record.fields.get("content-type", "application/http"))
    if media != "application/http":
        raise PassedOver(f"answers of another protocol than HTTP ({_kind(media)})")
    head = parse_head(start)
    if head is None:
        raise Unreadable("the record begins with no HTTP response")
    if head.status not in (200, 203):
        known = 100 <= head.status < 600
        raise PassedOver(f"answers with HTTP status {f'{head.status // 100}xx' if known else 'unknown'}")
    return head


def _without_partial_character(body: bytes) -> bytes:
    """`body` without an incomplete character at its end, if the rest is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(body)
    except UnicodeDecodeError:
        return body
    rest = body[: len(body) - len(decoder.getstate()[0])]
    return body if rest.isascii() else rest


def _broken_off(body: bytes, head: Head) -> str:
    """The WARC term for a body that is shorter than its header states (`disconnect`), otherwise empty."""
    length = head.headers.get("content-length", "")
    as_sent = "transfer-encoding" not in head.headers
    return "disconnect" if as_sent and length.isdecimal() and len(length) < 19 and len(body) < int(length) else ""


def _kind(media: str) -> str:
    """The group under which a media type is counted. Servers may send any type, but the report must stay short."""
    general = media.partition("/")[0]
    return media if media in _NAMED else f"{general}/*" if general in _GENERAL else "unknown" if media else "none"


def _date_and_truncation(record: WarcRecord, torn: str) -> dict[str, Any]:
    date = record.fields.get("warc-date", "")
    return {**({"date": date} if date else {}), **({"truncated": torn} if torn else {})}


def _record(
    file: File, record: WarcRecord, head: Head, text: str, html: bool, sites: Sites, meta: dict[str, Any]
) -> Record:
    identity = record.fields.get("warc-record-id", "").strip("<> ").removeprefix("urn:uuid:")
    page = Record(file.name, text, record.number, url=record.url, meta=meta)
    page.given_id = safe_id(identity or f"{record.url}@{meta.get('date', '')}".strip("@")) or None
    reserved = {*_site_reservations(record, sites), *header_reservations(head.headers)}
    licences = header_licences(head.headers)
    if html:
        read = read_page(text)
        page.text, page.title = read.text, read.title
        licences += read.licences
        reserved |= set(reservations(text))
    if headers := {name: head.headers[name][:MAX_HEADER] for name in KEPT if head.headers.get(name)}:
        meta["http"] = headers
    if reserved:
        meta[OPT_OUT] = sorted(reserved)
    if licences:
        meta[LICENCE_LINKS] = sorted(set(licences))
    return page
