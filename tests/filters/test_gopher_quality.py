"""The decisions of Gopher quality, rule by rule."""

from __future__ import annotations

import pytest

from elek.errors import ParamsError
from elek.filtering import FilterSettings
from elek.filters.gopher_quality import GopherQuality, GopherQualitySettings
from tests.filters.gopher import failing

FILTER = GopherQuality()
GOOD = "It was the best of times and it was the worst of times, that we have to be told of with care. " * 3


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (GOOD, []),
        (" ".join(["the", "before"] * 24), ["min_words", "min_stop_words"]),
        ("the and " * 25, []),
        ("the be " * 25, ["min_mean_word_length"]),
        ("the to with and " * 25_001, ["max_words"]),
        ("the to " + "ten-letter " * 50, []),
        ("the to " + "internationalisation " * 50, ["max_mean_word_length"]),
        (GOOD + "#" * 6, []),
        (GOOD + "#" * 7, ["max_hash_ratio"]),
        (GOOD + "…" * 7, ["max_ellipsis_ratio", "max_ellipsis_lines"]),
        (GOOD + "." * 20 + " a", []),
        (GOOD + "." * 21 + " a", ["max_ellipsis_ratio"]),
        ("- " + GOOD.replace(", ", "\n• "), ["max_bullet_lines"]),
        (GOOD.replace("times", "times...\n", 3), ["max_ellipsis_lines"]),
        ("the of 12345 67890 " * 20, ["min_alphabetic_words"]),
        ("The Of And four " * 30, ["min_stop_words"]),
        ("", ["min_words", "min_stop_words"]),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, rules: list[str]) -> None:
    """All failing rules, in the order in which they would be the reason; equality with a threshold keeps."""
    assert failing(FILTER, text, "en") == rules


def test_turkish_has_its_own_stop_words_and_figures() -> None:
    """Turkish prose passes by Turkish rules and would not by English ones; long words are usual there."""
    text = "Cumhuriyetimizin kuruluşundan milletimizin yükseltilmesi için çalışıyoruz ve çalışacağız. " * 7
    assert failing(FILTER, text, "tr") == []
    assert failing(FILTER, text, "en") == ["max_mean_word_length", "min_stop_words"]


def test_the_is_no_turkish_stop_word() -> None:
    """English text does not pass for Turkish by its articles."""
    assert failing(FILTER, GOOD, "tr") == ["min_stop_words"]


def test_zero_switches_a_rule_off() -> None:
    """As in datatrove, a threshold of 0 asks nothing."""
    params = FILTER.params_class().model_validate({"min_words": 0, "min_stop_words": None})
    assert failing(FILTER, "", "en", params) == []


def test_stop_words_can_be_set() -> None:
    """`annotate.settings.gopher_quality.stop_words` replaces the lists; languages without one take the default."""
    settings = FilterSettings({"gopher_quality": {"stop_words": {"default": ["times", "worst"]}}})
    assert failing(settings.filters()["gopher_quality"], GOOD, "tr") == []


@pytest.mark.parametrize("words", [{"tr": ["ve"]}, {"default": ["two words"]}, {"default": [""]}])
def test_bad_stop_words_are_told(words: dict[str, list[str]]) -> None:
    """A list for every other language, and one word a word."""
    with pytest.raises(ParamsError, match=r"annotate\.settings\.gopher_quality"):
        FilterSettings({"gopher_quality": {"stop_words": words}})


def test_turkish_list_holds_turkish_words() -> None:
    """Sixteen of them, and none is `the`."""
    turkish = GopherQualitySettings().stop_words["tr"]
    assert len(set(turkish)) == 16
    assert "the" not in turkish
