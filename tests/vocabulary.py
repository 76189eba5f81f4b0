"""A small vocabulary, trained once, and folders of made-up documents to use it on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
from hypothesis import strategies as st

from elek.dataset import DOCUMENT, Dataset, atomic_folder, write_manifest, write_part
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import Tokenizer
from elek.vocab.training import train_vocabulary
from tests.corpus import document

PARAMS = """\
execution: {workers: 1}
vocab: {kind: bpe, size: 700}
evaluate:
  max_tokens: 3000
  prompts: {en: [The farmer], tr: [Köyün]}
  samples: {max_new_tokens: 8}
  generations: {count: 2, prompt_tokens: 4, new_tokens: 8}
"""

# Text that finds every seam: specials' names, bytes' names, SentencePiece's own marks, runs, words of the corpus.
_MARKS = ["<s>", "</s>", "<unk>", "<pad>", "<mask>", "<0x41>", "\u2581", "\u2585", "\0", "\ufffd", "\u2047", "\u200b"]
_WORDS = ["the", "öğretmen", "İı", "aa", "abab", "e\u0301", "🙂🏽", "123", "..."]
pieces = st.sampled_from([" ", "  ", "\n", "\t", "\r\n", " the", *_MARKS, *_WORDS])
texts = st.one_of(st.text(max_size=60), st.lists(st.one_of(pieces, st.text(max_size=4)), max_size=30).map("".join))


def documents(texts: Sequence[str], prefix: str = "doc", lang: str = "en") -> pa.Table:
    """A table of documents with one made-up source per language."""
    columns = {
        "id": [f"{prefix}-{number}" for number in range(len(texts))],
        "text": list(texts),
        "source": [f"book-{lang}"] * len(texts),
        "license": ["CC0-1.0"] * len(texts),
        "lang": [lang] * len(texts),
        "url": [""] * len(texts),
        "meta": ["{}"] * len(texts),
    }
    return pa.table(columns, schema=DOCUMENT)


def write_dataset(folder: Path, tables: Sequence[pa.Table]) -> Dataset:
    with atomic_folder(folder) as out:
        parts = [write_part(out, index, table) for index, table in enumerate(tables)]
        write_manifest(out, parts)
    return Dataset(folder)


def prose(lang: str, count: int, first: int = 0) -> pa.Table:
    return documents([document(lang, seed) for seed in range(first, first + count)], f"{lang}-{first}", lang)


@cache
def tokenizer(kind: str = "bpe", size: int = 700) -> Tokenizer:
    """Trained on English and Turkish sentences, with indented lines and repeated signs among them."""
    odd = documents(
        ["    if a:\n        b = a * 10\n" + "=" * 40 + "\n" + "- " * 20 + "abab" * 9 + "aaaa" * 5] * 5, "odd"
    )
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder) / "train", [prose("en", 30), prose("tr", 30), odd])
        return Tokenizer(train_vocabulary(dataset, VocabParams(kind=kind, size=size))[0])  # type: ignore[arg-type]


def write_project(folder: Path) -> None:
    """params.yaml and data/split of a project: training text in three parts, an empty evaluation set."""
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8", newline="\n")
    split = folder / "data" / "split"
    write_dataset(split / "train", [prose("en", 20), prose("tr", 20), prose("en", 20, first=20)])
    write_dataset(split / "validation", [pa.concat_tables([prose("en", 4, first=90), prose("tr", 4, first=90)])])
    write_dataset(split / "test", [prose("tr", 3, first=95)])
    write_dataset(split / "evaluation", [documents([])])
