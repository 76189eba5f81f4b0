"""Any corpus, for the benchmarks: .jsonl, .jsonl.zst or .parquet with a column `text`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from elek.dataset import DOCUMENT


def documents(path: Path, limit: int | None = None) -> pa.Table:
    """DOCUMENT rows; columns that the corpus lacks are filled in (ids are row numbers)."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).slice(0, limit).to_pylist()
    else:
        with path.open("rb") as file:
            stream: Any = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
            rows = [json.loads(line) for line in io.TextIOWrapper(stream, encoding="utf-8") if line.strip()][:limit]
    defaults = {"source": "corpus", "license": "", "lang": "en", "url": "", "meta": "{}"}
    columns = {name: [str(row.get(name, default)) for row in rows] for name, default in defaults.items()}
    ids = [str(row.get("id", number)) for number, row in enumerate(rows)]
    return pa.table({"id": ids, "text": [row["text"] for row in rows], **columns}, schema=DOCUMENT)
