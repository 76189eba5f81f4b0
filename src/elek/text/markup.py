"""HTML left in text: distinguish it from text *about* HTML, and turn it into plain text.

Documentation contains tags as its subject ("put `<br>` here", code samples), which must not be removed. So a document
counts as markup only if it begins like an HTML document, or if tags make up a tenth of its characters and occur on half
of its lines. Everything here takes time linear in the length of the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_BLOCK = (
    "address|article|aside|blockquote|body|br|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h1|h2|h3|h4|"
    "h5|h6|head|header|hr|html|li|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|area|audio|b|base|basefont|big|button|caption|cite|code|col|colgroup|del|dfn|em|embed|font|i|"
    "iframe|img|input|ins|kbd|label|link|map|mark|meta|nobr|noscript|object|param|picture|q|s|samp|select|small|"
    "source|span|strike|strong|sub|sup|textarea|tt|u|var|video"
)

# Quoted attribute values may hold a `>`. Possessive quantifiers: no backtracking at all.
_ATTRIBUTES = r"""(?:\s(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)?"""
_TAG = re.compile(rf"</?({_BLOCK}|{_INLINE}){_ATTRIBUTES}/?>", re.IGNORECASE)
_OPENING = re.compile(r"\s*+(?:<\?xml[^<>]*+>\s*+)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_DECLARATION = re.compile(r"<[!?][^<>]*+>")
_GLUED_BREAK = re.compile(r"(?<=[\w.,;:!?)”’])<br\s?/?>(?=\w)", re.IGNORECASE)
_BLOCK_NAMES = frozenset(_BLOCK.split("|"))
_UNREAD = [
    (re.compile("<!--"), re.compile("-->")),
    (re.compile(r"<script\b[^<>]*+>", re.IGNORECASE), re.compile(r"</script\s*+>", re.IGNORECASE)),
    (re.compile(r"<style\b[^<>]*+>", re.IGNORECASE), re.compile(r"</style\s*+>", re.IGNORECASE)),
]
"""Elements that a browser does not show: patterns of their start and end."""

MIN_TAGS = 8
MIN_TAG_SHARE = 0.1
MIN_LINE_SHARE = 0.5
BLOCK = 1 << 20
"""Least number of characters in a block of lines."""


def is_markup(text: str) -> bool:
    """Whether `text` is HTML rather than text that mentions HTML."""
    if "<" not in text:
        return False
    if _OPENING.match(text):
        return True
    tags, length = 0, 0
    for tag in _TAG.finditer(text):
        tags, length = tags + 1, length + tag.end() - tag.start()
    if tags < MIN_TAGS or length < MIN_TAG_SHARE * len(text):
        return False
    lines = with_tags = 0
    for block in line_blocks(text):
        found = [_TAG.search(line) is not None for line in block.split("\n") if line.strip()]
        lines, with_tags = lines + len(found), with_tags + sum(found)
    return with_tags >= MIN_LINE_SHARE * lines


def line_blocks(text: str) -> Iterator[str]:
    """`text` in blocks of whole lines. As one object per line, short lines would take 50 times their size."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin + BLOCK) + 1 or len(text)
        yield text[begin:end]
        begin = end


def strip_markup(text: str) -> str:
    """The plain text of a document that is markup.

    Block elements become lines, entities become characters; scripts, styles and comments are removed. In any other
    document, only a `<br>` directly between two words becomes a line break, since text about tags is not written so.
    """
    if is_markup(text):
        for opening, end in _UNREAD:
            text = _without(text, opening, end)
        text = _DECLARATION.sub("", text)
        return html.unescape(_TAG.sub(_replacement, text))
    if "<br" in text and "`" not in text:
        return _GLUED_BREAK.sub("\n", text)
    return text


_META = re.compile(r"<meta\s([^<>]{1,500})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""\b(name|content)\s{0,4}=\s{0,4}(?:"([^"<>]*+)"|'([^'<>]*+)'|([^\s"'<>]++))""", re.IGNORECASE
)
_HEAD_END = re.compile(r"</head\b|<body\b", re.IGNORECASE)
MAX_HEAD = 200_000
"""The head of a page is searched in this many characters."""


def reservations(page: str) -> list[str]:
    """Reservations against text and data mining in the head of a page.

    `tdm-reservation: 1` (TDM Reservation Protocol, W3C community group report 2024) and robots directives such as
    `robots: noai`.
    """
    head = page[:MAX_HEAD]
    end = _HEAD_END.search(head)
    head = head[: end.start()] if end else head
    for opening, closing in _UNREAD:
        head = _without(head, opening, closing)
    found = set()
    for element in _META.finditer(head):
        given = {match[1].lower(): match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(element[1])}
        name, content = given.get("name", "").strip().lower(), given.get("content", "").strip().lower()
        if name == "tdm-reservation" and content == "1":
            found.add(f"{name}: {content}")
        elif "bot" in name:  # `robots` means all of them
            found |= {f"{name}: {word}" for word in re.split(r"[\s,]+", content) if word in ("noai", "noimageai")}
    return sorted(found)


def _replacement(tag: re.Match[str]) -> str:
    return "\n" if tag[1].lower() in _BLOCK_NAMES else ""


def _without(text: str, opening: re.Pattern[str], end: re.Pattern[str]) -> str:
    """`text` without the sections from `opening` to `end`. A section without an end is kept."""
    kept, position = [], 0
    while (start := opening.search(text, position)) and (stop := end.search(text, start.end())):
        kept.append(text[position : start.start()])
        position = stop.end()
    kept.append(text[position:])
    return "".join(kept)
