"""C4: documents of sentences, less the lines that are none.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
(arXiv:1910.10683), section 2.2, with the details, the order and the phrases of datatrove 0.10.1, whose decisions
these are under the same words and the same count of sentences. (The paper's list of bad words is `toxicity`'s
matter, its deduplication `dedup`'s.)

*Lines* (`str.splitlines`) are taken out of documents that stay. `annotate` stores of each line its kind, and of each
kind what the line rules ask, so that their thresholds too can be changed without reading the text; `filter` says which
bytes go, `split` cuts them (`elek.removal`). A line goes with its line break, and citations (`[1]`, `[edit]`,
`[citation needed]`) go from the lines that stay. What other filters measure, and what `dedup` compares, is the text
before that.

*A sentence* ends, in our count, at a terminal of Unicode (`.`, `?`, `!`…) or several, with closing quotation marks
and brackets behind them, where white space follows and then no lower-case letter and no digit ("e.g. this", "19.
yüzyıl" is no end); the last one ends with its line.

Of a document with both "lorem ipsum" and a curly bracket the reason is what comes first in the text. Where we differ
from datatrove: white space at the ends of lines that stay, stays.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from elek.decisions import Verdict
from elek.filtering import Batch, Filter, Removal, Rule, Threshold, thresholds
from elek.params import Section
from elek.removal import I64, SPAN, edges, lists, removed_bytes

SOURCE = "Raffel et al. 2020 (C4), 2.2"

KIND = pa.struct(
    [
        pa.field("bytes", pa.uint32()),
        pa.field("words", pa.uint32()),
        pa.field("longest", pa.uint32()),
        pa.field("marks", pa.uint8()),
        pa.field("sentences", pa.uint32()),
    ]
)
"""Bytes with the line break, words, characters of the longest word, `elek.kernels.c4`'s marks, sentences."""


class C4Settings(Section):
    citations: bool = True
    """Look at lines without their citations, and take those out."""


class C4LineParams(Section):
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


class C4(Filter):
    """Signals: every line as the number of its kind in the document, the kinds, and every citation as bytes of the
    text. What the rules compare follows from the lines that stay: sentences, and lines with "lorem ipsum" or with a
    curly bracket."""

    name = "c4"
    rank = 60
    removes = True
    settings_class = C4Settings
    params_base = C4LineParams
    signals: ClassVar = {"lines": pa.list_(pa.uint32()), "kinds": pa.list_(KIND), "citations": pa.list_(SPAN)}
    derived: ClassVar = {"lorem_ipsum": pa.int64(), "curly_brackets": pa.int64(), "sentences": pa.int64()}
    rules = (
        Rule("max_lorem_ipsum", "lorem_ipsum", "above", 0, SOURCE),
        Rule("max_curly_brackets", "curly_brackets", "above", 0, SOURCE),
        Rule("min_sentences", "sentences", "below", 5, f"{SOURCE}; what a sentence is, is ours"),
    )

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        from elek.kernels.c4 import measure

        assert isinstance(self.settings, C4Settings)  # noqa: S101  (settings_class)
        found = measure(batch.text, citations=self.settings.citations, unicode=batch.words == "unicode")
        return {
            "lines": pa.ListArray.from_arrays(pa.array(found.line_offsets), pa.array(found.lines)),
            "kinds": _lists(found.kind_offsets, found.kinds, self.signals["kinds"]),
            "citations": _lists(found.citation_offsets, found.citations, self.signals["citations"]),
        }

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        lines = _Lines(signals, params, lang)
        verdicts = super().decide(pa.table({name: lines.totals(name) for name in self.derived}), params, lang)
        earlier = lines.first("curly_brackets") < lines.first("lorem_ipsum")
        return [replace(item, ahead=earlier) if item.rule == "c4.max_curly_brackets" else item for item in verdicts]

    def remove(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> pa.Array:
        """Lines that go, and citations from those that stay."""
        from elek.kernels.spans import of_lines

        lines = _Lines(signals, params, lang)
        citations = edges(signals["citations"])
        goes = ~lines.kept
        return lists(*of_lines(lines.kind, lines.offsets, lines.bytes, goes, lines.kind_offsets, citations))

    def removals(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Removal]:
        """By line rule, and the citations of lines that stay."""
        lines = _Lines(signals, params, lang)
        failing = np.sum(list(lines.fails.values()), axis=0)
        found = []
        for name in C4LineParams.model_fields:
            fails = lines.fails.get(name)
            sizes = None if fails is None else (lines.sizes(fails), lines.sizes(fails & (failing == 1)))
            found.append(Removal(f"{self.name}.{name}", *(sizes or (None, None))))
        cited = removed_bytes(self.remove(signals, params, lang)) - lines.sizes(~lines.kept)
        return [*found, Removal(f"{self.name}.citations", cited, cited)]


class _Lines:
    """Every line of a batch, and what the line rules make of its kinds, in C4's order."""

    def __init__(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> None:
        from elek.kernels.c4 import CURLY_BRACKET, JAVASCRIPT, LOREM_IPSUM, POLICY, TERMINATED

        assert isinstance(params, C4LineParams)  # noqa: S101 - what params_class promised
        self.offsets, lines = _flat(signals["lines"])
        self.kind = lines.to_numpy()
        self.kind_offsets, kinds = _flat(signals["kinds"])
        self.row = np.repeat(np.arange(len(signals)), np.diff(self.kind_offsets))
        fields = {name: kinds.field(name).to_numpy() for name in ("bytes", "words", "longest", "marks", "sentences")}
        self.bytes, marks = fields["bytes"], fields["marks"]
        fails: dict[str, npt.NDArray[np.bool_]] = {}
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

    def sizes(self, kinds: npt.NDArray[np.bool_]) -> I64:
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


def _lists(offsets: npt.NDArray[Any], values: npt.NDArray[Any], kind: pa.ListType) -> pa.Array:
    fields = list(kind.value_type)
    columns = [pa.array(np.ascontiguousarray(values[:, index])).cast(field.type) for index, field in enumerate(fields)]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(columns, fields=fields), type=kind)


def _flat(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Where the items of each list begin, and the items of all."""
    lists = column.combine_chunks()
    offsets = lists.offsets.to_numpy()
    return offsets - offsets[:1], lists.flatten()
