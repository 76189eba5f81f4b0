"""For every rule, the documents nearest to its threshold on both sides: there a reader can judge the rule best.

Verdicts are added part by part, and only the documents that will be shown are kept. Where a rule compares no numbers,
`elek.report.borders` says which of the documents that pass are nearest to failing; of those that fail, the ones with
the lowest hash of their id are taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.decisions import Verdict
from elek.filtering import rule
from elek.report.borders import Border, border

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Near:
    """One document near the threshold of one rule. `part` and `row` say where its text is."""

    rule: str
    id: str
    license: str
    failed: bool
    value: float | None
    threshold: float | None
    part: int
    row: int
    distance: float
    """Distance from the threshold in the unit of the rule, or as `borders` defines it where no numbers are compared."""
    group: str = ""
    """Of each group, one document is shown; documents of the empty group are all shown."""
    note: str = ""
    """A remark on the document where no numbers are compared."""
    excerpt: str = ""


class Nearest:
    """Collects, for each rule, at most `per_side` documents that fail it and as many that pass.

    The result does not depend on how documents are divided into parts.
    """

    def __init__(self, per_side: int) -> None:
        self.per_side = per_side
        self._found: dict[tuple[str, bool], list[Near]] = {}

    def add(self, part: int, signals: pa.Table, verdicts: Sequence[Verdict], kept: Bools) -> None:
        """Consider the documents of one part; those that pass a rule only if they are `kept`.

        `signals` has their `id` and `license`, and the columns from which `verdicts` were made.
        """
        if not self.per_side or not len(signals):
            return
        order = np.array([_order(name) for name in signals["id"].to_pylist()], np.uint64)
        for verdict in verdicts:
            distance = np.abs(verdict.value - verdict.threshold)
            # A rule that is switched off has no thresholds either, but it does compare numbers.
            numbers = rule(verdict.rule) is not None or not np.isnan(verdict.threshold).all()
            for failed in (True, False):
                rows = verdict.failed if failed else kept & ~verdict.failed
                beside = None if numbers or failed else border(verdict.rule, signals)
                apart = distance if numbers else np.zeros(len(order)) if beside is None else beside.distance
                chosen = self._first(np.flatnonzero(rows & ~np.isnan(apart)), apart, order, beside)
                found = [_near(verdict, part, row, signals, apart[row], beside) for row in chosen]
                self._keep((verdict.rule, failed), found)

    def _first(
        self, rows: npt.NDArray[np.int64], apart: npt.NDArray[np.float64], order: npt.NDArray[np.uint64], by: Any
    ) -> list[int]:
        """The nearest of `rows`, one of each group; the hash of the id breaks ties."""
        if len(rows) > 4 * self.per_side and (by is None or by.group is None):
            # The hash breaks ties below, so all rows of equal distance must stay.
            rows = rows[apart[rows] <= np.partition(apart[rows], self.per_side)[self.per_side]]
        rows = rows[np.lexsort((order[rows], apart[rows]))]
        if by is not None and by.group is not None:
            rows = rows[np.sort(np.unique(by.group[rows], return_index=True)[1])]
        return [int(row) for row in rows[: self.per_side]]

    def _keep(self, key: tuple[str, bool], found: Iterable[Near]) -> None:
        kept: list[Near] = []
        for near in sorted([*self._found.get(key, []), *found], key=lambda near: (near.distance, _order(near.id))):
            if not near.group or near.group not in {other.group for other in kept}:
                kept.append(near)
        self._found[key] = kept[: self.per_side]

    def merge(self, others: Iterable[Near]) -> None:
        """Add what another collector has found."""
        for near in others:
            self._keep((near.rule, near.failed), [near])

    def all(self) -> list[Near]:
        """All collected documents by rule, those that fail first."""
        return [
            near for _, found in sorted(self._found.items(), key=lambda i: (i[0][0], not i[0][1])) for near in found
        ]


def _near(verdict: Verdict, part: int, row: int, signals: pa.Table, apart: float, by: Border | None) -> Near:
    value, threshold = float(verdict.value[row]), float(verdict.threshold[row])
    return Near(
        verdict.rule,
        signals["id"][row].as_py(),
        signals["license"][row].as_py(),
        bool(verdict.failed[row]),
        None if np.isnan(value) else value,
        None if np.isnan(threshold) else threshold,
        part,
        row,
        float(apart),
        "" if by is None or by.group is None else str(by.group[row]),
        "" if by is None else by.note(row),
    )


def _order(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def by_rule(found: Sequence[Near]) -> dict[str, dict[str, list[Near]]]:
    """Rule → {"rejected": [...], "kept": [...]}, nearest first."""
    result: dict[str, dict[str, list[Near]]] = {}
    for near in found:
        sides = result.setdefault(near.rule, {"rejected": [], "kept": []})
        sides["rejected" if near.failed else "kept"].append(near)
    return result
