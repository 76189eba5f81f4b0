"""Datasets as `clean`, `annotate` and `filter` leave them, made from rows in memory, and a plain reference."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from elek.dataset import DECISION, DOCUMENT, Dataset, write_manifest, write_part
from elek.dedup.normalise import fold
from elek.dedup.params import MinHashParams
from elek.dedup.signatures import signatures

Row = dict[str, Any]
WORDS = [f"{a}{b}{c}" for a in "bdgklmnpst" for b in "aeiou" for c in "klmnrst"]


def row(id: str, text: str, source: str = "s", lang: str = "en", kept: bool = True) -> Row:
    return {"id": id, "text": text, "source": source, "lang": lang, "kept": kept}


def in_process(function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
    """`Stage.map` without processes."""
    return [function(task) for task in tasks]


def documents(rows: Sequence[Row]) -> pa.Table:
    full = [{"license": "MIT", "url": "", "meta": "{}", **item} for item in rows]
    return pa.Table.from_pylist([{name: item[name] for name in DOCUMENT.names} for item in full], schema=DOCUMENT)


def write_documents(folder: Path, parts: Sequence[Sequence[Row]]) -> Dataset:
    folder.mkdir(parents=True)
    return write_manifest(folder, [write_part(folder, index, documents(rows)) for index, rows in enumerate(parts)])


def write_project(
    data: Path, parts: Sequence[Sequence[Row]], evaluation: Sequence[Row] = (), minhash: MinHashParams | None = None
) -> tuple[Dataset, Dataset, Dataset]:
    """clean/train, annotate and filter (which kept the rows that say so); clean/evaluation beside them."""
    minhash = minhash or MinHashParams()
    clean = write_documents(data / "clean" / "train", parts)
    write_documents(data / "clean" / "evaluation", [evaluation])
    annotated, filtered = [], []
    for name in ("annotate", "filter"):
        (data / name).mkdir()
    for index, rows in enumerate(parts):
        table = documents(rows)
        exact, signature = signatures(table["text"].combine_chunks(), minhash)
        columns = table.select(["id", "source", "license", "lang"])
        columns = columns.append_column("hash.text", exact).append_column("hash.minhash", signature)
        annotated.append(write_part(data / "annotate", index, columns))
        decided = [{"id": r["id"], "entered": True, "kept": r["kept"], "failures": []} for r in rows]
        filtered.append(write_part(data / "filter", index, pa.Table.from_pylist(decided, schema=DECISION)))
    return (
        clean,
        write_manifest(data / "annotate", annotated, extra={"minhash": minhash.model_dump()}),
        write_manifest(data / "filter", filtered),
    )


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - made-up text needs no secret


def prose(rng: random.Random, words: int) -> list[str]:
    return [rng.choice(WORDS) for _ in range(words)]


def edited(rng: random.Random, words: Sequence[str], edits: int) -> list[str]:
    """A near-duplicate: some words replaced."""
    result = list(words)
    for _ in range(edits):
        result[rng.randrange(len(result))] = rng.choice(WORDS)
    return result


def plain_words(text: str, digits: bool = True) -> list[str]:
    """What `normalise` does, in plain Python."""
    return "".join(fold(char, digits) for char in text).split(" ") if text else []


@cache
def plain_shingles(text: str, size: int) -> frozenset[tuple[str, ...]]:
    words = [word for word in plain_words(text) if word]
    return frozenset(tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def plain_jaccard(a: str, b: str, size: int = 5) -> float:
    """The similarity of two texts' sets of shingles, in plain Python."""
    first, second = plain_shingles(a, size), plain_shingles(b, size)
    return len(first & second) / len(first | second) if first | second else 0.0
