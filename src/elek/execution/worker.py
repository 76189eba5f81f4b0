"""What every worker process does first, whichever engine started it, and the error for workers that were killed."""

from __future__ import annotations

import multiprocessing
import os
import threading

from elek.errors import WorkerError


def begin_worker() -> None:
    """Prepare this process for work: one thread, and an end when its parent ends."""
    # One process per core is the parallelism; more threads in each would only compete for the same cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker holds both ends of its queue's pipe, so it does not notice there that its parent was killed.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def killed_error(label: str) -> WorkerError:
    """The error to raise when the engine gives up because workers keep being killed."""
    return WorkerError(
        f"worker processes of `{label}` were killed again and again",
        fix="most often memory ran out: lower execution.workers or fetch.part_megabytes in params.yaml",
    )
