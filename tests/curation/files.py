"""Small inputs in both languages, and what came out of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from elek.curation.running import curate
from elek.curation.settings import settings
from elek.params import ExecutionParams
from tests.corpus import document

TOXIC = "You are a stupid idiot and a worthless bastard, shut up you fucking moron. " * 3


def records() -> list[dict[str, Any]]:
    """Prose in both languages, an exact and a near copy, short, repeating and toxic ones, an empty one."""
    texts = [("en", document("en", seed)) for seed in range(8)] + [("tr", document("tr", seed)) for seed in range(8)]
    texts += [
        ("en", document("en", 0)),
        ("tr", document("tr", 1, 40)),
        ("tr", document("tr", 1, 40) + "\n\nBir söz daha."),
        ("en", "Too short."),
        ("en", "the same line of words\n" * 30),
        ("en", TOXIC),
        ("tr", ""),
        ("en", "Write to somebody@mail-server.org. " + document("en", 77)),
    ]
    return [{"id": f"doc/{number}", "text": text, "lang": lang} for number, (lang, text) in enumerate(texts)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As JSON lines."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8", newline="\n")
    return path


def run(
    inputs: list[Path] | list[str], out: Path, workers: int = 1, against: Sequence[Path] = (), **asked: Any
) -> dict[str, Any]:
    """Curate, and the manifest."""
    return curate([str(path) for path in inputs], out, settings(**asked), ExecutionParams(workers=workers), against)


def decisions(out: Path) -> list[dict[str, Any]]:
    return table(out, "decisions").to_pylist()


def table(out: Path, name: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted((out / name).glob("*.parquet"))])


def reasons(out: Path) -> dict[str, str | None]:
    return {row["id"]: row["reason"] for row in decisions(out)}
