"""Which URLs lead to one page, and what `dedup.url` makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from elek.dedup.decisions import deduplicate
from elek.dedup.params import DedupParams
from elek.dedup.urls import normalise_url
from tests.dedup.project import Row, prose, row, seeded, write_project


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://Example.ORG:443/a/", "http://example.org/a"),
        ("http://example.org:80", "https://example.org/#top"),
        ("https://example.org/a?utm_source=x&b=1&fbclid=y", "https://example.org/a?b=1"),
        ("https://example.org/?utm_Campaign=x", "https://example.org"),
        ("http://[::1]:80/a", "https://[::1]/a/"),
    ],
)
def test_urls_of_one_page(url: str, same: str) -> None:
    """Scheme, capitals of the host, default port, fragment, tracking, slash at the end: no difference."""
    assert normalise_url(url) == normalise_url(same)


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/a", "https://www.example.org/a"),
        ("https://example.org:8080/a", "https://example.org/a"),
        ("https://example.org/a?b=1", "https://example.org/a?b=2"),
        ("https://example.org:many/a", "https://example.org/a"),
        ("doi:10.1000/1", "doi:10.1000/2"),
    ],
)
def test_urls_of_two_pages(url: str, other: str) -> None:
    """Everything else is a difference; what is no web address stays as it is."""
    assert normalise_url(url) != normalise_url(other)


@pytest.mark.parametrize("url", ["  ", "https://example.org/n?to=[EMAIL]", "https://wa.me/[PHONE]"])
def test_no_url(url: str) -> None:
    """A document without a URL is nobody's copy, nor is one whose URL was masked: it may have been any of many."""
    assert normalise_url(url) is None


def decide(folder: Path, rows: list[Row], url: bool = True) -> dict[str, Row]:
    scratch = folder / "scratch"
    scratch.mkdir()
    clean, annotate, filtered = write_project(folder / "data", [rows[:2], rows[2:]])
    params = DedupParams(url=url)
    outcome = deduplicate(clean, annotate, filtered, params, scratch)
    return {item["id"]: item for item in outcome.part(annotate.read_all(["id"])["id"], 0, params).to_pylist()}


def test_one_document_of_a_page_goes_on(tmp_path: Path) -> None:
    """The first by rank stands for its URL; a text that only a dropped document had stays with the next one."""
    old, new = (" ".join(prose(seeded(n), 60)) for n in (1, 2))
    rows = [
        row("a", old) | {"url": "https://example.org/p"},
        row("b", new) | {"url": "http://example.org/p/"},
        row("c", new) | {"url": ""},
        row("d", old) | {"url": "https://example.org/q"},
        row("e", "other") | {"url": "https://example.org/q?gclid=1"},
    ]
    decided = decide(tmp_path, rows)
    assert [id for id in decided if decided[id]["kept"]] == ["a", "c"]
    assert [item["rule"] for item in decided["b"]["failures"]] == ["dedup.url"]
    assert decided["b"]["failures"][0]["evidence"] == "duplicate of a"
    assert {decided[id]["survivor"] for id in "bde"} == {"a"}
    assert decided["e"]["cluster"] == decided["d"]["cluster"] == "a"


def test_off(tmp_path: Path) -> None:
    """By default a URL decides nothing: two texts of one page may both be worth having."""
    rows = [row(id, " ".join(prose(seeded(ord(id)), 30))) | {"url": "https://example.org"} for id in "abc"]
    assert all(item["kept"] for item in decide(tmp_path, rows, url=False).values())
