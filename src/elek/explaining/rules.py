"""Rules looked at: how far a document is from each, how often each fires, which go together, and which are dead.

Everything follows from the columns that `annotate` stored and the thresholds in params.yaml; no text is read. What
`dedup` and `split` decided is taken from their decisions, because what they compare is not a signal of one document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.decisions import Verdict
from elek.errors import DataError
from elek.filtering import FilterParams, Rule, columns_for, discover, rule, verdicts

State = Literal["fails", "passes", "off", "not measured"]
By = Literal["lang", "source"]
GROUPS: Mapping[By, str] = {"lang": "language.rules", "source": "source"}
"""Columns of `annotate` to count by; a document's language is that whose rules apply to it."""


@dataclass(frozen=True)
class Standing:
    """Where one document stands with one rule."""

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
        """The margin in percent of the threshold; None where that is zero."""
        return None if self.margin is None or not self.threshold else 100 * self.margin / abs(self.threshold)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "margin": self.margin, "percent": self.percent}


def standings(signals: pa.Table, params: FilterParams) -> list[Standing]:
    """Every rule of the filters in `params` and the one document in `signals` (a row of `annotate`)."""
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


@dataclass(frozen=True)
class Closest:
    """The document that comes nearest to failing a rule without failing it."""

    id: str
    value: float
    threshold: float


class Survey:
    """Counts over a corpus, a part at a time. Rules are in the order in which they are asked."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.documents = 0
        self.together = np.zeros((0, 0), np.int64)
        """[rules, rules] documents that fail both; on the diagonal those that fail the rule at all."""
        self.alone = np.zeros(0, np.int64)
        self.reason = np.zeros(0, np.int64)
        self.measured = np.zeros(0, np.int64)
        """Documents for which the rule is on and its signal exists."""
        self.closest: dict[str, Closest] = {}
        self.groups: dict[str, dict[str, int]] = {}
        """By language or source: documents under "", and by rule those that fail it."""

    @property
    def failing(self) -> npt.NDArray[np.int64]:
        return np.diagonal(self.together)

    def add(self, ids: pa.ChunkedArray, found: Sequence[Verdict], group: pa.ChunkedArray | None = None) -> None:
        """Count what `found` says of the documents `ids`."""
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
    """The number of the rule that is the reason, for rows that fail one."""
    place = np.where(failed, np.arange(len(found), dtype=np.float64), np.inf)
    for index, verdict in enumerate(found):
        if verdict.ahead is not None:
            place[verdict.ahead & failed[:, index], index] -= 1.5
    return place.argmin(axis=1) if len(found) else np.zeros(len(failed), np.intp)


def survey(project: Path, params: FilterParams, by: By | None = None) -> Survey:
    """The rules of `params` over everything that `annotate` measured. Raises DataError before anything is."""
    if not (project / "data" / "annotate").is_dir():
        raise DataError("nothing has been measured yet", where=str(project), fix="run `dvc repro annotate`")
    annotate, found = Dataset(project / "data" / "annotate"), Survey()
    for index in range(len(annotate.parts)):
        table = annotate.read(index, list(dict.fromkeys([*columns_for(params), "source", "language.rules"])))
        found.add(table["id"], verdicts(table, params), table[GROUPS[by]] if by else None)
    return found


@dataclass(frozen=True)
class Dead:
    """A rule that does nothing, and why."""

    rule: str
    kind: Literal["off", "impossible", "not measured", "implied", "never"]
    why: str


def dead(found: Survey, params: FilterParams) -> list[Dead]:
    """Rules that are off, can never fire, or never did, in the order in which they are asked."""
    result: list[Dead] = []
    for name, section in params.root.items():
        own = discover()[name]
        limits = {item.name: _limits(getattr(section, item.name), own.zero_is_off) for item in own.rules}
        for item in own.rules:
            if f"{name}.{item.name}" in found.rules:
                result += _diagnose(f"{name}.{item.name}", item, limits, own.rules, found)
    numbers = {item.rule for item in result}
    silent = [label for label, count in zip(found.rules, found.failing, strict=True) if not count]
    result += [
        Dead(label, "never", f"none of {found.documents:,} documents fails it")
        for label in silent
        if rule(label) is None and label not in numbers
    ]
    return sorted(result, key=lambda item: found.rules.index(item.rule))


Limits = Mapping[str, float | None]
"""Thresholds of a rule by language, `default` among them; None where it is off."""


def _limits(setting: Any, zero_is_off: bool) -> Limits:
    by_lang = setting if isinstance(setting, Mapping) else {"default": setting}
    return {lang: None if value is None or (zero_is_off and not value) else value for lang, value in by_lang.items()}


def _diagnose(
    label: str, item: Rule, limits: Mapping[str, Limits], rules: Sequence[Rule], found: Survey
) -> Iterator[Dead]:
    own, at = limits[item.name], found.rules.index(label)
    values = sorted({value for value in own.values() if value is not None})
    if not values:
        yield Dead(label, "off", "switched off")
        return
    if not any(item.crosses(value) for value in values):
        low, high = item.range
        figures = ", ".join(f"{value:g}" for value in values)
        edge = f"never above {high:g}" if item.fails == "above" else f"never below {low:g}"
        yield Dead(label, "impossible", f"threshold {figures}, and `{item.signal}` is {edge}")
        return
    if not found.measured[at]:
        yield Dead(label, "not measured", f"`{item.signal}` has no value in any document for which the rule is on")
        return
    stricter = _stricter(item, own, limits, rules)
    if stricter:
        yield Dead(label, "implied", f"whoever fails it fails `{stricter}` too, which is as strict or stricter")
    elif not found.failing[at]:
        near = found.closest.get(label)
        how = f"; the closest is {near.value:.6g} against {near.threshold:.6g} ({near.id})" if near else ""
        yield Dead(label, "never", f"none of {found.documents:,} documents fails it{how}")


def _stricter(item: Rule, own: Limits, limits: Mapping[str, Limits], rules: Sequence[Rule]) -> str | None:
    """A rule about the same signal on the same side that is stricter, or as strict and asked earlier, in every
    language in which `item` is on."""
    sign = 1 if item.fails == "above" else -1
    for other in rules:
        if other is item or (other.signal, other.fails) != (item.signal, item.fails):
            continue
        theirs = limits[other.name]
        pairs = [(own.get(lang, own["default"]), theirs.get(lang, theirs["default"])) for lang in {*own, *theirs}]
        on = [(mine, limit) for mine, limit in pairs if mine is not None]
        if all(limit is not None and sign * limit <= sign * mine for mine, limit in on):
            equal = all(limit == mine for mine, limit in on)
            if not equal or rules.index(other) < rules.index(item):
                return other.name
    return None


def later(project: Path) -> dict[str, Survey]:
    """What `dedup` and `split` decided, over the documents that entered each; stages not yet run are left out."""
    result = {}
    for stage, folder in (("dedup", "data/dedup"), ("split", "data/split/decisions")):
        if not (project / folder).is_dir():
            continue
        dataset, found = Dataset(project / folder), Survey()
        names = stage_rules(dataset.manifest.get("params", {}))
        for index in range(len(dataset.parts)):
            table = dataset.read(index, ["id", "entered", "failures"])
            table = table.filter(table["entered"])
            found.add(table["id"], _stored(table, names))
        result[stage] = found
    return result


def stage_rules(params: Mapping[str, Any]) -> list[str]:
    """Rules that `dedup` or `split` asked, in its order, by the params in its manifest."""
    asked = {
        "dedup.exact": params.get("exact"),
        "dedup.minhash": params.get("minhash"),
        "split.contaminated": params.get("decontaminate_ngram"),
    }
    return [name for name, on in asked.items() if on]


def _stored(table: pa.Table, names: Sequence[str]) -> list[Verdict]:
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
