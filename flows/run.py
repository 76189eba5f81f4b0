"""`elek run`: the flow in this process, with a temporary Prefect server if none is running."""

from __future__ import annotations

from pathlib import Path

from elek import params
from elek.execution import lock
from elek.execution.processes import signals_raise
from flows import environment, server
from flows.interrupts import keep_interrupts


def run(project: Path) -> None:
    """Bring everything up to date and register the model. `project` must be the current folder.

    Raises ElekError for wrong params or a held lock before anything is started, and later with the exit code of a
    failed stage. In any case, all processes that it started have ended afterwards.
    """
    params.validate(params.read(project / "params.yaml"))
    environment.apply(project)
    # The lock comes before the server, because two servers that create one database at the same time would fail.
    with keep_interrupts(), lock.run_lock(project), signals_raise(), server.api(project) as wait_for_server:
        from flows.pipeline import pipeline  # takes over a second, while the server starts

        wait_for_server()
        try:
            state = pipeline(return_state=True)
        finally:
            _flush_to_server()
        state.result()


def _flush_to_server() -> None:
    """Send the last log lines and states to the server before it ends."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)
