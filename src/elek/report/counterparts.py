"""Kept documents to compare with those that each rule dropped: the nearest to failing, and the survivors of duplicates.

Only the text that is shown is read: that of `clean`, without what later stages removed from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.decisions import Verdict
from elek.filtering import FilterParams, columns_for, verdicts
from elek.removal import text_parts
from elek.report.fates import Sample, excerpt
from elek.report.nearest import Near, Nearest

Place = tuple[int, int]
"""Part and row of a document."""
CONTAMINATED = "split.contaminated"


def nearest_documents(data: Path, table: pa.Table, per_side: int, characters: int) -> list[Near]:
    """The documents nearest to the threshold of each rule of `filter` and `split`, on both sides.

    Those that pass are chosen among the documents that every stage kept. `table` is that of `fates.fates`. The
    thresholds are those in the manifests of the two stages; a stage whose manifest has none is left out.
    """
    filtered, annotate, found = Dataset(data / "filter"), Dataset(data / "annotate"), Nearest(per_side)
    params, start = filtered.manifest.get("params"), 0
    for index, part in enumerate(annotate.parts):
        kept = pc.equal(table["stage"].slice(start, part.rows), "kept").to_numpy()
        start += part.rows
        if params is not None and per_side:
            by = FilterParams(params)
            signals = annotate.read(index, list(dict.fromkeys([*columns_for(by), "license"])))
            found.add(index, signals, verdicts(signals, by), kept)
        if per_side and (judged := _contaminated(data, index)) is not None:
            found.add(index, annotate.read(index, ["id", "license"]), [judged], kept)
    nearest = found.all()
    texts = _excerpts(data, {(near.part, near.row) for near in nearest}, characters)
    return [replace(near, excerpt=texts[near.part, near.row]) for near in nearest]


def _contaminated(data: Path, index: int) -> Verdict | None:
    """The verdict of `split` on the documents of a part; NaN where a document was not measured."""
    decided = Dataset(data / "split" / "decisions")
    params = decided.manifest.get("params") or {}
    if params.get("decontaminate_ngram") is None:
        return None
    table = decided.read(index, ["entered", "kept", "contamination"])
    value = table["contamination"].to_numpy().astype(np.float64)
    failed = table["entered"].to_numpy() & ~table["kept"].to_numpy()
    return Verdict(CONTAMINATED, failed, value, np.full(len(value), float(params["decontaminate_share"])))


def survivors(data: Path, table: pa.Table, samples: dict[str, list[Sample]], characters: int) -> dict[str, Sample]:
    """The document that `dedup` kept in place of each duplicate among `samples`, by the duplicate's id."""
    shown = [sample.id for rule, found in samples.items() if rule.startswith("dedup.") for sample in found]
    if not shown:
        return {}
    dedup, instead = Dataset(data / "dedup"), dict[str, str]()
    duplicates = _places(table, shown)
    for part in sorted({part for part, _ in duplicates.values()}):
        survivor = dedup.read(part, ["survivor"])["survivor"]
        instead |= {name: survivor[row].as_py() for name, (own, row) in duplicates.items() if own == part}
    places = _places(table, instead.values())
    texts = _excerpts(data, set(places.values()), characters)
    found = {}
    rows = table.select(["id", "source", "license", "stage", "fate"])
    rows = {row["id"]: row for row in rows.filter(pc.is_in(rows["id"], pa.array(places, pa.string()))).to_pylist()}
    for duplicate, name in instead.items():
        row = rows[name]
        told = "" if row["stage"] == "kept" else f"itself dropped later, by {row['fate']}"
        found[duplicate] = Sample(name, row["source"], row["license"], texts[places[name]], (), told)
    return found


def _places(table: pa.Table, names: Iterable[str]) -> dict[str, Place]:
    found = table.select(["id", "part", "row"]).filter(pc.is_in(table["id"], pa.array(sorted(set(names)), pa.string())))
    return {row["id"]: (row["part"], row["row"]) for row in found.to_pylist()}


def _excerpts(data: Path, places: set[Place], characters: int) -> dict[Place, str]:
    clean = text_parts(Dataset(data / "clean" / "train"), Dataset(data / "filter"), Dataset(data / "dedup"))
    found: dict[Place, str] = {}
    for part in sorted({part for part, _ in places}):
        text = clean[part].read(["text"])["text"]
        rows = sorted(row for own, row in places if own == part)
        found |= {(part, row): excerpt(text[row].as_py(), characters) for row in rows}
    return found
