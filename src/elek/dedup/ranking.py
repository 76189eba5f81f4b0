"""The documents that deduplication looks at, in the order in which they survive, and their distinct texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.dedup.kernels import I64, Bools
from elek.dedup.params import DedupParams
from elek.dedup.urls import normalise_url
from elek.errors import ParamsError, did_you_mean


@dataclass(frozen=True)
class Ranked:
    """The documents that entered, in order of rank, and their distinct texts."""

    rows: I64
    """[documents] where each stands in the dataset."""
    ids: pa.Array
    """[documents]"""
    text: I64
    """[documents] the number of its normalised text; texts are numbered in order of rank."""
    first: I64
    """[texts] the document that represents it."""
    hashes: pa.FixedSizeBinaryArray
    """[texts]"""
    again: I64
    """[2, documents of a URL that an earlier one has] where each stands in the dataset, and the first of its URL."""


def rank(clean: Dataset, annotate: Dataset, entered: Bools, params: DedupParams, settled: int = 0) -> Ranked:
    """By the place of their source in `source_priority`, then by id. The last `settled` rows come before all others,
    and all of them go on.

    Raises ParamsError for a name in `source_priority` that no document comes from.
    """
    table = annotate.read_all(["id", "source", "hash.text"])
    sources = set(pc.unique(table["source"]).to_pylist())
    for name in params.source_priority:
        if name not in sources:
            raise ParamsError(
                f"dedup.source_priority names `{name}`, and no document comes from it",
                where="params.yaml",
                fix=did_you_mean(name, sources),
            )
    rows = np.flatnonzero(entered)
    table = table.take(pa.array(rows))
    named = len(params.source_priority)
    place = pc.index_in(table["source"], value_set=pa.array(params.source_priority, pa.string()))
    priority = pc.fill_null(place, named).to_numpy() - (named + 1) * (rows >= len(entered) - settled)
    order = pc.sort_indices(
        pa.table({"priority": priority, "id": table["id"]}),
        sort_keys=[("priority", "ascending"), ("id", "ascending")],
    )
    rows = rows[order.to_numpy()]
    first_of_url = _first_of_url(clean, rows) if params.url else np.arange(len(rows))
    first_of_url[:settled] = np.arange(settled)
    goes_on = first_of_url == np.arange(len(rows))
    number = np.cumsum(goes_on) - 1
    again = np.stack([rows[~goes_on], number[first_of_url[~goes_on]]])
    table = table.take(order).filter(pa.array(goes_on))
    # A dictionary numbers its values in order of appearance, which here is rank.
    encoded = table["hash.text"].combine_chunks().dictionary_encode()
    text = encoded.indices.to_numpy().astype(np.int64)
    first = np.unique(text, return_index=True)[1]
    return Ranked(rows[goes_on], table["id"].combine_chunks(), text, first, encoded.dictionary, again)


def _first_of_url(clean: Dataset, rows: I64) -> I64:
    """For each of `rows` the first of them that has its URL; itself where it has none."""
    urls = clean.read_all(["url"])["url"].take(pa.array(rows)).to_pylist()
    first: dict[str, int] = {}
    result = np.arange(len(rows))
    for at, url in enumerate(urls):
        if (key := normalise_url(url)) is not None:
            result[at] = first.setdefault(key, at)
    return result
