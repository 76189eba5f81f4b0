"""The shape of a model: what follows from what, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError
from elek.model.config import ModelConfig, ModelShape
from elek.model.transformer import Transformer
from elek.params import parse


def test_sizes_that_were_not_given_follow_from_the_others() -> None:
    """Key and value heads are the heads, the inner width 8/3 of the width in multiples of 32."""
    shape = ModelShape(width=192, heads=3)
    assert (shape.head_dim, shape.kv_heads, shape.ffn) == (64, 3, 512)
    assert ModelShape.model_validate(shape.model_dump()) == shape


@pytest.mark.parametrize(
    ("given_values", "said"),
    [
        ({"width": 100, "heads": 3}, "width 100 does not divide into 3 heads"),
        ({"width": 6, "heads": 2}, "is odd"),
        ({"width": 64, "heads": 4, "kv_heads": 3}, "4 heads cannot share 3 kv_heads evenly"),
        ({"heads": 0}, "greater than or equal to 1"),
        ({"width": "wide"}, "valid integer"),
        ({"layer": 2}, "unknown key `model.layer`"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_by_name(given_values: dict[str, Any], said: str) -> None:
    """The message names the key and the rule."""
    with pytest.raises(ParamsError, match=said):
        parse("model", given_values, ModelShape)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 60), st.integers(1, 3), st.sampled_from([1, 2]), st.integers(1, 4), st.booleans())
def test_the_count_of_parameters_is_the_models_own(
    vocab_size: int, layers: int, kv_heads: int, half: int, tie: bool
) -> None:
    """`parameters` is what torch counts, whatever the shape."""
    config = ModelConfig(
        vocab_size=vocab_size,
        context=4,
        layers=layers,
        width=8 * half,
        heads=4,
        kv_heads=kv_heads,
        tie_embeddings=tie,
    )
    assert config.parameters == sum(parameter.numel() for parameter in Transformer(config).parameters())
