"""`train`: token shards → a model, its shape and the history of its training.

Alone, with the processes of `train.distributed`, which it starts itself, or as one of those that an outer torchrun
started: `torchrun --nnodes 2 --nproc-per-node 8 … -m stages.train`, where the first process alone is the stage.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# How long a waiting thread spins before it sleeps. GNU's OpenMP, which torch uses on Linux, reads it when torch is
# loaded. The default is so long that any other busy program costs training most of its speed. Measured on 2 cores, in
# tokens per second, idle and with one busy process: default 10,200 and 2,900; 1,000 spins 9,900 and 4,700; no spins
# 7,600 and 5,400. The resulting bits are the same.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from elek.errors import ElekError
from elek.evaluation.names import CAUSAL, training_key
from elek.params import load
from elek.tracking.feed import Follower
from elek.training.job import Facts, remove_checkpoints, train
from elek.training.launch import launch
from elek.training.parallel import outer_world
from elek.training.params import TrainParams
from stages._shell import Stage


def main() -> None:
    rank, size = outer_world()
    if rank > 0:
        _follow()
        return
    with Follower() as follower, Stage("train", TrainParams) as stage:
        follower.start(stage.project)
        processes, shards, vocab = stage.params.distributed.processes, stage.data("tokenize"), stage.data("vocab")
        if processes > 1 and size == 1:
            facts = launch(stage.project, shards, vocab, stage.out, processes)
        else:
            facts = train(stage.project, shards, vocab, stage.out, stage.params)
        stage.metrics, stage.timing = facts["metrics"], facts["timing"]
        stage.summary = list(_summary(stage.params, stage.metrics, stage.timing))
    remove_checkpoints(stage.project)  # data/train is complete


def _follow() -> None:
    """Take part in the training as a process other than the first, which alone writes."""
    project = Path.cwd()
    try:
        params = load(project / "params.yaml", "train", TrainParams)
        train(project, project / "data" / "tokenize", project / "data" / "vocab", project, params)
    except ElekError as error:
        sys.stderr.write(f"train: {error}\n")
        raise SystemExit(error.exit_code) from None


def _summary(params: TrainParams, metrics: Facts, timing: Facts) -> Iterator[tuple[str, str]]:
    names = ("train_loss", "validation_loss", "validation_bits_per_byte")
    train_loss, loss, bits = (metrics[training_key(name, params.objective)] for name in names)
    asked = "" if params.objective == CAUSAL else ", of the pieces that are hidden"
    shape = f"{params.model.layers} layers, {params.model.width} wide"
    mfu = f", MFU {timing['mfu']:.0%}" if "mfu" in timing else ""
    yield "model", f"{metrics['parameters']:,} parameters, {shape}, {metrics['precision']}"
    yield "tokens", f"{metrics['tokens']:,} in {metrics['steps']} steps, {timing['tokens_per_second']:,} a second{mfu}"
    yield "loss", f"{train_loss:.4f} training, {loss:.4f} validation{asked}"
    yield "bits per byte", f"{bits:.4f} validation{asked}"
    if metrics["skipped_steps"]:
        yield "skipped", f"{metrics['skipped_steps']} steps, named in reports/train.json"
    if "best_step" in metrics:
        yield "best step", f"{metrics['best_step']} of {metrics['steps']}"


if __name__ == "__main__":
    main()
