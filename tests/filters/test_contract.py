"""What every filter in `elek.filters` promises, whoever wrote it."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.filtering import Batch, Filter, discover
from tests.conftest import ROOT
from tests.kernels.strategies import texts

FILTERS = discover()
SHIPPED = {"c4", "fineweb", "gopher_quality", "gopher_repetition", "language", "licence"} | {
    "quality_model",
    "toxicity",
}
ENGLISH = "It was the best of times and it was the worst of times, that we have to be told of with care. " * 6
TURKISH = "Bu bir cümledir ve daha çok kelime için yazılmıştır, her gün gibi o da bir gündür. " * 6
TEXTS = ["", " ", ENGLISH, TURKISH, "# ... •\n- x…", "\x00", "😀 😀", "SPDX-License-Identifier: MIT", "salak aptal!"]

every_filter = pytest.mark.parametrize("found", FILTERS.values(), ids=FILTERS.keys())


def batch(texts: Sequence[str], words: str = "whitespace") -> Batch:
    """Documents in English and Turkish by turns, under a licence that everybody takes."""

    def column(values: Sequence[str], kind: pa.DataType | None = None) -> pa.Array:
        return pa.array([values[row % len(values)] for row in range(len(texts))], kind or pa.string())

    ids = pa.array([f"source:{row}" for row in range(len(texts))], pa.string())
    langs = column(["en", "tr"])
    return Batch(
        ids,
        pa.array(texts, pa.large_string()),
        langs,
        langs,
        column(["MIT"]),
        column(["source"]),
        words=words,  # type: ignore[arg-type]
    )


def row_of(whole: Batch, row: int) -> Batch:
    columns = ("id", "text", "lang", "declared_lang", "license", "source")
    return replace(whole, **{name: getattr(whole, name).slice(row, 1) for name in columns})


def measure(found: Filter, documents: Batch) -> pa.Table:
    return pa.table(found.measure(documents))


@every_filter
def test_declared_signals_are_what_is_measured(found: Filter) -> None:
    """Names, order, types and lengths are those that the class declares."""
    signals = measure(found, batch(TEXTS))
    assert {name: signals.schema.field(name).type for name in signals.column_names} == dict(found.signals)
    assert signals.num_rows == len(TEXTS)


@every_filter
def test_measuring_is_deterministic_and_changes_nothing(found: Filter) -> None:
    """The same batch gives the same signals, and is the same batch afterwards."""
    documents, untouched = batch(TEXTS), batch(TEXTS)
    assert measure(found, documents).equals(measure(found, documents))
    for name in ("id", "text", "lang", "declared_lang", "license", "source"):
        assert getattr(documents, name).equals(getattr(untouched, name))


@every_filter
@settings(deadline=None, max_examples=15)
@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(["whitespace", "unicode"]))
def test_a_batch_measures_as_its_rows_do(found: Filter, texts: list[str], words: str) -> None:
    """A document's signals do not depend on which documents stand beside it."""
    documents = batch(texts, words)
    rows = [measure(found, row_of(documents, row)) for row in range(len(texts))]
    assert measure(found, documents).equals(pa.concat_tables(rows).combine_chunks())


@every_filter
def test_empty_batches_and_empty_texts_are_safe(found: Filter) -> None:
    """No document and documents of nothing are measured and decided like others."""
    for documents in (batch([]), batch(["", ""])):
        signals = measure(found, documents)
        assert signals.num_rows == len(documents)
        verdicts = found.decide(signals, found.params_class()(), documents.lang)
        assert all(len(verdict.failed) == len(documents) for verdict in verdicts)


@every_filter
def test_rules_use_declared_signals_and_cite_a_source(found: Filter) -> None:
    """A rule compares a signal of the filter or what follows from them, has a name of its own, and cites its source."""
    names = [rule.name for rule in found.rules]
    assert len(set(names)) == len(names)
    for rule in found.rules:
        assert rule.signal in {**found.signals, **found.derived}, rule.name
        assert len(rule.source) > 10, rule.name
    verdicts = found.decide(measure(found, batch(TEXTS)), found.params_class()(), batch(TEXTS).lang)
    assert all(verdict.rule.startswith(f"{found.name}.") for verdict in verdicts)


@every_filter
@settings(deadline=None, max_examples=15)
@given(st.lists(texts, min_size=1, max_size=4))
def test_signals_stay_in_the_range_of_their_rules(found: Filter, texts: list[str]) -> None:
    """What a rule says its signal can be is true: `elek rules` calls thresholds beyond it impossible."""
    documents = batch([*texts, *TEXTS])
    signals = measure(found, documents)
    verdicts = found.decide(signals, found.params_class()(), documents.lang)
    for rule in found.rules:
        low, high = rule.range
        for verdict in verdicts:
            if verdict.rule == f"{found.name}.{rule.name}":
                values = verdict.value[~np.isnan(verdict.value)]
                assert ((values >= low) & (values <= high)).all(), verdict.rule


@every_filter
def test_a_filter_is_documented(found: Filter) -> None:
    """Its module says what it is after and where that comes from: a paper, a project, or ourselves."""
    text = inspect.getdoc(inspect.getmodule(type(found))) or ""
    assert len(text) > 100
    assert re.search(r"arXiv|doi|et al\.|Elek|ours|section|`elek\.", text), "the docstring cites no source"
    assert inspect.getdoc(type(found))


@every_filter
def test_settings_travel_to_workers(found: Filter) -> None:
    """A filter with its settings can be pickled."""
    again = pickle.loads(pickle.dumps(found))  # noqa: S301  (our own bytes)
    assert measure(again, batch(TEXTS)).equals(measure(found, batch(TEXTS)))


@every_filter
def test_every_rule_is_in_the_docs(found: Filter) -> None:
    """docs/rules.md has a line for every rule that ships, with where it comes from."""
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    missing = [rule.name for rule in found.rules if f"`{found.name}.{rule.name}`" not in text]
    # A filter of one's own has its docs in its module.
    assert not missing or found.name not in SHIPPED
