"""`tokenize`: documents + vocab → Arrow token shards, one for each part of `split`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from elek.dataset import Dataset, Part, read_part
from elek.shards import TokenizeParams, TokenShards, write_shard, write_shards_manifest
from elek.vocab.memo import document_encoder
from elek.vocab.tokenizer import TokenColumn, Tokenizer
from stages._shell import Stage

SPLITS = ("train", "validation", "test", "evaluation")


@dataclass(frozen=True)
class Task:
    part: Path
    folder: Path
    index: int
    vocab: Path
    sha256: str


def tokenize_part(task: Task) -> Part:
    task.folder.mkdir(exist_ok=True)
    documents = read_part(task.part, ["id", "source", "lang", "text"])
    column = _encoder(task.vocab, task.sha256)(documents["text"].combine_chunks())
    return write_shard(task.folder, task.index, documents, column)


@lru_cache(maxsize=1)
def _encoder(vocab: Path, sha256: str) -> Callable[[pa.Array], TokenColumn]:
    """One for all parts that a process works on: it learns. The digest is there to tell vocabularies apart."""
    return document_encoder(Tokenizer.load(vocab))


def main() -> None:
    with Stage("tokenize", TokenizeParams) as stage:
        vocab = stage.data("vocab") / "tokenizer.model"
        tokenizer = Tokenizer.load(vocab)
        splits = {name: Dataset(stage.data("split") / name) for name in SPLITS}
        tasks = [
            Task(dataset.path(index), stage.out / name, index, vocab, tokenizer.sha256)
            for name, dataset in splits.items()
            for index in range(len(dataset.parts))
        ]
        written = iter(stage.map(tokenize_part, tasks))
        for name, dataset in splits.items():
            shards = [next(written) for _ in dataset.parts]
            write_shards_manifest(stage.out / name, shards, tokenizer, parent=dataset.digest)
            stage.metrics[name] = TokenShards(stage.out / name, verify=False).figures()
        for name, row in stage.metrics.items():
            stage.summary.append((name, f"{row['tokens']:,} tokens, {row['bytes_per_token']} bytes each"))


if __name__ == "__main__":
    main()
