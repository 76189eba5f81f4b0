"""Vocabularies of one size, learned from the same text, beside each other: why subwords, and which.

Six ways to cut text: SentencePiece's BPE and Unigram with byte fallback, as `vocab` trains them; that BPE as
`export` gives it to `transformers`; byte-level BPE (Radford et al. 2019) trained by `tokenizers`; the same merges
in `tiktoken`; and whole words, the most frequent
ones, whose unknown words are what subwords were invented against (Sennrich et al. 2016, section 1). They learn
from the training text and are measured on held-out text, language by language.
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from elek.dataset import Dataset
from elek.errors import DataError, ElekError
from elek.vocab.params import SPECIAL_PIECES, VocabParams
from elek.vocab.tokenizer import SPACE_MARK, Tokenizer
from elek.vocab.training import train_vocabulary

GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What byte-level BPE never merges across: words with their space, numbers, punctuation (Radford et al. 2019)."""


_ALWAYS_BYTES = ("<0x0A>", "<0x09>")


@dataclass(frozen=True)
class Cut:
    """A text as one vocabulary cuts it. `pieces` are shown to people; their join need not be the text."""

    pieces: list[str]
    unknown: int
    """Tokens that stand for something the vocabulary does not know."""
    fallback: int
    """Tokens that are one byte of a character without a piece. A newline and a tab, which SentencePiece always spells
    so and in one token, do not count."""
    exact: bool
    """Whether the tokens give the text back."""


class Vocabulary(ABC):
    """One way to cut text, trained."""

    name: str
    size: int

    @abstractmethod
    def count(self, texts: Sequence[str]) -> int:
        """Tokens of the texts, counted as fast as the library can on one thread."""

    @abstractmethod
    def cut(self, text: str) -> Cut:
        """The text's pieces, one by one."""


class SentencePiece(Vocabulary):
    """BPE or Unigram with byte fallback: what `vocab` trains."""

    def __init__(self, dataset: Dataset, params: VocabParams) -> None:
        model, _ = train_vocabulary(dataset, params)
        self.tokenizer = Tokenizer(model)
        self.name, self.size = f"SentencePiece {'BPE' if params.kind == 'bpe' else 'Unigram'}", self.tokenizer.size

    def count(self, texts: Sequence[str]) -> int:
        return sum(map(len, self.tokenizer.encode_batch(texts)))

    def cut(self, text: str) -> Cut:
        ids = self.tokenizer.encode(text)
        pieces = [self.tokenizer.piece(index).replace(SPACE_MARK, " ") for index in ids]
        fallback = _fallback(ids, self.tokenizer)
        return Cut(pieces, ids.count(Tokenizer.unk), fallback, self.tokenizer.decode(ids) == text)


class Exported(Vocabulary):
    """The BPE of `SentencePiece` as `export` writes it, read by `transformers`: the same ids."""

    name = "transformers, that BPE"

    def __init__(self, tokenizer: Tokenizer) -> None:
        from tokenizers import Tokenizer as Loaded
        from transformers import PreTrainedTokenizerFast

        from elek.export.tokenizer import tokenizer_json

        loaded = Loaded.from_str(json.dumps(tokenizer_json(tokenizer)))
        fast: Any = PreTrainedTokenizerFast
        self._fast = fast(tokenizer_object=loaded, split_special_tokens=True)
        self._ours, self.size = tokenizer, len(self._fast)

    def count(self, texts: Sequence[str]) -> int:
        return sum(map(len, self._fast(list(texts), add_special_tokens=False)["input_ids"]))

    def cut(self, text: str) -> Cut:
        ids = self._fast.encode(text, add_special_tokens=False)
        pieces: list[str] = self._fast.convert_ids_to_tokens(ids)
        fallback = _fallback(ids, self._ours)
        back = self._fast.decode(ids, clean_up_tokenization_spaces=False)
        return Cut(pieces, ids.count(Tokenizer.unk), fallback, back == text and ids == self._ours.encode(text))


class ByteLevel(Vocabulary):
    """Byte-level BPE of the library `tokenizers`: 256 bytes, then merges; nothing can be unknown."""

    name = "tokenizers byte-level BPE"

    def __init__(self, lines: Iterator[str], size: int) -> None:
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

        self._tokenizer = Tokenizer(models.BPE())
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(GPT2_PATTERN), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._tokenizer.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(SPECIAL_PIECES), initial_alphabet=alphabet, show_progress=False
        )
        self._tokenizer.train_from_iterator(lines, trainer)
        self._tokenizer.encode_special_tokens = True
        self.size = self._tokenizer.get_vocab_size()

    def count(self, texts: Sequence[str]) -> int:
        return sum(len(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(list(texts)))

    def cut(self, text: str) -> Cut:
        encoding = self._tokenizer.encode(text)
        raw = [bytes(_BYTE_OF[letter] for letter in piece) for piece in encoding.tokens]
        return _cut_of_bytes(raw, text, self._tokenizer.decode(encoding.ids))

    @cached_property
    def ranks(self) -> dict[bytes, int]:
        """The vocabulary as tiktoken takes it: bytes → rank, single bytes first, then merges in their order."""
        pieces = sorted(self._tokenizer.get_vocab().items(), key=lambda item: item[1])
        learned = [name for name, _ in pieces if name not in SPECIAL_PIECES]
        return {bytes(_BYTE_OF[letter] for letter in name): rank for rank, name in enumerate(learned)}


class Tiktoken(Vocabulary):
    """`tiktoken`, which trains nothing, with the merges that `tokenizers` has learned."""

    name = "tiktoken, the same merges"

    def __init__(self, ranks: dict[bytes, int]) -> None:
        import tiktoken

        self._encoding = tiktoken.Encoding("elek", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={})
        self.size = len(ranks) + len(SPECIAL_PIECES)

    def count(self, texts: Sequence[str]) -> int:
        return sum(map(len, self._encoding.encode_ordinary_batch(list(texts), num_threads=1)))

    def cut(self, text: str) -> Cut:
        ids = self._encoding.encode_ordinary(text)
        raw = [self._encoding.decode_single_token_bytes(index) for index in ids]
        return _cut_of_bytes(raw, text, self._encoding.decode(ids))


class Words(Vocabulary):
    """The most frequent words, separated by white space; every other one is unknown."""

    name = "whole words"

    def __init__(self, lines: Iterator[str], size: int) -> None:
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(line.split())
        frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: size - len(SPECIAL_PIECES)]
        self._known = {word for word, _ in frequent}
        self.size = len(self._known) + len(SPECIAL_PIECES)

    def count(self, texts: Sequence[str]) -> int:
        return sum(len([word in self._known for word in text.split()]) for text in texts)

    def cut(self, text: str) -> Cut:
        words = text.split()
        pieces = [word if word in self._known else SPECIAL_PIECES[0] for word in words]
        unknown = pieces.count(SPECIAL_PIECES[0])
        return Cut(pieces, unknown, 0, exact=not unknown and " ".join(words) == text)


def _fallback(ids: Sequence[int], tokenizer: Tokenizer) -> int:
    return sum(tokenizer.is_byte(index) and tokenizer.piece(index) not in _ALWAYS_BYTES for index in ids)


def _cut_of_bytes(raw: list[bytes], text: str, decoded: str) -> Cut:
    # A byte of a longer character, standing alone, is the fallback of byte-level BPE; ASCII letters are pieces.
    fallback = sum(len(piece) == 1 and piece[0] >= 0x80 for piece in raw)
    return Cut([piece.decode("utf-8", "replace") for piece in raw], 0, fallback, decoded == text)


def _byte_letters() -> dict[str, int]:
    """Letter → byte as byte-level BPE writes bytes: printable ones of Latin-1 as themselves, the others from U+0100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTE_OF = _byte_letters()


@dataclass
class Row:
    """What one vocabulary does to the held-out text of one language."""

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
    from elek.vocab.training import Corpus

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
