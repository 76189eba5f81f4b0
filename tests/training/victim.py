"""A training run as the whole of a process, which kills itself where it is told; see `tests.apart`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil

from elek.errors import ElekError
from elek.model.files import save_model
from elek.training import checkpoint, trainer
from tests.training.runs import make_trainer


def run(root: Path, out: Path, log: Path, death: str, changes: dict[str, Any]) -> None:
    """Train to the end, checkpoints in `root`, the model into `out`, what is said into `log`.

    `death` is `step:7` for SIGKILL after the seventh step, `tensors:10` or `manifest:10` for one inside the checkpoint
    of step 10 when that file was written, `term:7` for a SIGTERM in the seventh step, `never`.
    """
    run = make_trainer(root, **{"steps": 24, "checkpoint_every": 5, "batch": 6, "micro_batch": 2, **changes})
    kind, _, number = death.partition(":")
    write = checkpoint._write

    def write_and_die(path: Path, content: bytes) -> None:
        write(path, content)
        if path.name.startswith(kind) and path.parent.name == f".step-{int(number or 0):08d}.tmp":
            psutil.Process().kill()

    class DyingProgress(trainer.Progress):
        def advance(self, steps: int = 1, note: str = "") -> None:
            if kind == "step" and run.step == int(number):
                psutil.Process().kill()
            if kind == "term" and run.step == int(number):
                os.kill(os.getpid(), signal.SIGTERM)

    checkpoint._write = write_and_die
    trainer.Progress = DyingProgress  # type: ignore[misc]
    sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    try:
        save_model(out, run.run().model)
    except ElekError as error:
        raise SystemExit(error.exit_code) from None
