"""Text that a filter takes out of documents that it keeps: byte spans beside the documents, never a copy of them.

`filter` and `dedup` record the spans in the column `remove` of their datasets, in the UTF-8 of clean's text; `split`
cuts them where it reads the text that it compares and writes. Whatever comes before `split` sees the text whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.dataset import Dataset, read_part
from elek.errors import DataError

REMOVE = pa.field(
    "remove", pa.list_(pa.struct([pa.field("start", pa.int64()), pa.field("end", pa.int64())])), nullable=False
)
"""Sorted, apart from each other, never empty; none where the document is dropped."""

I64 = npt.NDArray[np.int64]


class Spans(NamedTuple):
    """Spans of a batch of documents, in any order: arrays of one length."""

    row: I64
    start: I64
    end: I64


def column(spans: Sequence[Spans], kept: npt.NDArray[np.bool_]) -> pa.Array:
    """What several filters take out, merged, as the column `remove`; nothing of documents that are not kept."""
    row, start, end = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in zip(*spans, strict=True))
    some = kept[row] & (start < end)
    order = np.lexsort((start[some], row[some]))
    row, start, end = row[some][order], start[some][order], end[some][order]
    # The furthest end so far in the document: documents are laid end to end, so that one running maximum serves.
    width = int(end.max(initial=0)) + 1
    reach = np.maximum.accumulate(row * width + end)
    first = np.append(True, row[1:] * width + start[1:] > reach[:-1])[: len(row)]
    last = np.append(first[1:], True)[: len(row)]
    row, start, end = row[first], start[first], (reach - row * width)[last]
    offsets = np.searchsorted(row, np.arange(len(kept) + 1)).astype(np.int32)
    items = pa.StructArray.from_arrays([pa.array(start), pa.array(end)], fields=list(REMOVE.type.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=REMOVE.type)


def merged(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    """Several columns `remove` of the same documents as one."""
    return column([_flat(each) for each in columns], np.ones(len(columns[0]), dtype=bool))


def removed_bytes(remove: pa.Array | pa.ChunkedArray) -> I64:
    """Bytes that each document loses."""
    row, start, end = _flat(remove)
    counts: I64 = np.bincount(row, end - start, len(remove)).astype(np.int64)
    return counts


def cut(text: pa.Array, remove: pa.Array) -> pa.Array:
    """`text` (large_string) without the spans. Raises DataError where they do not fit: they are of another text."""
    if len(text) != len(remove):
        raise DataError(f"{len(remove)} rows of spans for {len(text)} documents", fix="run `dvc repro --force`")
    _, offset_buffer, data = text.buffers()
    row, start, end = _flat(remove)
    if len(row) == 0 or offset_buffer is None or data is None:
        return text
    offsets = np.frombuffer(offset_buffer, np.int64)[text.offset : text.offset + len(text) + 1]
    if (end > np.diff(offsets)[row]).any():
        raise DataError("a span to remove goes beyond its document", fix="run `dvc repro --force`")
    inside = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    edges = np.zeros(len(inside) + 1, np.int8)
    base = offsets[row] - offsets[0]
    np.add.at(edges, base + start, 1)
    np.add.at(edges, base + end, -1)
    left = inside[np.cumsum(edges[:-1], dtype=np.int8) == 0]
    sizes = np.diff(offsets) - removed_bytes(remove)
    new_offsets = np.append(0, np.cumsum(sizes))
    result = pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(new_offsets), pa.py_buffer(left))
    try:
        result.validate(full=True)
    except pa.ArrowInvalid:
        raise DataError("a span to remove ends within a character", fix="run `dvc repro --force`") from None
    return result


def _flat(remove: pa.Array | pa.ChunkedArray) -> Spans:
    lists = remove.combine_chunks() if isinstance(remove, pa.ChunkedArray) else remove
    items = lists.flatten()
    row = np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy()))
    return Spans(row, items.field("start").to_numpy(), items.field("end").to_numpy())


class TextPart(NamedTuple):
    """A part of documents, and the parts (of `filter`, of `dedup`) that say what to cut out of them."""

    documents: Path
    rows: int
    removed: tuple[Path, ...] = ()

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Columns, `text` among them or not, with the text cut."""
        table = read_part(self.documents, columns)
        if not self.removed or "text" not in columns:
            return table
        remove = merged([read_part(path, [REMOVE.name])[REMOVE.name] for path in self.removed])
        at = table.schema.get_field_index("text")
        return table.set_column(at, table.schema.field(at), cut(table["text"].combine_chunks(), remove))


def text_parts(documents: Dataset, *cutters: Dataset) -> list[TextPart]:
    """The parts of a dataset, cut as the decisions in `cutters` say, those that take text out.

    Raises DataError where one of them does not have the documents' rows.
    """
    cutters = tuple(cutter for cutter in cutters if cutter.manifest.get("removes"))
    for cutter in cutters:
        if [part.rows for part in documents.parts] != [part.rows for part in cutter.parts]:
            what = f"clean and {cutter.folder.name} do not have the same rows"
            raise DataError(what, where=str(cutter.folder), fix="run `dvc repro`")
    return [
        TextPart(documents.path(index), part.rows, tuple(cutter.path(index) for cutter in cutters))
        for index, part in enumerate(documents.parts)
    ]
