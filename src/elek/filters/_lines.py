"""The lines of C4, and what its line rules make of them, from stored signals; see `elek.filters.c4`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.filtering import Threshold, thresholds
from elek.params import Section
from elek.removal import I64

Bools = npt.NDArray[np.bool_]


class LineParams(Section):
    """What takes a line out; the rules of documents follow."""

    line_max_word_length: Threshold = 1000
    """Characters of a line's longest word."""
    line_min_words: Threshold = 3
    """Words of a line."""
    line_terminal_punctuation: bool = True
    """A line ends in `. ? ! " '`, and not in `...`."""
    line_javascript: bool = True
    """A line does not say "javascript"."""
    line_policy: bool = True
    """A line speaks of no cookies, terms of use or privacy policy."""


class Lines:
    """Every line of a batch, and what the line rules make of its kinds, in C4's order."""

    def __init__(self, signals: pa.Table, params: LineParams, lang: pa.Array) -> None:
        from elek.kernels.c4 import CURLY_BRACKET, JAVASCRIPT, LOREM_IPSUM, POLICY, TERMINATED

        self.offsets, lines = _flat(signals["lines"])
        self.kind = lines.to_numpy()
        self.kind_offsets, kinds = _flat(signals["kinds"])
        self.row = np.repeat(np.arange(len(signals)), np.diff(self.kind_offsets))
        fields = {name: kinds.field(name).to_numpy() for name in ("bytes", "words", "longest", "marks", "sentences")}
        self.bytes, marks = fields["bytes"], fields["marks"]
        fails: dict[str, Bools] = {}
        with np.errstate(invalid="ignore"):  # NaN: a rule that is off for a language
            if params.line_max_word_length is not None:
                most = thresholds(params.line_max_word_length, lang)
                fails["line_max_word_length"] = fields["longest"] > most[self.row]
            if params.line_min_words is not None:
                fails["line_min_words"] = fields["words"] < thresholds(params.line_min_words, lang)[self.row]
        if params.line_terminal_punctuation:
            fails["line_terminal_punctuation"] = marks & TERMINATED == 0
        if params.line_javascript:
            fails["line_javascript"] = marks & JAVASCRIPT != 0
        if params.line_policy:
            fails["line_policy"] = marks & POLICY != 0
        self.fails = fails
        """By rule, those that are off left out: the kinds of line that it takes out."""
        early = np.zeros(len(kinds), bool)
        nothing = np.zeros(len(kinds), bool)
        for name in ("line_max_word_length", "line_min_words", "line_terminal_punctuation"):
            early |= fails.get(name, nothing)
        lorem_ipsum = ~early & (marks & LOREM_IPSUM != 0)
        curly = ~early & ~fails.get("line_javascript", nothing)
        self.kept = curly & ~fails.get("line_policy", nothing)
        self._times = {
            "lorem_ipsum": lorem_ipsum.astype(np.int64),
            "curly_brackets": curly & (marks & CURLY_BRACKET != 0),
            "sentences": np.where(self.kept, fields["sentences"], 0),
        }

    @cached_property
    def _occurrences(self) -> I64:
        """How many lines are of each kind."""
        from elek.kernels.spans import occurrences

        return occurrences(self.kind, self.offsets, len(self.row), self.kind_offsets)

    def sizes(self, kinds: Bools) -> I64:
        """By document: bytes of its lines of these kinds."""
        values = self.bytes.astype(np.int64) * self._occurrences * kinds
        sizes: I64 = np.bincount(self.row, values, len(self.offsets) - 1).astype(np.int64)
        return sizes

    def totals(self, name: str) -> pa.Array:
        """By document: lines with lorem ipsum, lines with curly brackets, or sentences."""
        values = self._times[name] * self._occurrences
        return pa.array(np.bincount(self.row, values, len(self.offsets) - 1).astype(np.int64))

    def first(self, name: str) -> I64:
        """By document: the number of its first line with lorem ipsum, or with a curly bracket; beyond all if none."""
        from elek.kernels.spans import first_of

        return first_of(self.kind, self.offsets, self._times[name] > 0, self.kind_offsets)


def _flat(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Where the items of each list begin, and the items of all."""
    lists = column.combine_chunks()
    offsets = lists.offsets.to_numpy()
    return offsets - offsets[:1], lists.flatten()
