"""A small `clean` dataset, as `annotate` finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from elek.dataset import Dataset, write_manifest, write_part
from elek.text.cleaning import SCHEMA
from tests.corpus import document

TOXIC = "You are a stupid idiot and a worthless bastard, shut up you fucking moron."


def rows() -> list[dict[str, Any]]:
    """Prose in both languages, one page declared wrongly, short ones, an empty one, masked personal data."""
    texts = [
        *(("stories-en", "en", document("en", seed)) for seed in range(5)),
        *(("stories-tr", "tr", document("tr", seed)) for seed in range(5)),
        ("stories-tr", "tr", document("en", 99)),
        ("short", "en", "Too short."),
        ("short", "en", TOXIC),
        ("short", "tr", ""),
        ("repeating", "en", "the same line of words\n" * 30),
    ]
    base = dict.fromkeys(SCHEMA.names, 0) | {"license": "MIT", "url": "", "meta": "{}"}
    made = [
        base | {"id": f"{source}:{row}", "source": source, "lang": lang, "text": text}
        for row, (source, lang, text) in enumerate(texts)
    ]
    made[0] |= {"pii.email": 2, "pii.phone": 1}
    return made


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_clean(project: Path, parts: int = 3) -> Dataset:
    """`data/clean/train` of so many parts, one of them without a row if there are more than three."""
    folder = project / "data" / "clean" / "train"
    folder.mkdir(parents=True)
    every = rows()
    size = -(-len(every) // min(parts, 3))
    tables = [table(every[index * size : (index + 1) * size]) for index in range(parts)]
    return write_manifest(folder, [write_part(folder, index, each) for index, each in enumerate(tables)])
