"""The last pass over a part: the documents that are kept, and the decision of every one."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.curation import counterparts
from elek.curation.counterparts import SAMPLES, excerpt
from elek.dataset import DOCUMENT, Part, read_part, write_part
from elek.removal import TextPart
from elek.report.nearest import Near

DECISION = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("evidence", pa.string()),
    ]
)
"""One row per document, in the order of the input. `reasons` are all failing rules (`ruleset.rule`), `reason` the
first of them, null where the document is kept; `value`, `threshold` and `evidence` are of the reason, and null where
the rule compares no numbers or has nothing to show. A document that a filter drops is not asked about duplicates."""

KEPT = ""
"""The fate of kept documents, where others have the rule that is the reason."""

Volume = Counter[tuple[str, ...]]
"""By (fate, source, licence, identified language, "documents" | "bytes"); adds up over parts."""


class Sample(NamedTuple):
    """A document to show: the one whose id hashes lowest is shown first."""

    order: str
    id: str
    license: str
    excerpt: str
    others: tuple[str, ...]
    """Rules that failed beside the reason."""
    evidence: str
    survivor: str = ""
    """The document that was kept in its place, where it is a duplicate."""


@dataclass(frozen=True)
class OutputTask:
    """Part `index`: what the steps before wrote of it, and the folders to write into."""

    text: TextPart
    signals: Path
    filtered: Path
    deduplicated: Path | None
    index: int
    documents: Path
    decisions: Path
    params: dict[str, Any]
    """Section `filter`, as plain data."""


class Written(NamedTuple):
    documents: Part
    decisions: Part
    volume: Volume
    failures: Counter[str]
    """Documents by rule that they fail, reason or not."""
    samples: dict[str, list[Sample]]
    near: list[Near]
    """The kept documents nearest to failing each rule."""


def write_output(task: OutputTask) -> Written:
    """Write one part of `documents` and of `decisions`."""
    documents = task.text.read(DOCUMENT.names).cast(DOCUMENT)
    duplicates = None if task.deduplicated is None else read_part(task.deduplicated, ["failures", "survivor"])
    decided = decisions(read_part(task.filtered, ["id", "failures"]), duplicates)
    language = read_part(task.signals, ["language.label"])["language.label"]
    return Written(
        write_part(task.documents, task.index, documents.filter(decided["kept"])),
        write_part(task.decisions, task.index, decided),
        _volume(documents, decided, language),
        Counter(pc.list_flatten(decided["reasons"]).to_pylist()),
        _samples(documents, decided, None if duplicates is None else duplicates["survivor"]),
        counterparts.nearest(task.signals, task.index, documents, decided["kept"], task.params),
    )


def decisions(filtered: pa.Table, deduplicated: pa.Table | None) -> pa.Table:
    """`DECISION` rows from what the filters said and, where it was asked, deduplication."""
    failures = filtered["failures"].combine_chunks()
    if deduplicated is not None:
        # Whoever failed a filter did not enter deduplication: at most one of the two lists has anything in it.
        sizes = pc.list_value_length(failures)
        failures = pc.if_else(pc.greater(sizes, 0), failures, deduplicated["failures"].combine_chunks())
    sizes = pc.list_value_length(failures).to_numpy()
    offsets = np.append(0, np.cumsum(sizes)).astype(np.int32)
    items = pc.list_flatten(failures)
    first = items.take(pa.array(offsets[:-1], mask=sizes == 0))
    reasons = pa.ListArray.from_arrays(pa.array(offsets), pc.struct_field(items, "rule"))
    named = {name: pc.struct_field(first, name) for name in ("rule", "value", "threshold", "evidence")}
    ids = filtered["id"].combine_chunks()
    columns = [ids, pa.array(sizes == 0), named["rule"], reasons, named["value"], named["threshold"], named["evidence"]]
    return pa.Table.from_arrays(columns, schema=DECISION)


def _volume(documents: pa.Table, decided: pa.Table, language: pa.ChunkedArray) -> Volume:
    table = pa.table(
        {
            "fate": pc.fill_null(decided["reason"], KEPT),
            "source": documents["source"],
            "license": documents["license"],
            "lang": language,
            "bytes": pc.binary_length(documents["text"]),
        }
    )
    volume: Volume = Counter()
    keys = ["fate", "source", "license", "lang"]
    for row in table.group_by(keys).aggregate([("bytes", "sum"), ([], "count_all")]).to_pylist():
        key = tuple(row[name] for name in keys)
        volume[(*key, "documents")] += row["count_all"]
        volume[(*key, "bytes")] += row["bytes_sum"]
    return volume


def _samples(documents: pa.Table, decided: pa.Table, survivors: pa.ChunkedArray | None) -> dict[str, list[Sample]]:
    """For every fate the SAMPLES documents whose ids hash lowest; personal data is masked, whatever was skipped."""
    places: dict[str, list[tuple[str, int]]] = {}
    ids, fates = documents["id"].to_pylist(), decided["reason"].to_pylist()
    for row, (name, fate) in enumerate(zip(ids, fates, strict=True)):
        places.setdefault(fate or KEPT, []).append((hashlib.sha256(name.encode()).hexdigest()[:16], row))
    found: dict[str, list[Sample]] = {}
    for fate, every in places.items():
        for order, row in heapq.nsmallest(SAMPLES, every):
            decision: dict[str, Any] = decided.slice(row, 1).to_pylist()[0]
            document = documents.select(["license", "text"]).slice(row, 1).to_pylist()[0]
            sample = Sample(
                order,
                ids[row],
                document["license"],
                excerpt(document["text"]),
                tuple(decision["reasons"][1:]),
                _evidence(decision),
                (None if survivors is None else survivors[row].as_py()) or "",
            )
            found.setdefault(fate, []).append(sample)
    return found


def _evidence(decision: dict[str, Any]) -> str:
    value, threshold = decision["value"], decision["threshold"]
    numbers = "" if value is None else f"{value:.4g}" + ("" if threshold is None else f", threshold {threshold:.4g}")
    return "; ".join(part for part in (numbers, decision["evidence"]) if part)


def merge(parts: list[dict[str, list[Sample]]]) -> dict[str, list[Sample]]:
    """The samples of all parts."""
    merged: dict[str, list[Sample]] = {}
    for part in parts:
        for fate, samples in part.items():
            merged[fate] = sorted([*merged.get(fate, []), *samples])[:SAMPLES]
    return merged
