"""C4: lines, the documents that they leave, and what is taken out of those that stay. test_parity holds them
against datatrove."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.filtering import Batch, FilterParams, FilterSettings, decide, removals
from elek.filters.c4 import C4
from elek.params import parse
from elek.removal import cut
from tests.filters.gopher import failing
from tests.kernels import reference
from tests.kernels.strategies import large, pages, texts

FILTER = C4()
LINE = "This line has a few words.\n"
GOOD = LINE * 5


def signals(texts: list[str], words: str = "whitespace", citations: bool = True) -> pa.Table:
    """What `annotate` stores of texts, as far as C4 goes; every second one is Turkish."""
    names = pa.array([str(row) for row in range(len(texts))])
    lang = pa.array(["tr" if row % 2 else "en" for row in range(len(texts))], pa.string())
    found = FilterSettings({"c4": {"citations": citations}}).filters()["c4"]
    measured = found.measure(Batch(names, large(texts), lang, lang, names, names, words=words))  # type: ignore[arg-type]
    columns = {f"c4.{name}": column for name, column in measured.items()}
    return pa.table({"id": names, "language.rules": lang, **columns})


def filtered(texts: list[str], params: dict[str, Any] | None = None, **how: Any) -> list[tuple[list[str], str]]:
    """The failing rules of each text and, where there is none, what is left of it."""
    table = decide(signals(texts, **how), parse("filter", {"c4": params}, FilterParams))
    left = cut(large(texts), table["remove"].combine_chunks()).to_pylist()
    failures = [[item["rule"] for item in row] for row in table["failures"].to_pylist()]
    return list(zip(failures, left, strict=True))


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (GOOD, []),
        (LINE * 4, ["min_sentences"]),
        (LINE * 4 + "Yes. No! It is so.", []),
        (LINE * 4 + "And so it goes...", ["min_sentences"]),
        (LINE * 4 + "no end to this", ["min_sentences"]),
        (LINE * 4 + "Two words.", ["min_sentences"]),
        (LINE * 4 + "x" * 1001 + " and more words.", ["min_sentences"]),
        (LINE * 4 + "x" * 1000 + " and more words.", []),
        (LINE * 4 + "Please turn JavaScript on.", ["min_sentences"]),
        (LINE * 4 + "We use cookies here.", ["min_sentences"]),
        (GOOD + "Here is Lorem Ipsum again.", ["max_lorem_ipsum"]),
        (GOOD + "lorem ipsum with no end", []),
        (GOOD + "Here { is a bracket.", ["max_curly_brackets"]),
        (GOOD + "if (javascript) { return it. }", []),
        (GOOD + "Here { it is.\nAnd lorem ipsum too.", ["max_lorem_ipsum", "max_curly_brackets"]),
        ("", ["min_sentences"]),
    ],
)
def test_each_rule_drops_what_it_is_for(text: str, rules: list[str]) -> None:
    """Document rules look at the lines that the line rules leave; equality with a threshold keeps."""
    assert failing(FILTER, text, "en") == rules


def test_what_goes_and_what_stays() -> None:
    """A line goes with its break, a citation from a line that stays; what stays is as it was."""
    text = (
        "Home | About\n\n" + GOOD.rstrip() + "\r\n  As is this[1] one, with [edit] cuts.\nUse cookies.\nThe end of it."
    )
    ((rules, left),) = filtered([text])
    assert rules == []
    assert left == GOOD.rstrip() + "\r\n  As is this one, with  cuts.\nThe end of it."


def test_nothing_is_taken_out_of_what_is_dropped() -> None:
    """Spans are recorded where somebody will cut them, and nowhere else."""
    assert filtered(["short\nline", GOOD + "menu"]) == [(["c4.min_sentences"], "short\nline"), ([], GOOD)]


def test_lines_of_few_kinds_take_few_bytes() -> None:
    """Short lines by turns are stored as numbers, and many citations in a row as one span: 4 bytes each, not 20."""
    table = signals(["a\nbb\n" * 1000 + "[1][2]" * 500 + "\n"])
    lines, kinds, citations = (table[f"c4.{name}"].combine_chunks() for name in ("lines", "kinds", "citations"))
    assert (len(lines.flatten()), len(kinds.flatten()), len(citations.flatten())) == (2001, 3, 1)
    assert lines.flatten().type == pa.uint32()


def test_what_each_line_rule_takes_out() -> None:
    """Bytes by rule, those that no other rule takes, and None where a rule is off; citations of lines that stay."""
    table = signals([LINE * 2 + "menu\n" + "We use cookies here.\n" + "As is this[1] one.\n"])
    params = parse("filter", {"c4": {"line_javascript": False}}, FilterParams)
    found = {item.rule.removeprefix("c4."): item for item in removals(table, params)}
    assert [found[name].bytes.tolist() for name in ("line_min_words", "line_policy", "citations")] == [[5], [21], [3]]
    assert found["line_min_words"].alone.tolist() == [0]  # the menu ends in no full stop either
    assert found["line_terminal_punctuation"].bytes.tolist() == [5]
    assert found["line_javascript"].bytes is None


switches = st.fixed_dictionaries(
    {
        "max_word_length": st.sampled_from([1000, 8, None]),
        "min_words": st.sampled_from([3, 4, 0, None]),
        "terminal_punctuation": st.booleans(),
        "javascript": st.booleans(),
        "policy": st.booleans(),
    }
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(pages, texts), min_size=1, max_size=5), switches, st.booleans(), st.booleans())
def test_the_rules_are_those_of_the_reference(
    texts: list[str], switches: dict[str, Any], citations: bool, unicode: bool
) -> None:
    """Counts and text for any thresholds, all from what was stored once."""
    plain = {
        name: (np.inf if name.startswith("max") else 0) if value is None else value for name, value in switches.items()
    }
    expected = reference.C4(**plain, citations=citations, unicode=unicode)
    params = {f"line_{name}": value for name, value in switches.items()}
    off = {"max_lorem_ipsum": None, "max_curly_brackets": None, "min_sentences": None}
    how: dict[str, Any] = {"words": "unicode" if unicode else "whitespace", "citations": citations}
    assert filtered(texts, {**params, **off}, **how) == [([], expected.read(text)[1]) for text in texts]
    # Thresholds out of reach, so that every document fails by every count and the ledger shows it.
    all_fail = {"max_lorem_ipsum": -1, "max_curly_brackets": -1, "min_sentences": 10**6}
    table = decide(signals(texts, **how), parse("filter", {"c4": {**params, **all_fail}}, FilterParams))
    values = [{item["rule"]: item["value"] for item in row} for row in table["failures"].to_pylist()]
    names = ("c4.max_lorem_ipsum", "c4.max_curly_brackets", "c4.min_sentences")
    assert values == [dict(zip(names, expected.read(text)[0].values(), strict=True)) for text in texts]


def test_thresholds_of_lines_by_language() -> None:
    """A line rule too can have a figure of its own for a language."""
    text = "Two words.\n" * 5
    found = filtered([text, text], {"line_min_words": {"default": 3, "tr": 2}})
    assert found == [(["c4.min_sentences"], text), ([], text)]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("One. Two! Three?", 3),
        ("No end", 1),
        ("He said e.g. this, v. 5 and so on.", 1),
        ("19. yüzyılda. Sonra İstanbul. Iğdır.", 3),
        ('"Yes." "No!" (Perhaps.) So.', 4),
        ("Wait... What?! Yes.", 3),
        ("a.b.c", 1),
        ("。Yes. ", 1),
        ("", 0),
        (" \t", 0),
    ],
)
def test_sentences_by_example(line: str, count: int) -> None:
    """Our own rule, in the kernel and in the reference."""
    assert reference.sentences(line) == count
    (kinds,) = signals([line])["c4.kinds"].to_pylist()
    assert [item["sentences"] for item in kinds] == ([count] if line else [])
