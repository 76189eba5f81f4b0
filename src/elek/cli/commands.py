"""The short commands. What is heavy is imported where it is used."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict

from elek.cli import console
from elek.errors import DataError, ParamsError


def run(*, as_json: bool) -> None:
    """`elek run`."""
    from elek.cli import summary
    from flows.run import run as run_flow

    project = console.project()
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        run_flow(project)
    if as_json:
        console.print_json(summary.collect(project))
    else:
        console.say()
        summary.show(project)


def schedule(*, cron: str | None, every: float | None, timezone: str) -> None:
    """`elek schedule`."""
    if (cron is None) == (every is None):
        raise ParamsError(
            "give either --cron or --every", where="elek schedule", fix='elek schedule --cron "0 3 * * *"'
        )
    from flows.deployments import schedule as serve

    serve(console.project(), cron=cron, every_minutes=every, timezone=timezone)


def register(*, promote: bool, as_json: bool) -> None:
    """`elek register`. Raises DataError where there is nothing to register or the pipeline is not up to date."""
    from elek.execution import lock
    from elek.tracking import registry
    from flows import environment, repro

    project = console.project()
    environment.apply(project)
    with lock.run_lock(project):
        stale = [step.name for step in repro.plan(project) if not repro.is_current(project, step.name)]
        if stale:
            raise DataError(f"not up to date: {', '.join(stale)}", where=str(project), fix="run `elek run`")
        outcome = registry.register(project, promote=promote)
    if outcome.state == "Skipped":
        raise DataError(": ".join(outcome.lines()), where=str(project))
    if as_json:
        console.print_json(asdict(outcome))
    else:
        console.say("\n".join(outcome.lines()))
