"""The decisions of Gopher repetition, rule by rule; test_parity holds them against datatrove."""

from __future__ import annotations

import pytest

from elek.filters.gopher_repetition import GopherRepetition
from tests.filters.gopher import failing

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
