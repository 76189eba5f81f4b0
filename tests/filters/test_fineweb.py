"""The decisions of FineWeb's rules, rule by rule; test_parity holds them against datatrove."""

from __future__ import annotations

import pytest

from elek.filtering import FilterSettings
from elek.filters.fineweb import FineWeb
from tests.filters.gopher import failing

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
