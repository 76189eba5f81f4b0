"""Thresholds, verdicts and decisions: how measured signals become kept or dropped, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import DECISION
from elek.decisions import Verdict, decisions
from elek.errors import DataError, ParamsError
from elek.filtering import FilterParams, columns_for, decide, discover, thresholds
from elek.params import parse, validate


def filter_params(raw: dict[str, Any]) -> FilterParams:
    return parse("filter", raw, FilterParams)


def signals(**columns: list[Any]) -> pa.Table:
    """A part of `annotate` with the signals of three filters: prose, but for what `columns` says."""
    rows = len(next(iter(columns.values())))
    table: dict[str, pa.Array] = {
        "id": pa.array([f"s:{row}" for row in range(rows)]),
        "language.rules": pa.array(["en"] * rows),
    }
    good = {"words": 100, "mean_word_length": 5.0, "alphabetic_words": 1.0, "stop_words": 4, "characters": 500}
    for name in ("gopher_quality", "gopher_repetition", "toxicity"):
        for signal, kind in discover()[name].signals.items():
            empty = "" if pa.types.is_string(kind) else 0
            table[f"{name}.{signal}"] = pa.array([good.get(signal, empty)] * rows, kind)
    for key, values in columns.items():
        name = key.replace("__", ".")
        table[name] = pa.array(values, table[name].type)
    return pa.table(table)


def test_the_reason_does_not_depend_on_the_order_of_params() -> None:
    """All failures are recorded, first those of the filter of the lowest rank: a licence before a word count."""
    measured = {
        "gopher_quality__words": [10],
        "gopher_repetition__top_2_gram": [0.9],
        "toxicity__score": [0.9],
    }
    names = ["gopher_repetition", "toxicity", "gopher_quality"]
    for order in (names, list(reversed(names))):
        failures = decide(signals(**measured), filter_params(dict.fromkeys(order)))["failures"][0].as_py()
        ruleset = list(dict.fromkeys(failure["rule"].partition(".")[0] for failure in failures))
        assert ruleset == ["toxicity", "gopher_quality", "gopher_repetition"]


def test_a_filter_that_is_not_named_decides_nothing() -> None:
    """Signals are there for every filter; only params make them count."""
    table = signals(gopher_quality__words=[10])
    assert decide(table, filter_params({"gopher_repetition": None}))["kept"].to_pylist() == [True]
    assert decide(table, filter_params({}))["kept"].to_pylist() == [True]


def test_equality_keeps_and_null_fails_nothing() -> None:
    """Comparisons are strict; where there was nothing to measure, no rule fails by it."""
    table = signals(gopher_quality__words=[50, 49], gopher_quality__mean_word_length=[3.0, None])
    params = filter_params({"gopher_quality": {"min_stop_words": None}})
    failures = decide(table, params)["failures"].to_pylist()
    assert [[failure["rule"] for failure in row] for row in failures] == [[], ["gopher_quality.min_words"]]


def test_thresholds_by_language() -> None:
    """A language's own figure, the default for the others and for unknown ones, null for a rule that is off."""
    lang = pa.array(["en", "tr", None, "de"])
    np.testing.assert_array_equal(thresholds({"default": 1, "tr": 2.5, "de": None}, lang), [1, 2.5, 1, np.nan])
    np.testing.assert_array_equal(thresholds(None, lang), [np.nan] * 4)


def test_language_rules_choose_the_threshold() -> None:
    """The column `language.rules` decides, not the language that the source declared."""
    table = signals(gopher_quality__mean_word_length=[12.0, 12.0], language__rules=["en", "tr"])
    assert decide(table, filter_params({"gopher_quality": None}))["kept"].to_pylist() == [False, True]


def test_decisions_have_the_schema_of_the_ledger() -> None:
    """Ids, entered, kept and failures, never null."""
    table = decide(signals(gopher_quality__words=[10, 100]), filter_params({"gopher_quality": None}))
    assert table.schema.equals(DECISION)
    assert table["kept"].to_pylist() == [False, True]


def test_only_what_is_decided_on_is_read() -> None:
    """The columns that `filter` asks Parquet for."""
    columns = columns_for(filter_params({"gopher_quality": None}))
    assert columns[:2] == ["id", "language.rules"]
    assert {column.partition(".")[0] for column in columns[2:]} == {"gopher_quality"}


def test_a_missing_signal_is_told() -> None:
    """A filter that is newer than `annotate`'s output has no column there."""
    table = signals(gopher_quality__words=[10]).drop_columns(["gopher_quality.words"])
    with pytest.raises(DataError, match=r"gopher_quality\.words"):
        decide(table, filter_params({"gopher_quality": None}))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_decisions_conserve_documents(data: st.DataObject) -> None:
    """kept implies entered; what entered and fails nothing is kept; what did not enter has no failures."""
    rows, rules = data.draw(st.integers(0, 8)), data.draw(st.integers(0, 4))
    flags = st.lists(st.booleans(), min_size=rows, max_size=rows).map(lambda values: np.array(values, bool))
    failed = [data.draw(flags) for _ in range(rules)]
    entered = data.draw(flags)
    evidence = pa.array([f"saw {row}" for row in range(rows)], pa.string())
    verdicts = [
        Verdict(f"f.r{index}", each, np.full(rows, index / 2), np.full(rows, np.nan), evidence if index % 2 else None)
        for index, each in enumerate(failed)
    ]
    table = decisions(pa.array([str(row) for row in range(rows)], pa.string()), verdicts, entered).to_pylist()
    for row, decision in enumerate(table):
        expected = [index for index in range(rules) if failed[index][row] and entered[row]]
        assert decision["kept"] == (entered[row] and not expected)
        assert [failure["rule"] for failure in decision["failures"]] == [f"f.r{index}" for index in expected]
        for index, failure in zip(expected, decision["failures"], strict=True):
            assert (failure["value"], failure["threshold"]) == (index / 2, None)
            assert failure["evidence"] == (f"saw {row}" if index % 2 else None)


@pytest.mark.parametrize(
    ("raw", "what", "fix"),
    [
        ({"gopher_qality": None}, "no filter `gopher_qality`", "gopher_quality"),
        ({"gopher_quality": {"min_word": 3}}, r"unknown key `filter\.gopher_quality\.min_word`", "min_words"),
        ({"gopher_quality": {"min_words": {"tr": 3}}}, "need a `default`", None),
        ({"gopher_quality": {"min_words": {"default": 1, "turkish": 3}}}, "did you mean `tr`", None),
        ({"language": {"allow": ["en", "Türkçe"]}}, "did you mean `tr`", None),
        ({"language": {"allow": ["eng"]}}, "did you mean `en`", None),
        ({"language": {"allow": ["xx"]}}, "no language code that Elek knows", None),
        ({"gopher_quality": {"min_words": "many"}}, "number or null", None),
        ({"gopher_quality": {"min_words": True}}, "number or null", None),
        ({"gopher_quality": {"min_words": float("nan")}}, "number or null", None),
        ({"gopher_quality": [1]}, "maps names to values", "defaults"),
    ],
)
def test_wrong_params_are_told_with_the_nearest_name(raw: dict[str, Any], what: str, fix: str | None) -> None:
    """An unknown filter, an unknown rule, a threshold that is none: named, before anything runs."""
    with pytest.raises(ParamsError, match=what) as caught:
        validate({"filter": raw})
    if fix:
        assert fix in (caught.value.fix or "")


def test_an_empty_filter_section_means_its_defaults() -> None:
    """`gopher_quality:` with nothing behind it asks every rule at its own figure."""
    section = filter_params({"gopher_quality": None}).root["gopher_quality"]
    assert {rule.name: rule.default for rule in discover()["gopher_quality"].rules} == section.model_dump()
