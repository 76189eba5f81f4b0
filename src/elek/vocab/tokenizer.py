"""Text to token ids and back, without loss: `decode(encode(text)) == text` for every text.

The ids are those of SentencePiece, except for one character: SentencePiece writes a space as U+2581 inside its pieces,
so it cannot distinguish the two and turns a U+2581 in a text into a space. Here that character becomes its three byte
pieces, like any other character without a piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sentencepiece

from elek.errors import DataError
from elek.vocab.params import SPECIAL_PIECES

SPACE_MARK = "\u2581"
_SPACE_MARK_UTF8 = SPACE_MARK.encode()


@dataclass(frozen=True)
class TokenColumn:
    """Token ids of many documents, end to end: document i is `ids[offsets[i]:offsets[i + 1]]`.

    `ids` is uint16, or uint32 where the vocabulary needs it; `offsets` is int64 and one longer than the documents.
    """

    ids: npt.NDArray[np.unsignedinteger]
    offsets: npt.NDArray[np.int64]


class Tokenizer:
    """A SentencePiece model with the fixed special ids unk 0, bos 1, eos 2, pad 3, mask 4."""

    unk: ClassVar[int] = 0
    bos: ClassVar[int] = 1
    eos: ClassVar[int] = 2
    pad: ClassVar[int] = 3
    mask: ClassVar[int] = 4

    def __init__(self, model: bytes, where: str = "tokenizer.model") -> None:
        """Raises DataError where `model` is no SentencePiece model, or not one that Elek could have trained."""
        self.model = model
        self.sha256 = hashlib.sha256(model).hexdigest()
        try:
            self._processor = sentencepiece.SentencePieceProcessor()
            self._processor.load_from_serialized_proto(model)
            self.size: int = self._processor.get_piece_size()
        except (RuntimeError, ValueError, OSError) as error:
            raise DataError(f"no SentencePiece model: {error}", where=where, fix="run `dvc repro vocab`") from None
        self._check(where)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """The tokenizer in a `tokenizer.model` file, or in the folder that holds one."""
        file = path / "tokenizer.model" if path.is_dir() else path
        try:
            return cls(file.read_bytes(), str(file))
        except FileNotFoundError:
            raise DataError("there is no vocabulary", where=str(file), fix="run `dvc repro vocab`") from None

    def require(self, vocab_size: int, where: str) -> None:
        """Raises DataError unless it has as many pieces as a model knows."""
        if self.size != vocab_size:
            raise DataError(
                f"the model knows {vocab_size} tokens, the vocabulary {self.size}",
                where=where,
                fix="take both from the same run: `dvc repro` makes them so",
            )

    def _check(self, where: str) -> None:
        fix = "train the vocabulary with `dvc repro vocab`"
        found = tuple(self.piece(index) for index in range(min(5, self.size)))
        if found != SPECIAL_PIECES:
            raise DataError(f"pieces 0 to 4 are {found}, and should be {SPECIAL_PIECES}", where=where, fix=fix)
        if any(byte < 0 for byte in self.byte_ids):
            raise DataError("the vocabulary has no byte fallback", where=where, fix=fix)
        probe = "  a\n\tb \u212b"  # spaces that would be trimmed, a letter that normalisation would replace
        if self.decode(self.encode(probe)) != probe:
            raise DataError("the vocabulary normalises text, so that it cannot be restored", where=where, fix=fix)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The narrowest type that holds every id."""
        return np.dtype(np.uint16 if self.size <= 0xFFFF else np.uint32)

    @cached_property
    def kind(self) -> str:
        """`bpe` or `unigram`, seen in the scores: those of BPE are the ranks of the merges, 0, -1, -2, …"""
        scores = [self.score(index) for index in range(max(self.byte_ids) + 1, self.size)]
        return "bpe" if scores == [-float(rank) for rank in range(len(scores))] else "unigram"

    @cached_property
    def byte_ids(self) -> list[int]:
        """The id of the piece of each byte (-1 for none, which does not happen in tokenizers trained by Elek)."""
        ids = (self._processor.piece_to_id(f"<0x{byte:02X}>") for byte in range(256))
        return [index if self._processor.is_byte(index) else -1 for index in ids]

    @cached_property
    def _space_mark(self) -> list[int]:
        return [self.byte_ids[byte] for byte in _SPACE_MARK_UTF8]

    def piece(self, index: int) -> str:
        """A piece as SentencePiece writes it: spaces as U+2581, bytes as `<0x0A>`."""
        piece: str = self._processor.id_to_piece(index)
        return piece

    def score(self, index: int) -> float:
        return float(self._processor.get_score(index))

    def is_byte(self, index: int) -> bool:
        return bool(self._processor.is_byte(index))

    @cached_property
    def controls(self) -> int:
        """Number of control pieces, including the five special ones. Ids below it stand for no text."""
        return next(index for index in range(len(SPECIAL_PIECES), self.size) if not self._processor.is_control(index))

    @cached_property
    def user_defined(self) -> range:
        """Ids of the pieces that params name: those between the control pieces and the bytes."""
        return range(self.controls, min(self.byte_ids))

    @cached_property
    def piece_bytes(self) -> npt.NDArray[np.int64]:
        """UTF-8 bytes of text that each id stands for, [size]; 0 for control pieces."""
        lengths = np.zeros(self.size, dtype=np.int64)
        for index in range(self.controls, self.size):
            lengths[index] = 1 if self.is_byte(index) else len(self.piece(index).replace(SPACE_MARK, " ").encode())
        return lengths

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without bos and eos. Raises DataError for a lone surrogate, which UTF-8 cannot encode."""
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Ids of each text, without bos and eos. Raises DataError like `encode`."""
        try:
            return self.encode_utf8([text.encode() for text in texts])
        except UnicodeEncodeError as error:
            raise DataError(
                "text with a lone surrogate, which no UTF-8 can hold",
                where=f"character {error.start} of {str(error.object)[:40]!r} …",
                fix="clean the text first: `text.encode('utf-8', 'replace').decode()`",
            ) from None

    def encode_utf8(self, texts: list[bytes]) -> list[npt.NDArray[np.int32]]:
        """`encode_batch` of texts that are UTF-8 already."""
        # One thread: stages spread over processes.
        encoded: list[npt.NDArray[np.int32]] = self._processor.encode(texts, return_type="numpy", num_threads=1)
        for index, text in enumerate(texts):
            if _SPACE_MARK_UTF8 in text:
                encoded[index] = self._encode_around_space_marks(text)
        return encoded

    def _encode_around_space_marks(self, text: bytes) -> npt.NDArray[np.int32]:
        ids: list[int] = []
        for index, between in enumerate(text.split(_SPACE_MARK_UTF8)):
            ids += [*(self._space_mark if index else ()), *self._processor.encode(between)]
        return np.array(ids, dtype=np.int32)

    def encode_documents(self, texts: pa.Array | pa.ChunkedArray) -> TokenColumn:
        """Every text of a column as one document: bos, its pieces, eos."""
        encoded = self.encode_utf8(texts.cast(pa.large_binary()).to_pylist())
        lengths = np.fromiter((len(ids) + 2 for ids in encoded), dtype=np.int64, count=len(encoded))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = np.empty(offsets[-1], dtype=self.dtype)
        ids[offsets[:-1]] = self.bos
        ids[offsets[1:] - 1] = self.eos
        for start, document in zip(offsets.tolist(), encoded, strict=False):
            ids[start + 1 : start + 1 + len(document)] = document
        return TokenColumn(ids, offsets)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; control pieces are left out, bytes that form no character become U+FFFD.

        Raises DataError for an id that is not in the vocabulary.
        """
        numbers = [int(index) for index in ids]
        if numbers and not (min(numbers) >= 0 and max(numbers) < self.size):
            raise DataError(f"an id outside of the vocabulary's {self.size}", where=f"ids {numbers[:5]} …")
        text: str = self._processor.decode([index for index in numbers if index >= self.controls])
        return text
