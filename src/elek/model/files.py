"""A model on disk: config.json (its shape) and model.safetensors (its weights). No pickle is read or written."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from elek.dataset import write_json
from elek.errors import DataError
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_FIX = "run `dvc repro train`, which rebuilds it"


def save_model(folder: Path, model: Transformer) -> None:
    """Write the two files; the same weights give the same bytes. Each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{WEIGHTS}.{os.getpid()}.tmp"
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, temporary, metadata={"format": "pt"})
    temporary.replace(folder / WEIGHTS)
    write_json(folder / CONFIG, model.config.file())


def load_config(folder: Path) -> ModelConfig:
    """The shape of the model in `folder`. Raises DataError where config.json is missing or says something odd."""
    path = folder / CONFIG
    try:
        return ModelConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(f"no model here: {CONFIG} is missing", where=str(folder), fix=_FIX) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{CONFIG} is damaged: {error}", where=str(path), fix=_FIX) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{CONFIG} is no model's shape: {key}: {first['msg']}", where=str(path), fix=_FIX) from None


def load_model(folder: Path) -> Transformer:
    """The model in `folder`, on the CPU, in evaluation mode.

    Raises DataError where a file is missing or damaged, or where weights and shape do not belong together.
    """
    model = Transformer(load_config(folder))
    path = folder / WEIGHTS
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise DataError(f"no model here: {WEIGHTS} is missing", where=str(folder), fix=_FIX) from None
    except (SafetensorError, OSError) as error:
        raise DataError(f"{WEIGHTS} is damaged: {error}", where=str(path), fix=_FIX) from None
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise DataError(
            f"{WEIGHTS} does not hold the model that {CONFIG} describes: {first}", where=str(folder), fix=_FIX
        ) from None
    return model.eval()
