"""A model on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from elek.errors import DataError
from elek.model.files import load_model, save_model
from tests.model.test_transformer import CONFIG, model_of, tokens_of


@pytest.mark.parametrize("tie", [True, False])
def test_a_model_comes_back_bit_for_bit(tmp_path: Path, tie: bool) -> None:
    """Same logits, same shape; and the same weights give the same bytes."""
    model = model_of(CONFIG.model_copy(update={"tie_embeddings": tie}))
    save_model(tmp_path / "a", model)
    save_model(tmp_path / "b", model)
    loaded = load_model(tmp_path / "a")
    assert loaded.config == model.config
    assert torch.equal(loaded(tokens_of(1, 5)), model(tokens_of(1, 5)))
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_damage_is_told(tmp_path: Path) -> None:
    """Missing, torn or mismatched files are a DataError that names them."""
    with pytest.raises(DataError, match=r"config\.json is missing"):
        load_model(tmp_path)
    save_model(tmp_path, model_of())
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    whole, shape = weights.read_bytes(), config.read_text(encoding="utf-8")
    weights.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=r"model\.safetensors is damaged"):
        load_model(tmp_path)
    weights.write_bytes(whole)
    config.write_text(json.dumps({**json.loads(shape), "width": 64}), encoding="utf-8")
    with pytest.raises(DataError, match=r"does not hold the model that config\.json describes"):
        load_model(tmp_path)
    config.write_text(json.dumps({**json.loads(shape), "heads": 5}), encoding="utf-8")
    with pytest.raises(DataError, match=r"no model's shape"):
        load_model(tmp_path)
    config.write_text(shape[:20], encoding="utf-8")
    with pytest.raises(DataError, match=r"config\.json is damaged"):
        load_model(tmp_path)
    config.write_text(shape, encoding="utf-8")
    weights.unlink()
    with pytest.raises(DataError, match=r"model\.safetensors is missing"):
        load_model(tmp_path)
