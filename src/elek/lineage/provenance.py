"""What a model learned from: every training document, with its licence, a digest of its text, and the tokens of it
that training drew. Logged with the model's run, so that it can be told after the data has moved on.

Which windows training draws is a pure function of the shards and the params (`elek.training.batches`), so the count
of tokens drawn is exact: a document that lies in the shards and was never drawn has taught the model nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from elek.dataset import Dataset, write_json
from elek.errors import DataError
from elek.lineage import worktree
from elek.params import load
from elek.shards import TokenShards
from elek.training.batches import Batches
from elek.training.params import TrainParams

DOCUMENTS = "documents.parquet"
SOURCES = "sources.json"
NEEDED = ("data/split", "data/tokenize")
"""Outputs of the pipeline that the tables are made from."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("sha256", pa.binary(32), nullable=False),  # of the text as it was trained on
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),  # in the shards
        pa.field("drawn", pa.int64()),  # by training, repetitions counted; null where it cannot be told
    ]
)
"""One row per training document, in the order of the shards."""


def write(project: Path, outs: Mapping[str, str], folder: Path) -> bool:
    """Write both tables into `folder`; False where this pipeline has no text or no shards of its own.

    `outs` are the digests in dvc.lock. Raises DataError where the text or the shards are not what they say.
    """
    if not all(name in outs for name in NEEDED):
        return False
    worktree.verify(project, outs, *NEEDED)
    table = documents(project)
    pq.write_table(table, folder / DOCUMENTS, compression="zstd")
    write_json(folder / SOURCES, sources(project, table))
    return True


def documents(project: Path) -> pa.Table:
    """`SCHEMA` for the training documents that lie in `project`."""
    shards = TokenShards(project / "data" / "tokenize" / "train", verify=False)
    rows, text = shards.documents, Dataset(project / "data" / "split" / "train")
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "license", "sha256")}
    for index in range(len(text.parts)):
        part = text.read(index, ["id", "license", "text"])
        columns["id"] += part["id"].to_pylist()
        columns["license"] += part["license"].to_pylist()
        columns["sha256"] += [hashlib.sha256(item.as_py().encode()).digest() for item in part["text"]]
    if columns["id"] != rows["id"].to_pylist():
        raise DataError(
            "data/split/train and data/tokenize/train do not hold the same documents",
            where=str(project / "data"),
            fix="run `dvc repro`",
        )
    drawn = _drawn(project, shards)
    made = [
        rows["id"],
        rows["source"],
        pa.array(columns["license"], pa.string()),
        rows["lang"],
        pa.array(columns["sha256"], pa.binary(32)),
        rows["bytes"],
        rows["length"],
        pa.nulls(len(rows), pa.int64()) if drawn is None else pa.array(drawn),
    ]
    return pa.Table.from_arrays(made, schema=SCHEMA)


def _drawn(project: Path, shards: TokenShards) -> npt.NDArray[np.int64] | None:
    """Tokens of each document in the windows that training drew, as inputs.

    None where the tokens that it says it saw are not those of this many steps: then it drew them in another way.
    """
    params = load(project / "params.yaml", "train", TrainParams)
    context, total = params.model.context, params.steps * params.batch
    report = json.loads((project / "reports" / "train.json").read_text(encoding="utf-8"))
    if (report.get("steps"), report.get("tokens")) != (params.steps, total * context):
        return None
    # One step of all windows is all steps: a window's place in the order does not depend on how batches are cut.
    every = Batches(shards, context, total, params.seed)
    times = np.bincount(every.windows(0), minlength=every.count)
    before = np.append(0, np.cumsum(times)) * context

    def up_to(token: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        window = np.minimum(token // context, every.count)
        inside = np.append(times, 0)[window] * (token - window * context)
        result: npt.NDArray[np.int64] = before[window] + inside
        return result

    start, length = shards.documents["start"].to_numpy(), shards.documents["length"].to_numpy()
    return up_to(start + length) - up_to(start)


def sources(project: Path, table: pa.Table) -> dict[str, dict[str, Any]]:
    """By source: what was fetched and pinned, and how much of it is in the training text."""
    path = project / "data" / "fetch" / "sources.json"
    fetched: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    grouped = table.group_by("source").aggregate(
        [("bytes", "sum"), ("tokens", "sum"), ("drawn", "sum"), ([], "count_all")]
    )
    result = {}
    for row in sorted(grouped.to_pylist(), key=lambda row: str(row["source"])):
        figures = {"documents": row["count_all"]} | {name: row[f"{name}_sum"] for name in ("bytes", "tokens", "drawn")}
        about = {key: value for key, value in fetched.get(row["source"], {}).items() if key in _ABOUT}
        result[row["source"]] = {**about, "training": figures}
    return result


_ABOUT = ("kind", "license", "lang", "role", "url", "pinned")
