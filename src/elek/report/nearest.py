"""For every rule the documents that stand nearest to its threshold, on both sides: where a rule can be judged.

Works on plain verdicts, part by part, and keeps no more than it will show. A rule that compares no numbers has no
nearest: of those that fail it the ones whose ids hash lowest are taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from elek.decisions import Verdict


@dataclass(frozen=True)
class Near:
    """One document beside the threshold of one rule. `part` and `row` say where its text is."""

    rule: str
    id: str
    source: str
    failed: bool
    value: float | None
    threshold: float | None
    part: int
    row: int
    excerpt: str = ""

    @property
    def distance(self) -> float:
        """From the threshold, in its own unit; 0 where no numbers are compared."""
        return 0.0 if self.value is None or self.threshold is None else abs(self.value - self.threshold)


class Nearest:
    """Collects at most `per_side` documents that fail, and that pass, each rule; the same whatever the parts."""

    def __init__(self, per_side: int) -> None:
        self.per_side = per_side
        self._found: dict[tuple[str, bool], list[Near]] = {}

    def add(self, part: int, ids: pa.ChunkedArray, source: pa.ChunkedArray, verdicts: Sequence[Verdict]) -> None:
        """Look at the documents of one part."""
        for verdict in verdicts:
            distance = np.abs(verdict.value - verdict.threshold)
            numbers = not np.isnan(distance).all()
            for failed in (True, False):
                rows = np.flatnonzero((verdict.failed == failed) & (~np.isnan(distance) if numbers else failed))
                if numbers and len(rows) > 4 * self.per_side:
                    # Ties are settled by id below, so that all of them must be looked at.
                    limit = np.partition(distance[rows], self.per_side)[self.per_side]
                    rows = rows[distance[rows] <= limit]
                self._keep(verdict, failed, [self._near(verdict, part, row, ids, source) for row in rows.tolist()])

    def _near(self, verdict: Verdict, part: int, row: int, ids: pa.ChunkedArray, source: pa.ChunkedArray) -> Near:
        value, threshold = float(verdict.value[row]), float(verdict.threshold[row])
        return Near(
            verdict.rule,
            ids[row].as_py(),
            source[row].as_py(),
            bool(verdict.failed[row]),
            None if np.isnan(value) else value,
            None if np.isnan(threshold) else threshold,
            part,
            row,
        )

    def _keep(self, verdict: Verdict, failed: bool, found: list[Near]) -> None:
        key = (verdict.rule, failed)
        self._found[key] = sorted([*self._found.get(key, []), *found], key=_order)[: self.per_side]

    def all(self) -> list[Near]:
        """Every document that was kept in mind, by rule, those that fail first."""
        return [
            near for _, found in sorted(self._found.items(), key=lambda i: (i[0][0], not i[0][1])) for near in found
        ]


def _order(near: Near) -> tuple[float, bytes]:
    return near.distance, hashlib.sha256(near.id.encode()).digest()


def by_rule(found: Sequence[Near]) -> dict[str, dict[str, Any]]:
    """Rule → {"rejected": [...], "passed": [...]}, nearest first."""
    result: dict[str, dict[str, Any]] = {}
    for near in found:
        sides = result.setdefault(near.rule, {"rejected": [], "passed": []})
        sides["rejected" if near.failed else "passed"].append(near)
    return result
