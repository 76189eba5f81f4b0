"""Compare vocabularies of one size, learned from the same text: why subwords, and which ones.

Six ways to cut text: SentencePiece's BPE and Unigram with byte fallback, as `vocab` trains them; that BPE as
`export` gives it to `transformers`; byte-level BPE (Radford et al. 2019) trained by `tokenizers`; the same merges
in `tiktoken`; and whole words, the most frequent ones, whose unknown words are what subwords were invented against
(Sennrich et al. 2016, section 1). They learn from the training text and are measured on held-out text, language by
language.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from elek.dataset import Dataset
from elek.errors import DataError, ElekError
from elek.vocab.contenders import ByteLevel, Cut, Exported, SentencePiece, Tiktoken, Vocabulary, Words
from elek.vocab.params import VocabParams
from elek.vocab.training import Corpus


@dataclass
class Row:
    """Figures of one vocabulary on the held-out text of one language."""

    vocabulary: str
    lang: str
    documents: int = 0
    bytes: int = 0
    words: int = 0
    tokens: int = 0
    unknown: int = 0
    fallback: int = 0
    exact: int = 0

    def add(self, text: str, cut: Cut) -> None:
        self.documents += 1
        self.bytes += len(text.encode())
        self.words += len(text.split())
        self.tokens += len(cut.pieces)
        self.unknown += cut.unknown
        self.fallback += cut.fallback
        self.exact += cut.exact

    def figures(self) -> dict[str, Any]:
        """Fertility is tokens per word (Rust et al. 2021); shares are of the tokens, `exact` of the documents."""
        tokens = max(1, self.tokens)
        return {
            "documents": self.documents,
            "tokens": self.tokens,
            "fertility": round(self.tokens / max(1, self.words), 3),
            "bytes_per_token": round(self.bytes / tokens, 3),
            "unknown": round(self.unknown / tokens, 5),
            "byte_fallback": round(self.fallback / tokens, 5),
            "exact": round(self.exact / max(1, self.documents), 5),
        }


@dataclass
class Comparison:
    """The outcome of `compare`."""

    size: int
    trained_on_bytes: int
    rows: list[Row]
    samples: list[tuple[str, str, str, list[str]]] = field(default_factory=list)
    """(language, text, vocabulary, pieces) of a short passage per language."""
    sizes: dict[str, int] = field(default_factory=dict)
    speed: dict[str, float] = field(default_factory=dict)
    """10⁶ bytes a second on one thread, on this machine and at this moment: for the screen, not for a file."""

    def as_dict(self) -> dict[str, Any]:
        names = list(self.sizes)
        return {
            "size": self.size,
            "trained_on_bytes": self.trained_on_bytes,
            "vocabularies": {
                name: {
                    "size": self.sizes[name],
                    "by_lang": {row.lang: row.figures() for row in self.rows if row.vocabulary == name},
                }
                for name in names
            },
        }


SAMPLE_CHARACTERS = 240


def compare(train: Dataset, held_out: Sequence[Dataset], params: VocabParams, progress: Any = None) -> Comparison:
    """Train every vocabulary at `params.size` on `train`, of which at most `params.max_megabytes` are read, and
    measure it on the documents of `held_out`.

    Raises ElekError where a library is missing, DataError where there is no held-out text, ParamsError where the
    text is too small for the size.
    """
    texts = list(_texts(held_out))
    if not texts:
        raise DataError(
            "there is no held-out text to compare on",
            where=", ".join(str(dataset.folder) for dataset in held_out),
            fix="raise split.validation, or add an evaluation source",
        )

    def lines() -> Iterator[str]:
        return iter(Corpus(train, params.max_megabytes * 1e6, params.control))

    read = Corpus(train, params.max_megabytes * 1e6, params.control)
    for _ in read:
        pass
    comparison = Comparison(params.size, read.bytes, [])
    try:
        for vocabulary in _train(train, params, lines):
            _measure(vocabulary, texts, comparison)
            if progress is not None:
                progress.advance(note=vocabulary.name)
    except ImportError as error:
        raise ElekError(
            f"`{error.name}` is not installed", where="elek vocab compare", fix='pip install "elek[hf]"'
        ) from None
    return comparison


VOCABULARIES = 6


def _train(train: Dataset, params: VocabParams, lines: Any) -> Iterator[Vocabulary]:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread each, and no warning about forks
    bpe = SentencePiece(train, params.model_copy(update={"kind": "bpe"}))
    yield bpe
    yield Exported(bpe.tokenizer)
    yield SentencePiece(train, params.model_copy(update={"kind": "unigram"}))
    byte_level = ByteLevel(lines(), params.size)
    yield byte_level
    yield Tiktoken(byte_level.ranks)
    yield Words(lines(), params.size)


def _texts(held_out: Sequence[Dataset]) -> Iterator[tuple[str, str]]:
    for dataset in held_out:
        for index in range(len(dataset.parts)):
            table = dataset.read(index, ["lang", "text"])
            yield from zip(table["lang"].to_pylist(), table["text"].to_pylist(), strict=True)


def _measure(vocabulary: Vocabulary, texts: list[tuple[str, str]], into: Comparison) -> None:
    rows: dict[str, Row] = {}
    for lang, text in texts:
        cut = vocabulary.cut(text)
        rows.setdefault(lang, Row(vocabulary.name, lang)).add(text, cut)
    for lang in sorted(rows):
        into.rows.append(rows[lang])
        sample = _passage(next(text for own, text in texts if own == lang))
        into.samples.append((lang, sample, vocabulary.name, vocabulary.cut(sample).pieces))
    into.sizes[vocabulary.name] = vocabulary.size
    plain = [text for _, text in texts]
    begin = time.perf_counter()
    vocabulary.count(plain)
    seconds = time.perf_counter() - begin
    into.speed[vocabulary.name] = round(sum(row.bytes for row in rows.values()) / 1e6 / max(seconds, 1e-9), 1)


def _passage(text: str) -> str:
    """A few sentences from where the prose has begun, cut at a word."""
    start = text.find(" ", len(text) // 3) + 1
    passage = text[start : start + SAMPLE_CHARACTERS].replace("\n", " ")
    return passage.rsplit(" ", 1)[0] if " " in passage else passage
