"""The look at the bytes that tells the detectors where personal data could be."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.pii import PII_TYPES, Traces, find, mask
from elek.pii.scan import MOST, traces

PIECES = st.one_of(
    st.sampled_from(
        ["ali@example.com", "@", ":", "::", "2a00:1450::1", "tel: ", "+90 ", "(", ")", " ", "\t", "\xa0", ".", "-", "/"]
    ),
    st.sampled_from(
        ["TR33 0006 1005 1978 6457 8413 26", "MT84MALT011000012345MTLCAST001S", "GB 82 WEST 1234 5698 7654 32"]
    ),
    st.sampled_from(
        [
            "ali (at) x.org",
            "[AT]",
            "10000000146",
            "4111 1111 1111 1111",
            "8.8.100.200",
            "1.1.32.33",
            "0532 123 45 67",
            "555-1234",
        ]
    ),
    st.text("0123456789", min_size=1, max_size=8),
    st.text("aZşğ字🙂\n,\u2010\u2013\u2014", min_size=1, max_size=4),
)


def looked_at(text: str) -> Traces:
    return dict(traces(pa.array([text], pa.large_string()))).get(0, Traces(False, False, False, []))


@given(st.lists(PIECES, max_size=14).map("".join))
@settings(deadline=None, max_examples=60)
def test_nothing_is_missed(text: str) -> None:
    """The detectors find the same where they are told where to look as where they look for themselves."""
    seen = looked_at(text)
    assert find(text, PII_TYPES, seen) == find(text)
    assert mask(text, PII_TYPES, seen) == mask(text)


def test_runs_are_told_in_characters() -> None:
    """A place is that of a character, not of a byte; runs too short for anything but an account are not told."""
    assert looked_at("şş 1234567 ve 12-34-56/78.").runs == [[3, 10], [14, 25]]
    assert looked_at('{"file": "c.jsonl", "row": 31022}').runs == []
    assert looked_at("port 12345, AB12 here").runs == [[5, 10]]
    assert looked_at("1.2.3.456 1.2.3,4").runs == [[0, 9 + 6]]


def test_a_table_of_numbers_is_not_noted_down() -> None:
    """Of more runs than MOST none is kept, so that memory stays bounded; the next row begins anew."""
    column = pa.array(["1234567\n" * (MOST + 1), "1234567"], pa.large_string())
    assert [seen.runs for _, seen in traces(column)] == [None, [[0, 7]]]


def test_rows_without_a_trace_are_passed_over() -> None:
    """Only what could hold something becomes a string."""
    assert [row for row, _ in traces(pa.array(["a 1", "", "b@c", "x"], pa.large_string()))] == [2]
