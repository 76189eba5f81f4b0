"""Toxicity in English and Turkish: a first pass by lexicon, a second that weighs context where the first one fires.

The first finds words, with suffixes and disguises, and weighs them against the length of the text; the second tells
a mention (a dictionary, medicine, history) from an attack by cues, and by a trained classifier where
`annotate.settings.toxicity` names one (`elek classifier train --task toxicity`). Word lists, cues and formulas are
ours (`elek.toxicity`). None of them understands: abuse in polite words is missed, and abuse that is quoted is found.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from elek.classifier.settings import ModelSettings
from elek.decisions import Verdict
from elek.filtering import SHARE, Batch, Filter, Rule
from elek.toxicity.context import weigh
from elek.toxicity.lexicon import SEVERITIES
from elek.toxicity.score import TOXIC, score_texts

SOURCE = "Elek, elek.toxicity.score: matches outweigh the text's length"
SEVERE = "Elek: off by default; 3 drops whatever holds a severe word"


class ToxicityFilter(Filter):
    """Signals: `score` of both passes, `lexicon` of the first, `context`, the second one's probability of an attack,
    null where it was not asked; the worst severity (0 none … 4 severe), the heaviest category, how many matches."""

    name = "toxicity"
    rank = 20
    signals: ClassVar = {
        "score": pa.float32(),
        "lexicon": pa.float32(),
        "context": pa.float32(),
        "severity": pa.int8(),
        "category": pa.string(),
        "matches": pa.int32(),
    }
    rules = (
        Rule("max_score", "score", "above", TOXIC, SOURCE, SHARE),
        Rule("max_severity", "severity", "above", None, SEVERE, (0, 4)),
    )
    settings_class = ModelSettings

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        assert isinstance(self.settings, ModelSettings)  # noqa: S101 - settings_class
        model = None
        if self.settings.model is not None:
            from elek.classifier.model import load  # compiles on first use: not for those who only validate params

            model = load(Path(self.settings.model), self.settings.sha256).expect("toxicity")
        scores = score_texts(batch.text, batch.lang)
        score, context = weigh(batch.text, batch.lang, scores.score, scores.severity, model)
        return {
            "score": pa.array(score),
            "lexicon": pa.array(scores.score),
            "context": context,
            "severity": pa.array(scores.severity),
            "category": scores.category_names(),
            "matches": pa.array(scores.matches),
        }

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        """As every filter does, with the category, the worst severity and the number of matches as evidence."""
        verdicts = super().decide(signals, params, lang)
        evidence = np.full(len(lang), None, dtype=object)
        for row in np.flatnonzero(np.any([verdict.failed for verdict in verdicts], axis=0)):
            category, severity, matches = (
                signals[name][int(row)].as_py() for name in ("category", "severity", "matches")
            )
            said = f"mostly {category}, at worst {SEVERITIES[severity]}, {matches} matches" if matches else "no match"
            context = signals["context"][int(row)].as_py()
            if context is not None and context != 0.5:
                said += f"; words alone {signals['lexicon'][int(row)].as_py():.2f}, context {context:.2f}"
            evidence[row] = said
        return [replace(verdict, evidence=pa.array(evidence, pa.string())) for verdict in verdicts]
