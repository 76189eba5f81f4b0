"""`export:` of params.yaml."""

from __future__ import annotations

from elek.params import Section


class ExportParams(Section):
    """A folder for transformers is always written: it follows from the model and its vocabulary."""

    gguf: bool = True
    """Write model.gguf beside it, which llama.cpp reads."""
