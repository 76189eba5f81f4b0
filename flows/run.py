"""`elek run`: the flow in this process, with a Prefect server of its own where none answers."""

from __future__ import annotations

from pathlib import Path

from elek import params
from elek.execution import lock
from elek.execution.processes import signals_raise
from flows import environment, server
from flows.interrupts import interrupts_stay


def run(project: Path) -> None:
    """Bring everything up to date and register the model. `project` must be the current folder.

    Raises ElekError: for wrong params and a held lock before anything is started, then with the exit code of the
    stage that failed. However it ends, no process that it started lives on.
    """
    params.validate(params.read(project / "params.yaml"))
    environment.apply(project)
    # Before the server: two of them at once on one new database would break each other.
    with interrupts_stay(), lock.run_lock(project), signals_raise(), server.api(project) as wait_for_server:
        from flows.pipeline import pipeline  # over a second: the server starts meanwhile

        wait_for_server()
        try:
            state = pipeline(return_state=True)
        finally:
            _deliver()
        state.result()


def _deliver() -> None:
    """Hand the last log lines and states to the server before it may end."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)
