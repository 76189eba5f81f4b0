"""Decisions: the verdicts of rules on every row, combined into one table, and counts over such tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DECISION


@dataclass(frozen=True)
class Verdict:
    """The verdict of one rule on each row of a batch, as arrays of one length. `value` is NaN where there is none."""

    rule: str  # "gopher_quality.min_words"
    failed: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float64]
    threshold: npt.NDArray[np.float64]
    evidence: pa.Array | None = None
    ahead: npt.NDArray[np.bool_] | None = None
    """Rows in which this rule comes before the preceding one, because it fails earlier in the text."""


def decisions(
    ids: pa.ChunkedArray | pa.Array, verdicts: Sequence[Verdict], entered: npt.NDArray[np.bool_] | None = None
) -> pa.Table:
    """Combine verdicts into one row per document, with failures in the order of `verdicts`.

    `entered` marks the rows that earlier stages kept (by default all); other rows have no failures.
    """
    rows = len(ids)
    entered = np.ones(rows, dtype=bool) if entered is None else entered
    failed = np.zeros((rows, len(verdicts)), dtype=bool)
    for index, verdict in enumerate(verdicts):
        failed[:, index] = verdict.failed & entered
    row, rule = np.nonzero(failed)  # row-major: by document, then in the order of the rules
    place = rule.astype(np.float64)
    for index, verdict in enumerate(verdicts):
        if verdict.ahead is not None:
            place[(rule == index) & verdict.ahead[row]] -= 1.5
    rule = rule[np.lexsort((place, row))]
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(failed.sum(axis=1), out=offsets[1:])

    value = np.full(len(row), np.nan)
    threshold = np.full(len(row), np.nan)
    evidence = np.full(len(row), None, dtype=object)
    for index, verdict in enumerate(verdicts):
        at = rule == index
        value[at] = verdict.value[row[at]]
        threshold[at] = verdict.threshold[row[at]]
        if verdict.evidence is not None:
            evidence[at] = verdict.evidence.take(pa.array(row[at])).to_pylist()
    names = pa.array([verdict.rule for verdict in verdicts], pa.string())
    item_type = DECISION.field("failures").type.value_type
    items = pa.StructArray.from_arrays(
        [
            names.take(pa.array(rule)),
            pa.array(value, from_pandas=True),
            pa.array(threshold, from_pandas=True),
            pa.array(evidence, pa.string()),
        ],
        fields=list(item_type),
    )
    failures = pa.ListArray.from_arrays(pa.array(offsets), items, type=DECISION.field("failures").type)
    kept = entered & ~failed.any(axis=1)
    id_array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    return pa.Table.from_arrays([id_array, pa.array(entered), pa.array(kept), failures], schema=DECISION)


Tally = Counter[tuple[str, ...]]
"""Counts that add up over parts, by (source, "in" | "kept"), (source, "reasons", rule) or ("", "failures", rule)."""


def tally(decisions: pa.Table, source: pa.ChunkedArray) -> Tally:
    """Count the documents that entered. `source` is aligned with `decisions`."""
    counts: Tally = Counter()
    entered = decisions.filter(decisions["entered"])
    source = source.filter(decisions["entered"])
    _count(counts, source, "in")
    _count(counts, source.filter(entered["kept"]), "kept")
    dropped = pc.invert(entered["kept"])
    # A dropped document has at least one failure; the first is the reason.
    reasons = pc.struct_field(pc.list_element(entered["failures"].filter(dropped), 0), "rule")
    pairs = pa.table({"source": source.filter(dropped), "rule": reasons})
    for row in pairs.group_by(["source", "rule"]).aggregate([([], "count_all")]).to_pylist():
        counts[row["source"], "reasons", row["rule"]] += row["count_all"]
    rules = pc.struct_field(pc.list_flatten(entered["failures"]), "rule")
    for item in pc.value_counts(rules).to_pylist():
        counts["", "failures", item["values"]] += item["counts"]
    return counts


def _count(counts: Tally, source: pa.ChunkedArray, what: str) -> None:
    for item in pc.value_counts(source).to_pylist():
        counts[item["values"], what] += item["counts"]


def metrics(counts: Tally) -> dict[str, Any]:
    """`{"in", "kept", "dropped", "reasons", "failures", "by_source"}`; in = kept + dropped everywhere."""
    by_source = {name: _one(counts, [name]) for name in sorted({key[0] for key in counts if key[1] != "failures"})}
    failures = {key[2]: number for key, number in sorted(counts.items()) if key[1] == "failures"}
    return {**_one(counts, list(by_source)), "failures": failures, "by_source": by_source}


def _one(counts: Tally, sources: list[str]) -> dict[str, Any]:
    reasons: Counter[str] = Counter()
    for key, number in sorted(counts.items()):
        if key[0] in sources and key[1] == "reasons":
            reasons[key[2]] += number
    entered = sum(counts[name, "in"] for name in sources)
    kept = sum(counts[name, "kept"] for name in sources)
    return {"in": entered, "kept": kept, "dropped": entered - kept, "reasons": dict(reasons)}


def summary(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The result of `metrics` as rows of label and text; if it has `removed`, also the text taken out."""
    rows = [("documents", f"{found['in']:,} in, {found['kept']:,} kept")]
    rows += [(rule, f"{number:,} dropped") for rule, number in found["reasons"].items()]
    if "removed" in found:
        rows.append(("taken out", "{bytes:,} bytes, from {documents:,} documents that stay".format(**found["removed"])))
    return rows
