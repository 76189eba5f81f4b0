"""Records: joined in groups."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from elek.sources.records import Record, grouped
from tests.sources.build import put, read


def test_records_are_grouped_in_order(tmp_path: Path) -> None:
    """`group` joins so many records, the last group being what is left, and says which rows they were."""
    path = put(tmp_path, "a.txt", "\n".join(f"line {n}" for n in range(1, 8)))
    records, _ = read(path, format="lines", group=3)
    assert [r.text for r in records] == ["line 1\nline 2\nline 3", "line 4\nline 5\nline 6", "line 7"]
    assert [(r.given_id, r.meta) for r in records] == [
        ("1-3", {"records": 3}),
        ("4-6", {"records": 3}),
        ("7-7", {"records": 1}),
    ]


KINDS = st.sampled_from([("a", None, None), ("a", "MIT", None), ("a", None, "tr"), ("b", None, None)])


@given(st.lists(st.tuples(KINDS, st.sampled_from(["x", "yy", " "]))), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_a_group_never_mixes_licences(rows: list[tuple[tuple[str, str | None, str | None], str]], size: int) -> None:
    """Nothing is lost, and no group joins two files, licences or languages."""
    events = [Record(f, text, n, None, None, None, li, la) for n, ((f, li, la), text) in enumerate(rows, 1)]
    groups = list(grouped(events, size))
    joined = [g for g in groups if isinstance(g, Record) and g.text.strip()]
    assert "\n".join(g.text for g in joined) == "\n".join(text for _, text in rows if text.strip())
    assert [g.license for g in joined for _ in g.text.split("\n")] == [k[1] for k, text in rows if text.strip()]
    assert all(len(g.text.split("\n")) <= size for g in joined)
