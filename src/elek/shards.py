"""Token shards: the documents of a split as memory-mapped token ids.

A folder of `shard-00000.arrow`… and the `_manifest.json` of every dataset, which here also names the vocabulary
by its SHA-256. A shard is an uncompressed Arrow IPC file of one record batch, one row per document:

    id, source, lang: string    bytes: int64, UTF-8 bytes of the text    tokens: large_list<uint16 or uint32>

`tokens` is bos, the pieces, eos. Its values lie in the file end to end, so that a shard read through a memory
map is a flat stream of ids that costs no memory and no copy. (Parquet would widen uint16 to int32.)
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset, Part, sha256_file, whole_file, write_manifest
from elek.errors import DataError
from elek.params import Section

if TYPE_CHECKING:
    from elek.vocab.tokenizer import TokenColumn, Tokenizer

Tokens = npt.NDArray[np.unsignedinteger]


class TokenizeParams(Section):
    """`tokenize:` of params.yaml. Nothing is left to choose: shards follow the parts of `split`."""


def shard_schema(dtype: np.dtype[Any]) -> pa.Schema:
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("lang", pa.string(), nullable=False),
            pa.field("bytes", pa.int64(), nullable=False),
            pa.field("tokens", pa.large_list(pa.field("item", pa.from_numpy_dtype(dtype), False)), nullable=False),
        ]
    )


def shard_name(index: int) -> str:
    return f"shard-{index:05d}.arrow"


def write_shard(folder: Path, index: int, documents: pa.Table, column: TokenColumn) -> Part:
    """Write `documents` (`id, source, lang, text`) with their tokens as one shard; the same input, the same bytes."""
    documents = documents.combine_chunks()
    schema = shard_schema(column.ids.dtype)
    tokens = pa.LargeListArray.from_arrays(pa.array(column.offsets), pa.array(column.ids), type=schema.field(4).type)
    text_bytes = pc.binary_length(documents["text"]).cast(pa.int64())
    table = pa.table([documents["id"], documents["source"], documents["lang"], text_bytes, tokens], schema=schema)
    path = folder / shard_name(index)
    with (
        whole_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for batch in table.combine_chunks().to_batches():
            writer.write_batch(batch)
    counts = {"documents": table.num_rows, "tokens": len(column.ids), "text_bytes": pc.sum(text_bytes).as_py() or 0}
    return Part(path.name, table.num_rows, path.stat().st_size, sha256_file(path), counts)


def write_shards_manifest(folder: Path, shards: Sequence[Part], tokenizer: Tokenizer, *, parent: str) -> None:
    """Declare the shards complete. `parent` is the digest of the dataset that was tokenized."""
    write_manifest(
        folder,
        shards,
        parents={"split": parent},
        extra={"tokenizer": {"sha256": tokenizer.sha256, "size": tokenizer.size}, "dtype": str(tokenizer.dtype)},
    )


class TokenShards:
    """A folder of shards opened for reading, as one flat stream of `len(shards)` tokens.

    Raises DataError where a shard is missing, truncated or altered. With `verify=False` the SHA-256 of each
    shard is not computed (about a second per gigabyte) and a flipped bit goes unseen.
    """

    def __init__(self, folder: Path, *, verify: bool = True) -> None:
        self.folder = folder
        self._dataset = Dataset(folder)
        if verify:
            self._dataset.verify()
        manifest = self._dataset.manifest
        try:
            self.vocab_size: int = manifest["tokenizer"]["size"]
            self.tokenizer_sha256: str = manifest["tokenizer"]["sha256"]
            self.dtype = np.dtype(manifest["dtype"])
        except (KeyError, TypeError):
            raise DataError(
                "the manifest names no vocabulary: these are no token shards",
                where=str(folder),
                fix="run `dvc repro tokenize`",
            ) from None
        self._tables = [self._open(folder / part.name) for part in self._dataset.parts]
        self.arrays: list[Tokens] = [self._flat(table) for table in self._tables]
        """The tokens of each shard, zero-copy and read-only."""
        lengths = [len(array) for array in self.arrays]
        self.starts: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        """Position of each shard's first token in the stream, and the length of the stream."""

    def _open(self, path: Path) -> pa.Table:
        try:
            with pa.memory_map(str(path)) as file:
                table = pa.ipc.open_file(file).read_all()
        except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name in it that is no UTF-8
            raise DataError(f"no Arrow file: {error}", where=str(path), fix="run `dvc repro tokenize`") from None
        if table.schema != shard_schema(self.dtype):
            raise DataError("not the columns of a token shard", where=str(path), fix="run `dvc repro tokenize`")
        return table

    def _flat(self, table: pa.Table) -> Tokens:
        chunks = table["tokens"].chunks
        if not chunks:
            return np.empty(0, dtype=self.dtype)
        flat: Tokens = chunks[0].flatten().to_numpy(zero_copy_only=True)
        return flat

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def digest(self) -> str:
        """SHA-256 of the content: the shards' digests and the vocabulary's."""
        return hashlib.sha256(f"{self._dataset.digest}{self.tokenizer_sha256}".encode()).hexdigest()

    def require(self, tokenizer: Tokenizer) -> None:
        """Raises DataError unless these shards were made with `tokenizer`."""
        if tokenizer.sha256 != self.tokenizer_sha256:
            raise DataError(
                f"the shards were made with the vocabulary {self.tokenizer_sha256[:12]}…, this one is "
                f"{tokenizer.sha256[:12]}…",
                where=str(self.folder),
                fix="run `dvc repro tokenize`",
            )

    def window(self, start: int, length: int) -> Tokens:
        """Tokens `start` to `start + length` of the stream; copied only where they cross from shard to shard.

        Raises IndexError where they are not all in the stream.
        """
        if start < 0 or length < 0 or start + length > len(self):
            raise IndexError(f"tokens {start} to {start + length} of a stream of {len(self)}")
        shard = min(bisect_right(self.starts, start) - 1, len(self.arrays) - 1)
        pieces = []
        while length:
            begin = start - int(self.starts[shard])
            piece = self.arrays[shard][begin : begin + length]
            pieces.append(piece)
            start, length, shard = start + len(piece), length - len(piece), shard + 1
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=self.dtype)

    @cached_property
    def documents(self) -> pa.Table:
        """One row per document: `id, source, lang, bytes, start, length`, the last two in the stream's tokens."""
        if not self._tables:
            raise DataError("there are no shards", where=str(self.folder), fix="run `dvc repro tokenize`")
        table = pa.concat_tables([table.drop_columns("tokens") for table in self._tables]).combine_chunks()
        lengths = [pc.list_value_length(table["tokens"]).to_numpy() for table in self._tables]
        length = np.concatenate(lengths).astype(np.int64)
        start = np.cumsum(length) - length
        return table.append_column("start", pa.array(start)).append_column("length", pa.array(length))

    @cached_property
    def document_starts(self) -> npt.NDArray[np.int64]:
        """Position of each document's first token in the stream, ascending."""
        starts: npt.NDArray[np.int64] = self.documents["start"].to_numpy()
        return starts

    def document_at(self, token: int) -> dict[str, Any]:
        """The row of `documents` in which token `token` of the stream lies. Raises IndexError beyond its end."""
        if not 0 <= token < len(self):
            raise IndexError(f"token {token} of a stream of {len(self)}")
        row = int(np.searchsorted(self.document_starts, token, side="right")) - 1
        found: dict[str, Any] = self.documents.slice(row, 1).to_pylist()[0]
        return found

    def document(self, row: int) -> Tokens:
        """Tokens of the document in row `row` of `documents`."""
        return self.window(int(self.document_starts[row]), self.documents["length"][row].as_py())

    def figures(self) -> dict[str, Any]:
        """Documents, tokens, bytes, bytes per token and shards, the first four by language as well."""
        rows = self.documents.group_by("lang").aggregate([("id", "count"), ("length", "sum"), ("bytes", "sum")])
        by_lang = {
            row["lang"]: _figures(row["id_count"], row["length_sum"], row["bytes_sum"])
            for row in sorted(rows.to_pylist(), key=lambda row: str(row["lang"]))
        }
        total = _figures(len(self.documents), len(self), sum(lang["bytes"] for lang in by_lang.values()))
        return {**total, "shards": len(self.arrays), "by_lang": by_lang}


def _figures(documents: int, tokens: int, text_bytes: int) -> dict[str, Any]:
    per_token = round(text_bytes / tokens, 4) if tokens else None
    return {"documents": documents, "tokens": tokens, "bytes": text_bytes, "bytes_per_token": per_token}
