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

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import AfterValidator, BaseModel, Field

from elek.decisions import Verdict
from elek.filtering import Batch, Filter
from elek.licences.categories import category
from elek.licences.evidence import CONVINCING, beside, contradicts, find, opted_out, summary
from elek.licences.policy import Judgement, PolicyName, judge, single_licences
from elek.licences.spdx import NOASSERTION, check, normalise
from elek.params import Section

Response = Literal["drop", "hold", "keep"]
"""`hold`: neither keep nor drop for good, but list for a person to look at; `keep` switches the rule off."""

Licences = Annotated[tuple[str, ...], AfterValidator(single_licences)]


class LicenceParams(Section):
    """`policy: open` lets copyleft and share-alike text in; `research` also non-commercial; `any` all that is known."""

    policy: PolicyName = "permissive"
    """permissive, open, research or any: the categories of licence that may be trained on."""
    allow: Licences = ()
    """SPDX identifiers that are taken whatever the policy says, `LicenseRef-…` of one's own included."""
    deny: Licences = ()
    """SPDX identifiers that are refused whatever the policy says."""
    unknown: bool = True
    """Drop what nobody knows the licence of."""
    undeclared: Literal["unknown", "evidence"] = "unknown"
    """What a document without a declared licence (`NOASSERTION`) is judged as: as `unknown` as any, or by the
    `evidence` in its own text, so that it stays where it says nothing of itself that the policy refuses."""
    contradiction: Response = "drop"
    """What becomes of a document that names, of itself, a stricter licence than its source declares."""
    opt_out: Response = "drop"
    """What becomes of a document that reserves itself against text and data mining."""
    release: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Documents that somebody has looked at and lets go although they are on hold: by id, the reason. What the other
    rules drop stays dropped."""


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
                    said = _said_of_itself(signals["evidence"][row].as_py())
                    judged[row] = _worst([judge(name, params.policy, allow, deny) for name in said])
        reasons = [item.reason for item in judged]
        verdicts = [self._verdict("policy", [item.outcome == "refused" for item in judged], reasons)]
        if params.unknown:
            verdicts.append(self._verdict("unknown", [item.outcome == "unknown" for item in judged], reasons))
        evidence = zip(declared, signals["evidence"].to_pylist(), strict=True)
        said = [f"declared {value}; {_in_words(found)}" if found else "" for value, found in evidence]
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


def _in_words(evidence: str) -> str:
    """What a document says of itself, and where."""
    own = [item for item in json.loads(evidence) if item["own"] and item["confidence"] >= CONVINCING]
    return "; ".join(
        f"says of itself: {'no text and data mining' if item['kind'] == 'opt-out' else item['licence']} "
        f"({item['kind']} {_where(item)}, confidence {item['confidence']})"
        for item in own
    )


def _where(item: dict[str, Any]) -> str:
    start, end = item["span"]
    if end:
        return f"at characters {start:,} to {end:,}"
    return "in the page's head, HTTP headers or robots.txt" if item["kind"] == "opt-out" else "in its markup or headers"


def _said_of_itself(evidence: str) -> list[str]:
    """The licences that a document names as its own, from the signal `evidence`."""
    found = json.loads(evidence) if evidence else []
    return [
        item["licence"]
        for item in found
        if item["own"] and item["kind"] != "opt-out" and item["confidence"] >= CONVINCING
    ]


def _worst(judged: list[Judgement]) -> Judgement:
    """What becomes of a document under several licences at once; nothing is held against one under none."""
    order = ["accepted", "unknown", "refused"]
    worst = max(judged, key=lambda item: order.index(item.outcome), default=Judgement("accepted", ""))
    return worst if worst.outcome == "accepted" else Judgement(worst.outcome, f"none declared; found: {worst.reason}")
