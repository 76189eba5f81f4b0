"""Words, and the reading of Arrow's buffers."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.kernels import buffers
from elek.kernels.characters import MINOR, TERMINAL, classes
from elek.kernels.words import count_words
from tests.kernels import reference
from tests.kernels.strategies import large, texts


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, max_size=5))
def test_whitespace_words_are_those_of_str_split(texts: list[str]) -> None:
    """Whatever Unicode calls white space separates words, and nothing else does."""
    assert count_words(large(texts)).to_pylist() == [len(text.split()) for text in texts]


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, max_size=5))
def test_unicode_words_are_those_of_the_reference(texts: list[str]) -> None:
    """Runs of letters, marks, digits and underscores, with apostrophes inside."""
    assert count_words(large(texts), unicode=True).to_pylist() == [len(reference.words(text, True)) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop", ["don't", "stop"]),
        ("Atatürk’ün 'sözü'", ["Atatürk’ün", "sözü"]),
        ("a''b '", ["a", "b"]),
        ("bir-iki, üç.", ["bir", "iki", "üç"]),
        ("e\u0301t\u0301", ["e\u0301t\u0301"]),
        ("snake_case 3,14", ["snake_case", "3", "14"]),
        ("", []),
    ],
)
def test_unicode_words_by_example(text: str, words: list[str]) -> None:
    """An apostrophe belongs to a word only between two of its characters; marks stay with their letters."""
    assert reference.words(text, True) == words
    assert count_words(large([text]), unicode=True).to_pylist() == [len(words)]


def test_slices_and_nulls_are_read_in_place() -> None:
    """A slice of an array has its own offsets, and a null is an empty document."""
    text = pa.array(["one", "two words", None, "three more words"], pa.large_string())
    assert count_words(text.slice(1)).to_pylist() == [2, 0, 3]
    assert count_words(text.slice(4)).to_pylist() == []
    assert count_words(pa.array([], pa.large_string())).to_pylist() == []


def test_other_types_are_refused() -> None:
    """Buffers of 32-bit offsets would be read as nonsense."""
    with pytest.raises(TypeError, match="large_string"):
        buffers(pa.array(["text"], pa.string()))


def test_broken_utf8_stays_within_bounds() -> None:
    """Bytes that are no UTF-8, in a column that claims to be, are read as something, never beyond the document."""
    broken = pa.array([b"a\xff b\xe2", b"\xf0\x9f", b"\x80 \xc3"], pa.large_binary()).view(pa.large_string())
    assert count_words(broken).to_pylist() == [2, 1, 2]
    assert len(count_words(broken, unicode=True)) == 3


def test_flags_are_those_of_python() -> None:
    """Lower-case letters and decimal digits, and terminals, for every code point."""
    table = classes(False)
    terminal = set(reference.TERMINAL_SET)
    for code in range(0x110000):
        letter, flags = chr(code), int(table[code])
        assert bool(flags & MINOR) == (letter.isdecimal() or (letter.isalpha() and letter.islower())), hex(code)
        assert bool(flags & TERMINAL) == (letter in terminal), hex(code)
