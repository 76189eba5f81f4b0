"""Memory of training: what `elek explain` says beside what the system gives a process.

    python -m benchmarks.training_memory                  # 6 × 384, some half a minute a row
    python -m benchmarks.training_memory --quick          # two rows

Each row trains in a process of its own on made-up tokens, with a checkpoint being written meanwhile. What counts is
how far its resident memory rises (Linux: VmHWM) above what it was after a model of nothing was trained in the same
way: by then PyTorch has loaded what it needs. The C library keeps what is freed, as it does in the stage
(`elek.training.runtime.keep_memory`). The copies for the checkpoint may be gone before the fullest moment comes: then
less is taken than told.

The ratio is highest where little is told, as with activation checkpointing in float32: the rest are gaps in the C
library's heap. (At the sample run's shape `mallinfo2` says that 149 MiB are in use where 144 were told.)
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SHAPE = {"context": 256, "layers": 6, "width": 384, "heads": 6}
VOCAB, STEPS = 8000, 3
ROWS: list[dict[str, Any]] = [
    {"precision": "bf16", "optimizer": {"name": "muon"}},
    {"precision": "fp32", "optimizer": {"name": "adamw"}, "micro_batch": 4},
    {"precision": "fp32", "optimizer": {"name": "adamw"}},
    {"precision": "bf16", "optimizer": {"name": "muon"}, "micro_batch": 4},
    {"precision": "bf16", "optimizer": {"name": "muon"}, "activation_checkpointing": True},
    {"precision": "fp32", "optimizer": {"name": "adamw"}, "activation_checkpointing": True},
]


def resident(name: str) -> int:
    """`VmHWM`, the most that this process ever held, or `VmRSS`, what it holds now; bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def train(values: dict[str, Any]) -> None:
    """Train a few steps and print what was told and what was taken, as JSON."""
    import numpy as np

    from elek.training.params import TrainParams
    from elek.training.runtime import choose_runtime, keep_memory
    from elek.training.trainer import Trainer
    from tests.training.stream import ArrayStream

    keep_memory()
    params = TrainParams.model_validate(values)
    config = params.config(VOCAB)
    tokens = np.random.default_rng(1).integers(5, VOCAB, 60_000).astype(np.uint16)
    train, validation = (ArrayStream(part, vocab_size=VOCAB) for part in np.split(tokens, [50_000]))
    small = TrainParams.model_validate({**values, "model": {**SHAPE, "layers": 1, "width": 32, "heads": 1}})
    with tempfile.TemporaryDirectory() as folder:
        Trainer(small, train, validation, Path(folder)).run()
        gc.collect()
        before = resident("VmRSS")
        Trainer(params, train, validation, Path(folder)).run()
    taken = resident("VmHWM") - before
    from elek.training.explain import explain  # after: its imports are no part of training

    print(
        json.dumps(
            {"told": explain(config, params, choose_runtime(params.precision).precision).peak_memory, "taken": taken}
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first two rows")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        train(json.loads(options.one))
        return
    print(f"{'batch 16 × 256 tokens':52}{'explain':>12}{'taken':>12}{'ratio':>8}")
    for row in ROWS[: 2 if options.quick else None]:
        common = {"model": SHAPE, "batch": 16, "steps": STEPS, "threads": 1, "checkpoint_every": 1}
        values = {**common, "validation": {"every": 2, "windows": 16}, **row}
        command = [sys.executable, "-m", "benchmarks.training_memory", "--one", json.dumps(values)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        name = f"{row['precision']}, {row['optimizer']['name']}, micro-batch {row.get('micro_batch', 16)}"
        name += ", checkpointing" if row.get("activation_checkpointing") else ""
        told, taken = (found[key] / 2**20 for key in ("told", "taken"))
        print(f"{name:52}{told:>8.0f} MiB{taken:>8.0f} MiB{taken / told:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
