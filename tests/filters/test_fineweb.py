"""The decisions of FineWeb's rules, rule by rule, and against datatrove."""

from __future__ import annotations

from typing import Any

import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import fineweb_quality_filter
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.filtering import FilterSettings
from elek.filters.fineweb import FineWeb
from tests.filters.gopher import failing, reasons
from tests.kernels.strategies import texts

FILTER = FineWeb()
SENTENCES = [f"Sentence number {number} is longer than thirty characters." for number in range(10)]
GOOD = "\n".join(SENTENCES)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (GOOD, []),
        ("", ["min_lines"]),
        (" \n\t\n", ["min_lines"]),
        (GOOD.replace("characters.", "characters"), ["min_punctuated_lines"]),
        (GOOD.replace("characters.", "characters. "), ["min_punctuated_lines"]),
        (GOOD.replace("characters.", "characters።"), []),
        (GOOD + "\nshort, with six words in a line" * 1, []),
        ("\n".join(f"A line of {number} six words." for number in range(10)), ["max_short_lines"]),
        ("\n".join([*SENTENCES, SENTENCES[0]]), ["max_duplicate_line_characters"]),
        ("\n".join([*SENTENCES, "   ", "   ", "   ", "   "]), []),
        (GOOD.replace(" ", "_"), ["max_newline_ratio"]),
        (GOOD.replace("\n", "\n" * 4), ["max_newline_ratio"]),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, rules: list[str]) -> None:
    """All failing rules, in order; blank lines are no lines, and spaces at a line's end hide its punctuation."""
    assert failing(FILTER, text, "en") == rules


def test_equality_keeps() -> None:
    """3 line feeds and 10 words: exactly the threshold, and kept. A fourth is too much."""
    words = "internationalisation internationalisation"
    text = "\n".join([f"{words} one.", f"{words} two.", f"{words} three.", "internationalisation_and_more."])
    assert failing(FILTER, text, "en") == []
    assert failing(FILTER, text + "\n", "en") == ["max_newline_ratio"]


def test_turkish_has_its_own_figures() -> None:
    """FineWeb-2: short lines are no fault, and one repeated line in twenty is none; fewer line feeds are allowed."""
    short = "\n".join(f"Bu da kısa bir satır {number}." for number in range(30))
    assert failing(FILTER, short, "en") == ["max_short_lines"]
    assert failing(FILTER, short, "tr") == []
    repeating = "\n".join([*SENTENCES, *(line.upper() for line in SENTENCES), SENTENCES[0]])
    assert failing(FILTER, repeating, "en") == ["max_duplicate_line_characters"]
    assert failing(FILTER, repeating, "tr") == []
    lists = "\n".join(f"dört_beş_altı sözcük{number} var." for number in range(10)) + "\n bir iki bir iki bir iki"
    assert failing(FILTER, lists, "en") == ["max_short_lines"]
    assert failing(FILTER, lists, "tr") == ["max_newline_ratio"]


def test_what_is_short_can_be_set() -> None:
    """`annotate.settings.fineweb.short_line`, in characters."""
    settings = FilterSettings({"fineweb": {"short_line": 60}})
    assert failing(settings.filters()["fineweb"], GOOD, "en") == ["max_short_lines"]


NAMES = {
    "empty": "min_lines",
    "line_punct_ratio": "min_punctuated_lines",
    "short_line_ratio": "max_short_lines",
    "char_dup_ratio": "max_duplicate_line_characters",
    "list_ratio": "max_newline_ratio",
}


@pytest.fixture(scope="module")
def datatrove() -> Any:
    """datatrove's FineWeb filters with white-space words, for all languages and for Turkish."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fineweb_quality_filter, "split_into_words", lambda text, language: text.split())
        filters = fineweb_quality_filter.FineWebQualityFilter
        turkish = filters(line_punct_thr=0.091, short_line_thr=999, char_duplicates_ratio=0.1, new_line_ratio=0.222)
        yield {"en": filters(), "tr": turkish}


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=10), st.sampled_from(["en", "tr"]))
def test_decisions_are_those_of_datatrove(datatrove: Any, texts: list[str], lang: str) -> None:
    """The same documents are dropped, each for the same reason, under the same words."""
    answers = [datatrove[lang].filter(Document(text=text, id="")) for text in texts]
    expected = [None if answer is True else NAMES[answer[1]] for answer in answers]
    assert reasons(FILTER, texts, [lang] * len(texts)) == expected
