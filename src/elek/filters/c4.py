"""C4: documents of sentences, less the lines that are none.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
(arXiv:1910.10683), section 2.2, with the details, the order and the phrases of datatrove 0.10.1, whose decisions
these are under the same words and the same count of sentences. (The paper's list of bad words is `toxicity`'s
matter, its deduplication `dedup`'s.)

*Lines* (`str.splitlines`) are taken out of documents that stay. `annotate` stores of each line what the line rules
ask, so that their thresholds too can be changed without reading the text; `filter` says which bytes go, `split` cuts
them (`elek.removal`). A line goes with its line break, and citations (`[1]`, `[edit]`, `[citation needed]`) go from
the lines that stay. What other filters measure, and what `dedup` compares, is the text before that.

*A sentence* ends, in our count, at a terminal of Unicode (`.`, `?`, `!`…) or several, with closing quotation marks
and brackets behind them, where white space follows and then no lower-case letter and no digit ("e.g. this", "19.
yüzyıl" is no end); the last one ends with its line.

Of a document with both "lorem ipsum" and a curly bracket the reason is what comes first in the text. Where we differ
from datatrove: white space at the ends of lines that stay, stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from elek.decisions import Verdict
from elek.filtering import Batch, Filter, Rule, Threshold, thresholds
from elek.params import Section
from elek.removal import I64, Spans

SOURCE = "Raffel et al. 2020 (C4), 2.2"

LINE = pa.struct(
    [
        pa.field("bytes", pa.uint32()),
        pa.field("words", pa.uint32()),
        pa.field("longest", pa.uint32()),
        pa.field("marks", pa.uint8()),
        pa.field("sentences", pa.uint32()),
    ]
)
"""Bytes with the line break, words, characters of the longest word, `elek.kernels.c4`'s marks, sentences."""
CITATION = pa.struct([pa.field("start", pa.uint32()), pa.field("end", pa.uint32())])


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
    """Signals: every line, and every citation as bytes of the text. From the lines that stay follow what the rules
    compare: lines with "lorem ipsum" and with a curly bracket, and sentences.
    """

    name = "c4"
    rank = 60
    removes = True
    settings_class = C4Settings
    params_base = C4LineParams
    signals: ClassVar = {"lines": pa.list_(LINE), "citations": pa.list_(CITATION)}
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
            "lines": _lists(found.line_offsets, found.lines, self.signals["lines"]),
            "citations": _lists(found.citation_offsets, found.citations, self.signals["citations"]),
        }

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        lines = _Lines(signals, params, lang)
        verdicts = super().decide(pa.table({name: lines.totals(name) for name in self.derived}), params, lang)
        earlier = lines.first("curly_brackets") < lines.first("lorem_ipsum")
        return [replace(item, ahead=earlier) if item.rule == "c4.max_curly_brackets" else item for item in verdicts]

    def remove(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> Spans:
        """Lines that go, and citations; those in lines that go are covered twice."""
        lines = _Lines(signals, params, lang)
        row, items = _flat(signals["citations"])
        goes = ~lines.kept
        return Spans(
            np.concatenate([lines.row[goes], row]),
            np.concatenate([lines.start[goes], _field(items, "start")]),
            np.concatenate([(lines.start + lines.bytes)[goes], _field(items, "end")]),
        )


class _Lines:
    """Every line of a batch, and what the line rules make of it, in C4's order: arrays by line."""

    def __init__(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> None:
        from elek.kernels.c4 import CURLY_BRACKET, JAVASCRIPT, LOREM_IPSUM, POLICY, TERMINATED

        assert isinstance(params, C4LineParams)  # noqa: S101 - what params_class promised
        self._documents = len(signals)
        self.row, items = _flat(signals["lines"])
        self.bytes, marks = _field(items, "bytes"), _field(items, "marks")
        ends = np.cumsum(self.bytes)
        before = np.append(0, ends)[np.searchsorted(self.row, np.arange(self._documents))]
        self.start: I64 = ends - self.bytes - before[self.row]
        with np.errstate(invalid="ignore"):  # NaN: a rule that is off
            stays = ~(_field(items, "longest") > thresholds(params.line_max_word_length, lang)[self.row])
            stays &= ~(_field(items, "words") < thresholds(params.line_min_words, lang)[self.row])
        if params.line_terminal_punctuation:
            stays &= marks & TERMINATED != 0
        self._lorem_ipsum = stays & (marks & LOREM_IPSUM != 0)
        if params.line_javascript:
            stays = stays & (marks & JAVASCRIPT == 0)
        self._curly_brackets = stays & (marks & CURLY_BRACKET != 0)
        if params.line_policy:
            stays = stays & (marks & POLICY == 0)
        self.kept: npt.NDArray[np.bool_] = stays
        self._sentences = np.where(stays, _field(items, "sentences"), 0)

    def totals(self, name: str) -> pa.Array:
        """By document: lines with lorem ipsum, lines with curly brackets, or sentences."""
        values = getattr(self, f"_{name}")
        return pa.array(np.bincount(self.row, values, self._documents).astype(np.int64))

    def first(self, name: str) -> I64:
        """By document: the number of its first line with lorem ipsum, or with a curly bracket; beyond all if none."""
        found = np.flatnonzero(getattr(self, f"_{name}"))
        first = np.full(self._documents, len(self.row))
        first[self.row[found][::-1]] = found[::-1]
        return first


def _lists(offsets: npt.NDArray[Any], values: npt.NDArray[Any], kind: pa.ListType) -> pa.Array:
    fields = list(kind.value_type)
    columns = [pa.array(values[:, index]).cast(field.type) for index, field in enumerate(fields)]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(columns, fields=fields), type=kind)


def _flat(column: pa.ChunkedArray) -> tuple[I64, pa.StructArray]:
    """The items of all lists, and the row of each."""
    lists = column.combine_chunks()
    return np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy())), lists.flatten()


def _field(items: pa.StructArray, name: str) -> I64:
    values: I64 = items.field(name).to_numpy(zero_copy_only=False).astype(np.int64)
    return values
