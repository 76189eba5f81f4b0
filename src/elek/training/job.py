"""A training job on a project's token shards, as one of its processes runs it."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from elek.dataset import write_text
from elek.evaluation.names import training_key
from elek.model.files import save_model
from elek.shards import TokenShards
from elek.training.checkpoint import clear
from elek.training.history import COURSE, CURVE, Trained, to_csv
from elek.training.masking import Words
from elek.training.parallel import World, joined, naming_losses
from elek.training.params import TrainParams
from elek.training.runtime import keep_memory
from elek.training.trainer import Trainer
from elek.training.watching import LiveCurve, measured_peak
from elek.vocab.tokenizer import Tokenizer

CHECKPOINTS = ".ckpt"
PEAK = ".cache/peak.json"

Facts = dict[str, Any]


def train(project: Path, shards: Path, vocab: Path, out: Path, params: TrainParams) -> Facts:
    """Train on the `shards` of data/tokenize, with the other processes of a torchrun where there are any.

    The first process writes model.safetensors, config.json and history.csv into `out`. Returns `metrics` for
    reports/train.json, and `timing`, which differs between equal runs. Raises what `Trainer` raises.
    """
    keep_memory()
    with naming_losses(project / CHECKPOINTS), joined(params.distributed.kind) as world:
        trainer = open_trainer(shards, vocab, params, project / CHECKPOINTS, world)
        config = trainer.config
        if world.first:
            trainer.peak = world.size * measured_peak(trainer.runtime, params.threads, project / PEAK)
            trainer.watch = LiveCurve(
                project / CURVE, config.flops_per_token, trainer.peak, project / COURSE, _about(trainer)
            )
        trained = trainer.run()
        if world.first:
            save_model(out, trained.model)
            write_text(out / "history.csv", to_csv(trained.history))
        timing: Facts = {"tokens_per_second": round(trained.tokens_per_second)}
        if trainer.peak:
            timing["mfu"] = round(trained.tokens_per_second * config.flops_per_token / trainer.peak, 4)
            timing["peak_flops_per_second"] = round(trainer.peak)
        return {"metrics": _metrics(trainer, trained), "timing": timing}


def open_trainer(
    shards: Path, vocab: Path, params: TrainParams, root: Path | None = None, world: World | None = None
) -> Trainer:
    """A trainer with a new model on these shards, with checkpoints in `root`.

    Raises DataError where the shards were not made with the vocabulary, and what `Trainer` raises.
    """
    train, validation = (TokenShards(shards / name) for name in ("train", "validation"))
    tokenizer = Tokenizer.load(vocab)
    for stream in (train, validation):
        stream.require(tokenizer)
    words = Words.of(tokenizer) if params.objective == "masked" else None
    return Trainer(params, train, validation, root, words, world or World())


def _about(trainer: Trainer) -> Facts:
    """What describes the run beside its live curve; see `elek.training.history.COURSE`."""
    assert trainer.checkpoints  # noqa: S101 - `train` gives it a folder for them
    training = trainer.checkpoints.digest
    params = trainer.params.model_dump(mode="json")
    return {"training": training, "checkpoints": f"{CHECKPOINTS}/{training}", "params": params}


def _metrics(trainer: Trainer, trained: Trained) -> Facts:
    shards = trainer.validation
    assert isinstance(shards, TokenShards)  # noqa: S101 - for the type checker: `open_trainer` gave it them
    bytes_per_token = pc.sum(shards.documents["bytes"]).as_py() / len(shards)
    last = trained.history[-1]
    measured = {
        "train_loss": [row.train_loss for row in trained.history if row.train_loss is not None][-1],
        "validation_loss": trained.validation_loss,
        "validation_bits_per_byte": trained.validation_loss / math.log(2) / bytes_per_token,
    }
    metrics: Facts = {
        "parameters": trainer.config.parameters,
        "precision": trained.precision,
        "steps": last.step,
        "tokens": last.tokens,
        **{training_key(name, trainer.params.objective): round(value, 6) for name, value in measured.items()},
        "skipped_steps": sum(spike.action == "skip" for spike in trained.spikes),
        "spikes": [asdict(spike) for spike in trained.spikes],
    }
    if trainer.patience:
        metrics["best_step"] = trained.step
    return metrics


def remove_checkpoints(project: Path) -> None:
    """Remove the checkpoints of every run, which are no longer needed once the model is written."""
    clear(project / CHECKPOINTS)
