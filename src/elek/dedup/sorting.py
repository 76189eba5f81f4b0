"""Hashes sorted: in memory, and where they are too many for it in files, which are read again in ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from elek.dedup.kernels import I64, U64, Bools

BATCH = 1 << 20
"""Hashes that are read at a time."""


def firsts(*columns: npt.NDArray[Any]) -> Bools:
    """Of sorted rows those that differ from the one before."""
    rows = len(columns[0])
    result = np.zeros(rows, dtype=bool)
    result[:1] = True
    for column in columns:
        result[1:] |= column[1:] != column[:-1]
    return result


def stable_order(keys: U64) -> I64:
    """What `np.argsort(keys, kind="stable")` gives, in half the time where few keys are equal.

    NumPy sorts 64-bit integers with vector instructions, but not when asked for a stable order. So it is asked for
    any, and the indices of equal keys are sorted afterwards.
    """
    order = np.argsort(keys)
    new = firsts(keys[order])
    alone = new & np.append(new[1:], True)
    tied = np.flatnonzero(~alone)
    groups = np.cumsum(new[tied]) * len(keys)
    order[tied] = np.sort(groups + order[tied]) - groups
    return order


def write_sorted(path: Path, found: U64, row: I64, at: I64) -> None:
    """Write hashes with a row and a number each, sorted by (hash, row), to three files that begin with `path`."""
    np.save(f"{path}.hash.npy", found)
    np.save(f"{path}.row.npy", row.astype(np.int32))
    np.save(f"{path}.at.npy", at.astype(np.int32))


def batches(paths: Sequence[Path]) -> Iterator[tuple[U64, I64, I64]]:
    """The files of `write_sorted` as batches (hash, row, at), each a range of hashes, sorted by (hash, row)."""
    sizes = [len(_column(path, "hash")) for path in paths]
    count = sum(sizes) // BATCH + 1
    edges = np.array([(k << 64) // count for k in range(1, count)], dtype=np.uint64)
    inner = [np.searchsorted(_column(path, "hash"), edges).tolist() for path in paths]
    cuts = [[0, *own, size] for own, size in zip(inner, sizes, strict=True)]
    for k in range(count):
        # Opened anew each time: there may be more parts than files that a process may hold open.
        found, row, at = (
            np.concatenate(
                [np.empty(0, kind)]
                + [np.array(_column(path, name)[cut[k] : cut[k + 1]]) for path, cut in zip(paths, cuts, strict=True)]
            )
            for name, kind in (("hash", np.uint64), ("row", np.int32), ("at", np.int32))
        )
        # Rows ascend from file to file, so that a stable sort leaves them in order.
        order = stable_order(found)
        yield found[order], row[order].astype(np.int64), at[order].astype(np.int64)


def _column(path: Path, name: str) -> npt.NDArray[Any]:
    column: npt.NDArray[Any] = np.load(f"{path}.{name}.npy", mmap_mode="r")
    return column
