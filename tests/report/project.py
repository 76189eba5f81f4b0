"""A project's data as the stages would have left it, small enough to know by heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from elek.dataset import DECISION, DOCUMENT, Dataset, write_json, write_manifest, write_part, write_text
from elek.removal import REMOVE

# id, source, bytes, filter failures, dedup failures, split failures, split
Row = tuple[str, str, int, Sequence[str], Sequence[str], Sequence[str], str | None]
ROWS: list[Row] = [
    ("book/1", "book", 900, [], [], [], "train"),
    ("book/2", "book", 700, [], [], [], "validation"),
    ("book/3", "book", 800, [], [], [], "test"),
    ("book/4", "book", 650, [], ["dedup.minhash"], [], None),
    ("chat/1", "chat", 20, ["toxicity.max_score", "gopher_quality.min_words"], [], [], None),
    ("chat/2", "chat", 25, ["gopher_quality.min_words"], [], [], None),
    ("chat/3", "chat", 300, [], [], ["split.contaminated"], None),
]
SURVIVOR = "book/1"
CONTAMINATION = {"book/1": 0.125, "chat/3": 0.5}
TEXT = {"chat/1": "</blockquote><script>alert(1)</script>", "book/3": "<b>ışık</b>"}


def _decisions(rows: Sequence[Row], failures: int, entered: Sequence[bool]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "id": row[0],
                "entered": inside,
                "kept": inside and not row[failures],
                "failures": [
                    {"rule": rule, "value": 1.0, "threshold": 2.0, "evidence": None} for rule in row[failures]
                ],
            }
            for row, inside in zip(rows, entered, strict=True)
        ],
        schema=DECISION,
    )


def _counts(rows: Sequence[Row], failures: int, entered: Sequence[bool]) -> dict[str, Any]:
    inside = [row for row, e in zip(rows, entered, strict=True) if e]
    reasons: dict[str, int] = {}
    failing: dict[str, int] = {}
    for row in inside:
        for position, rule in enumerate(row[failures]):
            failing[rule] = failing.get(rule, 0) + 1
            if position == 0:
                reasons[rule] = reasons.get(rule, 0) + 1
    dropped = sum(reasons.values())
    return {
        "in": len(inside),
        "kept": len(inside) - dropped,
        "dropped": dropped,
        "reasons": reasons,
        "failures": failing,
        "by_source": {},
    }


def build(folder: Path, rows: Sequence[Row] = ROWS, part_rows: int = 4) -> tuple[Path, Path]:
    """Write `data/` and `reports/` under `folder`; returns both."""
    data, reports = folder / "data", folder / "reports"
    parts = [rows[start : start + part_rows] for start in range(0, len(rows), part_rows)]
    documents = [
        pa.Table.from_pylist(
            [
                {
                    "id": row[0],
                    "text": TEXT.get(row[0], f"Metin {row[0]} ışık"),
                    "source": row[1],
                    "license": "MIT" if row[1] == "book" else "Apache-2.0",
                    "lang": "tr",
                    "url": "",
                    "meta": "{}",
                }
                for row in part
            ],
            schema=DOCUMENT,
        )
        for part in parts
    ]

    def dataset(name: str, tables: Sequence[pa.Table]) -> None:
        target = data / name
        target.mkdir(parents=True)
        write_manifest(target, [write_part(target, n, table) for n, table in enumerate(tables)])

    for name in ("fetch/train", "fetch/evaluation", "clean/train", "clean/evaluation"):
        dataset(name, documents)
    for name in ("split/train", "split/validation", "split/test", "split/evaluation"):
        dataset(name, documents)
    sizes = [pa.array([row[2] for row in part], pa.int64()) for part in parts]
    columns = ["id", "source", "license", "lang"]
    dataset("annotate", [t.select(columns).append_column("bytes", s) for t, s in zip(documents, sizes, strict=True)])

    everywhere = [[True] * len(part) for part in parts]
    filtered = [[not row[3] for row in part] for part in parts]
    unique = [[not row[3] and not row[4] for row in part] for part in parts]
    dataset("filter", [_decisions(part, 3, e) for part, e in zip(parts, everywhere, strict=True)])
    dataset(
        "dedup",
        [
            _decisions(part, 4, e).append_column(
                "survivor", pa.array([SURVIVOR if row[4] else None for row in part], pa.string())
            )
            for part, e in zip(parts, filtered, strict=True)
        ],
    )
    dataset(
        "split/decisions",
        [
            _decisions(part, 5, e)
            .append_column("split", pa.array([row[6] for row in part], pa.string()))
            .append_column("contamination", pa.array([CONTAMINATION.get(row[0]) for row in part], pa.float64()))
            for part, e in zip(parts, unique, strict=True)
        ],
    )
    names = sorted({row[1] for row in rows})
    source = {"kind": "files", "lang": "tr", "role": "train", "url": "", "pinned": {"sha256": "ab" * 32}, "skipped": 0}
    write_json(
        data / "fetch" / "sources.json",
        {
            name: {
                **source,
                "license": "MIT" if name == "book" else "Apache-2.0",
                "documents": sum(row[1] == name for row in rows),
                "bytes": sum(row[2] for row in rows if row[1] == name),
            }
            for name in names
        },
    )
    history = (
        "step,tokens,train_loss,validation_loss,learning_rate,grad_norm\n1,10,9.0,9.1,0.1,1.5\n2,20,8.0,,0.05,1.2\n"
    )
    write_text(data / "train" / "history.csv", history)
    write_json(data / "train" / "config.json", {"layers": 2, "width": 32})
    write_text(data / "train" / "model.safetensors", "weights")
    write_text(data / "vocab" / "tokenizer.model", "pieces")
    write_json(data / "evaluate" / "samples.json", [{"lang": "tr", "prompt": "Bir <varmış>", "text": " bir yokmuş"}])

    flat = [entry for part in everywhere for entry in part]

    def held(name: str) -> dict[str, Any]:
        own = [row[2] for row in rows if row[6] == name]
        volume = {"documents": len(own), "bytes": sum(own)}
        return {**volume, "by_source": {}, "by_lang": {"tr": volume}}

    figures: Mapping[str, Any] = {"loss": 5.0, "perplexity": 148.4, "bits_per_byte": 2.2, "tokens": 9, "bytes": 30}
    evaluated = {**figures, "by_lang": {"tr": figures}, "by_source": {"book": figures}}
    shards = {"documents": 1, "tokens": 9, "bytes": 30, "shards": 1, "bytes_per_token": 3.3, "by_lang": {}}
    metrics: dict[str, Any] = {
        "fetch": {"documents": {"train": len(rows), "evaluation": 2}, "bytes": {}, "skipped": 1, "sources": {}},
        "clean": {"documents": {}, "bytes_in": 1, "bytes_out": 1, "changed": 0, "pii": {"email": 3}},
        "annotate": {"documents": len(rows), "languages": {"tr": len(rows)}},
        "filter": _counts(rows, 3, flat),
        "dedup": _counts(rows, 4, [e for part in filtered for e in part]),
        "split": {
            **_counts(rows, 5, [e for part in unique for e in part]),
            **{name: held(name) for name in ("train", "validation", "test", "evaluation")},
        },
        "vocab": {"size": 300, "kind": "bpe", "sentences": 4, "bytes": 90},
        "tokenize": dict.fromkeys(("train", "validation", "test", "evaluation"), shards),
        "train": {
            "parameters": 12345,
            "steps": 2,
            "tokens": 20,
            "train_loss": 8.0,
            "validation_loss": 9.1,
            "validation_bits_per_byte": 2.2,
        },
        "export": {
            "architecture": "LlamaForCausalLM",
            "gguf": None,
            "gguf_because": "export.gguf: false",
            "files": {"config.json": "ab" * 32, "model.safetensors": "cd" * 32},
        },
        "evaluate": dict.fromkeys(("validation", "test", "evaluation"), evaluated),
    }
    for name, value in metrics.items():
        write_json(reports / f"{name}.json", value)
    return data, reports


def remove_lines(data: Path, spans: Mapping[str, Sequence[tuple[int, int]]]) -> None:
    """Record in `filter` that these bytes of these documents were taken out."""
    old = Dataset(data / "filter")
    parts = []
    for index in range(len(old.parts)):
        table = old.read(index)
        column = [[{"start": a, "end": b} for a, b in spans.get(id, [])] for id in table["id"].to_pylist()]
        parts.append(write_part(old.folder, index, table.append_column(REMOVE, pa.array(column, REMOVE.type))))
    write_manifest(old.folder, parts, extra={"removes": ["c4"]})
