"""`vocab:` of params.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from elek.params import Section


class VocabParams(Section):
    """How many pieces, of which kind, learned from how much text."""

    kind: Literal["bpe", "unigram"] = "bpe"
    """Byte-pair encoding (Sennrich et al. 2016), or a unigram language model (Kudo 2018): slower to train, and
    not exported, for readers of `tokenizer.model` outside SentencePiece take every vocabulary as BPE."""
    size: int = Field(default=8000, ge=300, le=1_000_000)
    """Pieces in all: 5 special ones, 256 bytes, every common character, and what is learned."""
    character_coverage: float = Field(default=0.9995, gt=0.9, le=1.0)
    """Share of the text's characters that get a piece of their own; the rest is spelled in bytes."""
    split_digits: bool = True
    """Every digit is a piece of its own, so that numbers are spelled alike everywhere."""
    max_megabytes: float = Field(default=100, gt=0)
    """Text to learn from (10⁶ bytes). Of a larger corpus a share of the documents is taken, by hash of their ids."""
