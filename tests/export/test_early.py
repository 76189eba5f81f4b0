"""What cannot be exported is refused when params.yaml is read, before anything is fetched or trained."""

from __future__ import annotations

from typing import Any

import pytest

from elek import params
from elek.errors import ParamsError
from tests.export.shapes import SHAPES

ODD = {"norm": "layernorm", "bias": True}


def test_a_shape_without_a_class() -> None:
    """With the option and the way out named, and the file as the place."""
    with pytest.raises(ParamsError) as caught:
        params.validate({"train": {"model": ODD}}, "params.yaml")
    assert "`train.model.bias: true`" in caught.value.what
    assert caught.value.where == "params.yaml"
    assert "export.huggingface: false" in str(caught.value.fix)


@pytest.mark.parametrize(("name", "shape"), SHAPES.values(), ids=SHAPES)
def test_a_shape_that_has_one_passes(name: str, shape: dict[str, Any]) -> None:
    """Every one that the export writes."""
    model = {key: value for key, value in {"width": 32, "heads": 4, **shape}.items() if key != "objective"}
    train = {"objective": shape.get("objective", "causal"), "model": model}
    assert params.validate({"train": train})["train"]
    assert name


def test_unigram_has_no_tokenizer_json() -> None:
    """`tokenizers` would cut texts that spell a special piece's name elsewhere."""
    with pytest.raises(ParamsError, match=r"vocab\.kind: unigram"):
        params.validate({"vocab": {"kind": "unigram"}})


def test_without_a_folder_nothing_is_refused() -> None:
    """Our own format holds every shape and every vocabulary."""
    raw = {"train": {"model": ODD}, "vocab": {"kind": "unigram"}, "export": {"huggingface": False}}
    assert params.validate(raw)["export"]
