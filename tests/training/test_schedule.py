"""The learning rate over the steps."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.training.params import ScheduleParams
from elek.training.schedule import learning_rate_share

Kind = Literal["cosine", "linear", "constant", "wsd"]
KINDS: list[Kind] = ["cosine", "linear", "constant", "wsd"]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), st.integers(1, 300), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_it_rises_then_falls_and_stays_between_0_and_1(
    kind: Kind, steps: int, warmup: float, decay: float, floor: float
) -> None:
    """For every kind and length: never 0, up to 1 in the warm-up, and down from there."""
    params = ScheduleParams(kind=kind, warmup=warmup, decay=decay, floor=floor)
    shares = [learning_rate_share(params, step, steps) for step in range(steps)]
    rising = min(round(warmup * steps), steps)
    assert all(0 < share <= 1 or (share == 0 and floor == 0) for share in shares)
    assert shares[:rising] == sorted(shares[:rising])
    assert shares[rising:] == sorted(shares[rising:], reverse=True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cosine", [0.5, 1.0, 0.775, 0.325, 0.1]),
        ("linear", [0.5, 1.0, 0.7, 0.4, 0.1]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("wsd", [0.5, 1.0, 1.0, 1.0, 0.1]),
    ],
)
def test_each_kind_has_its_shape(kind: Kind, expected: list[float]) -> None:
    """Five steps, one of warm-up, down to a tenth."""
    params = ScheduleParams(kind=kind, warmup=0.2, decay=0.4, floor=0.1)
    found = [learning_rate_share(params, step, 5) for step in range(5)]
    assert found == pytest.approx(expected)
