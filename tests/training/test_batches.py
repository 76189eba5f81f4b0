"""Which windows make up which batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError
from elek.training.batches import Batches, permuted
from tests.training.stream import ArrayStream, chain


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.binary(max_size=20))
def test_the_order_is_a_permutation(size: int, key: bytes) -> None:
    """Each number once, for every size and key, and each can be asked for alone."""
    found = permuted(np.arange(size), size, key)
    assert sorted(found.tolist()) == list(range(size))
    last = np.array([size - 1])
    assert permuted(last, size, key)[0] == found[-1]


def test_the_order_is_the_same_on_every_machine_and_version() -> None:
    """A golden value: the order is defined here, and not by a library."""
    assert permuted(np.arange(10), 10, b"elek").tolist() == [9, 1, 4, 8, 5, 0, 2, 6, 7, 3]


def test_the_order_is_spread_like_chance() -> None:
    """Neighbours are torn apart: the mean distance of what follows one another is near a third of the range."""
    found = permuted(np.arange(20_000), 20_000, b"key")
    assert abs(np.abs(np.diff(found)).mean() / 20_000 - 1 / 3) < 0.02
    assert abs(np.corrcoef(np.arange(20_000), found)[0, 1]) < 0.03


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 400), st.integers(1, 9), st.integers(1, 7), st.integers(0, 3))
def test_every_epoch_sees_every_window_once(tokens: int, context: int, batch: int, seed: int) -> None:
    """Whatever the batch, also where it straddles two epochs."""
    stream = ArrayStream(np.arange(tokens, dtype=np.uint16))
    if tokens < context + 1:
        with pytest.raises(DataError):
            Batches(stream, context, batch, seed)
        return
    batches = Batches(stream, context, batch, seed)
    steps = -(-3 * batches.count // batch)
    seen = np.concatenate([batches.windows(step) for step in range(steps)])
    for epoch in range(3):
        piece = seen[epoch * batches.count : (epoch + 1) * batches.count]
        assert sorted(piece.tolist()) == list(range(batches.count))


def test_epochs_and_seeds_and_data_have_orders_of_their_own() -> None:
    """The order is a function of data, seed and epoch, and of nothing else."""
    stream = chain(1000)
    batches = Batches(stream, 4, 249, 1)
    assert batches.count == 249
    orders = [batches.windows(0), batches.windows(1), Batches(stream, 4, 249, 2).windows(0)]
    orders.append(Batches(chain(1000, seed=1), 4, 249, 1).windows(0))
    for one in range(4):
        for other in range(one):
            assert not np.array_equal(orders[one], orders[other])
    assert np.array_equal(orders[0], Batches(chain(1000), 4, 249, 1).windows(0))


def test_windows_tile_the_stream() -> None:
    """Every token but the first is a target once, and no token after the last window is used."""
    batches = Batches(ArrayStream(np.arange(23, dtype=np.uint16)), 5, 2, 0)
    tokens = batches.tokens(np.arange(batches.count))
    assert tokens.shape == (4, 6)
    assert tokens[:, 1:].flatten().tolist() == list(range(1, 21))


def test_the_documents_of_a_batch_are_named() -> None:
    """All that a window touches, those it only begins or ends in included."""
    batches = Batches(chain(200), 30, 2, 0)
    assert batches.documents(np.array([0])) == ["doc-0", "doc-1"]
    assert batches.documents(np.array([0, 2])) == ["doc-0", "doc-1", "doc-3", "doc-4"]


def test_a_sample_is_spread_over_the_stream() -> None:
    """Evenly, without a window twice, and all windows where there are fewer than wanted."""
    batches = Batches(chain(1001), 10, 2, 0)
    assert batches.spread(4).tolist() == [0, 25, 50, 75]
    assert batches.spread(1000).tolist() == list(range(100))


def test_text_shorter_than_a_window_is_told_with_a_remedy() -> None:
    """The message counts, and says what to change."""
    with pytest.raises(DataError) as caught:
        Batches(chain(16), 16, 1, 0, where="data/tokenize/validation")
    assert "16 tokens are less than one window of 16" in str(caught.value)
    assert "data/tokenize/validation" in str(caught.value)
    assert "train.model.context" in str(caught.value)
    assert Batches(chain(17), 16, 1, 0).count == 1
