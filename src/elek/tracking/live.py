"""The process that shows a training in MLflow while it runs: `python -m elek.tracking.live PROJECT AFTER`.

It reads the files of the training (`elek.training.watching`) and sends new rows in batches, also at every checkpoint
and at the end, of which it learns from its standard input (`elek.tracking.feed`). Failures of MLflow are reported once,
counted, and retried; they never affect the training. `register` logs whatever could not be sent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elek.tracking.runs import TrainingRun

EVERY_SECONDS = 5.0
"""Time between two batches."""
LOOK_SECONDS = 0.5
"""Time between two checks of the files."""
PATIENCE_SECONDS = 60.0
"""Longest time between two batches while MLflow fails."""
FAREWELL_SECONDS = 60.0
"""Longest time that this process continues after a training that was killed."""

Say = Callable[[str], None]


class Ending:
    """Waits for the end of the training, and knows how it ended."""

    def __init__(self, stream: IO[str]) -> None:
        self._over = threading.Event()
        self._said = ""
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    def _listen(self, stream: IO[str]) -> None:
        # Reads up to the end of file, which comes at the latest when the process of the training ends.
        self._said = stream.read()
        self._over.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; returns whether the training has ended."""
        return self._over.wait(seconds)

    @property
    def outcome(self) -> dict[str, str]:
        """`status` and `words` (`feed.outcome_of`); if the training sent none, that it was killed."""
        try:
            outcome: dict[str, str] = json.loads(self._said)
        except ValueError:
            return {"status": "KILLED", "words": "its process was killed"}
        return outcome


def follow(project: Path, ending: Ending, say: Say, *, after: float, every: float = EVERY_SECONDS) -> None:
    """Show the training in `project` until it ends, if it lasts longer than `after` seconds."""
    if ending.wait(after):
        return
    from elek.training.history import COURSE

    while not (project / COURSE).is_file():
        if ending.wait(LOOK_SECONDS):
            return
    course: dict[str, Any] = json.loads((project / COURSE).read_text(encoding="utf-8"))
    batches = Batches(project, course, say, every)
    checkpoints = project / course["checkpoints"]
    saved = ""
    while not ending.wait(LOOK_SECONDS):
        newest = max((path.name for path in checkpoints.glob("step-*")), default="")
        batches.send_new(now=newest != saved)
        saved = newest
    batches.end(ending.outcome)


class Batches:
    """Sends the points of a training to MLflow in batches."""

    def __init__(self, project: Path, course: dict[str, Any], say: Say, every: float) -> None:
        from elek.params import load
        from elek.tracking.registry import RegisterParams

        self._project, self._course, self._say, self._every = project, course, say, every
        self._model = load(project / "params.yaml", "register", RegisterParams).model
        self._run: TrainingRun | None = None
        self._due, self._pause = 0.0, every
        self.sent, self.failed = 0, 0

    def send_new(self, *, now: bool = False) -> None:
        """Send what is new in the files if a batch is due, or `now`."""
        if now or time.monotonic() >= self._due:
            self._send(lambda run: run.log(self._project))

    def end(self, outcome: dict[str, str]) -> None:
        """Send the rest, and how the training ended."""

        def finish(run: TrainingRun) -> None:
            run.log(self._project)
            run.end(self._project, outcome["status"], outcome["words"])

        self._send(finish)
        if self.failed:
            self._say(f"{self.failed} of {self.sent} batches for MLflow failed; registration logs what it is missing")

    def _send(self, action: Callable[[TrainingRun], None]) -> None:
        from elek.errors import ElekError
        from elek.tracking.runs import TrainingRun
        from elek.tracking.store import open_store

        self.sent += 1
        try:
            with open_store(self._project, self._model) as store:
                if self._run is None:
                    self._run = TrainingRun(store.client, store.experiment, self._project, self._course)
                    if self._run.told:
                        self._say(self._run.told)
                action(self._run)
            self._pause = self._every
        except ElekError as error:
            if not self.failed:
                self._say(f"{error.what} ({error.where}); training goes on, and registration logs what is missing")
            self.failed += 1
            self._pause = min(2 * self._pause, PATIENCE_SECONDS)
        self._due = time.monotonic() + self._pause


def main() -> None:
    """Follow the training in the project that the command line names; its standard error is the training's."""
    project = Path(sys.argv[1])
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # meant for the training; this process ends after it
    # A server that does not answer is tried again with the next batch.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    _lower_priority()
    told = sys.stderr
    logs = project / ".cache" / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        told.write(f"train: {text}\n")
        told.flush()

    with (logs / "tracking.log").open("w", encoding="utf-8", newline="\n") as log:
        sys.stdout = sys.stderr = log  # for messages of libraries
        ending = Ending(sys.stdin)
        threading.Thread(target=_exit_after_farewell, args=(ending,), daemon=True).start()
        try:
            follow(project, ending, say, after=float(sys.argv[2]))
        except Exception as error:  # noqa: BLE001 - report a bug of ours; the training continues without MLflow
            traceback.print_exc(file=log)
            say(f"nothing more is shown in MLflow: {type(error).__name__}: {error} (see {log.name})")


def _exit_after_farewell(ending: Ending) -> None:
    while not ending.wait(60):
        pass
    time.sleep(FAREWELL_SECONDS)
    os._exit(1)


def _lower_priority() -> None:
    """Give the training priority on the processor."""
    import psutil

    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        psutil.Process().nice(5)


if __name__ == "__main__":
    main()
