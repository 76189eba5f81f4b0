"""What became of every document, as one small table, and the proof that none is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.errors import DataError
from elek.removal import removed_bytes, text_parts

KEPT = ("train", "validation", "test")
STAGES = ("filter", "dedup", "split")
REMOVED = "removed lines"
"""The fate of text that `filter` took out of documents which it kept."""


@dataclass(frozen=True)
class Flow:
    """So many documents and bytes of one source had one fate."""

    source: str
    stage: str
    """The stage that dropped them, or `kept`."""
    fate: str
    """The rule that was the first to fail, or the split that they are in; `REMOVED` for text of kept documents."""
    documents: int
    bytes: int


def fates(data: Path) -> pa.Table:
    """One row per document of `clean`: `id, source, license, lang, bytes, removed, part, row, stage, fate`.

    `bytes` are those that went on after `filter` had taken `removed` of them out. Reads the columns beside the text
    and never the text. Raises DataError where a document has no fate or two: that is where documents would be lost
    in silence.
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
        removed = pa.array(_removed(decisions["filter"], index, table.num_rows))
        table = table.set_column(4, "bytes", pc.subtract(table["bytes"], removed)).append_column("removed", removed)
        rows = table.num_rows
        tables.append(
            table.append_column("part", pa.array([index] * rows, pa.int32()))
            .append_column("row", pa.array(range(rows), pa.int32()))
            .append_column("stage", stage)
            .append_column("fate", fate)
        )
    return pa.concat_tables(tables)


def _removed(filtered: Dataset, index: int, rows: int) -> npt.NDArray[np.int64]:
    """Bytes that `filter` took out of each document of a part."""
    if not filtered.manifest.get("removes"):
        return np.zeros(rows, np.int64)
    return removed_bytes(filtered.read(index, ["remove"])["remove"])


def _part_fates(ids: pa.ChunkedArray, index: int, decisions: dict[str, Dataset]) -> tuple[pa.Array, pa.Array]:
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
    """Documents and bytes by source and fate, in a fixed order. Text taken out of kept documents is no document."""
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
    id: str
    source: str
    license: str
    excerpt: str
    others: Sequence[str]
    """The other rules that failed, beside the one that was the reason."""


def samples(data: Path, table: pa.Table, per_fate: int, characters: int) -> dict[str, list[Sample]]:
    """For every fate, the `per_fate` documents whose ids hash lowest, with the start of their text.

    Text is that of `clean`, so personal data is masked already, without what was taken out of kept documents.
    """
    chosen: dict[str, list[dict[str, object]]] = {}
    for row in table.select(["id", "source", "license", "part", "row", "stage", "fate"]).to_pylist():
        chosen.setdefault(row["fate"], []).append(row)
    clean = text_parts(Dataset(data / "clean" / "train"), Dataset(data / "filter"), Dataset(data / "dedup"))
    decisions = {name: Dataset(data / name / ("decisions" if name == "split" else "")) for name in STAGES}
    picked = [
        row
        for rows in chosen.values()
        for row in sorted(rows, key=lambda row: hashlib.sha256(str(row["id"]).encode()).digest())[:per_fate]
    ]
    found: dict[str, list[Sample]] = {}
    for part in sorted({int(str(row["part"])) for row in picked}):
        text = clean[part].read(["text"])["text"]
        failures = {name: dataset.read(part, ["failures"])["failures"] for name, dataset in decisions.items()}
        for row in picked:
            if row["part"] != part:
                continue
            at = int(str(row["row"]))
            stage = str(row["stage"])
            failing = failures[stage][at].as_py() if stage in failures else []
            found.setdefault(str(row["fate"]), []).append(
                Sample(
                    id=str(row["id"]),
                    source=str(row["source"]),
                    license=str(row["license"]),
                    excerpt=_excerpt(text[at].as_py(), characters),
                    others=[item["rule"] for item in failing[1:]],
                )
            )
    return found


def _excerpt(text: str, characters: int) -> str:
    text = text.strip()
    return text if len(text) <= characters else text[:characters].rstrip() + " …"
