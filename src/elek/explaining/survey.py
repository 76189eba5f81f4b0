"""Rules over a corpus: how often each fires, which fire together, and which document is nearest to failing each.

Everything is computed from the columns that `annotate` stored and the thresholds in params.yaml; no text is read. For
`dedup` and `split` the stored decisions are counted, because they compare documents with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.decisions import Verdict
from elek.errors import DataError
from elek.explaining.standings import stage_rules
from elek.filtering import FilterParams, columns_for, rule, verdicts

By = Literal["lang", "source"]
GROUPS: Mapping[By, str] = {"lang": "language.rules", "source": "source"}
"""Columns of `annotate` to count by. A document counts under the language whose rules apply to it."""


@dataclass(frozen=True)
class Closest:
    """The document that comes nearest to failing a rule without failing it."""

    id: str
    value: float
    threshold: float


class Survey:
    """Counts over a corpus, added a part at a time. Rules are in the order in which they are applied."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.documents = 0
        self.together = np.zeros((0, 0), np.int64)
        """[rules, rules]: documents that fail both rules; on the diagonal, all that fail the rule."""
        self.alone = np.zeros(0, np.int64)
        self.reason = np.zeros(0, np.int64)
        self.measured = np.zeros(0, np.int64)
        """Documents for which the rule is on and its signal exists."""
        self.closest: dict[str, Closest] = {}
        self.groups: dict[str, dict[str, int]] = {}
        """By language or source: the number of documents under "", and of those failing a rule under its name."""

    @property
    def failing(self) -> npt.NDArray[np.int64]:
        return np.diagonal(self.together)

    def add(self, ids: pa.ChunkedArray, found: Sequence[Verdict], group: pa.ChunkedArray | None = None) -> None:
        """Count the verdicts `found` on the documents `ids`, by `group` where one is given."""
        if not self.rules:
            size = len(found)
            self.rules = [verdict.rule for verdict in found]
            self.together = np.zeros((size, size), np.int64)
            self.alone, self.reason, self.measured = (np.zeros(size, np.int64) for _ in range(3))
        failed = np.zeros((len(ids), len(found)), bool)
        for index, verdict in enumerate(found):
            failed[:, index] = verdict.failed
            missing = np.isnan(verdict.value) | np.isnan(verdict.threshold)
            self.measured[index] += len(ids) - (missing.sum() if rule(verdict.rule) else 0)
            self._approach(ids, verdict)
        counts = failed.sum(axis=1)
        self.documents += len(ids)
        exact = failed.astype(np.float64)  # sums of ones are exact in float64, and BLAS knows no integers
        self.together += (exact.T @ exact).astype(np.int64)
        self.alone += failed[counts == 1].sum(axis=0)
        first = _first(found, failed)
        self.reason += np.bincount(first[counts > 0], minlength=len(found))
        if group is not None:
            names = group.combine_chunks().dictionary_encode()
            for number, name in enumerate(names.dictionary.to_pylist()):
                rows = names.indices.to_numpy(zero_copy_only=False) == number
                own = self.groups.setdefault(str(name), {"": 0})
                own[""] += int(rows.sum())
                for label, count in zip(self.rules, failed[rows].sum(axis=0).tolist(), strict=True):
                    own[label] = own.get(label, 0) + count

    def _approach(self, ids: pa.ChunkedArray, verdict: Verdict) -> None:
        distance = np.where(verdict.failed, np.nan, np.abs(verdict.value - verdict.threshold))
        if np.isnan(distance).all():
            return
        row = int(np.nanargmin(distance))
        best = self.closest.get(verdict.rule)
        if best is None or distance[row] < abs(best.value - best.threshold):
            value, threshold = float(verdict.value[row]), float(verdict.threshold[row])
            self.closest[verdict.rule] = Closest(ids[row].as_py(), value, threshold)

    def overlaps(self, name: str, most: int = 3) -> list[tuple[str, int]]:
        """The rules that most of the documents failing `name` also fail, and how many do."""
        row = self.together[self.rules.index(name)]
        others = [(other, int(count)) for other, count in zip(self.rules, row, strict=True) if other != name and count]
        return sorted(others, key=lambda item: (-item[1], item[0]))[:most]


def _first(found: Sequence[Verdict], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """The index of the rule that is the reason, for each row that fails one."""
    place = np.where(failed, np.arange(len(found), dtype=np.float64), np.inf)
    for index, verdict in enumerate(found):
        if verdict.ahead is not None:
            place[verdict.ahead & failed[:, index], index] -= 1.5
    return place.argmin(axis=1) if len(found) else np.zeros(len(failed), np.intp)


def survey(project: Path, params: FilterParams, by: By | None = None) -> Survey:
    """The rules of `params` over everything that `annotate` measured. Raises DataError where it has not run."""
    if not (project / "data" / "annotate").is_dir():
        raise DataError("nothing has been measured yet", where=str(project), fix="run `dvc repro annotate`")
    annotate, found = Dataset(project / "data" / "annotate"), Survey()
    for index in range(len(annotate.parts)):
        table = annotate.read(index, list(dict.fromkeys([*columns_for(params), "source", "language.rules"])))
        found.add(table["id"], verdicts(table, params), table[GROUPS[by]] if by else None)
    return found


def stage_surveys(project: Path) -> dict[str, Survey]:
    """The decisions of `dedup` and `split` on the documents that entered them. A stage that has not run is left out."""
    result = {}
    for stage, folder in (("dedup", "data/dedup"), ("split", "data/split/decisions")):
        if not (project / folder).is_dir():
            continue
        dataset, found = Dataset(project / folder), Survey()
        names = stage_rules(stage, dataset.manifest.get("params", {}))
        for index in range(len(dataset.parts)):
            table = dataset.read(index, ["id", "entered", "failures"])
            table = table.filter(table["entered"])
            found.add(table["id"], _stored(table, names))
        result[stage] = found
    return result


def _stored(table: pa.Table, names: Sequence[str]) -> list[Verdict]:
    """The verdicts of the rules `names` in stored decisions; values and thresholds are NaN."""
    failures = table["failures"].combine_chunks()
    row = pc.list_parent_indices(failures).to_numpy()
    items = pc.list_flatten(failures)
    label = pc.struct_field(items, "rule").to_numpy(zero_copy_only=False)
    nothing = np.full(len(table), np.nan)
    found = []
    for name in names:
        failed = np.zeros(len(table), bool)
        failed[row[label == name]] = True
        found.append(Verdict(name, failed, nothing, nothing))
    return found
