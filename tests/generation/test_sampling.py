"""Which tokens each filter leaves, and how often each is then drawn."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError
from elek.generation.sampling import Sampling, choose, filtered, keep_min_p, keep_top_k, keep_top_p, penalise_repetition

LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()
NOTHING = torch.empty(0, dtype=torch.int64)


def left(logits: torch.Tensor) -> list[int]:
    return [index for index, value in enumerate(logits.tolist()) if value > -math.inf]


def test_each_filter_leaves_what_it_says() -> None:
    """On four tokens of probability .5 .25 .15 .1."""
    assert left(keep_top_k(LOGITS, 2)) == [0, 1]
    assert left(keep_top_k(LOGITS, 99)) == [0, 1, 2, 3]
    assert left(keep_top_p(LOGITS, 0.7)) == [0, 1]
    assert left(keep_top_p(LOGITS, 0.76)) == [0, 1, 2]
    assert left(keep_top_p(LOGITS, 1e-6)) == [0]
    assert left(keep_min_p(LOGITS, 0.25)) == [0, 1, 2]
    assert left(keep_min_p(LOGITS, 1.0)) == [0]


def test_the_penalty_makes_seen_tokens_less_likely_whatever_their_sign() -> None:
    """Positive logits are divided, negative ones multiplied; a token seen twice is penalised once."""
    found = penalise_repetition(torch.tensor([2.0, -2.0, 2.0, -2.0]), torch.tensor([0, 1, 1]), 2.0)
    assert found.tolist() == [1.0, -4.0, 2.0, -2.0]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-30, 30), min_size=1, max_size=20),
    st.floats(0.05, 5),
    st.integers(0, 30),
    st.floats(0.01, 1),
    st.floats(0, 1),
    st.floats(0.5, 3),
)
@example([1.0, 2.220446049250313e-16, 0.0], 1.0, 0, 0.875, 0.0, 0.5)
def test_the_likeliest_token_always_stays(
    values: list[float], temperature: float, top_k: int, top_p: float, min_p: float, penalty: float
) -> None:
    """Whatever the filters, something is left, and nothing likelier than it was left out."""
    logits = torch.tensor(values)
    sampling = Sampling(temperature, top_k, top_p, min_p, penalty)
    found = filtered(logits, torch.tensor([0]), sampling)
    assert found.shape == logits.shape
    assert not found.isnan().any()
    penalised = penalise_repetition(logits, torch.tensor([0]), penalty)
    penalised -= penalised.max()  # as the filters see them: what differs by less than float32 can tell is equal
    kept = set(left(found))
    assert kept
    assert max(penalised[list(kept)].tolist()) == penalised.max().item()
    for index in set(range(len(values))) - kept:
        assert penalised[index] <= min(penalised[list(kept)].tolist())


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), Sampling(temperature=0.5), Sampling(top_k=2), Sampling(top_p=0.8), Sampling(min_p=0.3)],
)
def test_tokens_are_drawn_as_often_as_they_should(sampling: Sampling) -> None:
    """4000 draws against the probabilities after the filters, within four standard deviations."""
    expected = filtered(LOGITS, NOTHING, sampling).softmax(-1)
    generator = torch.Generator().manual_seed(0)
    draws = 4000
    counts = torch.zeros(4)
    for _ in range(draws):
        counts[choose(LOGITS, NOTHING, sampling, generator)] += 1
    deviation = (expected * (1 - expected) / draws).sqrt()
    assert ((counts / draws - expected).abs() <= 4 * deviation + 1e-9).all()


def test_the_lowest_temperature_is_nearly_greedy() -> None:
    """A temperature that float32 takes for 0 still draws the likeliest token."""
    assert choose(LOGITS, NOTHING, Sampling(temperature=1e-320), torch.Generator()) == int(LOGITS.argmax())


def test_greedy_draws_nothing() -> None:
    """Temperature 0 takes the likeliest, the first of equals, and leaves the random numbers alone."""
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert choose(torch.tensor([1.0, 3.0, 3.0]), NOTHING, Sampling(temperature=0, top_k=1), generator) == 1
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": 2.0},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": 1e300},
    ],
)
def test_a_number_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    """By its name, with the valid range."""
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        Sampling(**wrong)
