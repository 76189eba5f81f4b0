"""What a worker does with a shard of input in one pass: read, clean, measure, ask the filters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from elek.curation.cutting import Shard
from elek.curation.reading import read_shard
from elek.curation.settings import Settings
from elek.dataset import Dataset, Part, write_part
from elek.execution.optional_modules import probe_optional_modules
from elek.filtering import decide, derived
from elek.filtering.annotation import annotate
from elek.pii import PII_TYPES, PiiType, find, holds_email, mask
from elek.sources.records import Skip
from elek.text.cleaning import SCHEMA, clean_table

STEPS = ("clean", "annotate", "filter")
"""Datasets in the scratch folder, row by row aligned, which `deduplicate` reads and the output is made from."""

COMPARED = ("id", "source", "hash.text", "hash.minhash")
"""The signals that `deduplicate` reads."""


@dataclass(frozen=True)
class ShardTask:
    """Shard `index`: write its part of STEPS below `scratch`, and of the signals into the folder `signals`."""

    shard: Shard
    index: int
    scratch: Path
    signals: Path
    settings: dict[str, Any]


class Processed(NamedTuple):
    """Small enough to be sent home."""

    parts: dict[str, Part]
    """By step, and of `signals`."""
    files: dict[str, int]
    """Documents by file."""
    skips: list[Skip]


def process_shard(task: ShardTask) -> Processed:
    """Pure but for the parts that it writes. Memory: the shard's text some four times over."""
    settings = Settings.of(task.settings)  # and with it all filters are imported
    if parent_process() is not None:
        probe_optional_modules()
    read = read_shard(task.shard, settings.license, settings.lang, settings.encodings)
    if "clean" in settings.skip:
        documents, counts = _as_it_came(read.documents)
    else:
        documents, counts = clean_table(read.documents, settings.clean)
    measured = annotate(documents, settings.annotate)
    decided = decide(measured, settings.filter)
    flat = measured.select([field.name for field in measured.schema if not pa.types.is_nested(field.type)])
    counts["undeclared"] = read.undeclared
    counts["ids_with_email"] = sum(map(holds_email, _with_at(read.documents["id"])))
    parts = {
        "clean": write_part(task.scratch / "clean", task.index, documents, counts, passing=True),
        "annotate": write_part(task.scratch / "annotate", task.index, measured.select(COMPARED), passing=True),
        "filter": write_part(task.scratch / "filter", task.index, decided, passing=True),
        "signals": write_part(task.signals, task.index, exported(flat, derived(measured, settings.filter))),
    }
    return Processed(parts, read.files, read.skips)


def _with_at(ids: pa.ChunkedArray) -> list[str]:
    found: list[str] = ids.filter(pc.match_substring(ids, "@")).to_pylist()
    return found


def ids_with_email(clean: Dataset) -> dict[str, Any]:
    """How many ids hold an e-mail address; the first of them, masked, and where it comes from."""
    number, first = clean.counts["ids_with_email"], None
    if number:
        index = next(index for index, part in enumerate(clean.parts) if part.counts["ids_with_email"])
        table = clean.read(index, ["id", "meta"])
        rows = zip(table["id"].to_pylist(), table["meta"].to_pylist(), strict=True)
        name, meta = next((name, json.loads(meta)) for name, meta in rows if holds_email(name))
        where = f" ({mask(meta['file'])[0]}, row {meta['row']})" if "row" in meta else ""
        first = f"`{mask(name)[0]}`{where}"
    return {"documents": number, "first": first}


def exported(flat: pa.Table, derived: Mapping[str, pa.Array]) -> pa.Table:
    """The signals without what only deduplication can read, and what rules compare that follows from the others."""
    table = flat.select([name for name in flat.column_names if not name.startswith("hash.")])
    for name, column in derived.items():
        table = table.append_column(name, column)
    return table


def _as_it_came(documents: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Documents with their personal data counted and left where it is."""
    found: dict[PiiType, list[int]] = {kind: [] for kind in PII_TYPES}
    for text in documents["text"].to_pylist():
        kinds = [span.type for span in find(text)]
        for kind, numbers in found.items():
            numbers.append(kinds.count(kind))
    columns = [documents[name] for name in documents.column_names]
    columns += [pa.array(found[kind], pa.int32()) for kind in PII_TYPES]
    size = int(pc.sum(pc.binary_length(documents["text"])).as_py() or 0)
    counts = {"documents": len(documents), "bytes_in": size, "bytes_out": size}
    counts |= {f"pii.{kind}": sum(numbers) for kind, numbers in found.items()}
    return pa.table(columns, schema=SCHEMA), counts
