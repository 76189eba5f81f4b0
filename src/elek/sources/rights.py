"""Licences and mining reservations that a page or its server states outside the text.

Reservations in the head of a page are found by `elek.text.markup`, because `clean` needs them as well.
"""

from __future__ import annotations

import json
import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from elek.sources.records import valid_unicode

MAX_LICENCES = 8
"""Most licences kept for a page. A page that states more lists those of other works."""
MAX_ADDRESS = 500
_WORKS = re.compile(
    "(?:.*/)?(?:CreativeWork|Article|NewsArticle|BlogPosting|ScholarlyArticle|TechArticle|Report|Book|Chapter|Blog|WebSite"
    "|WebPage|AboutPage|FAQPage|QAPage|ItemPage|CollectionPage|HowTo|LearningResource|Course|Recipe|Review|Question"
    "|SocialMediaPosting|DiscussionForumPosting)"
)
"""Types of schema.org that are texts. Pictures, films, data and programs on a page have licences of their own."""

_LINK = re.compile(r"<([^<>\s]{1,500})>((?:\s*;\s*[\w*-]{1,40}\s*=\s*(?:\"[^\"]{0,400}\"|[^\s\",;]{0,400}))*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]*))", re.IGNORECASE)


def page_licences(tree: LexborHTMLParser, html: str) -> list[str]:
    """The licences that a page states for its main content, sorted and without repetitions.

    From links with `rel="license"` (HTML standard, section 4.6.7.9), and `license` of the page or its main entity in
    JSON-LD (schema.org).
    """
    if "license" not in html and "LICENSE" not in html.upper():
        return []
    found = set()
    for node in tree.css("link[rel~=license i], a[rel~=license i], area[rel~=license i]"):
        found.add((node.attributes.get("href") or "").strip())
    for node in tree.css('script[type="application/ld+json" i]'):
        try:
            found |= _stated(json.loads(node.text()), 0)
        except (ValueError, RecursionError):
            continue
    return sorted(value for value in found if 0 < len(value) <= MAX_ADDRESS)[:MAX_LICENCES]


def _stated(node: Any, depth: int) -> set[str]:
    if depth > 4:
        return set()
    if isinstance(node, list):
        return set().union(*(_stated(item, depth + 1) for item in node))
    if not isinstance(node, dict):
        return set()
    kinds = node.get("@type", "WebPage" if depth == 0 else "")
    found: set[str] = set()
    if any(_WORKS.fullmatch(str(kind)) for kind in (kinds if isinstance(kinds, list) else [kinds])):
        given = node.get("license")
        for value in given if isinstance(given, list) else [given]:
            value = value.get("url") or value.get("@id") if isinstance(value, dict) else value
            if isinstance(value, str):
                found.add(valid_unicode(value.strip())[0])
    return found.union(*(_stated(node.get(key), depth + 1) for key in ("@graph", "mainEntity", "mainEntityOfPage")))


def header_reservations(headers: dict[str, str]) -> list[str]:
    """Reservations against text and data mining in HTTP headers.

    `tdm-reservation: 1` (TDM Reservation Protocol) with its `tdm-policy`, and `X-Robots-Tag: noai` or `noimageai` for
    any crawler.
    """
    found = []
    if "1" in re.split(r"[\s,]+", headers.get("tdm-reservation", "")):
        found = ["tdm-reservation: 1", *(f"tdm-policy: {value}" for value in [headers.get("tdm-policy")] if value)]
    said = set(re.split(r"[\s,:]+", headers.get("x-robots-tag", "").lower()))
    return found + [f"x-robots-tag: {word}" for word in ("noai", "noimageai") if word in said]


def header_licences(headers: dict[str, str]) -> list[str]:
    """Addresses of licences in the header `Link` (RFC 8288, RFC 4946)."""
    links = _LINK.findall(headers.get("link", "")[:10_000])
    rels = [(address, _REL.search(options)) for address, options in links]
    return [address for address, rel in rels if rel and "license" in (rel[1] or rel[2] or "").lower().split()]
