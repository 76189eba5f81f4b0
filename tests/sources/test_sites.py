"""robots.txt and tdmrep.json: which pages of a site its owner keeps from those who gather text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.sources.sites import Sites, speaks_of_site

SITE = "https://example.org"


def reserved(robots: str, path: str, agents: tuple[str, ...] = ("GPTBot", "CCBot")) -> list[str]:
    sites = Sites(agents)
    sites.add(f"{SITE}/robots.txt", robots.encode())
    return sites.reservations(SITE + path)


@pytest.mark.parametrize(
    ("robots", "path", "expected"),
    [
        ("User-agent: GPTBot\nDisallow: /", "/a", ["GPTBot"]),
        ("user-agent: gptbot/1.1\r\nDISALLOW : /\r\n", "/a", ["GPTBot"]),
        ("User-agent: GPTBot\nUser-agent: CCBot\nCrawl-delay: 3\nDisallow: /x # why\n", "/x/y", ["CCBot", "GPTBot"]),
        ("User-agent: *\nDisallow: /", "/a", []),
        ("User-agent: OtherBot\nDisallow: /", "/a", []),
        ("User-agent: GPTBot\nDisallow:\n", "/a", []),
        ("User-agent: GPTBot\nDisallow: /\nAllow: /open/", "/open/a", []),
        ("User-agent: GPTBot\nDisallow: /\nAllow: /open/", "/opened", ["GPTBot"]),
        ("User-agent: GPTBot\nAllow: /a\nDisallow: /a", "/a", []),  # of equals, the one that allows
        ("User-agent: GPTBot\nDisallow: /*.pdf$", "/x/y.pdf", ["GPTBot"]),
        ("User-agent: GPTBot\nDisallow: /*.pdf$", "/x/y.pdf?a", []),
        ("User-agent: GPTBot\nDisallow: /a$", "/a/b", []),
        ("User-agent: GPTBot\nDisallow: /çay/", "/%c3%a7ay/x", ["GPTBot"]),
        ("User-agent: GPTBot\nDisallow: /%7Ejoe", "/~joe/x", ["GPTBot"]),
        ("User-agent: GPTBot\nDisallow: /?q=", "/?q=1", ["GPTBot"]),
        ("Disallow: /\nUser-agent: GPTBot\nAllow: /\n\nUser-agent: gptbot\nDisallow: /b", "/b", ["GPTBot"]),
        ("\ufeffUser-agent: GPTBot\nDisallow: /", "/a", ["GPTBot"]),
    ],
)
def test_robots(robots: str, path: str, expected: list[str]) -> None:
    """The longest rule decides, groups of one crawler are one, and `*` says nothing of what becomes of text."""
    assert reserved(robots, path) == [f"robots.txt: {name}" for name in expected]


def test_a_site_is_scheme_host_and_port() -> None:
    """Another host is not bound, the default port is none, and several files of one site all count."""
    sites = Sites(("CCBot",))
    sites.add("https://Example.org/robots.txt", b"User-agent: CCBot\nDisallow: /a")
    sites.add("https://example.org:443/robots.txt", b"User-agent: CCBot\nDisallow: /b")
    bound = ["https://example.org/a", "https://user@EXAMPLE.org/b", "https://example.org:443/a?x"]
    free = ["http://example.org/a", "https://www.example.org/a", "https://example.org:8443/a", "https://[x/a", "dns:x"]
    assert [bool(sites.reservations(url)) for url in bound + free] == [True] * len(bound) + [False] * len(free)
    assert speaks_of_site("https://example.org/robots.txt")
    assert not speaks_of_site("https://example.org/x/robots.txt")
    assert not speaks_of_site("https://example.org/?u=/robots.txt")


def test_tdmrep() -> None:
    """A site's tdmrep.json reserves by path; what is broken or reserves nothing says nothing."""
    sites = Sites(())
    rules = b'[{"location": "/news/*", "tdm-reservation": 1}, {"location": "/x", "tdm-reservation": 0}, 3]'
    sites.add(f"{SITE}/.well-known/tdmrep.json", rules)
    assert sites.reservations(f"{SITE}/news/a") == ["tdmrep.json: /news/*"]
    assert sites.reservations(f"{SITE}/x") == []
    for broken in (b"{", b"[" * 100_000, b'{"location": 3, "tdm-reservation": 1}', b"\xff"):
        other = Sites(())
        other.add(f"{SITE}/.well-known/tdmrep.json", broken)
        assert other.reservations(f"{SITE}/a") == []


@given(st.text("/*$ab%çU:\n", max_size=60), st.text("/ab*$%ç?", max_size=30))
@settings(deadline=None, max_examples=60)
def test_any_rules_are_safe(rules: str, path: str) -> None:
    """No rule and no path makes it fail, and a mark is one line without the sign between marks."""
    sites = Sites(("GPTBot",))
    sites.add(f"{SITE}/robots.txt", f"User-agent: GPTBot\nDisallow: {rules}".encode())
    sites.add(f"{SITE}/.well-known/tdmrep.json", b'{"location": "a\\r\\n; b", "tdm-reservation": 1}')
    assert all(mark.isprintable() and ";" not in mark.replace(";%20", "") for mark in sites.reservations(SITE + path))


def test_stars_take_no_time() -> None:
    """A rule of many `*` is no exponential search, and too many rules reserve everything."""
    assert reserved(f"User-agent: GPTBot\nDisallow: /{'*a' * 2000}b$", "/" + "a" * 4000) == []
    assert reserved("User-agent: GPTBot\n" + "Disallow: /x\n" * 3000, "/y") == ["robots.txt: GPTBot"]
    sites = Sites(("GPTBot",))
    for number in range(30):
        sites.add(f"{SITE}/robots.txt", b"User-agent: GPTBot\n" + b"Disallow: /%d\n" % number * 1000)
    assert sites.reservations(f"{SITE}/y") == ["more rules than are read"]
