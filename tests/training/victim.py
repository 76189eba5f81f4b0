"""A training run in a process of its own, which kills itself where it is told: `python -m tests.training.victim`.

Arguments: folder for checkpoints, folder for the model, precision, and where to die: `step:7` after the seventh
step, `tensors:10` or `manifest:10` inside the checkpoint of step 10 when that file was written, `term:7` for a
SIGTERM to itself in the seventh step, `never`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

from elek.errors import ElekError
from elek.model.files import save_model
from elek.training import checkpoint, trainer
from tests.training.runs import make_trainer


def main() -> None:
    root, out, precision, death = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    run = make_trainer(root, precision=precision, steps=24, checkpoint_every=5, batch=6, micro_batch=2)
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
    try:
        save_model(out, run.run().model)
    except ElekError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
