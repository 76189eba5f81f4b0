"""`annotate`: measure documents, one column per signal, without any decision.

The language comes first, because the other filters depend on it; then every filter in `elek.filters`, sorted by name;
then sizes, counts and the hashes for `dedup`. Part n has the rows of part n of `clean`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from elek.dataset import DOCUMENT, Part, read_part, write_part
from elek.dedup.params import MinHashParams
from elek.filtering import Batch, Filter, FilterSettings, WordKind
from elek.params import Section

LANGUAGE = "language"
"""The filter on which the others depend: its signal `rules` is the language whose rules apply to a document."""

BATCH_ROWS = 1024
BATCH_BYTES = 8 << 20
"""Largest batch that is measured at a time, in rows and bytes; a larger document is a batch of its own."""


class AnnotateParams(Section):
    """How documents are measured."""

    words: WordKind = "whitespace"
    """What the rules count as words: separated by white space, as in the Gopher paper, or Unicode words."""

    settings: FilterSettings = Field(default_factory=lambda: FilterSettings({}))
    """Settings of the measurement by filter; thresholds are under `filter`."""

    minhash: MinHashParams = MinHashParams()


@dataclass(frozen=True)
class AnnotateTask:
    """Measure the part of `clean` at `source`; write part `index` into the folder `out`.

    `params` is the section as plain data: the classes of its filters are made at run time and cannot be pickled.
    """

    source: Path
    out: Path
    index: int
    params: dict[str, Any]


def annotate_part(task: AnnotateTask) -> Part:
    """Measure one part and write its signals. The counts are documents by identified language, as `lang.<label>`."""
    signals = annotate(read_part(task.source), AnnotateParams.model_validate(task.params))
    labels = pc.value_counts(signals[f"{LANGUAGE}.label"]).to_pylist()
    return write_part(task.out, task.index, signals, {f"lang.{item['values']}": item["counts"] for item in labels})


def annotate(documents: pa.Table, params: AnnotateParams) -> pa.Table:
    """Signals of documents (rows of `clean`), row by row. Memory: the documents, their signals, and one batch."""
    filters = params.settings.filters()
    return pa.concat_tables([_measure(batch, params, filters) for batch in _batches(documents)])


def warm_up(params: AnnotateParams) -> None:
    """Compile every kernel and load every model once, so that workers find the results on disk."""
    row = {**dict.fromkeys(DOCUMENT.names, ""), "id": "warm-up", "text": "Bir söz.\n\nOne word.", "lang": "tr"}
    annotate(pa.Table.from_pylist([row], schema=DOCUMENT), params)


def _batches(documents: pa.Table) -> Iterator[pa.Table]:
    sizes = pc.binary_length(documents["text"]).to_pylist()
    start = size = 0
    for row, length in enumerate(sizes):
        if row > start and (row - start == BATCH_ROWS or size + length > BATCH_BYTES):
            yield documents.slice(start, row - start)
            start, size = row, 0
        size += length
    yield documents.slice(start)


def _measure(documents: pa.Table, params: AnnotateParams, filters: dict[str, Filter]) -> pa.Table:
    from elek.dedup.signatures import signatures
    from elek.kernels.words import count_words

    column = {name: documents[name].combine_chunks() for name in DOCUMENT.names}
    text = column["text"]
    order = sorted(filters, key=lambda name: (name != LANGUAGE, name))
    said = {name: column[name] for name in ("id", "text", "license", "source", "meta")}
    batch, measured = Batch(**said, lang=column["lang"], declared_lang=column["lang"], words=params.words), {}
    for name in order:
        measured[name] = filters[name].measure(batch)
        if name == LANGUAGE:
            batch = replace(batch, lang=measured[name]["rules"])

    signals = {name: column[name] for name in ("id", "source", "license", "lang")}
    signals["bytes"] = pc.binary_length(text).cast(pa.int64())
    signals["words"] = count_words(text, unicode=params.words == "unicode")
    for name in order:
        for signal, kind in filters[name].signals.items():
            signals[f"{name}.{signal}"] = measured[name][signal].cast(kind)
    found = pa.array([0] * len(text), pa.int32())
    for name in documents.column_names:
        if name.startswith("pii."):
            found = pc.add(found, documents[name].combine_chunks())
    signals["pii.count"] = found
    signals["hash.text"], signals["hash.minhash"] = signatures(text, params.minhash)
    return pa.table(signals)
