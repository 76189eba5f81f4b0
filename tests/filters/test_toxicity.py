"""The toxicity filter: signals, and the default threshold at work."""

from __future__ import annotations

import pyarrow as pa

from elek.filtering import Batch, FilterParams, decide
from elek.filters.toxicity import ToxicityFilter

TEXTS = [
    "what a fucking idiot you are",
    "the boats lay still upon the water",
    "",
    "siktir git şerefsiz",
    "Ben de sık sık geldim",
]
LANGS = ["en", "en", "en", "tr", "tr"]


def batch() -> Batch:
    lang = pa.array(LANGS)
    return Batch(
        id=pa.array([str(row) for row in range(len(TEXTS))]), text=pa.array(TEXTS, pa.large_string()), lang=lang,
        declared_lang=lang, license=lang, source=lang,
    )  # fmt: skip


def test_signals_have_their_types_and_innocent_text_scores_zero() -> None:
    """Score, severity, category and matches come in the promised types; nothing found is 0 and empty."""
    measured = ToxicityFilter().measure(batch())
    assert {name: array.type for name, array in measured.items()} == dict(ToxicityFilter.signals)
    assert measured["score"].to_pylist()[1:3] == [0.0, 0.0]
    assert measured["severity"].to_pylist() == [3, 0, 0, 3, 0]
    assert measured["category"].to_pylist() == ["profanity", "", "", "profanity", ""]
    assert measured["matches"].to_pylist() == [2, 0, 0, 2, 0]


def test_the_default_threshold_drops_abuse_and_says_why() -> None:
    """Both languages: abuse fails `max_score` with value, threshold and evidence that quotes nothing."""
    signals = {f"toxicity.{name}": array for name, array in ToxicityFilter().measure(batch()).items()}
    table = pa.table({"id": batch().id, "language.rules": batch().lang, **signals})
    rows = decide(table, FilterParams.model_validate({"toxicity": {}})).to_pylist()
    assert [row["kept"] for row in rows] == [False, True, True, False, True]
    [failure] = rows[0]["failures"]
    assert failure["rule"] == "toxicity.max_score"
    assert failure["value"] > failure["threshold"] == 0.5
    assert failure["evidence"] == "mostly profanity, at worst strong, 2 matches"


def test_severity_has_a_rule_of_its_own() -> None:
    """`max_severity: 2` drops strong words whatever the length; off by default."""
    signals = {f"toxicity.{name}": array for name, array in ToxicityFilter().measure(batch()).items()}
    table = pa.table({"id": batch().id, "language.rules": batch().lang, **signals})
    params = FilterParams.model_validate({"toxicity": {"max_score": None, "max_severity": 2}})
    rows = decide(table, params).to_pylist()
    assert [[item["rule"] for item in row["failures"]] for row in rows] == [
        ["toxicity.max_severity"], [], [], ["toxicity.max_severity"], [],
    ]  # fmt: skip
