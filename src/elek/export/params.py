"""`export:` of params.yaml."""

from __future__ import annotations

from elek.params import Section


class ExportParams(Section):
    """How the model leaves the project."""

    huggingface: bool = True
    """Write a folder that transformers loads. What no class of it computes, or no tokenizer.json holds, is refused
    before the first stage; false writes the model in Elek's own format, which `elek.model.files` reads."""
    gguf: bool = True
    """Write model.gguf beside it, which llama.cpp reads; where it computes nothing of the kind, the summary says so."""
