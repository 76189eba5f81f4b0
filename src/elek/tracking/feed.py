"""A process beside the training that shows it in MLflow while it runs, and can neither slow nor end it.

It is started by its name and never imported here: MLflow is not loaded where a model trains, and no change in what is
shown makes a model anew (`stages._deps` follows imports). What there is to show it reads from the files that
`elek.training.watching` keeps, so that nothing here waits for it before the end; its standard input is how it hears
of that: one line of JSON, or none where the training was killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from elek.errors import StoppedError
from elek.params import load
from elek.tracking.params import TrackingParams
from elek.training.history import COURSE

AFTER_SECONDS = 10.0
"""How long a training lasts before it is shown. Loading MLflow takes two seconds of a processor: a training that is
over by then is left to registration."""
END_SECONDS = 15.0
"""How long the last batch may take, at the end of a training."""


class Follower:
    """`with Follower() as follower, Stage(…): follower.start(project)`: it hears how the stage ended, outputs and all.

    Nothing that MLflow does ends the block with an error.
    """

    def __init__(self, after: float = AFTER_SECONDS) -> None:
        self._after = after
        self._process: subprocess.Popen[str] | None = None

    def start(self, project: Path) -> None:
        """Start to follow the training that begins in `project`, if `tracking.live` is set."""
        # Like `execution`, a section that says how and never what: DVC is not told of it.
        if not load(project / "params.yaml", "tracking", TrackingParams).live:
            return
        (project / COURSE).unlink(missing_ok=True)  # of the training before
        # In a group of its own, so that Ctrl-C reaches the training alone, which then says how it ended.
        own_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "elek.tracking.live", str(project), str(self._after)],
            cwd=project,
            stdin=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **own_group,
        )

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is None:
            return
        try:
            self._process.communicate(json.dumps(outcome_of(error)) + "\n", timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            sys.stderr.write("train: MLflow took too long to answer; registration logs what it is missing\n")


def outcome_of(error: BaseException | None) -> dict[str, str]:
    """How a training ended: `status` as MLflow calls it, and the reason in `words`."""
    # A stage prints its error and exits with a code; the original error is then the context of SystemExit.
    cause = error.__context__ or error if isinstance(error, SystemExit) else error
    if cause is None:
        return {"status": "FINISHED", "words": ""}
    words = getattr(cause, "what", None) or str(cause) or type(cause).__name__
    asked = isinstance(cause, StoppedError | KeyboardInterrupt)
    return {"status": "KILLED" if asked else "FAILED", "words": words}
