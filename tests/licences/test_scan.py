"""The scan for words near which licence notices stand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from elek.licences.notices import _NEAR
from elek.licences.scan import places, words

WORDS = [*_NEAR, b"exclusive"]


@given(
    st.lists(
        st.one_of(st.sampled_from(WORDS), st.sampled_from([b" ", b"xclusive", b"ame terms", b"\xc2"])), max_size=12
    )
)
@settings(deadline=None, max_examples=60)
def test_words_are_found_where_searches_find_them(pieces: list[bytes]) -> None:
    """One pass finds what a search for each word finds, overlaps of a word with itself left out alike."""
    raw = b"".join(pieces)
    expected = set()
    for word in WORDS:
        at = raw.find(word)
        while at >= 0:
            expected.add(at)
            at = raw.find(word, at + len(word))
    assert places(raw, words(WORDS)) == sorted(expected)
