"""The documents nearest to a rule: those by whose neighbours it can be judged."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.decisions import Verdict
from elek.report.nearest import Nearest


def verdict(rule: str, values: list[float], threshold: float = 10.0) -> Verdict:
    value = np.array(values)
    return Verdict(rule, value < threshold, value, np.full(len(values), threshold))


def signals(names: list[str], **columns: list[Any]) -> pa.Table:
    table = pa.table({"id": pa.array(names, pa.string()), "license": pa.array(["MIT"] * len(names), pa.string())})
    for name, values in columns.items():
        table = table.append_column(name.replace("__", "."), pa.array(values))
    return table


def all_of(names: list[str]) -> np.ndarray:
    return np.ones(len(names), bool)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(0, 40))
def test_the_nearest_are_the_nearest_whatever_the_parts(values: list[int], cut: int) -> None:
    """On each side of a threshold the documents with the least distance, ties settled by id; cut anyhow, the same."""
    names = [f"s/{row}" for row in range(len(values))]
    whole, parted = Nearest(2), Nearest(2)
    numbers = [float(value) for value in values]
    whole.add(0, signals(names), [verdict("r.min", numbers)], all_of(names))
    for part, rows in enumerate((slice(0, cut), slice(cut, None))):
        parted.add(part, signals(names[rows]), [verdict("r.min", numbers[rows])], all_of(names[rows]))
    found = [(near.id, near.failed, near.value) for near in whole.all()]
    assert found == [(near.id, near.failed, near.value) for near in parted.all()]
    for side in (True, False):
        distances = sorted(abs(value - 10) for value in values if (value < 10) == side)[:2]
        assert [abs(value - 10) for _, failed, value in found if failed == side and value is not None] == distances


def without_numbers(rule: str, failed: list[bool]) -> Verdict:
    nothing = np.full(len(failed), np.nan)
    return Verdict(rule, np.array(failed), nothing, nothing)


def kept_beside(rule: str, table: pa.Table, failed: list[bool]) -> list[tuple[str, str]]:
    """Ids and notes of what is kept beside `rule`: of the whole, and the same of single rows put together."""
    whole, parted = Nearest(2), Nearest(2)
    kept = ~np.array(failed)
    whole.add(0, table, [without_numbers(rule, failed)], kept)
    for row in range(len(table)):
        part = Nearest(2)
        part.add(row, table.slice(row, 1), [without_numbers(rule, failed[row : row + 1])], kept[row : row + 1])
        parted.merge(part.all())
    found = [[(near.id, near.note) for near in each.all() if not near.failed] for each in (whole, parted)]
    assert found[0] == found[1]
    return found[0]


def test_the_least_sure_of_its_language_is_shown_beside_what_was_dropped() -> None:
    """Where no numbers are compared the kept ones have an order all the same; what another rule dropped is not kept."""
    table = signals(
        ["a", "b", "c", "d"],
        language__label=["en", "az", "tr", "tr"],
        language__score=[0.9, 0.25, 0.4, 0.1],
        language__rules=["en", "tr", "tr", "tr"],
    )
    found = kept_beside("language.allow", table, [False, False, False, True])
    assert found == [("b", "declared as tr, identified as az (0.25)"), ("c", "identified as tr (0.40)")]
    both = Nearest(2)
    both.add(0, table, [without_numbers("language.allow", [False] * 4)], np.array([True, False, False, False]))
    assert [near.id for near in both.all()] == ["a"]


def test_of_each_kept_licence_one_document_is_shown_the_strictest_first() -> None:
    """Hundreds under the same licence say no more than one."""
    table = signals(
        ["a", "b", "c", "d", "e"],
        licence__declared=["MIT", "CC-BY-SA-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GPL-3.0-only"],
        licence__category=["permissive", "share-alike", "share-alike", "public-domain", "copyleft"],
    )
    found = kept_beside("licence.policy", table, [False, False, False, False, True])
    assert [note for _, note in found] == ["share-alike", "permissive"]


def test_documents_that_name_a_licence_are_nearest_to_contradicting_their_own() -> None:
    """Their own word before a mention, a mention before none; reservations are of another rule."""

    def item(own: bool, kind: str = "notice") -> dict[str, Any]:
        return {"licence": "MIT", "own": own, "kind": kind, "confidence": 0.9}

    marks = ["", json.dumps([item(False)]), json.dumps([item(True)]), json.dumps([item(True, "opt-out")])]
    table = signals(["a", "b", "c", "d"], licence__evidence=marks)
    found = kept_beside("licence.contradiction", table, [False] * 4)
    assert found == [
        ("c", "names MIT (notice, its own, confidence 0.9)"),
        ("b", "names MIT (notice, not its own, confidence 0.9)"),
    ]
    assert kept_beside("licence.opt_out", table, [False] * 4)[0][0] == "d"


def test_a_rule_that_is_off_or_unknown_has_no_nearest() -> None:
    """A switched-off rule of ours shows nobody; a stranger's rule those whose ids hash lowest."""
    off, strange = Nearest(2), Nearest(2)
    off.add(0, signals(["a", "b"]), [without_numbers("quality_model.min_score", [False, False])], all_of(["a", "b"]))
    assert off.all() == []
    strange.add(
        0, signals(["a", "b", "c"]), [without_numbers("l.p", [True, False, True])], np.array([False, True, False])
    )
    assert [(near.id, near.failed, near.value) for near in strange.all() if not near.failed] == [("b", False, None)]
    assert {near.id for near in strange.all() if near.failed} == {"a", "c"}
