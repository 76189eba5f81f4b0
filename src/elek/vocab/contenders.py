"""Ways to cut text into tokens, each with the same two methods, so that they can be compared."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from elek.dataset import Dataset
from elek.vocab.params import SPECIAL_PIECES, VocabParams
from elek.vocab.tokenizer import SPACE_MARK, Tokenizer
from elek.vocab.training import train_vocabulary

GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Byte-level BPE merges only within these: words with their space, numbers, punctuation (Radford et al. 2019)."""


_ALWAYS_BYTES = ("<0x0A>", "<0x09>")


@dataclass(frozen=True)
class Cut:
    """The tokens of a text. `pieces` are for display; joined, they need not give the text."""

    pieces: list[str]
    unknown: int
    """Tokens that stand for something the vocabulary does not know."""
    fallback: int
    """Tokens that are one byte of a character without a piece. A newline and a tab, which SentencePiece always spells
    so and in one token, do not count."""
    exact: bool
    """Whether decoding the tokens gives the same text."""


class Vocabulary(ABC):
    """A trained way to cut text."""

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
