"""Tokenize one part of a split into one shard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from elek.dataset import Part, read_part
from elek.shards import write_shard
from elek.vocab.memo import document_encoder
from elek.vocab.tokenizer import TokenColumn, Tokenizer


@dataclass(frozen=True)
class TokenizeTask:
    """Part `source` of documents → shard `index` in the folder `out`, with the vocabulary `vocab` of this SHA-256."""

    source: Path
    out: Path
    index: int
    vocab: Path
    sha256: str


def tokenize_part(task: TokenizeTask) -> Part:
    documents = read_part(task.source, ["id", "source", "lang", "text"])
    column = _encoder(task.vocab, task.sha256)(documents["text"].combine_chunks())
    return write_shard(task.out, task.index, documents, column)


@lru_cache(maxsize=1)
def _encoder(vocab: Path, sha256: str) -> Callable[[pa.Array], TokenColumn]:
    """One encoder for all parts that a process works on, since it keeps what it has encoded. The digest is part of the
    cache key, so that a changed vocabulary gets a new one."""
    return document_encoder(Tokenizer.load(vocab))
