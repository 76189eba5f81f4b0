"""`train`: token shards → a model, its shape and the history of its training.

Alone, with the processes of `train.distributed`, which it starts itself, or as one of those that an outer torchrun
started: `torchrun --nnodes 2 --nproc-per-node 8 … -m stages.train`, where the first process alone is the stage.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Read by GNU's OpenMP, which torch brings on Linux, when torch is loaded: how long a thread that waits for the other
# spins before it sleeps. By default so long that any other busy program costs training most of its speed. Measured on
# 2 cores, tokens a second, idle and beside one busy process: default 10,200 and 2,900; 1,000 turns 9,900 and 4,700;
# no turns 7,600 and 5,400. The bits are the same.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from elek.errors import ElekError
from elek.params import load
from elek.tracking.feed import Follower
from elek.training.job import forget, train
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
        speed, shown = stage.timing["tokens_per_second"], stage.metrics
        stage.summary = [
            ("model", f"{shown['parameters']:,} parameters, {_shape(stage.params)}, {shown['precision']}"),
            ("tokens", f"{shown['tokens']:,} in {shown['steps']} steps, {speed:,} a second{_mfu(stage.timing)}"),
            ("loss", f"{shown['train_loss']:.4f} training, {shown['validation_loss']:.4f} validation"),
            (
                "bits per byte",
                f"{shown['validation_bits_per_byte']:.4f} validation"
                + ("" if stage.params.objective == "causal" else ", of the pieces that are hidden"),
            ),
        ]
        if shown["skipped_steps"]:
            stage.summary.append(("skipped", f"{shown['skipped_steps']} steps, named in reports/train.json"))
        if "best_step" in shown:
            stage.summary.append(("best step", f"{shown['best_step']} of {shown['steps']}"))
    forget(stage.project)  # data/train stands: the checkpoints have served


def _follow() -> None:
    """Train along, write nothing."""
    project = Path.cwd()
    try:
        params = load(project / "params.yaml", "train", TrainParams)
        train(project, project / "data" / "tokenize", project / "data" / "vocab", project, params)
    except ElekError as error:
        sys.stderr.write(f"train: {error}\n")
        raise SystemExit(error.exit_code) from None


def _shape(params: TrainParams) -> str:
    return f"{params.model.layers} layers, {params.model.width} wide"


def _mfu(timing: dict[str, float]) -> str:
    return f", MFU {timing['mfu']:.0%}" if "mfu" in timing else ""


if __name__ == "__main__":
    main()
