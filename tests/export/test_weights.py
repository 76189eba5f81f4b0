"""The folder in transformers: for every shape the same logits, the same ids, the same text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from elek.errors import DataError, ParamsError
from elek.export import classes
from elek.export.classes import CLASSES, hub_class
from elek.export.tokenizer import export_tokenizer
from elek.export.weights import export_model
from elek.generation import generate
from elek.generation.filling import fill
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer
from tests.export.shapes import SHAPES, build
from tests.vocabulary import prose, tokenizer

transformers = pytest.importorskip("transformers")

TEXTS = [
    "The farmer",
    "Köyün  çocukları\n\t ▁ <0x41>",
    "",
    " 🙂🏽 e\u0301",
    *prose("tr", 2, first=70)["text"].to_pylist(),
]
SPECIAL = "a <s>b</s> <unk><pad> <mask>"


def _export(folder: Path, shape: dict[str, Any]) -> Transformer:
    model = build(shape)
    folder.mkdir()
    export_tokenizer(folder, tokenizer(), model.config)
    export_model(folder, model)
    return model


def _load(folder: Path, name: str) -> Any:
    """As anybody would load it, and nothing missing from the file or left over in it."""
    auto = transformers.AutoModelForMaskedLM if "Masked" in name else transformers.AutoModelForCausalLM
    theirs, told = auto.from_pretrained(folder, output_loading_info=True)
    assert type(theirs).__name__ == name
    assert not any(told.values()), told
    return theirs


def test_every_class_has_a_shape() -> None:
    """A class that is added must be added to the tests."""
    assert {name for name, _ in SHAPES.values()} == {hub.name for hub in CLASSES}


@pytest.mark.parametrize(("name", "shape"), SHAPES.values(), ids=SHAPES)
def test_the_folder_is_the_model(tmp_path: Path, name: str, shape: dict[str, Any]) -> None:
    """Logits within 1e-5 at every place of a full context; ids, and greedy text where the model writes any, equal."""
    model = _export(tmp_path / "export", shape)
    theirs = _load(tmp_path / "export", name)
    tokens = torch.randint(0, 700, (3, 32), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits = model(tokens)
        assert logits.std() > 0.1
        torch.testing.assert_close(theirs(tokens).logits, logits, atol=1e-5, rtol=0)
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "export")
    end = [] if model.config.causal else [2]
    for text in TEXTS:
        ids = [1, *tokenizer().encode(text), *end]
        assert tokens(text).input_ids == ids
        assert tokens.decode(ids, skip_special_tokens=True) == text
    for text in TEXTS[:3] if model.config.causal else []:
        batch = tokens(text, return_tensors="pt")
        ids = batch.input_ids[0].tolist()
        written = theirs.generate(**batch, max_new_tokens=8, do_sample=False)[0].tolist()
        ours = generate(model, ids, max_new_tokens=8, temperature=0, stop_ids=[2])
        assert written == ids + ours + [2] * (len(ours) < 8)
    assert [tokens.unk_token_id, tokens.bos_token_id, tokens.eos_token_id, tokens.pad_token_id] == [0, 1, 2, 3]
    assert tokens.mask_token_id == 4


def test_special_names_are_text_for_a_causal_model(tmp_path: Path) -> None:
    """As in training, for nobody shall write an end into a prompt; a masked model's mask must be found."""
    _export(tmp_path / "causal", {})
    _export(tmp_path / "masked", {"objective": "masked"})
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "causal")
    assert tokens(SPECIAL).input_ids == [1, *tokenizer().encode(SPECIAL)]
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "masked")
    assert tokens("the <mask> ran").input_ids == [1, *tokenizer().encode("the"), 4, *tokenizer().encode(" ran"), 2]


def test_fill_mask_gives_our_probabilities(tmp_path: Path) -> None:
    """transformers' pipeline and `elek fill` on one text: each piece that we show has the same probability there."""
    model = _export(tmp_path / "export", {"objective": "masked", "kv_heads": 2})
    pipe = transformers.pipeline("fill-mask", str(tmp_path / "export"), device="cpu")
    for text in ("The <mask> walked slowly along", "<mask> köy ve öğret<mask>"):
        told = pipe(text, top_k=700)
        masks = [told] if isinstance(told[0], dict) else told
        ours = fill(model, tokenizer(), text, top_k=5, order="joint").masks
        for mask, candidates in zip(masks, ours, strict=True):
            found = {tokenizer().piece(one["token"]).replace("\u2581", " "): one["score"] for one in mask}
            for candidate in candidates:
                assert found[candidate.piece] == pytest.approx(candidate.probability, rel=1e-4)


def test_a_tied_head_is_written_once(tmp_path: Path) -> None:
    """No head where it is the embedding, one where it is not; the same model, the same bytes."""
    for name in ("llama", "llama, grouped", "gpt2", "gpt2, no positions", "masked", "masked, bias"):
        _, shape = SHAPES[name]
        for folder in (tmp_path / name, tmp_path / f"{name} again"):
            _export(folder, shape)
        with safe_open(tmp_path / name / "model.safetensors", "pt") as file:
            assert ("lm_head.weight" in file.keys()) == (not shape.get("tie_embeddings", True))  # noqa: SIM118 - no mapping
        for path in (tmp_path / name).iterdir():
            assert path.read_bytes() == (tmp_path / f"{name} again" / path.name).read_bytes()


REFUSED = [
    ({"norm": "layernorm", "bias": True}, "StableLmForCausalLM does not have `train.model.bias: true`", "bias: false"),
    (
        {"qk_norm": True, "bias": True},
        "Qwen3ForCausalLM does not have `train.model.bias: true`",
        "set train.model.qk_norm: false, or",
    ),
    (
        {"positions": "learned"},
        "LlamaForCausalLM does not have `train.model.positions: learned`",
        "set train.model.positions: rope",
    ),
    (
        {"objective": "masked", "norm": "layernorm"},
        "EuroBertForMaskedLM does not have `train.model.norm: layernorm`",
        "set train.model.norm: rmsnorm, or export",
    ),
    (
        {"norm": "layernorm", "mlp": "gelu", "positions": "learned", "kv_heads": 2},
        "GPT2LMHeadModel does not have `train.model.kv_heads: 2`",
        "set train.model.positions: rope, or train.model.kv_heads: 4, or",
    ),
]


@pytest.mark.parametrize(("shape", "what", "fix"), REFUSED)
def test_what_no_class_has_is_refused_by_name(shape: dict[str, Any], what: str, fix: str) -> None:
    """The option, its value, the nearest class, and both ways out."""
    with pytest.raises(ParamsError) as caught:
        hub_class(build(shape).config)
    assert what in caught.value.what
    assert caught.value.fix is not None
    assert fix in caught.value.fix
    assert "export.huggingface: false" in caught.value.fix


def test_an_option_that_the_export_does_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that the model gets one day is refused until a class is known for it; so are weights without a place."""
    monkeypatch.setattr(classes, "_SIZES", classes._SIZES - {"norm_eps"})
    assert hub_class(build({}).config).name == "LlamaForCausalLM"
    with pytest.raises(ParamsError, match=r"train\.model\.norm_eps: 0\.5"):
        hub_class(build({"norm_eps": 0.5}).config)
    monkeypatch.undo()
    known = {*classes._SIZES, *classes._TRAINING, *classes._CHOICES}
    assert known == set(ModelConfig.model_fields), "every field is either expressed or refused on purpose"
    model = build({})
    model.extra = torch.nn.Linear(8, 8)
    with pytest.raises(ParamsError, match=r"LlamaForCausalLM has no place for the weights `extra\.weight`"):
        export_model(tmp_path, model)


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    """Model and vocabulary must belong together."""
    with pytest.raises(DataError, match="knows 701 tokens"):
        _export(tmp_path / "export", {"vocab_size": 701})
