"""Similarities that were measured, kept by what was compared, so that nothing is compared twice.

A pair is named by the exact hashes of its two normalised texts (`hash.text`), and its Jaccard similarity follows
from those texts and the length of a shingle alone. So a stored similarity holds for the same texts in any other
corpus, whatever `filter` keeps and however the parts are cut. 40 bytes a pair.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import atomic_folder, read_part, write_part
from elek.dedup.kernels import F64, I64, U64
from elek.dedup.sorting import firsts

HASH = pa.binary(16)
SCHEMA = pa.schema([pa.field("left", HASH), pa.field("right", HASH), pa.field("similarity", pa.float64())])


@dataclass(frozen=True)
class Known:
    """Pairs of texts, each once, sorted by their hashes."""

    hashes: U64
    """uint64[pairs, 4]: the two hashes as big-endian numbers, the smaller one first."""
    similarity: F64

    @classmethod
    def of(cls, texts: pa.FixedSizeBinaryArray, pairs: I64, similarity: F64) -> Known:
        """From pairs of numbers (int64[2, pairs]) into `texts`, the hashes."""
        numbers = _numbers(texts)
        left, right = (numbers[ends] for ends in pairs)
        swap = (left[:, 0] > right[:, 0]) | ((left[:, 0] == right[:, 0]) & (left[:, 1] > right[:, 1]))
        left[swap], right[swap] = right[swap], left[swap]
        return cls(np.concatenate([left, right], axis=1), similarity).merged()

    def merged(self, other: Known | None = None) -> Known:
        """The pairs of both."""
        hashes = self.hashes if other is None else np.concatenate([self.hashes, other.hashes])
        similarity = self.similarity if other is None else np.concatenate([self.similarity, other.similarity])
        order = np.lexsort(hashes.T[::-1])
        hashes, similarity = hashes[order], similarity[order]
        first = firsts(*hashes.T)
        return Known(hashes[first], similarity[first])

    def look_up(self, texts: pa.FixedSizeBinaryArray, pairs: I64) -> F64:
        """The similarity of each pair (int64[2, pairs], left < right) of numbers into `texts`; NaN if not known."""
        result = np.full(pairs.shape[1], np.nan)
        numbers = [pc.index_in(self._binary(side), value_set=texts).fill_null(-1) for side in (0, 1)]
        left, right = (item.to_numpy().astype(np.int64) for item in numbers)
        here = (left >= 0) & (right >= 0)
        keys = np.maximum(left, right)[here] << 32 | np.minimum(left, right)[here]
        order = np.argsort(keys)
        keys, similarity = keys[order], self.similarity[here][order]
        wanted = pairs[1] << 32 | pairs[0]
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if len(keys):
            found = keys[at] == wanted
            result[found] = similarity[at[found]]
        return result

    def _binary(self, side: int) -> pa.FixedSizeBinaryArray:
        data = np.ascontiguousarray(self.hashes[:, 2 * side : 2 * side + 2]).astype(">u8")
        return pa.Array.from_buffers(HASH, len(data), [None, pa.py_buffer(data)])

    def table(self) -> pa.Table:
        return pa.Table.from_arrays([self._binary(0), self._binary(1), pa.array(self.similarity)], schema=SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Known:
        sides = [_numbers(table[name].combine_chunks()) for name in ("left", "right")]
        return cls(np.concatenate(sides, axis=1), table["similarity"].to_numpy())


def _numbers(hashes: pa.FixedSizeBinaryArray) -> U64:
    """uint64[rows, 2]: each hash as two big-endian numbers."""
    data = np.frombuffer(hashes.buffers()[1] or b"", ">u8")[2 * hashes.offset :][: 2 * len(hashes)]
    return data.reshape(-1, 2).astype(np.uint64)


NOTHING = Known(np.empty((0, 4), np.uint64), np.empty(0))


class Memory:
    """What the last run measured, in an untracked folder that DVC does not empty: new documents cost new pairs alone.

    The file's name holds a digest of the code that measures and of the length of a shingle, so that a change of
    either begins anew.
    """

    def __init__(self, folder: Path, shingle: int) -> None:
        here = Path(__file__).parent
        code = [(here / name).read_bytes() for name in ("kernels.py", "normalise.py", "verification.py")]
        digest = hashlib.sha256(b"\0".join([str(shingle).encode(), *code])).hexdigest()
        self._folder, self._name = folder, f"pairs-{digest[:16]}"

    def read(self) -> Known:
        path = self._folder / self._name / "part-00000.parquet"
        return Known.from_table(read_part(path)) if path.is_file() else NOTHING

    def write(self, known: Known) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_folder(self._folder / self._name) as folder:
            write_part(folder, 0, known.table())
