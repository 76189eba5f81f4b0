"""The model as MLflow serves it, loaded from this file (models from code: nothing is pickled).

mlflow.pyfunc.load_model("models:/elek@champion").predict({"prompt": ["Once"]}, params={"seed": 1})
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from elek.generation import generate
from elek.model.files import load_model
from elek.tracking.defaults import GENERATION
from elek.vocab.tokenizer import Tokenizer


class TextGeneration(PythonModel):
    """A frame with a column `prompt` in, a list of texts out: each prompt with what follows it."""

    def load_context(self, context: Any) -> None:
        self._model = load_model(Path(context.artifacts["model"]))
        self._tokenizer = Tokenizer.load(Path(context.artifacts["vocab"]))

    # No type hints here: MLflow would take them for the signature, and forget the one that has `params`.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        settings = {**GENERATION, **(params or {})}
        # A column of prompts, or one cell with all of them: what MLflow makes of {"prompt": [...]}.
        cells = model_input["prompt"]
        prompts = [prompt for cell in cells for prompt in ([cell] if isinstance(cell, str) else cell)]
        return [self._continue(prompt, settings) for prompt in prompts]

    def _continue(self, prompt: str, settings: dict[str, Any]) -> str:
        ids = [Tokenizer.bos, *self._tokenizer.encode(prompt)]
        new = generate(self._model, ids, stop_ids=[Tokenizer.eos], **settings)
        # Together: a character's bytes may begin in the prompt.
        return self._tokenizer.decode([*ids, *new])


set_model(TextGeneration())
