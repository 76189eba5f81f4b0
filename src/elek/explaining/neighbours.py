"""Similar documents, for `elek why`: read from what `dedup` stored, never from text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset


def nearest_kept(data: Path, part: int, row: int) -> tuple[str, float] | None:
    """The id of the most similar document among those that `dedup` keeps, and the Jaccard similarity of the two.

    Only pairs that were measured count, which are those that the signatures proposed. None where there is no such pair
    with a document that is kept.
    """
    if not (data / "dedup" / "pairs").is_dir():
        return None
    annotate, dedup = Dataset(data / "annotate"), Dataset(data / "dedup")
    own = annotate.read(part, ["hash.text"])["hash.text"][row]
    pairs, best = Dataset(data / "dedup" / "pairs").read_all(), dict[Any, float]()
    for side, other in (("left", "right"), ("right", "left")):
        met = pairs.filter(pc.equal(pairs[side], own))
        best |= dict(zip(met[other].to_pylist(), met["similarity"].to_pylist(), strict=True))
    if not best:
        return None
    hashes, found = pa.array(list(best), pa.binary(16)), list[tuple[float, str]]()
    for index in range(len(annotate.parts)):
        table = annotate.read(index, ["id", "hash.text"]).append_column("kept", dedup.read(index, ["kept"])["kept"])
        table = table.filter(pc.and_(table["kept"], pc.is_in(table["hash.text"], hashes)))
        found += [(-best[item["hash.text"]], item["id"]) for item in table.to_pylist()]
    return (min(found)[1], -min(found)[0]) if found else None


def related_documents(dataset: Dataset, doc_id: str, cluster: str | None) -> dict[str, Any]:
    """Counts for a kept document: duplicates dropped in its favour, and other members of its loose cluster."""
    copies = related = 0
    for index in range(len(dataset.parts)):
        table = dataset.read(index)
        copies += _equal(table, "survivor", doc_id)
        related += _equal(table, "cluster", cluster)
    found = {"dropped in its favour": copies} if copies else {}
    return found | ({"others in its cluster": related - 1} if related > 1 else {})


def _equal(table: pa.Table, name: str, value: str | None) -> int:
    if value is None or name not in table.column_names:
        return 0
    return int(pc.sum(pc.equal(table[name], value)).as_py() or 0)
