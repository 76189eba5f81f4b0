"""HTML told apart from text about HTML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.text.markup import is_markup, reservations, strip_markup

PAGE = """<!DOCTYPE html><html><head><title>Bahçe</title><style>p { color: red }</style>
<script>if (a < b && "<p>") { document.write("x"); }</script></head>
<body><!-- hidden <p> --><h1>Güller &amp; laleler</h1><p class="a > b">First line<br/>second&nbsp;line</p>
<ul><li>one</li><li><b>two</b></li></ul></body></html>"""
FRAGMENT = "\n".join(f"<p><i>Line {n}</i> of a <b>play</b></p>" for n in range(10))
DOCUMENTATION = """Forms
=====

Use ``<form>`` and put ``<br>`` or &lt;p&gt; where needed::

    >>> print(f)
    <tr><th>Name:</th><td><input type="text" name="name"></td></tr>

The ``<label>`` tag names a field, and ``<select multiple>`` takes many.
Vec<T> and a < b > c are no tags at all.
"""


def test_a_page_becomes_its_text() -> None:
    """Blocks become lines; scripts, styles and comments vanish; entities become characters."""
    lines = [line.strip() for line in strip_markup(PAGE).split("\n") if line.strip()]
    assert lines == ["Bahçe", "Güller & laleler", "First line", "second\xa0line", "one", "two"]


def test_a_fragment_full_of_tags_is_markup() -> None:
    """Tags on most lines need no doctype to be markup."""
    assert is_markup(FRAGMENT)
    assert strip_markup(FRAGMENT).split("\n")[1] == "Line 0 of a play"


@pytest.mark.parametrize(
    "text",
    [DOCUMENTATION, "x < y, <not a tag>, <integer>", "Add <b>one</b> tag.", "", "<", "use <br> here", "a &amp; b"],
)
def test_text_about_markup_stays_as_it_is(text: str) -> None:
    """Documentation loses no tag that it mentions and no line of code."""
    assert strip_markup(text) == text


def test_a_glued_break_becomes_a_line_end() -> None:
    """`<br>` between two words is a break; in a document with code marks it is a mention."""
    assert strip_markup("Açılış Konuşması<br>1 Kasım 1924") == "Açılış Konuşması\n1 Kasım 1924"
    assert strip_markup("write `a<br>b` for a break") == "write `a<br>b` for a break"


@pytest.mark.parametrize("unit", ["<", "<p ", '<a href="', "<!--", "<script>", "</", "&amp;", "<p>" * 3 + '<b x="y'])
def test_broken_markup_takes_time_in_proportion(unit: str) -> None:
    """A megabyte of one unfinished construct comes to an end (it would not, were anything quadratic)."""
    text = "<html>" + unit * (1_000_000 // len(unit))
    assert isinstance(strip_markup(text), str)


@given(st.text(alphabet="<>/!-abp \n\"'=&;", max_size=80))
@settings(deadline=None, max_examples=60)
def test_no_input_breaks_it(text: str) -> None:
    """Any mixture of brackets and quotes gives text, and no tag is left in a page."""
    assert "<p>" not in strip_markup("<html>" + text)


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<html><head><meta name="robots" content="noindex, NoAI"></head>x', ["robots: noai"]),
        ("<html><meta content='1' name='tdm-reservation'/><body>x", ["tdm-reservation: 1"]),
        ("<head><META NAME=robots CONTENT=noimageai></head>", ["robots: noimageai"]),
        ('<meta name="tdm-reservation" content="0"><meta name="robots" content="index">', []),
        ('<meta name="description" content="what noai means">', []),
        ('<head><!-- <meta name="robots" content="noai"> --></head>', []),
        ('<html><head></head><body><meta name="robots" content="noai"></body>', []),
        ("", []),
    ],
)
def test_reservations_of_the_head_alone(page: str, found: list[str]) -> None:
    """Marks against text and data mining count as elements of the head; what is commented out, in the body or in a
    description reserves nothing."""
    assert reservations(page) == found


def test_reservations_are_found_in_linear_time() -> None:
    """A page of nothing but openings comes to an end."""
    for unit in ("<meta ", "<!--", "<meta name='", "<script>"):
        assert reservations(unit * 200_000) == []
