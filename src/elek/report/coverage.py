"""What a public summary of training content needs beside counts: years, reservations, kinds of source, decontamination.

It follows the Commission's template for the summary under Regulation (EU) 2024/1689, article 53(1)(d): sources, sizes
and modalities, languages, dates, reservations against text and data mining, and what was removed. What was not measured
is left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elek.dataset import Dataset

TIME_KEYS = ("date", "published", "year", "created", "timestamp")
"""Keys of `meta` in which sources give the date of a text; of several, the first in this order counts."""
_YEAR = re.compile(r"(?<!\d)(1[0-9]{3}|20[0-9]{2})(?!\d)")
KINDS = {
    "files": "files that the project's owner provides",
    "huggingface": "public data sets of the Hugging Face Hub",
    "package": "text in public packages of a package index",
}
"""What a source's `kind` is, in words."""


def gather(data: Path, table: pa.Table, sources: dict[str, Any]) -> dict[str, Any]:
    """The facts by name:

    - `years`: of the training text, by source;
    - `identified`, `reserved`: its measured languages, and reservations against mining;
    - `kinds`: number of documents for each kind of source;
    - `decontamination`: the params of `split`.

    `table` is that of `fates.fates`.
    """
    kinds: dict[str, int] = {}
    for source in sources.values():
        if source["role"] == "train":
            kinds[source["kind"]] = kinds.get(source["kind"], 0) + source["documents"]
    return {
        "years": years(Dataset(data / "split" / "train")),
        **_measured(Dataset(data / "annotate"), table),
        "kinds": {KINDS.get(kind, kind): documents for kind, documents in sorted(kinds.items())},
        "decontamination": Dataset(data / "split" / "decisions").manifest.get("params"),
    }


def years(train: Dataset) -> dict[str, dict[str, int]]:
    """Source → `{"from", "to", "documents"}`, from the dates in `meta`; a source without any is left out."""
    found: dict[str, list[int]] = {}
    for index in range(len(train.parts)):
        columns = train.read(index, ["source", "meta"])
        for source, meta in zip(columns["source"].to_pylist(), columns["meta"].to_pylist(), strict=True):
            fields = json.loads(meta) if any(key in meta for key in TIME_KEYS) else {}
            named = next((str(fields[key]) for key in TIME_KEYS if fields.get(key) not in (None, "")), "")
            if year := _YEAR.search(named):
                found.setdefault(source, []).append(int(year[0]))
    return {name: {"from": min(own), "to": max(own), "documents": len(own)} for name, own in sorted(found.items())}


def _measured(annotate: Dataset, table: pa.Table) -> dict[str, Any]:
    """`identified`: number of training documents by measured language, the most frequent first. `reserved`: number of
    documents with a reservation against text and data mining, and how many of these are in the training text; None
    where this was not measured."""
    languages: dict[str, int] = {}
    reserved: dict[str, int] | None = {"documents": 0, "trained": 0}
    for part in range(len(annotate.parts)):
        has = set(pq.read_schema(annotate.path(part)).names)
        trained = pc.equal(table.filter(pc.equal(table["part"], part))["fate"], "train")
        if "language.label" in has:
            labels = annotate.read(part, ["language.label"])["language.label"].filter(trained)
            for item in pc.value_counts(labels).to_pylist():
                languages[str(item["values"])] = languages.get(str(item["values"]), 0) + int(item["counts"])
        if "licence.opt_out" not in has:
            reserved = None
        elif reserved is not None:
            marked = annotate.read(part, ["licence.opt_out"])["licence.opt_out"]
            reserved["documents"] += pc.sum(marked).as_py() or 0
            reserved["trained"] += pc.sum(pc.and_(marked, trained)).as_py() or 0
    ranked = sorted(languages.items(), key=lambda item: (-item[1], item[0]))
    return {"identified": dict(ranked), "reserved": reserved}
