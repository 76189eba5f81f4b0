"""The decisions of Gopher repetition, rule by rule, and of both Gopher filters against datatrove."""

from __future__ import annotations

from typing import Any

import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import gopher_quality_filter, gopher_repetition_filter
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.filters.gopher_quality import GopherQuality
from elek.filters.gopher_repetition import GopherRepetition
from tests.filters.gopher import failing, reasons
from tests.kernels.strategies import texts

FILTER = GopherRepetition()
PROSE = " ".join(f"word{number} and{number}" for number in range(200))
DISTINCT = [f"line {number} says something{number} of its own{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (PROSE, None),
        ("", "min_characters"),
        ("\n\n".join([*DISTINCT[:6], *["x"] * 5]), "max_duplicate_paragraphs"),
        ("\n\n".join([*DISTINCT, PROSE[:300], PROSE[:300]]), "max_duplicate_paragraph_characters"),
        ("\n".join([*DISTINCT[:6], *["x"] * 5]), "max_duplicate_lines"),
        ("\n".join([*DISTINCT, PROSE[:300], PROSE[:300]]), "max_duplicate_line_characters"),
        (PROSE[:400] + " longish phrase" * 8, "max_top_2_gram"),
        (PROSE[:2000] + " " + PROSE[:2000], "max_duplicate_5_grams"),
    ],
)
def test_the_first_failing_rule_is_the_reason(text: str, first: str | None) -> None:
    """Paragraphs before lines, lines before n-grams."""
    assert next(iter(failing(FILTER, text, "en")), None) == first


def test_every_failing_rule_is_recorded() -> None:
    """A text that is one phrase over and over fails by all its n-grams."""
    rules = failing(FILTER, "one phrase over and over " * 40, "en")
    assert [rule for rule in rules if "gram" in rule] == [rule.name for rule in FILTER.rules if "gram" in rule.name]


def test_equality_keeps() -> None:
    """3 of 10 lines repeat: exactly the threshold, and kept. A fourth of 11 is too much."""
    lines = [*DISTINCT[:6], "x", "x", "x", "x"]
    assert "max_duplicate_lines" not in failing(FILTER, "\n".join(lines), "en")
    assert "max_duplicate_lines" in failing(FILTER, "\n".join([*lines, "x"]), "en")


def test_turkish_leaves_paragraphs_alone() -> None:
    """FineWeb-2 switches the paragraph and character rules off for Turkish, and asks more of lines."""
    text = "\n\n".join([PROSE[:400], PROSE[:400], *DISTINCT])
    assert "max_duplicate_paragraph_characters" in failing(FILTER, text, "en")
    assert not [rule for rule in failing(FILTER, text, "tr") if "paragraph" in rule or "line_characters" in rule]


datatrove_names = {
    "gopher_short_doc": "min_words",
    "gopher_long_doc": "max_words",
    "gopher_below_avg_threshold": "min_mean_word_length",
    "gopher_above_avg_threshold": "max_mean_word_length",
    "gopher_too_many_hashes": "max_hash_ratio",
    "gopher_too_many_ellipsis": "max_ellipsis_ratio",
    "gopher_too_many_bullets": "max_bullet_lines",
    "gopher_too_many_end_ellipsis": "max_ellipsis_lines",
    "gopher_below_alpha_threshold": "min_alphabetic_words",
    "gopher_enough_stop_words": "min_stop_words",
    "empty": "min_characters",
    "dup_para_frac": "max_duplicate_paragraphs",
    "dup_para_char_frac": "max_duplicate_paragraph_characters",
    "dup_line_frac": "max_duplicate_lines",
    "dup_line_char_frac": "max_duplicate_line_characters",
    **{f"top_{n}_gram": f"max_top_{n}_gram" for n in range(2, 5)},
    **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_grams" for n in range(5, 11)},
}


@pytest.fixture(scope="module")
def datatrove() -> Any:
    """datatrove's two Gopher filters, with white-space words."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (gopher_quality_filter, gopher_repetition_filter):
            patch.setattr(module, "split_into_words", lambda text, language: text.split())
        yield gopher_quality_filter.GopherQualityFilter(), gopher_repetition_filter.GopherRepetitionFilter()


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=10))
def test_decisions_are_those_of_datatrove(datatrove: Any, texts: list[str]) -> None:
    """The same documents are dropped, each for the same reason, under the same words."""
    for ours, theirs in zip((GopherQuality(), GopherRepetition()), datatrove, strict=True):
        answers = [theirs.filter(Document(text=text, id="")) for text in texts]
        expected = [None if answer is True else datatrove_names[answer[1]] for answer in answers]
        assert reasons(ours, texts, ["en"] * len(texts)) == expected
