"""Turkish-aware case folding."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.text.casing import DOTTED_LANGUAGES, fold

TURKISH = "abcçdefgğhıijklmnoöprsştuüvyz"
TURKISH_UPPER = "ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ"


@pytest.mark.parametrize(
    ("one", "other"),
    [("IŞIK", "ışık"), ("DİL", "dil"), ("İSTANBUL", "istanbul"), ("Iğdır", "IĞDIR"), ("I\u0307Z", "iz")],
)
def test_turkish_spellings_that_differ_in_case_fold_alike(one: str, other: str) -> None:
    """IŞIK and ışık are one word in Turkish."""
    assert fold(one, "tr") == fold(other, "tr")


def test_the_two_letters_stay_apart_in_turkish_and_meet_elsewhere() -> None:
    """DIŞ (outside) is not DİŞ (tooth); in English text both capitals are the one letter i."""
    assert fold("DIŞ", "tr") != fold("DİŞ", "tr")
    assert fold("THIS", "en") == fold("THİS", "en") == "this"
    assert fold("THIS", "tr") == "thıs"


@given(st.text(alphabet=TURKISH, max_size=60))
@settings(deadline=None, max_examples=50)
def test_capitals_of_the_whole_alphabet_fold_to_their_small_letters(word: str) -> None:
    """Each Turkish capital folds to its own small letter and to nothing longer."""
    upper = word.translate(str.maketrans(TURKISH, TURKISH_UPPER))
    assert fold(upper, "tr") == word == fold(word, "tr")


@given(st.text(max_size=60), st.sampled_from(["en", "tr", "az", "und", ""]))
@settings(deadline=None, max_examples=60)
def test_folding_twice_changes_nothing(text: str, lang: str) -> None:
    """Folded text is a fixed point, and holds none of the four letters in capitals."""
    once = fold(text, lang)
    assert fold(once, lang) == once
    assert "I" not in once
    assert "İ" not in once
    assert "tr" in DOTTED_LANGUAGES
