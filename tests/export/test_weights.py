"""The folder in transformers: the same logits, the same text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from elek.errors import DataError, ParamsError
from elek.export import weights
from elek.export.tokenizer import export_tokenizer
from elek.export.weights import export_model
from elek.generation import generate
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from tests.vocabulary import tokenizer

transformers = pytest.importorskip("transformers")

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped": {"heads": 4, "kv_heads": 2},
    "untied": {"tie_embeddings": False},
    "odd numbers": {"rope_theta": 500.0, "norm_eps": 1e-3, "ffn": 40, "layers": 1},
}


def _export(folder: Path, shape: dict[str, Any]) -> Transformer:
    defaults = {"vocab_size": 700, "context": 32, "layers": 2, "width": 32, "heads": 2}
    model = initialise(Transformer(ModelConfig(**{**defaults, **shape})), seed=5).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # norms that are not 1, logits that are not 0
            parameter.mul_(6) if parameter.dim() > 1 else parameter.add_(torch.linspace(-0.5, 0.5, len(parameter)))
            assert name
    folder.mkdir()
    export_tokenizer(folder, tokenizer(), model.config)
    export_model(folder, model)
    return model


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_logits_are_equal(tmp_path: Path, shape: dict[str, Any]) -> None:
    """Within 1e-5 in float32, at every position of a full context."""
    model = _export(tmp_path / "export", shape)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "export")
    assert type(theirs).__name__ == "LlamaForCausalLM"
    tokens = torch.randint(0, 700, (3, 32), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(tokens).logits, model(tokens), atol=1e-5, rtol=0)


def test_text_goes_in_and_comes_out(tmp_path: Path) -> None:
    """AutoTokenizer gives our ids, and greedy generation gives our tokens."""
    model = _export(tmp_path / "export", {})
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "export")
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "export")
    for text in ("The farmer", "Köyün  çocukları\n\t<s> ▁ <mask>", ""):
        ids = [1, *tokenizer().encode(text)]
        batch = tokens(text, return_tensors="pt")
        assert batch.input_ids[0].tolist() == ids
        assert tokens.decode(ids, skip_special_tokens=True) == text
        written = theirs.generate(**batch, max_new_tokens=8, do_sample=False)[0].tolist()
        ours = generate(model, ids, max_new_tokens=8, temperature=0, stop_ids=[2])
        assert written == ids + ours + [2] * (len(ours) < 8)
    assert [tokens.unk_token_id, tokens.bos_token_id, tokens.eos_token_id, tokens.pad_token_id] == [0, 1, 2, 3]
    assert tokens.mask_token_id == 4


def test_a_tied_head_is_written_once(tmp_path: Path) -> None:
    """No lm_head.weight where it is the embedding, one where it is not; the same model, the same bytes."""
    for name, shape in (("tied", {}), ("untied", {"tie_embeddings": False})):
        _export(tmp_path / name, shape)
        with safe_open(tmp_path / name / "model.safetensors", "pt") as file:
            assert ("lm_head.weight" in file.keys()) == (name == "untied")  # noqa: SIM118 - no mapping
    _export(tmp_path / "again", {})
    for path in (tmp_path / "tied").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_what_cannot_be_expressed_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of the model that the export does not know, or weights without a place, end the export."""
    monkeypatch.setattr(weights, "_EXPRESSED", weights._EXPRESSED - {"kv_heads"})
    with pytest.raises(ParamsError, match=r"train\.model\.kv_heads"):
        _export(tmp_path / "one", {})
    monkeypatch.undo()
    model = Transformer(ModelConfig(vocab_size=700, context=8, layers=1, width=8, heads=1))
    model.positions = torch.nn.Parameter(torch.zeros(8, 8))
    with pytest.raises(ParamsError, match="positions"):
        export_model(tmp_path, model)


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    """Model and vocabulary must belong together."""
    with pytest.raises(DataError, match="knows 701 tokens"):
        _export(tmp_path / "export", {"vocab_size": 701})
