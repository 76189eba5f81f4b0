"""The toxicity filter: signals, and the default threshold at work."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from elek.classifier.labelled import read
from elek.classifier.settings import ModelSettings
from elek.classifier.training import TrainingParams, train
from elek.errors import DataError
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
    assert [value is None for value in measured["context"].to_pylist()] == [False, True, True, False, True]
    assert measured["lexicon"].to_pylist()[1:3] == [0.0, 0.0]


def test_the_default_threshold_drops_abuse_and_says_why() -> None:
    """Both languages: abuse fails `max_score` with value, threshold and evidence that quotes nothing."""
    signals = {f"toxicity.{name}": array for name, array in ToxicityFilter().measure(batch()).items()}
    table = pa.table({"id": batch().id, "language.rules": batch().lang, **signals})
    rows = decide(table, FilterParams.model_validate({"toxicity": {}})).to_pylist()
    assert [row["kept"] for row in rows] == [False, True, True, False, True]
    [failure] = rows[0]["failures"]
    assert failure["rule"] == "toxicity.max_score"
    assert failure["value"] > failure["threshold"] == 0.5
    assert failure["evidence"] == "mostly profanity, at worst strong, 2 matches; words alone 0.90, context 0.62"


def test_severity_has_a_rule_of_its_own() -> None:
    """`max_severity: 2` drops strong words whatever the length; off by default."""
    signals = {f"toxicity.{name}": array for name, array in ToxicityFilter().measure(batch()).items()}
    table = pa.table({"id": batch().id, "language.rules": batch().lang, **signals})
    params = FilterParams.model_validate({"toxicity": {"max_score": None, "max_severity": 2}})
    rows = decide(table, params).to_pylist()
    assert [[item["rule"] for item in row["failures"]] for row in rows] == [
        ["toxicity.max_severity"], [], [], ["toxicity.max_severity"], [],
    ]  # fmt: skip


def train_model(folder: Path) -> ModelSettings:
    """A model to which `river` is an attack and `garden` is none."""
    rows = [
        f'{{"text": "{word} of {n} stones {"and a house" * (n % 3)}", "label": {label}, "lang": "en"}}\n'
        for n in range(100)
        for word, label in (("river", 1), ("garden", 0))
    ]
    (folder / "rows.jsonl").write_text("".join(rows), encoding="utf-8")
    params = TrainingParams(bits=12, epochs=2)
    _, digest = train(read([folder / "rows.jsonl"]), "toxicity", params, folder / "model", "CC0-1.0")
    return ModelSettings(model=str(folder / "model"), sha256=digest)


def test_a_model_weighs_what_the_lexicon_found_and_what_it_missed(tmp_path: Path) -> None:
    """With a model short texts are read too; it moves the score both ways, and leaves long silent texts alone."""
    texts = ["the shit in the river", "the shit in the garden", "river river river", "garden", "river " * 200]
    lang = pa.array(["en"] * len(texts))
    documents = Batch(lang, pa.array(texts, pa.large_string()), lang, lang, lang, lang)
    alone = ToxicityFilter().measure(documents)
    found = ToxicityFilter(train_model(tmp_path)).measure(documents)
    score, before = found["score"].to_pylist(), alone["score"].to_pylist()
    assert found["lexicon"].equals(alone["lexicon"])
    assert score[0] > before[0] > score[1]
    assert score[2] > 0.5 > score[3]
    assert (score[4], found["context"].to_pylist()[4]) == (0.0, None)


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    """Params name the model by digest: another model at the same place ends the run and says so."""
    settings = train_model(tmp_path).model_copy(update={"sha256": "0" * 64})
    with pytest.raises(DataError, match="not the one that params"):
        ToxicityFilter(settings).measure(batch())
