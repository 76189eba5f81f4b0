"""`export`: model + vocab → a folder that transformers, lm-eval, vLLM and llama.cpp's converter read."""

from __future__ import annotations

from elek.dataset import sha256_file
from elek.export.gguf import export_gguf
from elek.export.params import ExportParams
from elek.export.tokenizer import export_tokenizer
from elek.export.weights import export_model
from elek.model.files import load_model
from elek.progress import Progress
from elek.vocab.tokenizer import Tokenizer
from stages._shell import Stage


def main() -> None:
    with Stage("export", ExportParams) as stage, Progress("export", 3, "parts") as progress:
        model = load_model(stage.data("train"))
        tokenizer = Tokenizer.load(stage.data("vocab"))
        export_tokenizer(stage.out, tokenizer, model.config)
        progress.advance(note="vocabulary")
        export_model(stage.out, model)
        progress.advance(note="model")
        if stage.params.gguf:
            export_gguf(stage.out, model, tokenizer, name="elek")
        progress.advance(note="GGUF")
        files = sorted(stage.out.iterdir())
        stage.metrics = {
            "architecture": "LlamaForCausalLM",
            "parameters": model.config.parameters,
            "bytes": sum(file.stat().st_size for file in files),
            "files": {file.name: sha256_file(file) for file in files},
        }
        stage.summary = [
            ("written as", "LlamaForCausalLM"),
            ("files", f"{len(files)}, {stage.metrics['bytes'] / 1e6:.1f} MB"),
        ]


if __name__ == "__main__":
    main()
