"""The text of an HTML page, and what is kept beside it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from elek.sources.html import read_page
from tests.sources.build import put, read


def test_html_becomes_text() -> None:
    """Blocks are lines, paragraphs stand apart, scripts vanish, `pre` keeps its lines, entities are letters."""
    page = """<html><head><title> A  page </title><style>p {}</style></head><body><nav>Menu</nav>
    <p>First <b>bold</b>
    text &ccedil;.</p>tail<script>alert(1)</script><ul><li>one<li>two</ul>
    <pre>a
  b</pre><table><tr><td>x</td><td>y</td></tr></table>end<br>line<br><br>new<!-- no --></body></html>"""
    text, title, _ = read_page(page)
    assert title == "A page"
    assert text == "Menu\n\nFirst bold text ç.\n\ntail\n\none\ntwo\n\na\n  b\n\nx y\n\nend\nline\n\nnew"


def test_a_reservation_in_the_head_goes_into_the_metadata(tmp_path: Path) -> None:
    """The text of a page does not show what its head reserves, so that it is kept beside it."""
    head = '<html><head><meta name="robots" content="noai"></head>'
    (marked,), (plain,) = (
        read(put(tmp_path, name, page))[0]
        for name, page in (("a.html", f"{head}<body>Text</body>"), ("b.html", "<html><body>Text</body>"))
    )
    assert marked.text == plain.text == "Text"
    assert marked.meta["opt_out"] == ["robots: noai"]
    assert "opt_out" not in plain.meta


def test_a_licence_in_json_ld_that_is_no_unicode(tmp_path: Path) -> None:
    """An escape of half a character becomes U+FFFD, as elsewhere, and the page can be written."""
    data = r'{"@type": "Article", "license": "https://example.org/\ud800"}'
    page = f'<html><head><script type="application/ld+json">{data}</script></head><body>Metin.</body></html>'
    ((record,), _) = read(put(tmp_path, "a.html", page))
    assert record.meta["licence_links"] == ["https://example.org/\ufffd"]


def test_deep_html_is_no_matter() -> None:
    """Thousands of nested elements neither overflow the stack nor take long."""
    text = read_page("<div>" * 20_000 + "deep" + "</div>" * 20_000).text
    assert text == "deep"


def test_a_page_of_spaces_takes_no_longer() -> None:
    """A million spaces in `pre` are read in linear time."""
    text = read_page(f"<pre>a{' ' * 1_000_000}b</pre>").text
    assert len(text) == 1_000_002


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_is_some_page(page: str) -> None:
    """No input makes the HTML reader fail, and what it gives can be written as UTF-8."""
    text = read_page(page.encode("utf-8", "replace").decode()).text
    text.encode()
