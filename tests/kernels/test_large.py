"""Large texts in bounded memory: the same figures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elek.kernels.repetition import measure
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


@pytest.mark.parametrize("large", [0, 40, 1000])
def test_small_and_large_texts_share_a_batch(large: int) -> None:
    """The bound only says which way a text takes."""
    column = pa.array(["a b c " * n for n in (1, 5, 20, 200, 3)], pa.large_string())
    np.testing.assert_array_equal(measure(column, large=large, bits=6), measure(column))
