"""The look at the bytes that tells which steps of cleaning a text needs."""

from __future__ import annotations

import sys
import unicodedata

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.text.cleaning import CleanParams, _steps, clean_text
from elek.text.encoding import CONTINUATION, DISPLACED, LEAD
from elek.text.scan import LIMIT, _table, suspicions
from elek.text.steps import ALL, BROKEN, STEPS, SUSPECTED, UNICODE, clean_characters

PIECES = st.one_of(
    st.sampled_from(
        ["a", "Ã", " ", "\t", "\n", "<br>", "<p>", "</p>", "<", "<html>", "`", "\r", "\x1c", "\u2028", "İ”"]
    ),
    st.sampled_from(LEAD),
    st.sampled_from(CONTINUATION),
    st.sampled_from(DISPLACED),
    st.sampled_from("ıİğ’“…\u0301\u0327\u1100\u1161\u212a\u09c7\u09be가字🙂\u200d\xad\xa0"),
    st.characters(max_codepoint=LIMIT + 100, codec="utf-8"),
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@given(TEXTS, st.sampled_from(["en", "tr"]))
@settings(deadline=None, max_examples=60)
def test_a_step_that_is_not_suspected_changes_nothing(text: str, lang: str) -> None:
    """What is ruled out by the bytes is what the steps themselves leave alone, so that the outcome is the same."""
    (suspected,) = suspicions(pa.array([text], pa.large_string())).tolist()
    for step in STEPS:
        if not suspected & SUSPECTED[step]:
            assert _steps(lang)[step](text) == text
    assert clean_text(text, CleanParams(), lang, suspected) == clean_text(text, CleanParams(), lang)


@given(st.lists(st.one_of(st.binary(max_size=6), TEXTS.map(str.encode)), max_size=4).map(b"".join))
@settings(deadline=None, max_examples=60)
def test_what_is_no_utf8_is_told(raw: bytes) -> None:
    """Bytes that are no UTF-8 suspect every step, whatever a column of strings promises; others do not."""
    try:
        raw.decode()
        broken = False
    except UnicodeDecodeError:
        broken = True
    (suspected,) = suspicions(pa.array([raw], pa.large_binary()).view(pa.large_string())).tolist()
    assert suspected & BROKEN == BROKEN * broken
    assert not broken or suspected & ALL == ALL


def test_what_joins_its_neighbour_is_suspected() -> None:
    """No character that Unicode composes with the one before it passes for normal by itself."""
    table = _table()
    for character in map(chr, range(sys.maxunicode + 1)):
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<") and (second := int(parts[1], 16)) < LIMIT:
            assert table[second] & UNICODE, f"U+{second:04X}"


def test_every_character_is_looked_at_alone() -> None:
    """Code point by code point, whatever `clean_characters` would change is suspected."""
    everything = [chr(code) for code in range(LIMIT)]
    suspected = suspicions(pa.array(everything, pa.large_string()))
    unusual = [clean_characters(f"a{character}a") != f"a{character}a" for character in everything]
    assert all(suspected[[code for code, found in enumerate(unusual) if found]] & SUSPECTED["characters"])


def test_rows_of_a_slice_are_looked_at() -> None:
    """Offsets of a slice begin behind zero; an empty text is suspected of nothing."""
    column = pa.array(["dirty ", "clean", "", "\u200bdirty"], pa.large_string())
    assert (suspicions(column.slice(1)) > 0).tolist() == [False, False, True]
