"""One process of a distributed job that trains twice, sharded and whole: starting processes costs most of a test.

Where the file `die` stands in the project, the second process takes it away and kills itself after step 5.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from elek.training import job, launch, parallel
from elek.training.trainer import Trainer

KINDS = ("fsdp", "ddp")


def main() -> None:
    with parallel.joined("ddp") as world:
        train_twice(Path(sys.argv[1]), sys.argv[4], world)


def train_twice(project: Path, out: str, world: parallel.World) -> None:
    plain, take = launch.load, Trainer._step

    def step_and_die(self: Trainer) -> float:
        loss = take(self)
        if self.step == 5 and world.rank == 1 and (project / "die").exists():
            (project / "die").unlink()
            psutil.Process().kill()
        return loss

    Trainer._step = step_and_die  # type: ignore[method-assign]
    job.joined = lambda kind: nullcontext(replace(world, kind=kind))
    for kind in KINDS:

        def load(*arguments: Any, kind: str = kind) -> Any:
            params = plain(*arguments)
            return params.model_copy(update={"distributed": params.distributed.model_copy(update={"kind": kind})})

        launch.load = load
        sys.argv[4] = f"{out}-{kind}"
        launch.main()


if __name__ == "__main__":
    main()
