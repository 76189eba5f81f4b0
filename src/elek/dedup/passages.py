"""What documents have in common: runs of words that stand in more than one of them.

Stored so that decontamination can be decided for *any* choice of training and held-out documents, without text.
Runs that stand in the very same documents are one *passage*: a copied page of 500 runs is one line of the table,
not 500. On 31,000 documents of 82 MB, 12 million runs come to 9,600 passages in 32,000 documents, 0.5 MB.

Runs are n-grams in folded case without punctuation, digits kept. A document that is shorter than an n-gram, down to
`SHORTEST` words, is one run of its own length, and others that contain that run share it; only the short documents
*own* it. Text is read twice, part by part, the second time for those short runs. In memory at a time are a batch of
runs and the passages found; sorted runs lie in files (`elek.dedup.sorting`), 16 bytes a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.dataset import Dataset, write_manifest, write_part
from elek.dedup.kernels import I64, U64, Bools
from elek.dedup.normalise import runs, words
from elek.dedup.sorting import batches, firsts, stable_order, write_sorted
from elek.kernels import kernel
from elek.removal import TextPart
from elek.splitmix import mixed

SHORTEST = 8
"""Words that a document must have to be looked for in others; shorter ones occur by chance."""
Map = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]

SHARED = pa.schema(
    [
        pa.field("runs", pa.int64(), nullable=False),
        pa.field("row", pa.list_(pa.int32()), nullable=False),
        pa.field("places", pa.list_(pa.int32()), nullable=False),
        pa.field("owns", pa.list_(pa.bool_()), nullable=False),
    ]
)
"""A passage: how many runs; in which documents, ascending; how many places there; whether it counts as theirs."""
SIZES = pa.schema([pa.field("places", pa.int32(), nullable=False), pa.field("runs", pa.int32(), nullable=False)])
"""A document: places that an n-gram may take, and different runs of its own."""


@dataclass(frozen=True)
class Passages:
    """Documents are numbered through all parts, in order. Arrays by document, by passage, and by entry."""

    ngram: int
    places: I64
    """[documents] places that an n-gram may take."""
    sizes: I64
    """[documents] different runs of its own."""
    runs: I64
    """[passages]"""
    passage: I64
    """[entries] ascending; with each, `row` ascends."""
    row: I64
    at: I64
    """[entries] places of the passage's n-grams in the document; 0 for runs that are shorter."""
    owns: Bools
    """[entries]"""

    def write(self, folder: Path) -> None:
        """Two datasets, `shared` (`SHARED`) and `documents` (`SIZES`), of one part each."""
        offsets = pa.array(np.searchsorted(self.passage, np.arange(len(self.runs) + 1)).astype(np.int32))

        def lists(values: npt.NDArray[Any], name: str) -> pa.Array:
            kind = SHARED.field(name).type
            return pa.ListArray.from_arrays(offsets, pa.array(values).cast(kind.value_type), type=kind)

        columns = [lists(self.row, "row"), lists(self.at, "places"), lists(self.owns, "owns")]
        sizes = [pa.array(values).cast(pa.int32()) for values in (self.places, self.sizes)]
        tables = {
            "shared": pa.Table.from_arrays([pa.array(self.runs), *columns], schema=SHARED),
            "documents": pa.Table.from_arrays(sizes, schema=SIZES),
        }
        for name, table in tables.items():
            (folder / name).mkdir(parents=True)
            write_manifest(folder / name, [write_part(folder / name, 0, table)], extra={"ngram": self.ngram})

    @classmethod
    def read(cls, folder: Path) -> Passages:
        """Raises DataError where they are missing or damaged."""
        shared, documents = Dataset(folder / "shared"), Dataset(folder / "documents")
        table, sizes = shared.read_all().combine_chunks(), documents.read_all()
        lists = {name: table[name].combine_chunks() for name in ("row", "places", "owns")}
        counts = np.diff(lists["row"].offsets.to_numpy())
        flat = {name: values.flatten().to_numpy(zero_copy_only=False) for name, values in lists.items()}
        return cls(
            ngram=int(shared.manifest["ngram"]),
            places=sizes["places"].to_numpy().astype(np.int64),
            sizes=sizes["runs"].to_numpy().astype(np.int64),
            runs=table["runs"].to_numpy(),
            passage=np.repeat(np.arange(len(table)), counts),
            row=flat["row"].astype(np.int64),
            at=flat["places"].astype(np.int64),
            owns=flat["owns"].astype(bool),
        )


def find(parts: Sequence[TextPart], ngram: int, scratch: Path, run: Map) -> Passages:
    """The passages of all documents of `parts`. `run` maps a function over tasks; `scratch` is an empty folder."""
    tasks, first = [], 0
    for number, part in enumerate(parts):
        tasks.append(_Task(part, first, ngram, scratch, number))
        first += part.rows
    counted = run(write_runs, tasks)
    places, sizes = (np.concatenate([np.empty(0, np.int64), *values]) for values in zip(*counted, strict=True))
    classes = _Classes()
    for batch in batches([scratch / f"runs-{task.number}" for task in tasks]):
        classes.add(*batch, short=False)
    whole = [np.load(scratch / f"short-{task.number}.npy") for task in tasks]
    short = np.unique(np.concatenate([np.empty((2, 0), np.uint64), *whole], axis=1), axis=1)
    if short.shape[1]:
        np.save(scratch / "short.npy", short)
        run(write_short, tasks)
        for batch in batches([scratch / f"within-{task.number}" for task in tasks]):
            classes.add(*batch, short=True)
    return Passages(ngram, places, sizes, *classes.merged())


class _Task(NamedTuple):
    """A part whose first row has the number `first` among all documents."""

    part: TextPart
    first: int
    ngram: int
    folder: Path
    number: int


def _words(part: TextPart) -> tuple[U64, I64]:
    _, hashes, offsets = words(part.read(["text"])["text"].combine_chunks(), digits_to_zero=False)
    return hashes, offsets


def write_runs(task: _Task) -> tuple[I64, I64]:
    """Write the part's n-grams and the short documents' runs; return `places` and `sizes` of its documents."""
    hashed, offsets = _words(task.part)
    found, ends = runs(hashed, offsets, task.ngram)
    row = np.repeat(np.arange(task.part.rows), np.diff(ends))
    order = stable_order(found)  # rows ascend already, and stay so
    found, row = found[order], row[order]
    first = np.flatnonzero(firsts(found, row))
    at = np.diff(np.append(first, len(found)))
    write_sorted(task.folder / f"runs-{task.number}", found[first], row[first] + task.first, at)

    count = np.diff(offsets)
    sizes = np.bincount(row[first], minlength=task.part.rows)
    is_short = (count < task.ngram) & (count >= min(SHORTEST, task.ngram))
    whole = [np.empty((2, 0), np.uint64)]
    for length in np.unique(count[is_short]).tolist():
        own = hashed[offsets[:-1][count == length, None] + np.arange(length)]
        own, _ = runs(own.ravel(), np.arange(0, own.size + 1, length), length)
        whole.append(np.stack([np.full(len(own), length, np.uint64), own]))
    np.save(task.folder / f"short-{task.number}.npy", np.concatenate(whole, axis=1))
    return np.maximum(count - task.ngram + 1, 0), sizes + is_short


def write_short(task: _Task) -> None:
    """Write where the short documents' runs stand in the part. `at` is 1 where the run is the whole document."""
    hashed, offsets = _words(task.part)
    count = np.diff(offsets)
    short = np.load(task.folder / "short.npy")
    hashes, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for length in np.unique(short[0]).tolist():
        found, ends = runs(hashed, offsets, int(length))
        hit = np.flatnonzero(_contains(short[1][short[0] == length], found))
        hashes.append(found[hit])
        rows.append(np.searchsorted(ends, hit, side="right") - 1)
    found, row = np.concatenate(hashes), np.concatenate(rows)
    order = np.lexsort((row, found))
    found, row = found[order], row[order]
    first = firsts(found, row)
    found, row = found[first], row[first]
    whole = (count[row] < task.ngram).astype(np.int64)
    write_sorted(task.folder / f"within-{task.number}", found, row + task.first, whole)


class _Classes:
    """Runs gathered by the documents that they stand in."""

    def __init__(self) -> None:
        self._gathered: list[_Gathered] = []

    def add(self, found: U64, row: I64, at: I64, *, short: bool) -> None:
        """Entries sorted by (hash, row), none of them twice. Short runs tell by `at` whose own they are."""
        starts = np.flatnonzero(firsts(found))
        counts = np.diff(np.append(starts, len(found)))
        shared = np.repeat(counts > 1, counts)
        row, at, counts = row[shared], at[shared], counts[counts > 1]
        if len(counts) == 0:
            return
        owns = at > 0 if short else np.ones(len(at), dtype=bool)
        # The documents as one number: the sum of numbers drawn for each document and its part in the passage.
        drawn = mixed(row.astype(np.uint64) << np.uint64(2) | np.uint64(2 * short) | owns.astype(np.uint64))
        keys = np.add.reduceat(drawn, np.append(0, np.cumsum(counts)[:-1]))
        entries = np.stack([row, np.zeros_like(at) if short else at, owns], axis=1)
        self._gathered.append(_gather(_Gathered(keys, np.ones(len(keys), dtype=np.int64), counts, entries)))

    def merged(self) -> tuple[I64, I64, I64, I64, Bools]:
        """runs, passage, row, at, owns: what `Passages` holds."""
        empty = _Gathered(np.empty(0, np.uint64), *(np.empty(0, np.int64),) * 2, np.empty((0, 3), np.int64))
        every = _gather(_Gathered(*map(np.concatenate, zip(empty, *self._gathered, strict=True))))
        row, at, owns = every.entries.T
        return every.runs, np.repeat(np.arange(len(every.runs)), every.counts), row, at, owns.astype(bool)


class _Gathered(NamedTuple):
    keys: U64
    runs: I64
    counts: I64
    """Entries of each key."""
    entries: I64
    """int64[entries, 3]: row, at, owns; all entries of a key, then those of the next."""


def _gather(runs: _Gathered) -> _Gathered:
    """One of each key: its runs added up, and their places entry by entry."""
    keys, first, group = np.unique(runs.keys, return_index=True, return_inverse=True)
    counts = runs.counts[first]
    begin = np.append(0, np.cumsum(counts)[:-1])[: len(keys)]
    offsets = np.append(0, np.cumsum(runs.counts)[:-1])[: len(runs.counts)]
    to = np.repeat(begin[group] - offsets, runs.counts) + np.arange(len(runs.entries))
    entries = np.zeros((int(counts.sum()), 3), dtype=np.int64)
    entries[to] = runs.entries
    entries[:, 1] = np.bincount(to, runs.entries[:, 1], len(entries))
    return _Gathered(keys, np.bincount(group, runs.runs, len(keys)).astype(np.int64), counts, entries)


@kernel
def _contains(ascending: U64, values: U64) -> Bools:
    """Whether each of `values` stands among `ascending`: hashes, whose leading bits tell nearly where to look."""
    bits = 1
    while bits < 30 and (1 << bits) < len(ascending):
        bits += 1
    shift = np.uint64(64 - bits)
    starts = np.zeros((1 << bits) + 1, dtype=np.int64)
    for value in ascending:
        starts[np.int64(value >> shift) + 1] += 1
    for k in range(1 << bits):
        starts[k + 1] += starts[k]
    result = np.zeros(len(values), dtype=np.bool_)
    for i in range(len(values)):
        prefix = np.int64(values[i] >> shift)
        for k in range(starts[prefix], starts[prefix + 1]):
            if ascending[k] == values[i]:
                result[i] = True
                break
    return result
