"""What a table of decisions adds up to: in, kept, dropped, and why, over all and by source."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

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
    by_source = {name: _one(counts, [name]) for name in sorted({key[0] for key in counts if key[0]})}
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
