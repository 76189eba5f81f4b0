"""The documents of every side, a part of `clean` at a time: the only place after `clean` that writes text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DOCUMENT, Part, read_part, write_part
from elek.removal import TextPart
from elek.splitting import SIDES

Volume = Counter[tuple[str, ...]]
"""Documents and bytes of text, by ("by_source" | "by_lang", name, "documents" | "bytes"); adds up over parts."""


class WriteTask(NamedTuple):
    """A part of `clean`, its decisions (none for the evaluation role, which is written whole), and where to."""

    part: TextPart
    decisions: Path | None
    out: Path
    number: int


def write_sides(task: WriteTask) -> dict[str, tuple[Part, Volume]]:
    """Write part `number` of every side's dataset below `out`; what was written, by side."""
    documents = task.part.read(DOCUMENT.names).cast(DOCUMENT)
    if task.decisions is None:
        return {"evaluation": _write(task, "evaluation", documents)}
    split = read_part(task.decisions, ["split"])["split"]
    return {side: _write(task, side, documents.filter(pc.equal(split, side))) for side in SIDES}


def _write(task: WriteTask, side: str, documents: pa.Table) -> tuple[Part, Volume]:
    volume: Volume = Counter()
    sized = documents.select(["source", "lang"]).append_column("bytes", pc.binary_length(documents["text"]))
    for by, column in (("by_source", "source"), ("by_lang", "lang")):
        for row in sized.group_by(column).aggregate([("bytes", "sum"), ([], "count_all")]).to_pylist():
            volume[by, row[column], "documents"] += row["count_all"]
            volume[by, row[column], "bytes"] += row["bytes_sum"]
    return write_part(task.out / side, task.number, documents), volume


def metrics(volumes: Iterable[Volume]) -> dict[str, Any]:
    """`{"documents", "bytes", "by_source": {name: {"documents", "bytes"}}, "by_lang": {…}}`."""
    result: dict[str, Any] = {"documents": 0, "bytes": 0, "by_source": {}, "by_lang": {}}
    total: Volume = Counter()
    for volume in volumes:
        total.update(volume)
    for (by, name, what), number in sorted(total.items()):
        result[by].setdefault(name, {})[what] = number
        if by == "by_source":
            result[what] += number
    return result
