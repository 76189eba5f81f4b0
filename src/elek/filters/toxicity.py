"""Toxicity: a first pass by lexicon in English and Turkish, weighed against the length of the text.

Word lists, suffix matching and the formula are ours (`elek.toxicity`). A lexicon knows words, not what is meant by
them: it finds abuse in a quotation of it, and misses abuse in polite words. The threshold is where the matches weigh
as much as a text of that length may bear.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from elek.decisions import Verdict
from elek.filtering import SHARE, Batch, Filter, Rule
from elek.toxicity.lexicon import SEVERITIES
from elek.toxicity.score import score_texts


class ToxicityFilter(Filter):
    """Signals: score 0..1, the worst severity (0 none … 4 severe), the heaviest category, the number of matches."""

    name = "toxicity"
    rank = 20
    signals: ClassVar = {
        "score": pa.float32(),
        "severity": pa.int8(),
        "category": pa.string(),
        "matches": pa.int32(),
    }
    rules = (
        Rule(
            "max_score", "score", "above", 0.5, "Elek, elek.toxicity.score: matches outweigh the text's length", SHARE
        ),
        Rule(
            "max_severity",
            "severity",
            "above",
            None,
            "Elek: off by default; 3 drops whatever holds a severe word",
            (0, 4),
        ),
    )

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        scores = score_texts(batch.text, batch.lang)
        return {
            "score": pa.array(scores.score),
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
            evidence[row] = f"mostly {category}, at worst {SEVERITIES[severity]}, {matches} matches"
        return [replace(verdict, evidence=pa.array(evidence, pa.string())) for verdict in verdicts]
