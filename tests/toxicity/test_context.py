"""The second pass: what its cues weigh."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.toxicity.context import ASK, LIMIT, evidence, weigh

STRONG, AMBIGUOUS = 3, 1


@pytest.mark.parametrize(
    "text",
    ["aptal: Zekâsı gelişmemiş olan kimse.", "kahpe (argo): Dönek, sözünde durmayan.", "bitch (n.): A female dog.",
     "The word bastard once meant a child born out of wedlock.", "Bu kelimenin anlamı eskiden farklıydı: orospu",
     "Patients with pain in the penis and other symptoms need a diagnosis.", "Hasta tedavi sırasında penis ağrısı"],
)  # fmt: skip
def test_a_mention_speaks_against_an_attack(text: str) -> None:
    """Entries of a dictionary, talk about words, and medicine, in both languages."""
    assert evidence(text, STRONG) < 0


def test_an_address_speaks_for_one() -> None:
    """Who is spoken to in bad words is attacked; a word that merely may be bad is not enough, nor a long text."""
    assert evidence("you are an idiot", STRONG) > 0
    assert evidence("sen tam bir aptalsın", STRONG) > 0
    assert evidence("it is the fall that kills you", AMBIGUOUS) == 0
    assert evidence("you are an idiot " + "and so on " * 50, STRONG) == 0


def test_a_text_that_says_nothing_keeps_its_score() -> None:
    """Without cues and without a model the first pass stands, to four decimals, at even odds."""
    texts, langs = pa.array(["what a shitty day", "a day"], pa.large_string()), pa.array(["en", "en"])
    lexicon, severity = np.array([0.75, 0.0], np.float32), np.array([STRONG, 0], np.int8)
    score, context = weigh(texts, langs, lexicon, severity, None)
    assert score.tolist() == lexicon.tolist()
    assert context.to_pylist() == [0.5, None]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200), st.integers(0, 4), st.floats(0, 1, width=32))
def test_the_score_stays_a_probability(text: str, worst: int, lexicon: float) -> None:
    """Any text: evidence within its limit, a score in 0..1, and below ASK nothing is read."""
    text = text.encode("utf-8", "ignore").decode()
    assert abs(evidence(text, worst)) <= LIMIT
    score, context = weigh(
        pa.array([text], pa.large_string()), pa.array(["en"]), np.array([lexicon], np.float32),
        np.array([worst], np.int8), None,
    )  # fmt: skip
    assert 0 <= score[0] <= 1
    assert (context.null_count == 1) == (np.float32(lexicon) < ASK)


def test_long_lines_are_read_in_linear_time() -> None:
    """A headword that never ends, or words without a colon, cost no more than their beginning."""
    for text in ("a" * 10**6, "a " * 10**6, "a'" * 10**6, "kelime" * 10**5):
        assert abs(evidence(text, STRONG)) <= LIMIT
