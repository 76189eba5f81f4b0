"""Sorted hashes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dedup.sorting import stable_order


@given(st.lists(st.integers(0, 7) | st.integers(2**64 - 3, 2**64 - 1), max_size=60))
@settings(deadline=None, max_examples=60)
def test_equal_keys_keep_their_order(keys: list[int]) -> None:
    """The order is NumPy's own stable one, with few keys and many, none and equal ones."""
    array = np.array(keys, np.uint64)
    assert stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()
