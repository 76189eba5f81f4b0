"""Text that is removed from documents which are kept: stored as byte spans, without a copy of the text.

`filter` and `dedup` record the spans in the column `remove` of their datasets, as positions in the UTF-8 text of
`clean`. `split` removes them when it reads the text to compare and write. All stages before `split` see the full text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.dataset import Dataset, read_part
from elek.errors import DataError

SPAN = pa.struct([pa.field("start", pa.uint32()), pa.field("end", pa.uint32())])
REMOVE = pa.field("remove", pa.list_(SPAN), nullable=False)
"""Sorted, disjoint and not empty; no spans where the document is dropped. A document has less than 4 GiB."""

I64 = npt.NDArray[np.int64]


class Spans(NamedTuple):
    """Spans of a batch of documents, in any order: arrays of one length."""

    row: I64
    start: I64
    end: I64


def column(spans: Sequence[Spans], kept: npt.NDArray[np.bool_]) -> pa.Array:
    """The spans of several filters, merged, as the column `remove`; none for documents that are not kept."""
    row, start, end = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in zip(*spans, strict=True))
    some = kept[row] & (start < end)
    order = np.lexsort((start[some], row[some]))
    row, start, end = row[some][order], start[some][order], end[some][order]
    # The furthest end so far in each document. Documents are laid end to end, so one running maximum is enough.
    width = int(end.max(initial=0)) + 1
    reach = np.maximum.accumulate(row * width + end)
    first = np.append(True, row[1:] * width + start[1:] > reach[:-1])[: len(row)]
    last = np.append(first[1:], True)[: len(row)]
    row, start, end = row[first], start[first], (reach - row * width)[last]
    return lists(np.searchsorted(row, np.arange(len(kept) + 1)), start, end)


def lists(offsets: npt.NDArray[Any], start: npt.NDArray[Any], end: npt.NDArray[Any]) -> pa.Array:
    """The column `remove` from valid spans; those of document d begin at `offsets[d]`."""
    edges = [pa.array(np.ascontiguousarray(edge, np.uint32)) for edge in (start, end)]
    items = pa.StructArray.from_arrays(edges, fields=list(SPAN))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), items, type=REMOVE.type)


def merged(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    """The union of several columns `remove` of the same documents."""
    first, *others = (each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in columns)
    if others:
        from elek.kernels.spans import union  # imports numba, so only where it is needed

        for other in others:
            first = lists(*union(edges(first), edges(other)))
    return first


def of_rows(remove: pa.Array, kept: npt.NDArray[np.bool_]) -> pa.Array:
    """Expand a column for the rows that are `kept` to all rows; the others have no spans."""
    sizes = np.zeros(len(kept) + 1, np.int64)
    offsets, start, end = edges(remove)
    sizes[1:][kept] = np.diff(offsets)
    return lists(np.cumsum(sizes), start, end)


def edges(remove: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any], npt.NDArray[Any]]:
    """Offsets of each document's spans, from 0, and the starts and ends of the spans."""
    column = remove.combine_chunks() if isinstance(remove, pa.ChunkedArray) else remove
    items, offsets = column.flatten(), column.offsets.to_numpy()
    return offsets - offsets[:1], items.field("start").to_numpy(), items.field("end").to_numpy()


def removed_bytes(remove: pa.Array | pa.ChunkedArray) -> I64:
    """The number of bytes removed from each document."""
    offsets, start, end = edges(remove)
    result, some = np.zeros(len(remove), np.int64), np.flatnonzero(np.diff(offsets))
    if len(some):
        result[some] = np.add.reduceat(end - start, offsets[some], dtype=np.int64)
    return result


def removed_counts(decisions: pa.Table) -> dict[str, int]:
    """`documents` that lose text, and the `bytes` removed; empty where the decisions have no column `remove`."""
    if REMOVE.name not in decisions.column_names:
        return {}
    lost = removed_bytes(decisions[REMOVE.name])
    return {"documents": int((lost > 0).sum()), "bytes": int(lost.sum())}


def cut(text: pa.Array, remove: pa.Array) -> pa.Array:
    """`text` (large_string) without the spans. Raises DataError where they belong to another text."""
    if len(text) != len(remove):
        raise DataError(f"{len(remove)} rows of spans for {len(text)} documents", fix="run `dvc repro --force`")
    _, offset_buffer, data = text.buffers()
    spans = edges(remove)
    if len(spans[1]) == 0 or offset_buffer is None or data is None:
        return text
    from elek.kernels.spans import without  # imports numba, so only where it is needed

    offsets = np.frombuffer(offset_buffer, np.int64)[text.offset : text.offset + len(text) + 1]
    some = np.flatnonzero(np.diff(spans[0]))
    if (spans[2][spans[0][some + 1] - 1] > np.diff(offsets)[some]).any():  # the last one of each document
        raise DataError("a span to remove goes beyond its document", fix="run `dvc repro --force`")
    new_offsets = np.append(0, np.cumsum(np.diff(offsets) - removed_bytes(remove)))
    left = np.empty(new_offsets[-1], np.uint8)
    without(np.frombuffer(data, np.uint8), offsets, spans, left)
    result = pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(new_offsets), pa.py_buffer(left))
    try:
        result.validate(full=True)
    except pa.ArrowInvalid:
        raise DataError("a span to remove ends within a character", fix="run `dvc repro --force`") from None
    return result


class TextPart(NamedTuple):
    """A part of documents, and the parts of `filter` and `dedup` with the spans to remove from them."""

    documents: Path
    rows: int
    removed: tuple[Path, ...] = ()

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Some columns; if `text` is one of them, without the removed spans."""
        table = read_part(self.documents, columns)
        if not self.removed or "text" not in columns:
            return table
        remove = merged([read_part(path, [REMOVE.name])[REMOVE.name] for path in self.removed])
        at = table.schema.get_field_index("text")
        return table.set_column(at, table.schema.field(at), cut(table["text"].combine_chunks(), remove))


def text_parts(documents: Dataset, *cutters: Dataset) -> list[TextPart]:
    """The parts of a dataset with the spans that the decisions in `cutters` remove from them.

    Raises DataError where one of them does not have the same rows as the documents.
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
