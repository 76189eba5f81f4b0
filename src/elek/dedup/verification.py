"""The Jaccard similarity of proposed pairs, measured on their text: what LSH proposes, this disposes.

In one process on purpose: it compares 85 MB of proposed documents a second, which are a fraction of a corpus, and
starting a worker costs as much as 100 MB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from elek.dataset import Dataset
from elek.dedup import kernels
from elek.dedup.kernels import F64, I64
from elek.dedup.normalise import shingle_sets


def similarities(rows: I64, pairs: I64, clean: Dataset, shingle: int, scratch: Path) -> F64:
    """Jaccard similarity of `pairs` (int64[2, pairs], indices into `rows`) of the documents at `rows` of `clean`.

    Reads the text of those documents once, a part at a time. Their sets of shingles (8 bytes a word) lie in a file
    in the folder `scratch`, which the system keeps in memory as far as there is room.
    """
    offsets, place = [np.zeros(1, dtype=np.int64)], np.empty(len(rows), dtype=np.int64)
    start = done = 0
    path = scratch / "shingles.u64"
    with path.open("wb") as file:
        for index, part in enumerate(clean.parts):
            here = np.flatnonzero((rows >= start) & (rows < start + part.rows))
            if len(here):
                text = clean.read(index, ["text"])["text"].combine_chunks().take(pa.array(rows[here] - start))
                sets, ends = shingle_sets(text, shingle)
                sets.tofile(file)
                offsets.append(ends[1:] + offsets[-1][-1])
                place[here] = np.arange(done, done + len(here))
                done += len(here)
            start += part.rows
    if not done:
        return np.empty(0)
    everything = np.memmap(path, dtype=np.uint64, mode="r")
    result: F64 = kernels.jaccard(everything, np.concatenate(offsets), place[pairs[0]], place[pairs[1]])
    return result
