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
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from elek.decisions import Verdict
from elek.filtering import Batch, Filter, Removal, Rule
from elek.filters._lines import LineParams, Lines
from elek.params import Section
from elek.removal import SPAN, edges, lists, removed_bytes

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


class C4(Filter):
    """Signals: every line as the number of its kind in the document, the kinds, and every citation as bytes of the
    text. What the rules compare follows from the lines that stay: sentences, and lines with "lorem ipsum" or with a
    curly bracket."""

    name = "c4"
    rank = 60
    removes = True
    settings_class = C4Settings
    params_base = LineParams
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
        lines = _lines(signals, params, lang)
        verdicts = super().decide(pa.table({name: lines.totals(name) for name in self.derived}), params, lang)
        earlier = lines.first("curly_brackets") < lines.first("lorem_ipsum")
        return [replace(item, ahead=earlier) if item.rule == "c4.max_curly_brackets" else item for item in verdicts]

    def remove(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> pa.Array:
        """Lines that go, and citations from those that stay."""
        from elek.kernels.spans import of_lines

        lines = _lines(signals, params, lang)
        citations = edges(signals["citations"])
        goes = ~lines.kept
        return lists(*of_lines(lines.kind, lines.offsets, lines.bytes, goes, lines.kind_offsets, citations))

    def removals(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Removal]:
        """By line rule, and the citations of lines that stay."""
        lines = _lines(signals, params, lang)
        failing = np.sum(list(lines.fails.values()), axis=0)
        found = []
        for name in LineParams.model_fields:
            fails = lines.fails.get(name)
            sizes = None if fails is None else (lines.sizes(fails), lines.sizes(fails & (failing == 1)))
            found.append(Removal(f"{self.name}.{name}", *(sizes or (None, None))))
        cited = removed_bytes(self.remove(signals, params, lang)) - lines.sizes(~lines.kept)
        return [*found, Removal(f"{self.name}.citations", cited, cited)]


def _lines(signals: pa.Table, params: BaseModel, lang: pa.Array) -> Lines:
    assert isinstance(params, LineParams)  # noqa: S101 - what params_class promised
    return Lines(signals, params, lang)


def _lists(offsets: npt.NDArray[Any], values: npt.NDArray[Any], kind: pa.ListType) -> pa.Array:
    fields = list(kind.value_type)
    columns = [pa.array(np.ascontiguousarray(values[:, index])).cast(field.type) for index, field in enumerate(fields)]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(columns, fields=fields), type=kind)
