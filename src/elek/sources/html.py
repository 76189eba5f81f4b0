"""The text of an HTML page, with paragraphs as paragraphs. Navigation and other boilerplate stay: `clean` judges."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from elek.sources.rights import page_licences

_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "math", "object", "iframe", "select"})
_PARAGRAPH = frozenset(
    {
        *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "figure", "hr"),
        *("article", "section", "header", "footer", "main", "nav", "aside", "form", "fieldset", "address"),
    }
)
_LINE = frozenset({"div", "li", "dt", "dd", "tr", "caption", "figcaption", "option", "body", "center"})
_SPACE = re.compile(r"[ \t\r\n\f]+")
# Marks of our own while the page is walked: edge of a paragraph, edge of a line, `br`. Those in the page are taken out.
_EDGE, _END, _BREAK = "\x1d", "\x1e", "\x1f"
_MARKS = re.compile("[\x1d-\x1f]")
_RUN = re.compile("(?<![ \\t])[ \\t]*+[\x1d-\x1f][ \\t\x1d-\x1f]*")


# Parsers walk the open elements for many a tag, so that a page of nothing but `<div>` would take quadratic time.
# Browsers put nothing deeper than 512 elements either. Counted are elements that only their own end tag closes.
MAX_DEPTH = 512
_NESTING = re.compile(
    r"<(/?)(?:(div|ul|ol|dl|table|blockquote|pre|section|article|aside|main|nav|header|footer|form|fieldset|figure|"
    r"center)|span|b|i|u|s|em|strong|small|big|font|tt|code|strike|svg|math|g|template|object|details|q|sub|sup|label|"
    r"ruby)\b[^<>]*+>",
    re.IGNORECASE,
)


def _shallow(html: str) -> str:
    """`html` without the tags that would nest deeper than MAX_DEPTH; their text stays, and words stay apart."""
    if sum(1 for _ in islice(_NESTING.finditer(html), MAX_DEPTH + 1)) <= MAX_DEPTH:
        return html
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        if depth + bool(tag[1]) <= MAX_DEPTH:
            return tag[0]
        return " " if tag[2] else ""

    return _NESTING.sub(keep, html)


class Page(NamedTuple):
    """What is read of an HTML page."""

    text: str
    title: str | None
    licences: list[str]
    """Addresses or names that the page gives as its licence; see `rights.page_licences`."""


def read_page(html: str) -> Page:
    """What a page holds. Block elements end lines, paragraphs leave an empty one; `pre` keeps its own."""
    tree = LexborHTMLParser(_shallow(html))
    heading = tree.css_first("title")
    title = _SPACE.sub(" ", heading.text()).strip() if heading else ""
    pieces: list[str] = []
    if tree.body is not None:
        _collect(tree.body, pieces)
    text = _RUN.sub(_line_end, "".join(pieces))
    return Page(re.sub(r"\n{3,}", "\n\n", text).strip(), title or None, page_licences(tree, html))


def _line_end(run: re.Match[str]) -> str:
    # Edges that meet are one edge, as margins are in a browser; two breaks are an empty line.
    return "\n\n" if _EDGE in run[0] or run[0].count(_BREAK) > 1 else "\n"


def _collect(body: LexborNode, pieces: list[str]) -> None:
    # Depth first with a stack of our own: pages nest deeper than Python's.
    stack: list[tuple[LexborNode | None, str, bool]] = [(body, "", False)]
    while stack:
        node, closing, verbatim = stack.pop()
        pieces.append(closing)
        if node is None:
            continue
        if node.next is not None and node is not body:
            stack.append((node.next, "", verbatim))
        if node.is_text_node:
            text = _MARKS.sub(" ", node.text_content or "")
            pieces.append(text if verbatim else _SPACE.sub(" ", text))
            continue
        tag = node.tag
        if not node.is_element_node or tag in _UNSEEN:
            continue
        edge = _EDGE if tag in _PARAGRAPH else _END if tag in _LINE else ""
        pieces.append(_BREAK if tag == "br" else " " if tag in ("td", "th") else edge)
        stack.append((None, edge, verbatim))
        if node.first_child is not None:
            stack.append((node.first_child, "", verbatim or tag == "pre"))
