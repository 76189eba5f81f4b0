"""Text that a filter takes out of documents that it keeps: byte spans beside the documents, never a copy of them.

`filter` and `dedup` record the spans in the column `remove` of their datasets, in the UTF-8 of clean's text; `split`
cuts them where it reads the text that it compares and writes. Whatever comes before `split` sees the text whole.
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
"""Sorted, apart from each other, never empty; none where the document is dropped. A document has less than 4 GiB."""

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
    return lists(np.searchsorted(row, np.arange(len(kept) + 1)), start, end)


def lists(offsets: npt.NDArray[Any], start: npt.NDArray[Any], end: npt.NDArray[Any]) -> pa.Array:
    """The column `remove` of spans that are as it wants them; document d's begin at `offsets[d]`."""
    edges = [pa.array(np.ascontiguousarray(edge, np.uint32)) for edge in (start, end)]
    items = pa.StructArray.from_arrays(edges, fields=list(SPAN))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), items, type=REMOVE.type)


def merged(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    """Several columns `remove` of the same documents as one."""
    first, *others = (each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in columns)
    if others:
        from elek.kernels.spans import union  # numba: only where spans meet

        for other in others:
            first = lists(*union(edges(first), edges(other)))
    return first


def of_rows(remove: pa.Array, kept: npt.NDArray[np.bool_]) -> pa.Array:
    """A column for the rows that are `kept` as one for all of them; the others lose nothing."""
    sizes = np.zeros(len(kept) + 1, np.int64)
    offsets, start, end = edges(remove)
    sizes[1:][kept] = np.diff(offsets)
    return lists(np.cumsum(sizes), start, end)


def edges(remove: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any], npt.NDArray[Any]]:
    """Where each document's spans begin, from 0 on, and their first bytes and the ones behind the last."""
    column = remove.combine_chunks() if isinstance(remove, pa.ChunkedArray) else remove
    items, offsets = column.flatten(), column.offsets.to_numpy()
    return offsets - offsets[:1], items.field("start").to_numpy(), items.field("end").to_numpy()


def removed_bytes(remove: pa.Array | pa.ChunkedArray) -> I64:
    """Bytes that each document loses."""
    offsets, start, end = edges(remove)
    result, some = np.zeros(len(remove), np.int64), np.flatnonzero(np.diff(offsets))
    if len(some):
        result[some] = np.add.reduceat(end - start, offsets[some], dtype=np.int64)
    return result


def removed_counts(decisions: pa.Table) -> dict[str, int]:
    """Documents that lose text and the bytes that they lose; nothing where decisions take no text out."""
    if REMOVE.name not in decisions.column_names:
        return {}
    lost = removed_bytes(decisions[REMOVE.name])
    return {"documents": int((lost > 0).sum()), "bytes": int(lost.sum())}


def cut(text: pa.Array, remove: pa.Array) -> pa.Array:
    """`text` (large_string) without the spans. Raises DataError where they do not fit: they are of another text."""
    if len(text) != len(remove):
        raise DataError(f"{len(remove)} rows of spans for {len(text)} documents", fix="run `dvc repro --force`")
    _, offset_buffer, data = text.buffers()
    spans = edges(remove)
    if len(spans[1]) == 0 or offset_buffer is None or data is None:
        return text
    from elek.kernels.spans import without  # numba: only where something goes

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
