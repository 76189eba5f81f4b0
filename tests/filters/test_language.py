"""The language filter: what it measures and what it drops."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from elek.decisions import Verdict
from elek.errors import ParamsError
from elek.filtering import Batch, FilterParams
from elek.filters.language import LanguageFilter
from elek.params import parse
from tests.corpus import document

AZERI = "Uşaqlar bağçada oynayanda yağış başladı və hamı evə qaçdı."


def batch(texts: list[str], declared: list[str | None]) -> Batch:
    column = pa.array([""] * len(texts))
    lang = pa.array(declared, pa.string())
    return Batch(column, pa.array(texts, pa.large_string()), lang, lang, column, column)


def verdicts(texts: list[str], declared: list[str | None], **params: object) -> dict[str, Verdict]:
    language = LanguageFilter()
    signals = pa.table(language.measure(batch(texts, declared)))
    section = language.params_class().model_validate(params)
    return {verdict.rule: verdict for verdict in language.decide(signals, section, signals["rules"].combine_chunks())}


def test_signals_have_their_declared_types() -> None:
    """Label and rules are strings, the score is float32, one of each per row."""
    measured = LanguageFilter().measure(batch([document("tr", 1), ""], ["tr", "en"]))
    assert {name: array.type for name, array in measured.items()} == dict(LanguageFilter.signals)
    assert {len(array) for array in measured.values()} == {2}


def test_rules_are_the_identified_language_unless_it_is_a_guess() -> None:
    """English text declared Turkish is English; a text that says nothing keeps what was declared of it."""
    texts = [document("en", 1), "12 34", "12 34", "12 34"]
    measured = LanguageFilter().measure(batch(texts, ["tr", "tr", None, "und"]))
    assert measured["label"].to_pylist() == ["en", "und", "und", "und"]
    assert measured["rules"].to_pylist() == ["en", "tr", "und", "und"]


def test_other_languages_are_dropped_with_the_evidence() -> None:
    """The verdict compares no numbers, and says what was identified and what was asked for."""
    verdict = verdicts([document("tr", 1), AZERI], ["tr", "tr"])["language.allow"]
    assert verdict.failed.tolist() == [False, True]
    assert np.isnan(verdict.value).all()
    assert np.isnan(verdict.threshold).all()
    assert verdict.evidence is not None
    kept, dropped = verdict.evidence.to_pylist()
    assert kept is None
    assert dropped.startswith("identified as az (")
    assert dropped.endswith("allowed: en, tr")


def test_allow_is_a_choice() -> None:
    """A language that params ask for passes, and one that they do not is dropped."""
    failed = verdicts([document("tr", 1), document("en", 1), AZERI], ["tr"] * 3, allow=["az", "tr"])["language.allow"]
    assert failed.failed.tolist() == [False, True, False]


def test_the_score_has_a_threshold_of_its_own() -> None:
    """A text without letters has score 0, below any threshold but null."""
    texts = [document("tr", 1), "12 34"]
    assert verdicts(texts, ["tr", "tr"])["language.min_score"].failed.tolist() == [False, True]
    assert verdicts(texts, ["tr", "tr"], min_score=None)["language.min_score"].failed.tolist() == [False, False]
    assert verdicts(texts, ["tr", "tr"])["language.allow"].failed.tolist() == [False, False]


def test_a_declared_language_that_is_not_allowed_says_so() -> None:
    """Where identification is a guess, the evidence names the declaration."""
    evidence = verdicts(["12 34"], ["de"])["language.allow"].evidence
    assert evidence is not None
    assert evidence.to_pylist() == ["declared as de, identified as und (0.00); allowed: en, tr"]


def test_an_unknown_key_is_told() -> None:
    """A typo in the filter's section names the nearest valid key."""
    with pytest.raises(ParamsError, match="allowed"):
        parse("filter", {"language": {"allowed": ["en"]}}, FilterParams)


def test_a_share_may_be_asked_for() -> None:
    """`min_share` drops pages that are half in another language, where somebody sets it; by default nothing."""
    mixed = document("tr", 1, 30) + "\n" + document("en", 1, 30)
    texts = [document("tr", 2, 60), mixed]
    assert verdicts(texts, ["tr", "tr"])["language.min_share"].failed.tolist() == [False, False]
    failed = verdicts(texts, ["tr", "tr"], min_share=0.8)["language.min_share"]
    assert failed.failed.tolist() == [False, True]
    assert failed.value[0] == 1.0
