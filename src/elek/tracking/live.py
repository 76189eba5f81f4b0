"""The process that shows a training in MLflow while it runs: `python -m elek.tracking.live PROJECT AFTER`.

It reads what the training writes (`elek.training.watching`), sends it in batches, all of it whenever a checkpoint
stands and at the end, and hears of the end on its standard input (`elek.tracking.feed`). MLflow's failures are told
once, counted, and tried again; a training is never told of them. What never came through, `register` logs.
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
"""From one batch to the next."""
LOOK_SECONDS = 0.5
"""From one look at the files to the next."""
PATIENCE_SECONDS = 60.0
"""The longest from one batch to the next, while MLflow fails."""
FAREWELL_SECONDS = 60.0
"""The longest that this process outlives a training that was killed."""

Say = Callable[[str], None]


class Ending:
    """How the training ended, once it has."""

    def __init__(self, stream: IO[str]) -> None:
        self._over = threading.Event()
        self._said = ""
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    def _listen(self, stream: IO[str]) -> None:
        self._said = stream.read()  # to the end of file, which comes when the training's process is gone
        self._over.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, within so many seconds."""
        return self._over.wait(seconds)

    @property
    def word(self) -> dict[str, str]:
        """Its last word (`feed.last_word`); that it was killed, where it said nothing."""
        try:
            word: dict[str, str] = json.loads(self._said)
        except ValueError:
            return {"status": "KILLED", "words": "its process was killed"}
        return word


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
        batches.look(now=newest != saved)
        saved = newest
    batches.end(ending.word)


class Batches:
    """Points of a training on their way to MLflow, and what became of it."""

    def __init__(self, project: Path, course: dict[str, Any], say: Say, every: float) -> None:
        from elek.params import load
        from elek.tracking.registry import RegisterParams

        self._project, self._course, self._say, self._every = project, course, say, every
        self._model = load(project / "params.yaml", "register", RegisterParams).model
        self._run: TrainingRun | None = None
        self._due, self._pause = 0.0, every
        self.sent, self.failed = 0, 0

    def look(self, *, now: bool = False) -> None:
        """Take what is new in the files; send it if it is time, or `now`."""
        if now or time.monotonic() >= self._due:
            self._send(lambda run: run.log(self._project))

    def end(self, word: dict[str, str]) -> None:
        """Send the rest and say how it ended."""

        def finish(run: TrainingRun) -> None:
            run.log(self._project)
            run.end(self._project, word["status"], word["words"])

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
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # those are meant for the training, whose end is ours
    # A server that does not answer is asked again with the next batch.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    _make_way()
    told = sys.stderr
    logs = project / ".cache" / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        told.write(f"train: {text}\n")
        told.flush()

    with (logs / "tracking.log").open("w", encoding="utf-8", newline="\n") as log:
        sys.stdout = sys.stderr = log  # for what libraries say
        ending = Ending(sys.stdin)
        threading.Thread(target=_leave_in_time, args=(ending,), daemon=True).start()
        try:
            follow(project, ending, say, after=float(sys.argv[2]))
        except Exception as error:  # noqa: BLE001 - a bug of ours, told in words: training goes on without
            traceback.print_exc(file=log)
            say(f"nothing more is shown in MLflow: {type(error).__name__}: {error} (see {log.name})")


def _leave_in_time(ending: Ending) -> None:
    while not ending.wait(60):
        pass
    time.sleep(FAREWELL_SECONDS)
    os._exit(1)


def _make_way() -> None:
    """Let the training have the processor first."""
    import psutil

    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        psutil.Process().nice(5)


if __name__ == "__main__":
    main()
