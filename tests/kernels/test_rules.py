"""The compiled measures of the rules against the plain ones, and texts that are made to hurt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.filters.fineweb import FineWeb
from elek.filters.gopher_quality import GopherQuality
from elek.filters.gopher_repetition import GopherRepetition
from elek.kernels.c4 import PHRASES
from elek.kernels.c4 import measure as c4
from elek.kernels.fineweb import measure as fineweb
from elek.kernels.kinds import BYTES, MARKS
from elek.kernels.quality import BLOCK, WordLists
from elek.kernels.quality import measure as quality
from elek.kernels.repetition import measure as repetition
from tests.kernels import reference
from tests.kernels.strategies import large, texts

STOP_WORDS = (("the", "of", "to", "be"), ("ve", "bir", "çok", "için"))


def measure_quality(texts: Sequence[str], unicode: bool = False, block: int = BLOCK) -> list[reference.Measures]:
    rows = np.arange(len(texts), dtype=np.int64) % 2
    values = quality(large(list(texts)), WordLists(STOP_WORDS), rows, unicode=unicode, block=block)
    return named(GopherQuality.signals, values)


def measure_repetition(texts: Sequence[str], unicode: bool = False) -> list[reference.Measures]:
    return named(GopherRepetition.signals, repetition(large(list(texts)), unicode=unicode))


def named(names: Iterable[str], values: np.ndarray) -> list[reference.Measures]:
    return [
        {name: None if np.isnan(value) else value for name, value in zip(names, row, strict=True)} for row in values.T
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=6), st.booleans(), st.sampled_from([BLOCK, 1, 9]))
def test_quality_equals_the_reference(texts: list[str], unicode: bool, block: int) -> None:
    """Every measure of every text is the plain one's, to the last bit, however many bytes are looked at together."""
    expected = [reference.quality(text, STOP_WORDS[row % 2], unicode) for row, text in enumerate(texts)]
    assert measure_quality(texts, unicode, block) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=6), st.booleans())
def test_repetition_equals_the_reference(texts: list[str], unicode: bool) -> None:
    """Every measure of every text is the plain one's, to the last bit."""
    assert measure_repetition(texts, unicode) == [reference.repetition(text, unicode) for text in texts]


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=6), st.integers(1, 40), st.booleans())
def test_fineweb_equals_the_reference(texts: list[str], short: int, unicode: bool) -> None:
    """Every measure of every text is the plain one's, to the last bit."""
    found = named(FineWeb.signals, fineweb(large(texts), short, unicode=unicode))
    assert found == [reference.fineweb(text, short, unicode) for text in texts]


def test_repeats_across_word_boundaries_count() -> None:
    """Repeated 5- to 10-grams are joined without a separator: `a bc` and `ab c` are the same."""
    text = "a bc d e f g ab c d e f g"
    found = measure_repetition([text])[0]
    assert found == reference.repetition(text)
    assert found["duplicate_5_grams"] == 6 / len(text)


def test_ties_take_the_first_seen() -> None:
    """Of two 2-grams that are seen equally often, the first counts, though the second is longer."""
    text = "a b x a b longer words y longer words"
    assert measure_repetition([text])[0]["top_2_gram"] == 2 * len("a b") / len(text)


def test_characters_are_code_points() -> None:
    """Lengths are counted in characters, not in bytes."""
    assert measure_quality(["çığ 😀😀"])[0]["mean_word_length"] == 2.5
    assert measure_repetition(["çığ\nçığ"])[0]["duplicate_line_characters"] == 3 / 7


def test_large_tables_grow() -> None:
    """More distinct words, lines and n-grams than the tables begin with are told apart all the same."""
    text = "\n".join(f"w{number} x{number % 7000}" for number in range(9000))
    again = text + "\n" + text[: len(text) // 2]
    assert measure_repetition([again]) == [quick_repetition(again)]


def quick_repetition(text: str) -> reference.Measures:
    """The reference, whose search for earlier lines is quadratic, without that search."""
    lines = text.split("\n")
    seen: set[str] = set()
    again = [line for line in lines if line in seen or seen.add(line)]  # type: ignore[func-returns-value]
    measures = reference.repetition(text.replace("\n", " "))
    return measures | {
        "duplicate_lines": len(again) / len(lines),
        "duplicate_line_characters": sum(map(len, again)) / len(text),
    }


THUE_MORSE = "".join("ab"[number.bit_count() % 2] for number in range(4096))
HOSTILE = {
    "a million equal words": "same " * 1_000_000,
    "a million equal lines": "same\n" * 1_000_000,
    "a million distinct words": " ".join(map(str, range(1_000_000))),
    "no space": "x" * 3_000_000,
    "nothing but newlines": "\n" * 3_000_000,
    "nothing but spaces": " \u3000" * 500_000,
    "emoji": "😀" * 500_000,
    "NUL bytes": "\x00 " * 500_000,
    "full stops": "." * 1_000_000,
    "every split of one string": " ".join("a" * (number % 40 + 1) for number in range(200_000)),
    "brackets": "[[[1" * 500_000,
    "one bracket and digits": "[" + "1" * 3_000_000,
    "beginnings of a phrase": "use cook" * 300_000,
    "Thue-Morse, which polynomials modulo 2**64 do not tell apart": " ".join([THUE_MORSE, THUE_MORSE[::-1]] * 100),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_linear_time(name: str) -> None:
    """A kernel that was quadratic in any of these would run for hours; all measures are shares or counts."""
    text = HOSTILE[name]
    found = measure_repetition([text])[0] | measure_quality([text])[0]
    found |= named(FineWeb.signals, fineweb(large([text]), 30))[0]
    assert found["characters"] == len(text)
    measured = c4(large([text]))
    assert measured.kinds[measured.lines, BYTES].sum() == len(text.encode())
    if name == "nothing but newlines":
        assert len(measured.lines) == 1
    shares = [value for key, value in found.items() if key.startswith("duplicate") and value is not None]
    assert all(0 <= share <= 1 for share in shares)
    if name == "a million equal words":
        assert found["words"] == 1_000_000
        assert found["top_2_gram"] == pytest.approx(9 * 999_999 / len(text))
        assert found["duplicate_10_grams"] == pytest.approx(0.8, abs=1e-4)


@pytest.mark.slow
def test_a_hundred_megabytes_in_one_line() -> None:
    """One line of 100 MB is measured whole."""
    text = "bir satır " * 9_000_000  # 99 million bytes
    found = measure_repetition([text])[0]
    assert found["characters"] == len(text)
    assert found["duplicate_lines"] == 0
    assert found["top_2_gram"] == pytest.approx(9 * 9_000_000 / len(text))


@pytest.mark.parametrize(("phrase", "mark"), [(phrase.decode(), mark) for phrase, _, mark in PHRASES])
def test_phrases_of_c4(phrase: str, mark: int) -> None:
    """Each is found at either end of a line and within it, in any letters, and not where a letter of it is missing."""
    there = [phrase, phrase.upper(), phrase.title(), f"q {phrase}", f"{phrase} q", f"ooja{phrase}cyms"]
    missing = [phrase[1:], phrase[:-1], phrase.replace("o", "0").replace("a", "4"), f"{phrase[:-1]}\n{phrase[-1]}"]
    measured = c4(large([*there, *missing]))
    found = np.bitwise_or.reduceat(measured.kinds[:, MARKS], measured.kind_offsets[:-1])
    assert [bool(marks & mark) for marks in found] == [True] * len(there) + [False] * len(missing)
