"""Lines or paragraphs that many documents of one source have: navigation, notices, the same footer on every page.

Counted over the documents that deduplication keeps, so that a page with many copies does not count its own lines
against itself. Text is compared as in deduplication (case, marks, punctuation and digits folded: "Page 3 of 9"), in
64-bit hashes. All of a source's boilerplate goes, the first occurrence too: who wants one of them keeps the rule off.

Reads the text of every kept document once. In memory are a part and a batch of segments; all
segments of at least `min_words` lie in files, 24 bytes each.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa

from elek.dataset import Dataset
from elek.dedup.kernels import I64, U64, Bools
from elek.dedup.normalise import utf8_buffers, words
from elek.dedup.params import BoilerplateParams
from elek.dedup.sorting import batches, write_sorted
from elek.removal import Spans, column
from elek.splitmix import mixed

_NEWLINE = 0x0A


def boilerplate(clean: Dataset, kept: Bools, params: BoilerplateParams, scratch: Path) -> pa.Array:
    """The column `remove` for all rows of `clean`: what goes of the documents (rows) that are kept."""
    start, found = 0, []
    for index, part in enumerate(clean.parts):
        here = np.flatnonzero(kept[start : start + part.rows])
        table = clean.read(index, ["text", "source"]).take(pa.array(here))
        keys, spans = segments(table["text"].combine_chunks(), params)
        spans = Spans(here[spans.row] + start, spans.start, spans.end)
        keys = mixed(keys + _source_keys(table["source"])[np.searchsorted(here + start, spans.row)])
        pairs = np.unique(np.stack([keys, spans.row.astype(np.uint64)]), axis=1)
        path = scratch / f"segments-{index}"
        write_sorted(path, pairs[0], pairs[1].astype(np.int64), np.ones(pairs.shape[1], dtype=np.int64))
        np.savez(f"{path}.npz", keys=keys, row=spans.row, start=spans.start, end=spans.end)
        found.append(path)
        start += part.rows
    frequent = [np.empty(0, np.uint64)]
    for keys, _, _ in batches(found):  # each document of a key once
        distinct, documents = np.unique(keys, return_counts=True)
        frequent.append(distinct[documents > params.max_documents])
    many = np.concatenate(frequent)
    parts = []
    for path in found:
        with np.load(f"{path}.npz") as stored:
            goes = np.isin(stored["keys"], many)
            parts.append(Spans(stored["row"][goes], stored["start"][goes], stored["end"][goes]))
    return column(parts, kept)


def segments(text: pa.Array, params: BoilerplateParams) -> tuple[U64, Spans]:
    """Hashes of the lines or paragraphs of at least `min_words` words, and the bytes of each in its row of `text`.

    A line has its line break, a paragraph the empty lines behind it.
    """
    offsets, data = utf8_buffers(text)
    base, size = int(offsets[0]), int(offsets[-1] - offsets[0])
    newline = data[base : base + size] == _NEWLINE
    begins = np.zeros(size + 1, dtype=bool)
    if params.unit == "line":
        begins[1:] = newline
    elif size > 2:
        empty = newline[:-1] & newline[1:]
        within = offsets[1:-1] - base - 1  # a break at the end of one document, one at the start of the next
        empty[within[(within >= 0) & (within < len(empty))]] = False
        begins[2:-1] = empty[:-1] & ~newline[2:]
    begins[offsets - base] = True
    starts = np.flatnonzero(begins[:size])
    ends = np.append(starts[1:], size)[: len(starts)]
    row = np.searchsorted(offsets - base, starts, side="right") - 1
    edges = pa.py_buffer(np.append(starts, size) + base)
    _, hashes, counts = words(pa.LargeStringArray.from_buffers(len(starts), edges, pa.py_buffer(data)))
    within = np.arange(len(hashes)) - np.repeat(counts[:-1], np.diff(counts))
    summed = np.append(np.uint64(0), np.cumsum(mixed(hashes + mixed(within.astype(np.uint64))), dtype=np.uint64))
    long = np.diff(counts) >= params.min_words
    first = offsets[row] - base
    keys = (summed[counts[1:]] - summed[counts[:-1]])[long]
    return keys, Spans(row[long], (starts - first)[long], (ends - first)[long])


def _source_keys(source: pa.ChunkedArray) -> U64:
    encoded = source.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    keys = np.array(
        [int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") for name in names], np.uint64
    )
    rows: I64 = encoded.indices.to_numpy()
    return keys[rows]
