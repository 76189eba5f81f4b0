"""Every value of every option of `train:` and `vocab:`: a row here, and `tests/test_every_option.py` takes it up.

A row is an override of params.yaml, laid over `BASE`: a model that trains in a second on one core. Whoever adds an
option adds rows, or a test says which are missing. What a process of a run does is here too, so that `forkserver`
can load it once for all of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from safetensors.torch import save_file

from elek.model.files import save_model
from elek.shards import TokenShards
from elek.training import checkpoint, guard
from elek.training.history import Trained
from elek.training.masking import Words
from elek.training.params import TrainParams
from elek.training.state import collect
from elek.training.trainer import Trainer
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import Tokenizer

Override = dict[str, Any]

FILES = (checkpoint.TENSORS, checkpoint.STATE, checkpoint.MANIFEST)
"""Of a checkpoint. A victim is killed in the middle of one of them, of its second checkpoint."""

BASE: Override = {
    "vocab": {"size": 400},
    "train": {
        "model": {"context": 32, "layers": 1, "width": 32, "heads": 2},
        "steps": 32,
        "batch": 12,
        "micro_batch": 5,  # three to a step, and the last one smaller
        "threads": 1,
        "precision": "fp32",
        "optimizer": {"learning_rate": 2e-2, "matrix_learning_rate": 3e-2},
        "validation": {"every": 12, "windows": 60},
        "history_every": 5,  # so that a checkpoint falls between two rows
        "checkpoint_every": 8,
    },
}

MASKED: Override = {
    "objective": "masked",
    "masking": {"share": 0.4},
    "steps": 64,
    "optimizer": {"learning_rate": 5e-2, "matrix_learning_rate": 5e-2},
}
"""Changes of `train` with which as few steps are enough for the harder objective."""

SHAPES: dict[str, Override] = {
    "llama": {},
    "grouped": {"heads": 4, "kv_heads": 2, "ffn": 80},
    "layernorm": {"norm": "layernorm"},
    "bias": {"bias": True},
    "gelu": {"mlp": "gelu"},
    "learned": {"positions": "learned"},
    "sinusoidal": {"positions": "sinusoidal"},
    "no-positions": {"positions": "none"},
    "qk-norm": {"qk_norm": True},
    "untied": {"tie_embeddings": False},
    "documents": {"document_masking": True},
    "documents-learned": {"document_masking": True, "positions": "learned"},
    "dropout": {"dropout": 0.1},
    "gpt2": {"norm": "layernorm", "positions": "learned", "mlp": "gelu", "bias": True},
}
"""Changes of `train.model`, each learned causally in float32 and masked in bf16."""


def _rows() -> dict[str, Override]:
    rows: dict[str, Override] = {}
    for name, shape in SHAPES.items():
        rows[f"causal-{name}"] = {"train": {"model": shape}}
        if shape.get("positions") != "none":  # masked, that would be a bag of words, and is refused
            rows[f"masked-{name}"] = {"train": {**MASKED, "precision": "bf16", "model": shape}}
    # Batches so small that their losses differ by chance, which a narrow bound takes for spikes.
    spiky: Override = {"batch": 4, "micro_batch": 3, "steps": 48, "checkpoint_every": 20}
    spiky |= {"spike_window": 8, "spike_factor": 0.2}
    train: dict[str, Override] = {
        "depth": {"model": {"depth": 1, "layers": None, "width": None, "heads": None}, "optimizer": None},
        "whole-words": {**MASKED, "masking": {"share": 0.4, "whole_words": True}},
        "auto": {"precision": "auto"},
        "activation-checkpointing": {"activation_checkpointing": True, "model": {"layers": 2, "dropout": 0.1}},
        # The rate rises until what was learned is lost: the best weights come early, and the stop late.
        "patience": {
            "validation": {"every": 2, "windows": 20, "patience": 12},
            "schedule": {"kind": "constant", "warmup": 1.0},
            "optimizer": {"learning_rate": 1.0, "matrix_learning_rate": 0.5},
            "steps": 40,
            "checkpoint_every": 16,
        },
        "skip": {"on_spike": "skip", **spiky},
        "ignore": {"on_spike": "ignore", **spiky},
        "compile": {"compile": True, "micro_batch": 6},  # one shape to compile for
    }
    # Every optimizer with every schedule, and with every precision.
    precisions = cycle(("fp32", "bf16", "fp16"))
    for optimizer in ("adamw", "muon"):
        for schedule in ("cosine", "linear", "constant", "wsd"):
            precision = next(precisions)
            values: Override = {
                "optimizer": {"name": optimizer},
                "schedule": {"kind": schedule},
                "precision": precision,
            }
            if optimizer == "adamw":  # slower
                values |= {"optimizer": {"name": optimizer, "learning_rate": 1e-2}, "steps": 80}
            train[f"{optimizer}-{schedule}-{precision}"] = values
    rows |= {name: {"train": changes} for name, changes in train.items()}
    rows["unigram"] = {"vocab": {"kind": "unigram", "split_digits": False}}
    rows["pieces"] = {"vocab": {"control": ["<|user|>"], "user_defined": ["print()"]}}
    return rows


ROWS = _rows()
"""Name → override of params.yaml."""


def laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Override:
    """`base` with `changes`, section by section; what they set to None is left to the defaults."""
    result = dict(base)
    for name, value in changes.items():
        old = result.pop(name, {})
        if isinstance(value, Mapping):
            result[name] = laid_over(old if isinstance(old, Mapping) else {}, value)
        elif value is not None:
            result[name] = value
    return result


def params_of(name: str) -> tuple[VocabParams, TrainParams]:
    """What row `name` says of the vocabulary and of training."""
    raw = laid_over(BASE, ROWS[name])
    return VocabParams.model_validate(raw["vocab"]), TrainParams.model_validate(raw["train"])


def train(name: str, project: Path, out: Path, root: Path | None = None) -> Trained:
    """Train row `name` on the shards of `project`, checkpoints in `root`, and leave in `out` all that a run ends with.

    That is the model, and the state of everything: weights, optimizers, history, spikes, scale of the loss, patience.
    """
    params = params_of(name)[1]
    text, held_out = (TokenShards(project / split, verify=False) for split in ("train", "validation"))
    words = Words.of(Tokenizer.load(project))
    # In so few steps no loss rises by as much as a spike does: where a row is about spikes, any rise is one.
    with mock.patch.object(guard, "LEAST_RISE", 0.0 if params.on_spike != "stop" else guard.LEAST_RISE):
        trainer = Trainer(params, text, held_out, root, words)
        trained = trainer.run()
    save_model(out, trained.model)
    best = trainer.patience.weights if trainer.patience else {}
    tensors = collect(trainer.model, trainer.optimizers, best)
    save_file(
        {key: tensor for key, tensor in tensors.items() if not key.startswith("random.")}, out / "state.safetensors"
    )
    state = {
        "step": [trainer.step, trained.step],
        "validation_loss": trained.validation_loss,
        "history": [vars(row) for row in trainer.history],
        "guard": trainer.guard.state(),
        "scaler": trainer.scaler.state() if trainer.scaler else None,
        "patience": trainer.patience.state() if trainer.patience else None,
    }
    (out / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return trained


def train_apart(name: str, project: Path, out: Path, root: Path, log: Path, fatal: str) -> None:
    """`train` as the whole of a process, which SIGKILL ends in the middle of the file `fatal`, if it is not ""."""
    write, second = checkpoint._write, 2 * params_of(name)[1].checkpoint_every

    def write_half_and_die(path: Path, content: Any) -> None:
        write(path, content)
        if path.name == fatal and path.parent.name == f".step-{second:08d}.tmp":
            os.truncate(path, path.stat().st_size // 2)
            psutil.Process().kill()

    sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    checkpoint._write = write_half_and_die
    train(name, project, out, root)
