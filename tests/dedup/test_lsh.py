"""Candidate pairs, survivors and components: compiled against plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dedup import kernels
from elek.dedup.lsh import CROWD, RECALL, bands, candidates

PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 9)), max_size=40)


@pytest.mark.parametrize(("threshold", "expected"), [(0.8, (18, 6)), (0.5, (37, 3)), (1.0, (1, 112))])
def test_bands(threshold: float, expected: tuple[int, int]) -> None:
    """The most rows in a band that keep the recall."""
    assert bands(threshold, 112) == expected


@settings(deadline=None, max_examples=60)
@given(st.floats(0.05, 1.0), st.integers(8, 256))
def test_bands_fit_and_find(threshold: float, permutations: int) -> None:
    """Bands never need more values than there are, and find a pair at the threshold as often as promised."""
    count, rows = bands(threshold, permutations)
    assert count * rows <= permutations
    assert rows == 1 or 1 - (1 - threshold**rows) ** count >= RECALL


def near(rng: np.random.Generator, base: np.ndarray, similarity: float) -> np.ndarray:
    """A signature that agrees with `base` in about this share of values."""
    other = rng.integers(0, 2**32, base.shape, dtype=np.uint32)
    return np.where(rng.random(base.shape) < similarity, base, other)


def test_recall_above_the_threshold() -> None:
    """Of pairs clearly above the threshold at least 98 in 100 are proposed; of pairs far below none."""
    rng = np.random.default_rng(3)
    base = rng.integers(0, 2**32, (500, 112), dtype=np.uint32)
    for threshold in (0.5, 0.8):
        above = np.concatenate([base, near(rng, base, threshold + 0.1)])
        left, right = candidates(above, [threshold])
        assert (right - left == 500).sum() >= 490
        assert (left < right).all()
        left, right = candidates(np.concatenate([base, near(rng, base, threshold - 0.4)]), [threshold])
        assert len(left) == 0


def test_a_crowd_is_linear() -> None:
    """Ten thousand equal signatures are compared with the first few of them, not with each other."""
    left, right = candidates(np.ones((10_000, 112), dtype=np.uint32), [0.8])
    assert len(left) < 10_000 * CROWD
    assert set(right.tolist()) == set(range(1, 10_000))
    assert left.max() == CROWD - 1


def test_pairs_are_sorted_and_unique() -> None:
    """Sorted by (right, left), each pair once, however many buckets it met in."""
    left, right = candidates(np.repeat(np.arange(4, dtype=np.uint32), 3)[:, None].repeat(112, axis=1), [0.8])
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == [
        (a + 3 * group, b + 3 * group) for group in range(4) for a, b in ((0, 1), (0, 2), (1, 2))
    ]


def test_no_documents() -> None:
    """Nothing in, nothing out."""
    assert candidates(np.empty((0, 112), dtype=np.uint32), [0.8]).shape == (2, 0)


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_survivors_equal_plain_python(pairs: list[tuple[int, int, int]]) -> None:
    """In order of rank, a text falls to the most similar earlier survivor, the first among equals."""
    similarity = {(min(a, b), max(a, b)): s / 10 for a, b, s in pairs if a != b}
    order = sorted(similarity, key=lambda pair: (pair[1], pair[0]))
    expected: list[int] = []
    for text in range(12):
        standing = [a for a in range(text) if expected[a] < 0 and (a, text) in similarity]
        expected.append(max(standing, key=lambda a: (similarity[a, text], -a), default=-1))
    columns = np.array(order, dtype=np.int64).reshape(-1, 2)
    keeper, best = kernels.survivors(12, columns[:, 0], columns[:, 1], np.array([similarity[pair] for pair in order]))
    assert keeper.tolist() == expected
    for text, kept in enumerate(expected):
        assert np.isnan(best[text]) if kept < 0 else best[text] == similarity[kept, text]


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_components_equal_plain_python(pairs: list[tuple[int, int, int]]) -> None:
    """Each node is named by the smallest node that it is connected with, in whatever order the pairs come."""
    label = list(range(12))
    for _ in range(12):
        for a, b, _ in pairs:
            label[a] = label[b] = min(label[a], label[b])
    left, right = (np.array([pair[i] for pair in pairs], dtype=np.int64) for i in (0, 1))
    assert kernels.components(12, left, right).tolist() == label
    assert kernels.components(12, right[::-1].copy(), left[::-1].copy()).tolist() == label
