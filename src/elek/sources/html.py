"""The text of an HTML page, divided into paragraphs. Navigation and other boilerplate are kept for later stages."""

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
# Marks used while the page is read: edge of a paragraph, edge of a line, `br`. The page itself loses these characters.
_EDGE, _END, _BREAK = "\x1d", "\x1e", "\x1f"
_MARKS = re.compile("[\x1d-\x1f]")
_RUN = re.compile("(?<![ \\t])[ \\t]*+[\x1d-\x1f][ \\t\x1d-\x1f]*")


# Parsers search the open elements at many tags, so a page of only `<div>` would take quadratic time. Browsers limit the
# depth to 512 elements as well. Only elements that need an end tag are counted.
MAX_DEPTH = 512
_NESTING = re.compile(
    r"<(/?)(?:(div|ul|ol|dl|table|blockquote|pre|section|article|aside|main|nav|header|footer|form|fieldset|figure|"
    r"center)|span|b|i|u|s|em|strong|small|big|font|tt|code|strike|svg|math|g|template|object|details|q|sub|sup|label|"
    r"ruby)\b[^<>]*+>",
    re.IGNORECASE,
)


def _shallow(html: str) -> str:
    """`html` without tags nested deeper than MAX_DEPTH. Their text is kept, and words stay separate."""
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
    """The content of an HTML page."""

    text: str
    title: str | None
    licences: list[str]
    """Addresses or names of licences that the page states for itself; see `rights.page_licences`."""


def read_page(html: str) -> Page:
    """Read a page. Block elements end lines, paragraphs are followed by an empty line; `pre` keeps its line ends."""
    tree = LexborHTMLParser(_shallow(html))
    heading = tree.css_first("title")
    title = _SPACE.sub(" ", heading.text()).strip() if heading else ""
    pieces: list[str] = []
    if tree.body is not None:
        _collect(tree.body, pieces)
    text = _RUN.sub(_line_end, "".join(pieces))
    return Page(re.sub(r"\n{3,}", "\n\n", text).strip(), title or None, page_licences(tree, html))


def _line_end(run: re.Match[str]) -> str:
    # Adjacent edges count once, like margins in a browser; two breaks make an empty line.
    return "\n\n" if _EDGE in run[0] or run[0].count(_BREAK) > 1 else "\n"


def _collect(body: LexborNode, pieces: list[str]) -> None:
    # Depth first with an explicit stack, because pages may nest deeper than Python's recursion limit.
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
