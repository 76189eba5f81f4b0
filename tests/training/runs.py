"""Tiny training runs for tests: seconds on one core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elek.training.params import TrainParams
from elek.training.trainer import Trainer
from tests.training.stream import chain

MODEL = {"context": 16, "layers": 2, "width": 32, "heads": 2, "ffn": 64}


def make_trainer(root: Path | None = None, **changes: Any) -> Trainer:
    """A trainer of a model of 2 layers × 32 on a Markov chain. `changes` are of TrainParams, whole keys."""
    values: dict[str, Any] = {
        "model": MODEL,
        "steps": 12,
        "batch": 4,
        "threads": 1,
        "precision": "fp32",
        "validation": {"every": 6, "windows": 8},
        "history_every": 2,
        "checkpoint_every": 4,
    }
    params = TrainParams.model_validate({**values, **changes})
    return Trainer(params, chain(4000), chain(800, seed=1), root)
