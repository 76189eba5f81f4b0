"""Several training processes on this machine, started by torchrun's launcher, which ends all of them when one ends.

`launch` is called by the stage; each process runs `python -m elek.training.launch PROJECT SHARDS VOCAB OUT MESSAGES`,
trains, and writes its facts or its error as a JSON file into the folder MESSAGES.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from elek import errors
from elek.dataset import write_json
from elek.errors import ElekError, TrainingError
from elek.params import load
from elek.training.job import CHECKPOINTS, Facts, train
from elek.training.parallel import LostError, outer_world
from elek.training.params import TrainParams


def launch(
    project: Path, shards: Path, vocab: Path, out: Path, processes: int, module: str = "elek.training.launch"
) -> Facts:
    """Train with `processes` processes and return the first one's facts (see `job.train`).

    Raises the ElekError that one of them met, TrainingError where one died; the others are ended within half a
    minute, and the last checkpoint stands. Asked to stop, all save one checkpoint and leave.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # `_cause` reports the same in plain words
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="elek",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
    )
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    dead: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            elastic_launch(config, sys.executable)(
                "-m", module, str(project), str(shards), str(vocab), str(out), folder
            )
        except ChildFailedError as error:
            dead = {rank: failure.exitcode for rank, failure in error.failures.items()}
        except SignalException as error:
            dead = {0: -int(error.sigval)}
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(folder).glob("*.json"))}
    if not dead:
        facts: Facts = said["facts.json"]
        return facts
    raise _cause(dead, said, processes, project / CHECKPOINTS)


def _cause(dead: dict[int, int], said: dict[str, Facts], processes: int, checkpoints: Path) -> ElekError:
    """The error that ended the job, out of all messages and exit codes.

    A `LostError` is only an effect, and so is SIGTERM, by which the launcher ends the remaining processes.
    """
    told = [message for name, message in said.items() if name.startswith("error-")]
    for message in told:
        if not message["lost"]:
            kind: type[ElekError] = getattr(errors, message["kind"])
            return kind(message["what"], where=message["where"], fix=message["fix"])
    effects = {-signal.SIGTERM: 2, TrainingError.exit_code: 1}
    rank, code = min(dead.items(), key=lambda pair: (effects.get(pair[1], 0), pair[0]))
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    what = f"process {rank} of {processes} {how}, and the others were ended"
    if effects.get(code) == 1:  # only processes that lost others: report what the first one noticed
        what = told[0]["what"]
    return TrainingError(
        what,
        where=str(checkpoints),
        fix="run it again: training goes on from the last checkpoint there"
        + (" (SIGKILL is most often want of memory)" if how.endswith("SIGKILL") else ""),
    )


def main() -> None:
    """Run one process of the job; the arguments are on the command line."""
    project, shards, vocab, out, messages = (Path(argument) for argument in sys.argv[1:6])
    rank = outer_world()[0]
    try:
        facts = train(project, shards, vocab, out, load(project / "params.yaml", "train", TrainParams))
    except ElekError as error:
        said = {"what": error.what, "where": error.where, "fix": error.fix}
        lost = isinstance(error, LostError)
        kind = "TrainingError" if lost else type(error).__name__
        write_json(messages / f"error-{rank:05d}.json", {**said, "kind": kind, "lost": lost})
        raise SystemExit(error.exit_code) from None
    if rank == 0:
        write_json(messages / "facts.json", facts)


if __name__ == "__main__":
    main()
