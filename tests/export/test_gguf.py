"""model.gguf in llama.cpp: the same ids, the same probabilities, the same text."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xllamacpp
from gguf import GGUFReader

from elek.errors import ParamsError
from elek.export.classes import CLASSES
from elek.export.gguf import _ARCHITECTURES, _WHY_NOT, architecture, export_gguf, interleaved
from elek.generation import generate
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import Tokenizer
from tests.export.shapes import build
from tests.vocabulary import prose, tokenizer

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "grouped and tied": ("llama", {"kv_heads": 2, "bias": True}),
    "untied, other constants": ("llama", {"tie_embeddings": False, "rope_theta": 500.0, "norm_eps": 1e-3, "ffn": 96}),
    "no positions": ("llama", {"positions": "none"}),
    "qk_norm": ("qwen3", {"qk_norm": True, "kv_heads": 2}),
    "layernorm": ("stablelm", {"norm": "layernorm", "kv_heads": 2}),
    "layernorm and gelu": ("starcoder2", {"norm": "layernorm", "mlp": "gelu", "kv_heads": 2}),
    "gpt2": ("gpt2", {"norm": "layernorm", "mlp": "gelu", "positions": "learned", "bias": True}),
    "gpt2 with sines": ("gpt2", {"norm": "layernorm", "mlp": "gelu", "positions": "sinusoidal"}),
}


class Llama:
    """llama.cpp with one file, answering on the loopback."""

    def __init__(self, folder: Path, model: Transformer) -> None:
        self.model = model
        params = xllamacpp.CommonParams()
        params.model.path = str(folder / "model.gguf")
        params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 64, 1, False, 0
        params.cpuparams.n_threads = 1
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32  # not in halves
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.server = xllamacpp.Server(params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        url = f"{self.server.listening_address}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the loopback
            return json.load(answer)


@pytest.fixture(scope="module", params=SHAPES.values(), ids=list(SHAPES))
def llama(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Llama:
    """A small random model whose logits are far from flat."""
    name, shape = request.param
    model = build(shape, context=64, width=64)
    folder = tmp_path_factory.mktemp("gguf")
    assert architecture(model.config, tokenizer()).name == name
    export_gguf(folder, model, tokenizer(), "a test")
    return Llama(folder, model)


def test_ids_are_ours(llama: Llama) -> None:
    """Prose in both languages, and text that finds the seams; control pieces' names stay text."""
    odd = ["", " ", "  a\n\tb ", "<s> </s> <mask> <0x41>", "🙂🏽 e\u0301 İıŞ", "=" * 50, "x" * 200]
    texts = [*prose("en", 5, 60)["text"].to_pylist(), *prose("tr", 5, 60)["text"].to_pylist(), *odd]
    for text in texts:
        body = {"content": text, "add_special": False, "parse_special": False}
        assert llama.post("/tokenize", body)["tokens"] == tokenizer().encode(text), text[:40]


def test_probabilities_and_text_are_ours(llama: Llama) -> None:
    """The likeliest tokens after each step agree within 1e-5 of log probability, and so does greedy text. With GELU
    within 2e-3: llama.cpp looks it up in a table of half-precision numbers."""
    ids = [Tokenizer.bos, *tokenizer().encode("The farmer walked slowly along")]
    ours = list(generate(llama.model, ids, max_new_tokens=12, temperature=0, top_k=0, top_p=1, seed=0, stop_ids=[]))
    with torch.inference_mode():
        logits = llama.model(torch.tensor([ids + ours])).log_softmax(-1)[0]
    tolerance = 2e-3 if llama.model.config.mlp == "gelu" else 1e-5
    told = llama.post("/completion", {"prompt": ids, "n_predict": 12, "temperature": 0, "return_tokens": True})
    assert told["tokens"] == ours
    compared = 0
    for step in range(0, 12, 3):
        body = {"prompt": ids + ours[:step], "n_predict": 1, "temperature": 0, "n_probs": 5}
        for told_step in llama.post("/completion", body).get("completion_probabilities", []):
            for candidate in told_step["top_logprobs"]:
                expected = logits[len(ids) - 1 + step, candidate["id"]].item()
                assert candidate["logprob"] == pytest.approx(expected, abs=tolerance)
                compared += 1
    assert compared >= 10  # the server tells none of a piece that is a part of a character


def test_the_same_model_gives_the_same_bytes(llama: Llama, tmp_path: Path) -> None:
    """No time and no path stands in the file."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export_gguf(tmp_path / name, llama.model, tokenizer(), "a test")
    assert (tmp_path / "a" / "model.gguf").read_bytes() == (tmp_path / "b" / "model.gguf").read_bytes()
    fields = GGUFReader(tmp_path / "a" / "model.gguf").fields
    name = architecture(llama.model.config, tokenizer()).name
    assert fields[f"{name}.block_count"].contents() == 2
    assert fields["tokenizer.ggml.add_space_prefix"].contents() is False


def test_rows_become_neighbours() -> None:
    """Two heads of four rows: 0 2 1 3, 4 6 5 7."""
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize(
    ("shape", "why"),
    [({"mlp": "gelu"}, "ArceeForCausalLM.*relu²"), ({"objective": "masked"}, "EuroBert.*fills a mask")],
)
def test_what_llama_cpp_lacks_is_named(shape: dict[str, Any], why: str) -> None:
    """No file that would load and compute something else."""
    with pytest.raises(ParamsError, match=why):
        architecture(build(shape).config, tokenizer())


def test_every_class_is_either_written_or_refused() -> None:
    """A class that is added must be thought of here."""
    assert {hub.name for hub in CLASSES} == {*_ARCHITECTURES, *_WHY_NOT}


def test_unigram_is_refused(tmp_path: Path) -> None:
    """llama.cpp would cut text in other places."""
    with pytest.raises(ParamsError, match="unigram"):
        export_gguf(tmp_path, build({}, vocab_size=500, context=8), tokenizer("unigram", 500), "a test")
