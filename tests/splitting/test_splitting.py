"""Which side a cluster is on."""

from __future__ import annotations

import pytest

from elek.splitting import SplitParams, side


def test_shares_are_of_clusters() -> None:
    """Of many clusters each side gets its share, within four standard errors."""
    params = SplitParams(validation=0.1, test=0.05)
    sides = [side(f"cluster-{n}", params) for n in range(20_000)]
    for name, share in (("validation", 0.1), ("test", 0.05)):
        assert abs(sides.count(name) / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


def test_seed_deals_anew_and_the_name_decides() -> None:
    """The same seed, the same sides, on every machine; another seed, others."""
    names = [f"{n}" for n in range(300)]
    first, again, other = ([side(n, SplitParams(seed=s, validation=0.3, test=0.3)) for n in names] for s in (1, 1, 2))
    assert first == again != other
    assert first[:6] == ["train", "validation", "train", "test", "train", "train"]


def test_a_larger_share_keeps_what_it_had() -> None:
    """Raising validation's share only adds to it."""
    names = [f"{n}" for n in range(500)]
    small, large = ({n for n in names if side(n, SplitParams(validation=v)) == "validation"} for v in (0.1, 0.2))
    assert small < large


def test_something_must_be_left_to_train_on() -> None:
    """Shares that leave nothing for training are refused."""
    with pytest.raises(ValueError, match="leave a share"):
        SplitParams(validation=0.5, test=0.5)
