"""Kept documents for the report, beside those that each rule dropped: nearest to failing it, or kept in the place of a
duplicate. Signals are read again for it, and of texts only those that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.curation.against import Earlier, called
from elek.dataset import Dataset, read_part
from elek.decisions import Verdict
from elek.filtering import FilterParams, discover, thresholds, to_float
from elek.pii import mask
from elek.report.borders import HOW
from elek.report.nearest import Near, Nearest
from elek.report.quotes import Quote

SAMPLES = 3
"""Documents shown of each kind."""
EXCERPT = 280
"""Characters shown of each."""


def nearest(
    signals: Path, index: int, documents: pa.Table, kept: pa.ChunkedArray, params: Mapping[str, Any]
) -> list[Near]:
    """Of part `index`, the kept documents nearest to failing each rule of the filters (`params` is their section)."""
    by, rows = FilterParams(dict(params)), np.flatnonzero(kept.to_numpy())
    table = read_part(signals, _columns(by)).take(pa.array(rows))
    found = Nearest(SAMPLES)
    found.add(index, table, _passed(table, by), np.ones(len(rows), bool))
    told = found.all()
    texts = {near.row: excerpt(documents["text"][int(rows[near.row])].as_py()) for near in told}
    return [replace(near, excerpt=texts[near.row]) for near in told]


def _columns(by: FilterParams) -> list[str]:
    """What rules compare, and what `borders` reads for those that compare nothing."""
    filters, columns = discover(), ["id", "license", "language.rules"]
    columns += [f"{name}.{rule.signal}" for name in by.root for rule in filters[name].rules]
    if "language" in by.root:
        columns += ["language.label", "language.score"]
    if "licence" in by.root:
        columns += ["licence.declared", "licence.category", "licence.evidence"]
    return list(dict.fromkeys(columns))


def _passed(signals: pa.Table, by: FilterParams) -> list[Verdict]:
    """What every rule has said of documents none of which failed any: the stored value, and the threshold."""
    lang, passed = signals["language.rules"].combine_chunks(), np.zeros(len(signals), bool)
    nothing = np.full(len(signals), np.nan)
    found = [Verdict(rule, passed, nothing, nothing) for rule in HOW if rule.partition(".")[0] in by.root]
    for name, section in by.root.items():
        for rule in discover()[name].rules:
            threshold = thresholds(getattr(section, rule.name), lang)
            if discover()[name].zero_is_off:
                threshold[threshold == 0] = np.nan
            value = to_float(signals[f"{name}.{rule.signal}"])
            found.append(Verdict(f"{name}.{rule.name}", passed, value, threshold))
    return found


def merge(parts: Iterable[list[Near]]) -> list[Near]:
    """The nearest of all parts."""
    found = Nearest(SAMPLES)
    for part in parts:
        found.merge(part)
    return found.all()


def survivors(documents: Dataset, earlier: Iterable[Earlier], instead: Mapping[str, str]) -> dict[str, Quote]:
    """What was kept in the place of duplicates, here or earlier: `instead` has the survivor's id by the duplicate's.

    None where several kept documents have the survivor's id: nobody knows which it was.
    """
    names, wanted = pa.array(sorted(set(instead.values())), pa.string()), dict[str, list[tuple[Path, int]]]()
    parts = [(documents.path(index), "") for index in range(len(documents.parts))]
    parts += [(each.documents.path(index), each.name) for each in earlier for index in range(len(each.documents.parts))]
    for path, result in parts if instead else ():
        ids = read_part(path, ["id"])["id"]
        ids = called(ids, result) if result else ids
        # Not `indices_nonzero`, which ends the process at a part without a row (pyarrow 25).
        for row in np.flatnonzero(pc.is_in(ids, names).to_numpy()).tolist():
            wanted.setdefault(ids[row].as_py(), []).append((path, row))
    places = sorted((*found[0], name) for name, found in wanted.items() if len(found) == 1)
    quotes: dict[str, Quote] = {}
    for path, shown in groupby(places, itemgetter(0)):
        table = read_part(path, ["license", "text"])
        for _, row, name in shown:
            quotes[name] = Quote(name, [table["license"][row].as_py()], "", excerpt(table["text"][row].as_py()))
    return {duplicate: quotes[name] for duplicate, name in instead.items() if name in quotes}


def excerpt(text: str) -> str:
    """The start of a text, with personal data masked."""
    text = text.strip()
    # Masked before it is cut: half a number is no number to the detectors, and still somebody's.
    start = mask(text[: 4 * EXCERPT])[0]
    return start if len(text) <= EXCERPT else start[:EXCERPT].rstrip() + " …"
