"""Licence: what a document declares, what it says of itself, and whether the policy takes that.

Rules, none of which compares numbers. `policy`: the declared SPDX expression is refused by the policy
(`elek.licences.policy`). `unknown`: it is no SPDX expression, or names a licence of which nobody has said what it
allows; off only by choice, so nothing unknown passes in silence. `contradiction`: the document's own header, footer
or notice names a stricter licence than was declared (`elek.licences.evidence`). `opt_out`: it reserves itself against
text and data mining (Directive (EU) 2019/790, article 4(3); the TDM Reservation Protocol; robots directives).

What contradicts a declaration may be the declaration's fault or the detector's. `hold` instead of `drop` says so: the
document fails `held`, is not trained on, and stands in the report's list for a person to look at. What that person
lets go is named in `release` with a reason, and is told as released in the decisions, by `elek why` and in the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from elek.decisions import Verdict
from elek.filtering import Batch, Filter
from elek.licences.categories import category
from elek.licences.evidence import beside, contradicts, find, opted_out
from elek.licences.params import LicenceParams
from elek.licences.policy import judge, worst
from elek.licences.spdx import NOASSERTION, check, normalise
from elek.licences.summaries import in_words, own_licences, summary


class LicenceFilter(Filter):
    """Signals: the normalised expression, its category, evidence as JSON (empty when none), whether the evidence
    contradicts the declaration, and whether the document reserves itself against mining."""

    name = "licence"
    rank = 10
    signals: ClassVar = {
        "declared": pa.string(),
        "category": pa.string(),
        "evidence": pa.string(),
        "contradiction": pa.bool_(),
        "opt_out": pa.bool_(),
    }

    @classmethod
    def params_class(cls) -> type[BaseModel]:
        return LicenceParams

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        declared = [str(value) if check(str(value)) else normalise(str(value)) for value in batch.license.to_pylist()]
        findings = find(batch.text)
        for row, marks in ({} if batch.meta is None else beside(batch.meta)).items():
            findings[row][:0] = marks
        return {
            "declared": pa.array(declared, pa.string()),
            "category": pa.array(["unknown" if check(value) else category(value) for value in declared], pa.string()),
            "evidence": pa.array([summary(found) for found in findings], pa.string()),
            "contradiction": pa.array(
                [contradicts(found, value) for found, value in zip(findings, declared, strict=True)], pa.bool_()
            ),
            "opt_out": pa.array([opted_out(found) for found in findings], pa.bool_()),
        }

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        assert isinstance(params, LicenceParams)  # noqa: S101 - what params_class promised
        allow, deny = frozenset(params.allow), frozenset(params.deny)
        declared = signals["declared"].to_pylist()
        judged = [judge(value, params.policy, allow, deny) for value in declared]
        if params.undeclared == "evidence":
            for row, value in enumerate(declared):
                if value == NOASSERTION:
                    said = own_licences(signals["evidence"][row].as_py())
                    judged[row] = worst([judge(name, params.policy, allow, deny) for name in said])
        reasons = [item.reason for item in judged]
        verdicts = [self._verdict("policy", [item.outcome == "refused" for item in judged], reasons)]
        if params.unknown:
            verdicts.append(self._verdict("unknown", [item.outcome == "unknown" for item in judged], reasons))
        evidence = zip(declared, signals["evidence"].to_pylist(), strict=True)
        said = [f"declared {value}; {in_words(found)}" if found else "" for value, found in evidence]
        for rule in ("contradiction", "opt_out"):
            if getattr(params, rule) == "drop":
                verdicts.append(self._verdict(rule, signals[rule].to_pylist(), said))
        if "hold" in (params.contradiction, params.opt_out):
            held = _held(signals, params)
            if params.release:
                held &= self.released(signals, params).is_null().to_numpy(zero_copy_only=False)
            verdicts.append(self._verdict("held", held.tolist(), said))
        return verdicts

    def releases(self, params: BaseModel) -> Mapping[str, str]:
        assert isinstance(params, LicenceParams)  # noqa: S101 - what params_class promised
        return params.release

    def released(self, signals: pa.Table, params: BaseModel) -> pa.StringArray:
        assert isinstance(params, LicenceParams)  # noqa: S101 - what params_class promised
        pairs = zip(signals["id"].to_pylist(), _held(signals, params).tolist(), strict=True)
        return pa.array([params.release.get(name) if held else None for name, held in pairs], pa.string())

    def _verdict(self, rule: str, failed: list[bool], evidence: list[str]) -> Verdict:
        nothing = np.full(len(failed), np.nan)
        return Verdict(f"{self.name}.{rule}", np.array(failed, bool), nothing, nothing, pa.array(evidence, pa.string()))


def _held(signals: pa.Table, params: LicenceParams) -> npt.NDArray[np.bool_]:
    """What is on hold, were nothing released."""
    held = np.zeros(len(signals), bool)
    for rule in ("contradiction", "opt_out"):
        if getattr(params, rule) == "hold":
            held |= signals[rule].to_numpy().astype(bool)
    return held
