"""Any corpus as a table, for the benchmarks: a file of JSON lines (also .zst), a Parquet file, or a folder of parts."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.large_string()), *((n, pa.string()) for n in ("source", "license", "lang"))]
)
MISSING = {"source": "corpus", "license": "NOASSERTION", "lang": "und"}


def read(path: Path, limit: int | None = None) -> pa.Table:
    """`SCHEMA`, of at most `limit` documents. A record without an id is called by its number."""
    rows = [
        {
            "id": str(row.get("id", f"{number:09}")),
            "text": row["text"],
            **{name: row.get(name) or missing for name, missing in MISSING.items()},
        }
        for number, row in enumerate(itertools.islice(_rows(path), limit))
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_jsonl(table: pa.Table, path: Path) -> None:
    """The same corpus as a file of JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(1000):
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir() or path.suffix == ".parquet":
        for part in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
            with pq.ParquetFile(part) as parquet:
                names = [name for name in SCHEMA.names if name in parquet.schema_arrow.names]
                for batch in parquet.iter_batches(1000, columns=names):
                    yield from batch.to_pylist()
        return
    with path.open("rb") as file:
        stream: Any = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        yield from (json.loads(line) for line in io.TextIOWrapper(stream, encoding="utf-8") if line.strip())
