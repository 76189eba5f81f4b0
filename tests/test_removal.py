"""Spans that are taken out of text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset, write_manifest, write_part
from elek.errors import DataError
from elek.removal import REMOVE, Spans, column, cut, merged, removed_bytes, text_parts
from tests.kernels.strategies import large


def spans(found: list[tuple[int, int, int]]) -> Spans:
    return Spans(*np.array(found, np.int64).reshape(-1, 3).T)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_is_left_is_what_no_span_covers(data: st.DataObject) -> None:
    """Spans of several filters, in any order, overlapping, touching or empty, are merged; what is dropped keeps all."""
    texts = data.draw(st.lists(st.text("aé😀\n", max_size=12), min_size=1, max_size=5))
    kept = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    sets: list[list[tuple[int, int, int]]] = [[], []]
    covered = [[False] * len(text) for text in texts]
    for row, text in enumerate(texts):
        edges = [len(text[:at].encode()) for at in range(len(text) + 1)]
        for found in sets:
            for _ in range(data.draw(st.integers(0, 3))):
                first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
                found.insert(data.draw(st.integers(0, len(found))), (row, edges[first], edges[last]))
                covered[row][first:last] = [kept[row]] * (last - first)
    remove = column([spans(found) for found in sets], np.array(kept))
    apart = [column([spans(found)], np.array(kept)) for found in sets]
    assert merged(apart).equals(remove)
    left = [
        "".join(c for c, gone in zip(t, mask, strict=True) if not gone) for t, mask in zip(texts, covered, strict=True)
    ]
    assert remove.type == REMOVE.type
    assert cut(large(texts), remove).to_pylist() == left
    lost = [len(text.encode()) - len(rest.encode()) for text, rest in zip(texts, left, strict=True)]
    assert removed_bytes(remove).tolist() == lost
    for row in remove.to_pylist():
        ends = [edge for item in row for edge in (item["start"], item["end"])]
        assert all(one < other for one, other in pairwise(ends)), "sorted and apart"
    # A slice has offsets of its own.
    assert cut(large(texts).slice(1), remove.slice(1)).to_pylist() == left[1:]


@pytest.mark.parametrize(
    ("text", "span", "message"),
    [(["ab"], (0, 1, 3), "beyond its document"), (["é"], (0, 0, 1), "within a character")],
)
def test_spans_of_another_text_are_refused(text: list[str], span: tuple[int, int, int], message: str) -> None:
    """Stale spans are told, and never cut a document in the wrong place without a word where that can be seen."""
    with pytest.raises(DataError, match=message):
        cut(large(text), column([spans([span])], np.array([True])))


def test_rows_must_be_the_same(tmp_path: Path) -> None:
    """Parts of other sizes are of other documents."""

    def dataset(name: str, rows: int, removes: list[str]) -> Dataset:
        (tmp_path / name).mkdir()
        table = pa.table({"text": large(["x"] * rows)})
        return write_manifest(tmp_path / name, [write_part(tmp_path / name, 0, table)], extra={"removes": removes})

    clean = dataset("clean", 2, [])
    with pytest.raises(DataError, match="same rows"):
        text_parts(clean, dataset("filter", 3, ["c4"]))
    assert text_parts(clean, dataset("other", 3, []))[0].removed == ()
    with pytest.raises(DataError, match="rows of spans"):
        cut(large(["x"]), pa.array([[], []], REMOVE.type))
