"""`vocab:` of params.yaml."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from elek.params import Section

SPECIAL_PIECES = ("<unk>", "<s>", "</s>", "<pad>", "<mask>")
"""Pieces 0 to 4. They are control symbols: no text ever becomes one of them, not even text that spells its name."""


class VocabParams(Section):
    """How many pieces, of which kind, learned from how much text."""

    kind: Literal["bpe", "unigram"] = "bpe"
    """Byte-pair encoding (Sennrich et al. 2016), or a unigram language model (Kudo 2018): slower to train, and
    not for transformers or llama.cpp (`export.huggingface: false`), which would cut some texts in other places."""
    size: int = Field(default=8000, ge=300, le=1_000_000)
    """Pieces in all: 5 special ones, 256 bytes, every common character, and what is learned."""
    character_coverage: float = Field(default=0.9995, gt=0.9, le=1.0)
    """Share of the text's characters that get a piece of their own; the rest is spelled in bytes."""
    split_digits: bool = True
    """Every digit is a piece of its own, so that numbers are spelled alike everywhere."""
    max_megabytes: float = Field(default=100, gt=0)
    """Text to learn from (10⁶ bytes). Of a larger corpus a share of the documents is taken, by hash of their ids."""
    control: list[str] = Field(default_factory=list)
    """Further control pieces, at ids 5, 6, … in this order (`<|user|>`): for programs to put between texts. No text
    ever becomes one, not even text that spells its name."""
    user_defined: list[str] = Field(default_factory=list)
    """Pieces at the ids after those, in this order: wherever a text spells one, it is that one token (`[EMAIL]`)."""

    @model_validator(mode="after")
    def _check_pieces(self) -> VocabParams:
        seen = set(SPECIAL_PIECES)
        for piece in [*self.control, *self.user_defined]:
            if not piece or re.search(r"[\s\u2581\u2585\0]", piece):
                raise ValueError(f"the piece {piece!r} is empty, or has a white space or a mark of SentencePiece's own")
            if piece in seen or re.fullmatch("<0x[0-9A-F]{2}>", piece):
                raise ValueError(f"the piece {piece!r} is there already")
            seen.add(piece)
        if short := [piece for piece in self.control if len(piece) == 1]:
            raise ValueError(
                f"the control piece {short[0]!r} would take that character from texts: give it a longer name"
            )
        return self
