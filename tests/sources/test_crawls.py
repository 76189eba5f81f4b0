"""Pages of a crawl as documents, and what each says of licence and mining beside its text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError
from elek.sources import crawls
from elek.sources.records import Record
from tests.sources.build import Fetched, files, put, read
from tests.sources.crawl import DATE, http, members, page, record

TURKISH = "Işık ılık süt içti; ğ, ş ve İ de var."


def pages(folder: Path, *records: bytes, name: str = "a.warc.gz", **options: Any) -> list[Record]:
    found, skipped = read(put(folder, name, members(records)), **options)
    assert [skip for skip in skipped if skip.line is not None] == []
    return found


def reasons(folder: Path, *records: bytes) -> list[tuple[int | None, str, int | None]]:
    found, skipped = read(put(folder, "a.warc.gz", members(records)))
    assert found == []
    return [(skip.line, skip.reason, skip.records) for skip in skipped]


def test_a_page_is_a_document(tmp_path: Path) -> None:
    """Text and title of HTML; id, address and date of the record; the headers that matter, in `meta`."""
    html = "<title>Başlık</title><p>Bir <b>paragraf</b>.<p>İki."
    headers = ("Last-Modified: Tue, 03 Mar 2026 10:00:00 GMT", "Content-Language: tr", "Server: x")
    url = "https://örnek.example/yol/çay?x=ğ#y"
    found, _ = read(put(tmp_path, "a.warc", record("warcinfo", b"software: x", None) + page(html, *headers, url=url)))
    assert found == [
        Record(
            *("a.warc", "Bir paragraf.\n\nİki.", 2, "00000000-0000-4000-8000-000000000001", "Başlık", url),
            meta={"date": DATE, "http": {"last-modified": headers[0][15:], "content-language": "tr"}},
        )
    ]


def test_each_kind_of_record(tmp_path: Path) -> None:
    """`response`, `resource` and `conversion`, HTML, XHTML and text; without a record id address and date name it."""
    found = pages(
        tmp_path,
        page("<p>one"),
        page("<p>two", kind="application/xhtml+xml"),
        page("three <b>", kind="text/plain"),
        record("resource", b"<p>four", Content_Type="text/html"),
        record("conversion", "beş\n".encode(), WARC_Record_ID=""),
        page("<p>six", kind="", number=6).replace(
            b"WARC-Date", b"WARC-Identified-Payload-Type: text/html\r\nWARC-Date"
        ),
        page("<p>seven", url="<https://example.org/7>", status="203 Non-Authoritative"),
    )
    assert [item.text for item in found] == ["one", "two", "three <b>", "four", "beş\n", "six", "seven"]
    assert found[4].given_id == f"https://example.org/@{DATE}"
    assert found[6].url == "https://example.org/7"


def test_what_was_never_text_is_counted_by_kind(tmp_path: Path) -> None:
    """Pictures, redirections, errors, requests: a line for each kind with their number, however servers call them."""
    other = [
        page("x", kind=kind) for kind in ("image/png", "image/jpeg", "application/pdf", "odd", "text/x-evil-7", "")
    ]
    refused = [page("x", status=status) for status in ("301 Moved", "302 Found", "404 Not Found", "999 ?")]
    rest = [record("request", b"GET /"), record("revisit", b""), record("x-own", b""), record("metadata", b"", None)]
    dns = record("response", b"1.2.3.4", "dns:example.org", Content_Type="text/dns")
    notes = [record("resource", b"log", f"{start}x") for start in ("metadata://gnu.org/software/wget/", "urn:text:")]
    assert reasons(tmp_path, *other, *refused, *rest, dns, *notes) == [
        (None, f"passed over: {kind}", number)
        for kind, number in (
            ("answers of another protocol than HTTP (text/dns)", 1),
            ("answers with HTTP status 3xx", 2),
            ("answers with HTTP status 4xx", 1),
            ("answers with HTTP status unknown", 1),
            ("content of type application/pdf", 1),
            ("content of type image/*", 2),
            ("content of type none", 1),
            ("content of type text/*", 1),
            ("content of type unknown", 1),
            ("records of type metadata", 1),
            ("records of type request", 1),
            ("records of type revisit", 1),
            ("records of type unknown", 1),
            ("the crawler's own notes", 2),
        )
    ]


def test_a_page_that_cannot_be_read_is_told_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the number of its record; the pages beside it are taken."""
    monkeypatch.setattr(crawls, "MAX_PAGE", 1000)
    bad = [
        page(b"\xff\xfe\xfd" * 5, kind="text/plain"),
        page("x", "Content-Encoding: br"),
        page("<p>" + "long " * 300),
        page(gzip.compress(bytes(2000)), "Content-Encoding: gzip"),
        record("response", b"no http"),
        page("half").replace(b"WARC-Date", b"WARC-Segment-Number: 1\r\nWARC-Date"),
    ]
    found, skipped = read(put(tmp_path, "a.warc.gz", members([page("<p>first"), *bad, page("<p>last")])))
    assert [item.text for item in found] == ["first", "last"]
    assert [skip.line for skip in skipped] == [2, 3, 4, 5, 6, 7]
    for skip, reason in zip(
        skipped,
        ("UTF-16", "by br", "more than 1,000", "unpacks to more", "no HTTP response", "several records"),
        strict=True,
    ):
        assert reason in skip.reason


def test_a_body_that_is_cut_or_missing(tmp_path: Path) -> None:
    """What the crawler or the connection cut is marked; a page without a body is empty, which `fetch` tells."""
    cut = page("<p>half of", "Content-Length: 99")
    torn = page(b"5\r\nfirst\r\n9\r\nsec", "Transfer-Encoding: chunked", kind="text/plain")
    torn = torn.replace(b"WARC-Date", b"WARC-Truncated: length\r\nWARC-Date")
    letter = page("<p>çay ğ😀".encode()[:-1], "Content-Length: 99")
    old = page("<p>ğ".encode("windows-1254"), "Content-Length: 99", kind="text/html; charset=iso-8859-9")
    found = pages(tmp_path, cut, letter, old, torn, page(""))
    assert [(item.text, item.meta.get("truncated")) for item in found] == [
        ("half of", "disconnect"),
        ("çay ğ", "disconnect"),
        ("ğ", "disconnect"),
        ("firstsec", "length"),
        ("", None),
    ]


@pytest.mark.parametrize(
    ("header", "meta", "encoding", "found"),
    [
        ("text/html; charset=iso-8859-9", "", "windows-1254", "cp1254"),
        ("text/html", "iso-8859-9", "windows-1254", "cp1254"),
        ("text/html; charset=windows-1254", "utf-8", "windows-1254", "cp1254"),
        ("text/html; charset=iso-8859-1", "", "utf-8", None),  # a server's default before a page in UTF-8
        ("text/html; charset=utf-8", "windows-1254", "windows-1254", "cp1254"),
        ("text/html; charset=klingon", "undefined", "utf-8", None),
        ("text/html; charset=utf-16", "", "utf-16-le", "utf-16-le"),
        ("text/html", "utf-16", "utf-8", None),
        ("text/html; charset=utf-8", "", "utf-16", "utf-16"),  # a byte order mark is before all
    ],
)
def test_charsets(tmp_path: Path, header: str, meta: str, encoding: str, found: str | None) -> None:
    """Byte order mark, HTTP header, the page's own word; a label of the web means what browsers take it for."""
    html = f"<html><head>{f'<meta charset={meta}>' if meta else ''}</head><p>{TURKISH}"
    (item,) = pages(tmp_path, page(html.encode(encoding), kind=header))
    assert (item.text, item.meta.get("encoding")) == (TURKISH, found)


def test_japanese_in_seven_bits(tmp_path: Path) -> None:
    """ISO-2022-JP consists of ASCII's bytes: there the header is asked before UTF-8."""
    body = "<p>日本語".encode("iso2022_jp")
    (item,) = pages(tmp_path, page(body, kind="text/html; charset=ISO-2022-JP"))
    assert item.text == "日本語"


MARKS = {
    ("X-Robots-Tag: noindex, noai",): ["x-robots-tag: noai"],
    ("X-Robots-Tag: otherbot: NoImageAI", "x-robots-tag: noai"): ["x-robots-tag: noai", "x-robots-tag: noimageai"],
    ("TDM-Reservation: 1", "TDM-Policy: https://x/p"): ["tdm-policy: https://x/p", "tdm-reservation: 1"],
    ("tdm-reservation: 0", "tdm-policy: https://x/p", "x-robots-tag: noaix"): None,
}


def test_reservations_in_headers_head_and_robots(tmp_path: Path) -> None:
    """Each is kept in `meta` as those of a page's head are; robots.txt may stand behind the pages it speaks of."""
    plain = [page("<p>x", *headers) for headers in MARKS]
    head = page('<head><meta name="robots" content="noai"></head><p>x', url="https://example.org/closed/çay")
    robots = page("User-agent: GPTBot\nDisallow: /closed", url="https://example.org/robots.txt", kind="text/plain")
    records = [*plain, head, page("<p>x", url="http://example.org/closed/"), robots]
    found = pages(tmp_path, *records)
    own = ["robots.txt: GPTBot", "robots: noai"]
    assert [item.meta.get("opt_out") for item in found] == [*MARKS.values(), own, None]
    assert [item.meta.get("opt_out") for item in pages(tmp_path, *records, agents=["CCBot"])][4] == ["robots: noai"]
    damaged = page("x", "Content-Encoding: br", url="https://example.org/robots.txt", kind="text/plain")
    assert reasons(tmp_path, damaged) == [(1, "the body is compressed by br, which is not read here", None)]


BY = "https://creativecommons.org/licenses/by/4.0/"
LICENCES = {
    f'<link rel="license" href="{BY}"><p>x': [BY],
    f'<p>x <a href="{BY}" REL="nofollow License">CC BY</a>': [BY],
    f'<p>x <a href="{BY}">CC BY</a>': None,
    f'<script type="application/ld+json">{{"@type": "Article", "license": "{BY}"}}</script>x': [BY],
    f'<script type="application/ld+json">{{"@graph": [{{"@type": ["WebPage"], "license": {{"@id": "{BY}"}}}}, '
    '{"@type": "ImageObject", "license": "https://x/pictures"}]}</script>x': [BY],
    '<script type="application/ld+json">{"license": [3, "MIT", null]}</script>x': ["MIT"],
    '<script type="application/ld+json">{license</script>x': None,
    '<script type="application/ld+json">' + "[" * 100_000 + '"license"</script>x': None,
}


@pytest.mark.parametrize("html", LICENCES)
def test_licences_of_a_page(tmp_path: Path, html: str) -> None:
    """`rel="license"` and JSON-LD of the page itself, not of a picture on it; an HTML file tells them too."""
    for item in (*pages(tmp_path, page(html)), *read(put(tmp_path, "a.html", html))[0]):
        assert item.meta.get("licence_links") == LICENCES[html]


def test_a_licence_in_the_header(tmp_path: Path) -> None:
    """`Link` with the relation `license` counts; other relations do not."""
    links = f'Link: <https://x/a>; rel="next"; title="a, b", <{BY}>; type="text/html"; rel="alternate license"'
    (item,) = pages(tmp_path, page("x", links, kind="text/plain"))
    assert item.meta["licence_links"] == [BY]


@given(st.lists(st.binary(max_size=120), max_size=3), st.text(st.characters(codec="latin-1"), max_size=40))
@settings(deadline=None, max_examples=60)
def test_any_answer_is_a_page_or_told(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], header: str
) -> None:
    """Whatever a server sends: each record is a page, skipped by number, or counted, and `meta` is JSON in UTF-8."""
    folder = tmp_path_factory.mktemp("any")
    own = [record("response", http(body, f"Link: {header}", f"X: {header}", kind=header)) for body in bodies]
    found, skipped = read(put(folder, "a.warc", b"".join([*own, record("response", b"".join(bodies))])))
    assert len(found) + sum(skip.count for skip in skipped) == len(bodies) + 1
    json.dumps([item.meta for item in found], ensure_ascii=False).encode()


def test_fetch_reads_crawls(tmp_path: Path) -> None:
    """Ids, addresses and metadata of documents, the sums in the metrics, and the same bytes every time."""
    robots = page("User-agent: CCBot\nDisallow: /", url="https://closed.example/robots.txt", kind="text/plain")
    shut = page("<p>two", number=2, url="https://closed.example/")
    pictures = [page("x", kind="image/png")] * 3
    put(tmp_path, "data/raw/a.warc.gz", members([robots, page("<p>one"), shut, *pictures, page("")]))
    put(tmp_path, "data/raw/a.warc.wet", record("conversion", b"three", number=3))
    fetched = Fetched(tmp_path, {"web": files()})
    prefix = "00000000-0000-4000-8000-00000000000"
    first = "web/data/raw/a.warc.gz#" + prefix
    assert fetched.ids == [f"{first}1", f"{first}2", f"web/data/raw/a.warc.wet#{prefix}3"]
    assert [row["url"] for row in fetched.rows][1] == "https://closed.example/"
    assert [meta.get("opt_out") for meta in fetched.meta] == [None, ["robots.txt: CCBot"], None]
    assert fetched.metrics["skipped"] == 5
    assert [(row["line"], row["reason"], row.get("records")) for row in fetched.skipped] == [
        (7, "the text is empty", None),
        (None, "passed over: content of type image/*", 3),
        (None, "passed over: robots.txt and tdmrep.json, which speak of other pages", 1),
    ]
    assert fetched.content() == Fetched(tmp_path, {"web": files()}).content()
    with pytest.raises(ParamsError, match="each page of a crawl is one document"):
        Fetched(tmp_path, {"web": files(group=2)})
