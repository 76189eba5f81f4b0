"""`export`: model + vocab → a folder that transformers, lm-eval and vLLM read, and a file for llama.cpp."""

from __future__ import annotations

from elek.dataset import sha256_file
from elek.errors import ParamsError
from elek.export.classes import OWN, check_vocabulary, hub_class
from elek.export.gguf import architecture, export_gguf
from elek.export.params import ExportParams
from elek.export.tokenizer import export_tokenizer
from elek.export.weights import export_model
from elek.model.config import ModelConfig
from elek.model.files import load_model, save_model
from elek.progress import Progress
from elek.vocab.tokenizer import Tokenizer
from stages._shell import Stage


def main() -> None:
    with Stage("export", ExportParams) as stage, Progress("export", 2, "parts") as progress:
        model = load_model(stage.data("train"))
        tokenizer = Tokenizer.load(stage.data("vocab"))
        tokenizer.require(model.config.vocab_size, "export")
        written, lacking = OWN, None
        if stage.params.huggingface:
            export_tokenizer(stage.out, tokenizer, model.config)
            written = export_model(stage.out, model).name
        else:
            (stage.out / "tokenizer.model").write_bytes(tokenizer.model)
            save_model(stage.out, model)
            lacking = why_not(model.config, tokenizer)
        progress.advance(note="model")
        gguf, because = None, "export.gguf: false"
        if stage.params.gguf:
            try:
                gguf = architecture(model.config, tokenizer)
            except ParamsError as error:  # not an error of the user: llama.cpp has no such network
                because = error.what
            else:
                export_gguf(stage.out, model, tokenizer, name="elek")
        progress.advance(note="GGUF")
        files = sorted(stage.out.iterdir())
        stage.metrics = {
            "architecture": written,
            **({"huggingface_because": lacking} if lacking else {}),
            "gguf": gguf.name if gguf else None,
            **({} if gguf else {"gguf_because": because}),
            "parameters": model.config.parameters,
            "bytes": sum(file.stat().st_size for file in files),
            "files": {file.name: sha256_file(file) for file in files},
        }
        stage.summary = [
            ("written as", f"{written}: {lacking}" if lacking else written),
            ("GGUF", gguf.name if gguf else f"not written: {because}"),
            ("files", f"{len(files)}, {stage.metrics['bytes'] / 1e6:.1f} MB"),
        ]


def why_not(config: ModelConfig, tokenizer: Tokenizer) -> str:
    """Why there is no folder for transformers: it is switched off, and perhaps no class would fit."""
    asked = "export.huggingface: false"
    try:
        check_vocabulary(tokenizer.kind)
        could = hub_class(config).name
    except ParamsError as error:  # not an error of the user: transformers has no such network
        return f"{asked}; {error.what}"
    return f"{asked}; {could} of transformers would hold it"


if __name__ == "__main__":
    main()
