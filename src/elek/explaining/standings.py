"""How far one document is from failing each rule, from stored signals and thresholds, without reading text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from elek.decisions import Verdict
from elek.filtering import FilterParams, rule, verdicts

State = Literal["fails", "passes", "off", "not measured"]

STAGE_RULES: Mapping[str, Mapping[str, str]] = {
    "dedup": {"dedup.url": "url", "dedup.exact": "exact", "dedup.minhash": "minhash"},
    "split": {"split.contaminated": "decontaminate_ngram"},
}
"""The rules of the stages after `filter` in the order of application, each with the key that switches it on."""

INCLUSIVE = "dedup.minhash"
"""The only rule that a value equal to the threshold fails: documents at the threshold are near-duplicates."""


def stage_rules(stage: str, params: Mapping[str, Any]) -> list[str]:
    """The rules that `dedup` or `split` applied, according to the params in its manifest."""
    return [name for name, setting in STAGE_RULES[stage].items() if params.get(setting)]


@dataclass(frozen=True)
class Standing:
    """The result of one rule for one document."""

    rule: str
    state: State
    value: float | None
    threshold: float | None
    fails: Literal["below", "above"] | None
    """The side of the threshold on which a document fails; None where the rule compares no numbers."""
    evidence: str | None = None

    @property
    def margin(self) -> float | None:
        """How far the value is from the threshold: positive where it passes, negative where it fails."""
        if self.value is None or self.threshold is None:
            return None
        return self.threshold - self.value if self.fails == "above" else self.value - self.threshold

    @property
    def percent(self) -> float | None:
        """The margin in percent of the threshold; None where the threshold is zero."""
        return None if self.margin is None or not self.threshold else 100 * self.margin / abs(self.threshold)

    def plain(self) -> dict[str, Any]:
        """The fields and the margin as plain data for JSON."""
        return {**vars(self), "margin": self.margin, "percent": self.percent}


def standings(signals: pa.Table, params: FilterParams) -> list[Standing]:
    """The result of every rule in `params` for one document; `signals` is its row of `annotate`."""
    return [_standing(verdict, 0) for verdict in verdicts(signals, params)]


def _standing(verdict: Verdict, row: int) -> Standing:
    declared = rule(verdict.rule)
    value, threshold = float(verdict.value[row]), float(verdict.threshold[row])
    state: State = "fails" if verdict.failed[row] else "passes"
    if declared and np.isnan(threshold):
        state = "off"
    elif declared and np.isnan(value):
        state = "not measured"
    evidence = None if verdict.evidence is None or state != "fails" else verdict.evidence[row].as_py()
    return Standing(
        verdict.rule,
        state,
        None if np.isnan(value) else value,
        None if np.isnan(threshold) else threshold,
        declared.fails if declared else None,
        evidence,
    )
