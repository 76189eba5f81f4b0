"""The stage `export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from elek.model.files import load_model, save_model
from elek.model.transformer import Transformer
from stages import export
from tests.evaluation.test_scoring import model
from tests.export.shapes import build
from tests.vocabulary import tokenizer, write_project


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, network: Transformer, params: str = "") -> dict[str, Any]:
    """The stage's metrics, in a project that has this model."""
    write_project(folder)
    with (folder / "params.yaml").open("a", encoding="utf-8") as file:
        file.write(params)
    monkeypatch.chdir(folder)
    save_model(folder / "data" / "train", network)
    (folder / "data" / "vocab").mkdir()
    (folder / "data" / "vocab" / "tokenizer.model").write_bytes(tokenizer().model)
    export.main()
    metrics: dict[str, Any] = json.loads((folder / "reports" / "export.json").read_text(encoding="utf-8"))
    assert {path.name for path in (folder / "data" / "export").iterdir()} == set(metrics["files"])
    return metrics


TOKENIZER = {"tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}


def test_export_writes_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file that readers look for, with its digest in the metrics."""
    metrics = run(tmp_path, monkeypatch, model())
    assert set(metrics["files"]) == TOKENIZER | {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "model.gguf",
    }
    assert metrics["parameters"] == model().config.parameters
    assert (metrics["architecture"], metrics["gguf"]) == ("LlamaForCausalLM", "llama")
    assert "LlamaForCausalLM" in "".join(capsys.readouterr())


def test_what_llama_cpp_lacks_is_told_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A masked model goes to transformers alone, and metrics and summary say why."""
    metrics = run(tmp_path, monkeypatch, build({"objective": "masked"}))
    assert set(metrics["files"]) == TOKENIZER | {"config.json", "model.safetensors"}
    assert (metrics["architecture"], metrics["gguf"]) == ("EuroBertForMaskedLM", None)
    assert "EuroBertForMaskedLM" in metrics["gguf_because"]
    assert "not written" in "".join(capsys.readouterr())


def test_our_own_format_holds_every_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With export.huggingface: false what transformers lacks is written as we read it ourselves."""
    odd = build({"norm": "layernorm", "bias": True})
    metrics = run(tmp_path, monkeypatch, odd, "export: {huggingface: false}\n")
    assert set(metrics["files"]) == {"config.json", "model.safetensors", "tokenizer.model"}
    assert metrics["architecture"] == "Elek's own format"
    assert metrics["huggingface_because"].startswith("export.huggingface: false; transformers has no class for this")
    assert "StableLmForCausalLM does not have `train.model.bias: true`" in metrics["gguf_because"]
    loaded = load_model(tmp_path / "data" / "export")
    assert loaded.config == odd.config


def test_a_model_that_no_class_computes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the model is older than the params that now describe another; nothing is left behind."""
    with pytest.raises(SystemExit):
        run(tmp_path, monkeypatch, build({"positions": "learned"}))
    assert "train.model.positions: learned" in capsys.readouterr().err
    assert not (tmp_path / "data" / "export").exists()


def test_export_without_a_model_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4 and the remedy."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        export.main()
    assert end.value.code == 4
    assert "dvc repro train" in capsys.readouterr().err
