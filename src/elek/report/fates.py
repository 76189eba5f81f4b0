"""The fate of every document as one small table, with a check that none is missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elek.dataset import Dataset
from elek.errors import DataError
from elek.filtering import HELD, RELEASED
from elek.licences.categories import category, licences_in, obligations
from elek.licences.finding import family
from elek.licences.spdx import check
from elek.removal import REMOVE, merged, removed_bytes, text_parts

KEPT = ("train", "validation", "test")
STAGES = ("filter", "dedup", "split")
REMOVED = "removed lines"
"""The fate of text that `filter` or `dedup` removed from documents that they kept."""


@dataclass(frozen=True)
class Flow:
    """The number of documents and bytes of one source that had one fate."""

    source: str
    stage: str
    """The stage that dropped them, or `kept`."""
    fate: str
    """The first failing rule, or the split of kept documents, or `REMOVED` for text removed from kept documents."""
    documents: int
    bytes: int


def fates(data: Path) -> pa.Table:
    """One row per document of `clean`: `id, source, license, lang, bytes, removed, part, row, stage, fate`.

    `bytes` are what is left after `filter` and `dedup` removed `removed` of them. No text is read. Raises DataError
    where a document has no fate or more than one, so that no document can get lost unnoticed.
    """
    annotate = Dataset(data / "annotate")
    decisions = {
        "filter": Dataset(data / "filter"),
        "dedup": Dataset(data / "dedup"),
        "split": Dataset(data / "split" / "decisions"),
    }
    tables = []
    for index in range(len(annotate.parts)):
        table = annotate.read(index, ["id", "source", "license", "lang", "bytes"])
        stage, fate = _part_fates(table["id"], index, decisions)
        removed = pa.array(_removed([decisions["filter"], decisions["dedup"]], index, table.num_rows))
        table = table.set_column(4, "bytes", pc.subtract(table["bytes"], removed)).append_column("removed", removed)
        rows = table.num_rows
        tables.append(
            table.append_column("part", pa.array([index] * rows, pa.int32()))
            .append_column("row", pa.array(range(rows), pa.int32()))
            .append_column("stage", stage)
            .append_column("fate", fate)
        )
    return pa.concat_tables(tables)


def _removed(stages: Sequence[Dataset], index: int, rows: int) -> npt.NDArray[np.int64]:
    """Bytes that the stages removed from each document of a part."""
    columns = [stage.read(index, [REMOVE.name])[REMOVE.name] for stage in stages if stage.manifest.get("removes")]
    return removed_bytes(merged(columns)) if columns else np.zeros(rows, np.int64)


def _part_fates(ids: pa.ChunkedArray, index: int, decisions: dict[str, Dataset]) -> tuple[pa.Array, pa.Array]:
    """The last stage and the fate of each document of a part."""
    alive = pa.array([True] * len(ids))
    stage: pa.Array = pa.nulls(len(ids), pa.string())
    fate: pa.Array = pa.nulls(len(ids), pa.string())
    for name in STAGES:
        dataset = decisions[name]
        columns = ["id", "entered", "kept", "failures", *(["split"] if name == "split" else [])]
        table = dataset.read(index, columns).combine_chunks()
        if not table["id"].equals(ids):
            raise DataError(
                f"part {index} of `{name}` does not have the rows of `annotate`",
                where=str(dataset.path(index)),
                fix="run `dvc repro --force`",
            )
        entered, kept = _single(table["entered"]), _single(table["kept"])
        if not entered.equals(alive):
            raise DataError(
                f"`{name}` saw other documents than the stages before it had kept", where=str(dataset.folder)
            )
        dropped = pc.and_not(entered, kept)
        stage = pc.if_else(dropped, name, stage)
        fate = pc.if_else(dropped, _first_rule(_single(table["failures"])), fate)
        alive = kept
    stage = pc.if_else(alive, "kept", stage)
    fate = pc.if_else(alive, _single(table["split"]), fate)
    if stage.null_count or fate.null_count:
        raise DataError(f"{fate.null_count} documents of part {index} have no fate", where=str(dataset.folder))
    return stage, fate


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _first_rule(failures: pa.ListArray) -> pa.Array:
    """Name of the first failing rule of each row, null where there is none."""
    flat = pc.list_flatten(pc.list_slice(failures, 0, 1))
    rows = pc.list_parent_indices(pc.list_slice(failures, 0, 1))
    if len(flat) == 0:
        return pa.nulls(len(failures), pa.string())
    positions = pc.index_in(pa.array(range(len(failures)), rows.type), value_set=rows)
    return flat.field("rule").take(positions)


def flows(table: pa.Table) -> list[Flow]:
    """Documents and bytes by source and fate, in a fixed order. Text removed from kept documents adds bytes only."""
    grouped = table.group_by(["source", "stage", "fate"]).aggregate([("bytes", "sum"), ("bytes", "count")])
    found = [
        Flow(row["source"], row["stage"], row["fate"], row["bytes_count"], row["bytes_sum"])
        for row in grouped.to_pylist()
    ]
    found += [
        Flow(row["source"], "filter", REMOVED, 0, row["removed_sum"])
        for row in table.group_by("source").aggregate([("removed", "sum")]).to_pylist()
        if row["removed_sum"]
    ]
    return sorted(found, key=lambda flow: (flow.source, flow.stage, flow.fate))


@dataclass(frozen=True)
class Sample:
    """A document to show for its fate."""

    id: str
    source: str
    license: str
    excerpt: str
    others: Sequence[str]
    """The rules that failed besides the reason."""
    told: str = ""
    """Value, threshold and evidence of the reason."""


def samples(data: Path, table: pa.Table, per_fate: int, characters: int) -> dict[str, list[Sample]]:
    """For every fate, the `per_fate` documents with the lowest hash of their id, with the start of their text.

    The text is that of `clean`, where personal data is masked, without what was removed from kept documents.
    """
    chosen: dict[str, list[dict[str, Any]]] = {}
    for row in table.select(["id", "source", "license", "part", "row", "stage", "fate"]).to_pylist():
        chosen.setdefault(row["fate"], []).append(row)
    clean = text_parts(Dataset(data / "clean" / "train"), Dataset(data / "filter"), Dataset(data / "dedup"))
    decisions = {name: Dataset(data / name / ("decisions" if name == "split" else "")) for name in STAGES}
    picked = [
        row
        for rows in chosen.values()
        for row in sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())[:per_fate]
    ]
    found: dict[str, list[Sample]] = {}
    for part in sorted({row["part"] for row in picked}):
        text = clean[part].read(["text"])["text"]
        failures = {name: dataset.read(part, ["failures"])["failures"] for name, dataset in decisions.items()}
        for row in picked:
            if row["part"] != part:
                continue
            at, stage = row["row"], row["stage"]
            failing = failures[stage][at].as_py() if stage in failures else []
            found.setdefault(row["fate"], []).append(
                Sample(
                    id=row["id"],
                    source=row["source"],
                    license=row["license"],
                    excerpt=excerpt(text[at].as_py(), characters),
                    others=[item["rule"] for item in failing[1:]],
                    told=_told(failing[0]) if failing else "",
                )
            )
    return found


def _told(failure: dict[str, Any]) -> str:
    value, threshold = failure["value"], failure["threshold"]
    numbers = "" if value is None else f"{value:,.4g}" + ("" if threshold is None else f", threshold {threshold:,.4g}")
    return "; ".join(part for part in (numbers, failure["evidence"]) if part)


def held(data: Path, table: pa.Table) -> list[dict[str, Any]]:
    """Every document that is held for review: `id, source, license, evidence, also` (its other failing rules)."""
    rows = table.filter(pc.equal(table["fate"], HELD)).select(["id", "source", "license", "part", "row"]).to_pylist()
    filtered, failures = Dataset(data / "filter"), {}
    for part in sorted({row["part"] for row in rows}):
        failures[part] = filtered.read(part, ["failures"])["failures"]
    found = []
    for row in sorted(rows, key=lambda row: row["id"]):
        first, *others = failures[row.pop("part")][row.pop("row")].as_py()
        found.append({**row, "evidence": first["evidence"] or "", "also": [item["rule"] for item in others]})
    return found


def released(data: Path) -> list[dict[str, Any]]:
    """Every held document that a person released: `id, source, license, evidence, reason, kept`.

    `kept` says whether `filter` keeps it, as another rule may still drop it.
    """
    filtered, annotate, found = Dataset(data / "filter"), Dataset(data / "annotate"), []
    for part in range(len(filtered.parts)):
        if RELEASED.name not in pq.read_schema(filtered.path(part)).names:
            return []
        decided = filtered.read(part, ["kept", RELEASED.name])
        own = annotate.read(part, ["id", "source", "license", "licence.evidence"])
        table = own.append_column("reason", decided[RELEASED.name]).append_column("kept", decided["kept"])
        for row in table.filter(table["reason"].is_valid()).to_pylist():
            marks = [item for item in json.loads(row.pop("licence.evidence")) if item["own"]]
            found.append({**row, "evidence": ", ".join(f"{item['licence']} ({item['kind']})" for item in marks)})
    return sorted(found, key=lambda row: str(row["id"]))


def licences_of_their_own(data: Path, table: pa.Table) -> list[dict[str, Any]]:
    """Licences that training documents state for themselves and that differ from the declared one.

    Their obligations also bind whoever passes the text on. `licence, category, obligations, documents, ids`, the last
    at most 20.
    """
    annotate = Dataset(data / "annotate")
    found: dict[str, set[str]] = {}
    for part in range(len(annotate.parts)):
        if "licence.evidence" not in pq.read_schema(annotate.path(part)).names:
            return []
        own = annotate.read(part, ["id", "license", "licence.evidence"])
        fate = table.filter(pc.equal(table["part"], part))["fate"]
        rows = pc.and_(pc.equal(fate, "train"), pc.not_equal(own["licence.evidence"], ""))
        for row in own.filter(rows).to_pylist():
            declared = set() if check(row["license"]) else {family(item.id) for item in licences_in(row["license"])}
            for item in json.loads(row["licence.evidence"]):
                if item["own"] and item["kind"] != "opt-out" and item["family"] not in declared:
                    found.setdefault(item["licence"], set()).add(row["id"])
    return [
        {
            "licence": name,
            "category": category(name),
            "obligations": obligations(name),
            "documents": len(ids),
            "ids": sorted(ids)[:20],
        }
        for name, ids in sorted(found.items())
    ]


def excerpt(text: str, characters: int) -> str:
    """The start of a text."""
    text = text.strip()
    return text if len(text) <= characters else text[:characters].rstrip() + " …"
