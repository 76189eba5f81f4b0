"""The normal form that texts are compared by."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dedup.normalise import normalise, words
from tests.dedup.project import plain_words

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def one(text: str, **options: bool) -> str:
    return str(normalise(pa.array([text], pa.large_string()), **options)[0].as_py())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("IŞIK", "ışık"),
        ("İZMİR", "izmir"),
        ("I\u0307zmir", "İzmir"),
        ("STRASSE", "straße"),
        ("ΣΑΣ", "σας"),
        ("Ångström naïve", "Angstrom naive"),
        ("“Yes,” he said…", "yes he said"),
        ("in 1984", "in 2077"),
        ("co\u00adop\u200derate", "cooperate"),
        ("a\u00a0b\u2003c\r\n\td", "a b c d"),
        ("ﬁne", "fine"),
    ],
)
def test_what_a_reader_takes_for_equal_is_equal(a: str, b: str) -> None:
    """Case in every language, marks, punctuation, digits, format characters and spaces make no difference."""
    assert one(a) == one(b)


def test_what_stays() -> None:
    """Words, one space between them; emoji are words; nothing but punctuation is nothing."""
    assert one("  Hello,   WORLD!! 3 👍🏽 ") == "hello world 0 👍"
    assert one(" ... -- !!") == ""
    assert one("in 1984", digits_to_zero=False) == "in 1984"


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, max_size=6), st.booleans())
def test_kernel_equals_plain_python(texts: list[str], digits: bool) -> None:
    """For any Unicode text, in any batch, the kernel says what the rule says character by character."""
    expected = [" ".join(word for word in plain_words(text, digits) if word) for text in texts]
    assert normalise(pa.array(texts, pa.large_string()), digits_to_zero=digits).to_pylist() == expected


@settings(deadline=None, max_examples=60)
@given(TEXT)
def test_composition_makes_no_difference(text: str) -> None:
    """Composed and decomposed forms of a text have one normal form."""
    assert one(unicodedata.normalize("NFD", text)) == one(unicodedata.normalize("NFC", text))


def test_slices_strings_and_empty_arrays() -> None:
    """An array's offset, its string width and its emptiness do not matter, and no row runs into the next."""
    texts = pa.array(["One.", "", "two, Two", "THREE"], pa.large_string())
    assert normalise(texts[1:3]).to_pylist() == ["", "two two"]
    assert normalise(texts.cast(pa.string())).to_pylist() == ["one", "", "two two", "three"]
    assert normalise(texts[:0]).to_pylist() == []


def test_word_hashes_follow_rows() -> None:
    """One hash a word, equal for equal words, in the row that has them."""
    _, hashes, offsets = words(pa.array(["a b a", "", "b"], pa.large_string()))
    assert offsets.tolist() == [0, 3, 3, 4]
    assert hashes[0] == hashes[2] != hashes[1] == hashes[3]


def test_broken_utf8_reads_nothing_outside_its_row() -> None:
    """A row cut inside a character, which Arrow does not allow, ends there."""
    buffers = [
        None,
        pa.py_buffer(bytes(bytearray((0).to_bytes(8, "little") + (2).to_bytes(8, "little")))),
        pa.py_buffer(b"a\xe2"),
    ]
    assert normalise(pa.Array.from_buffers(pa.large_string(), 1, buffers)).to_pylist() == ["a"]
