"""Large texts in bounded memory: the same figures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elek.kernels.characters import PADDING, classes, classify
from elek.kernels.repetition import measure
from elek.kernels.segments import repeats
from tests.kernels.strategies import repeated

letters = st.lists(st.text("ab", min_size=1, max_size=2), max_size=60).map(" ".join)


@given(st.lists(st.one_of(letters, repeated), max_size=4), st.booleans(), st.sampled_from([1, 2, 3, 8]))
@example(["a b a b a", "a a a a a a a a a a a a", "", "ab a b ab a b a", "çş ç ş" * 9], False, 1)
@settings(deadline=None, max_examples=60)
def test_a_large_text_is_measured_as_a_small_one(texts: list[str], unicode: bool, bits: int) -> None:
    """Whatever the size of the tables, two slots included, where nearly every n-gram needs a pass of its own."""
    column = pa.array(texts, pa.large_string())
    expected = measure(column, unicode=unicode)
    np.testing.assert_array_equal(measure(column, unicode=unicode, large=0, bits=bits), expected)


@given(
    st.lists(st.sampled_from(["a", "b", "ab", "", " ", "ç"]), max_size=30), st.booleans(), st.sampled_from([1, 2, 3])
)
@settings(deadline=None, max_examples=60)
def test_repeats_are_counted_in_shares(lines: list[str], blank: bool, most: int) -> None:
    """Where a table has no room for all distinct lines, the text is gone over again, and no figure changes."""
    text = np.frombuffer("\n".join(lines).encode() or b"\n", np.uint8)
    flags = np.zeros(len(text) + PADDING, np.uint8)
    classify(text, classes(False), False, flags)
    assert repeats(text, flags, 1, blank, most) == repeats(text, flags, 1, blank)


@pytest.mark.parametrize("large", [0, 40, 1000])
def test_small_and_large_texts_share_a_batch(large: int) -> None:
    """The bound only says which way a text takes."""
    column = pa.array(["a b c " * n for n in (1, 5, 20, 200, 3)], pa.large_string())
    np.testing.assert_array_equal(measure(column, large=large, bits=6), measure(column))
