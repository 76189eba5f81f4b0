"""Counting decisions."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import DECISION
from elek.decisions import Tally, metrics, tally

ROW = st.tuples(
    st.sampled_from(["x", "y", ""]),
    st.booleans(),
    st.lists(st.sampled_from(["r.a", "r.b", "s.c"]), unique=True, max_size=3),
)


def count(rows: list[tuple[str, bool, list[str]]]) -> Tally:
    failures = [
        [{"rule": rule, "value": None, "threshold": None, "evidence": None} for rule in r if e] for _, e, r in rows
    ]
    table = pa.Table.from_pylist(
        [
            {"id": str(n), "entered": entered, "kept": entered and not rules, "failures": failed}
            for n, ((_, entered, rules), failed) in enumerate(zip(rows, failures, strict=True))
        ],
        schema=DECISION,
    )
    return tally(table, pa.chunked_array([[source for source, _, _ in rows]], pa.string()))


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, max_size=30), st.integers(0, 30))
def test_every_document_is_counted_once(rows: list[tuple[str, bool, list[str]]], cut: int) -> None:
    """in = kept + dropped and dropped = the sum of reasons, over all and by source, for any cut into parts."""
    result = metrics(count(rows[:cut]) + count(rows[cut:]))
    assert result == metrics(count(rows))
    entered = [(source, rules) for source, inside, rules in rows if inside]
    assert result["in"] == len(entered)
    for item in (result, *result["by_source"].values()):
        assert item["in"] == item["kept"] + item["dropped"]
        assert item["dropped"] == sum(item["reasons"].values())
    assert sum(item["in"] for item in result["by_source"].values()) == result["in"]
    assert sum(result["failures"].values()) == sum(len(rules) for _, rules in entered)
    for rule, number in result["reasons"].items():
        assert number == sum(rules[:1] == [rule] for _, rules in entered)
