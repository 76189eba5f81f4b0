"""How near a kept document is to failing a rule that compares no numbers: the nearest ones are worth reading.

A rule that is not listed here belongs to a filter that this module does not know. Its kept documents are ordered by a
hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.licences.categories import CATEGORIES, RANK
from elek.licences.finding import CONVINCING


class Border(NamedTuple):
    """For each row of a part: how near it is to failing, its group, and a note. The arrays have one length."""

    distance: npt.NDArray[np.float64]
    """Smaller is nearer; a hash of the id breaks ties."""
    group: npt.NDArray[np.object_] | None
    """Of each group, one document is shown; None shows all."""
    note: Callable[[int], str]
    """A remark on the document in a row."""


HASHED = "kept, chosen by a hash of the id"
HOW = {
    "language.allow": "kept, least sure of its language",
    "licence.policy": "kept, under the licences that allow least",
    "licence.unknown": "kept, under the licences that allow least",
    "licence.contradiction": "kept, though it names a licence",
    "licence.opt_out": "kept, though it speaks of reserving itself",
    "licence.held": "kept, though it names a licence or reserves itself",
}
"""The heading over the kept documents of a rule. Where no document has a `note`, HASHED is used instead."""


def border(rule: str, signals: pa.Table) -> Border:
    """How near the documents of a part of `annotate` are to failing `rule`, from the columns by which it decides."""
    if rule == "language.allow":
        return _language(signals)
    if rule in ("licence.policy", "licence.unknown"):
        return _category(signals)
    if rule in HOW:
        return _evidence(rule, signals["licence.evidence"].to_pylist())
    return Border(np.zeros(len(signals)), None, lambda row: "")


def _language(signals: pa.Table) -> Border:
    label, score, rules = (signals[f"language.{name}"] for name in ("label", "score", "rules"))

    def note(row: int) -> str:
        said = f"identified as {label[row]} ({score[row].as_py():.2f})"
        return said if label[row] == rules[row] else f"declared as {rules[row]}, {said}"

    return Border(score.to_numpy().astype(np.float64), None, note)


def _category(signals: pa.Table) -> Border:
    """The strictest licences first, one document for each."""
    category = signals["licence.category"].to_pylist()
    distance = np.array([len(CATEGORIES) - RANK[name] for name in category], np.float64)
    group = np.array(signals["licence.declared"].to_pylist(), dtype=object)
    return Border(distance, group, lambda row: str(category[row]))


def _evidence(rule: str, evidence: list[str]) -> Border:
    """First documents that state a licence or reservation of their own, then those that mention one, then the rest."""
    told = {row: _marks(rule, text) for row, text in enumerate(evidence) if text}
    distance = np.full(len(evidence), 2.0)
    for row, marks in told.items():
        if marks:
            distance[row] = 0.0 if any(item["own"] and item["confidence"] >= CONVINCING for item in marks) else 1.0

    def note(row: int) -> str:
        names = dict.fromkeys(
            f"{'no text and data mining' if item['kind'] == 'opt-out' else item['licence']} ({item['kind']}, "
            f"{'its own' if item['own'] else 'not its own'}, confidence {item['confidence']})"
            for item in told.get(row, [])
        )
        return f"names {'; '.join(list(names)[:3])}" if names else ""

    return Border(distance, None, note)


def _marks(rule: str, evidence: str) -> list[dict[str, Any]]:
    """The items of the evidence that concern the rule."""
    kinds = {"licence.contradiction": (False,), "licence.opt_out": (True,)}.get(rule, (True, False))
    return [item for item in json.loads(evidence) if (item["kind"] == "opt-out") in kinds]
