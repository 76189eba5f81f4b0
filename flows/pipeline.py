"""The pipeline as a Prefect flow: one task per stage of dvc.yaml, then registration.

DVC decides what must run. The flow runs one stage after the other in the main thread, so that a cancellation ends the
current stage with everything it started. A task ends as Ran, Cached (DVC had the result of the same inputs) or Skipped
(nothing changed). Import this after `flows.environment.apply`.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.logging.configuration import setup_logging
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from elek import params, results
from elek.errors import ElekError
from elek.execution import lock
from elek.tracking import registry
from flows import environment, repro
from flows.interrupts import check
from flows.terminal import Terminal, parse_progress

PROGRESS_SECONDS = 2.0  # between two updates of a progress artifact, each of which is a request

setup_logging()
for _name in ("prefect.flow_runs", "prefect.task_runs"):
    # A run's lines go to Prefect's pages; `Terminal` prints them once, as the stages wrote them.
    logging.getLogger(_name).propagate = False


@flow(name="elek", persist_result=False)
def pipeline() -> State[Any]:
    """Bring every output of dvc.yaml in the current folder up to date, then register the model."""
    project = Path.cwd()
    environment.apply(project)
    terminal = Terminal()
    try:
        params.validate(params.read(project / "params.yaml"))
        with lock.run_lock(project):
            return _run(project, terminal)
    except ElekError as error:
        return Failed(message=str(error), data=error)


def _run(project: Path, terminal: Terminal) -> State[Any]:
    states: dict[str, State[Any]] = {}
    last: dict[str, State[Any]] = {}  # of stages on which no other stage depends
    message = repro.remove_damaged_lock(project)
    if message:
        get_run_logger().warning(message)
        terminal.line(message)
    steps = repro.plan(project)
    for step in steps:
        check()
        upstream = [states[name] for name in step.upstream]
        states[step.name] = run_stage.with_options(task_run_name=step.name)(
            step.name, terminal, wait_for=upstream, return_state=True
        )
        if not states[step.name].is_completed():
            return _failed(states[step.name])
        last = {name: state for name, state in last.items() if name not in step.upstream}
        last[step.name] = states[step.name]
    registered = register.with_options(task_run_name="register")(terminal, wait_for=[*last.values()], return_state=True)
    _publish(project)
    if not registered.is_completed():
        return _failed(registered)
    counts = [f"{sum(state.name == kind for state in states.values())} {kind}" for kind in ("Ran", "Cached", "Skipped")]
    return Completed(message=", ".join(counts))


def _failed(state: State[Any]) -> State[Any]:
    """The state of the flow after a failed task. With the task's state, Prefect reports only `1/1 states failed`."""
    error = state.result(raise_on_failure=False)
    return Failed(message=state.message, data=error) if isinstance(error, ElekError) else state


@task(cache_policy=NO_CACHE, persist_result=False)
def run_stage(name: str, terminal: Terminal) -> State[Any]:
    """Run one stage by `dvc repro --single-item`, with its output in the run's log and its progress in an artifact."""
    project = Path.cwd()
    logger = get_run_logger()
    progress = ProgressArtifact(name)

    def on_line(line: str) -> None:
        logger.info(line)
        terminal.line(line)
        progress.line(line)

    try:
        if repro.is_current(project, name):
            outcome: repro.Outcome = "Skipped"
        else:
            terminal.begin(name)
            outcome = repro.reproduce(project, name, on_line)
    except ElekError as error:
        logger.error(str(error))
        return Failed(message=str(error), data=error)
    finally:
        terminal.end()
    progress.finish()
    said = {"Ran": "done", "Cached": "the same inputs had run before: outputs taken from DVC's cache"}
    message = said.get(outcome, "nothing changed")
    logger.info(message)
    if outcome != "Ran":
        terminal.line(f"{name:>9} │ {message}")
    return Completed(name=outcome, message=message)


@task(cache_policy=NO_CACHE, persist_result=False)
def register(terminal: Terminal) -> State[Any]:
    """Register the model with MLflow, unless this very model is registered already."""
    logger = get_run_logger()
    try:
        outcome = registry.register(Path.cwd(), flow_run_id=flow_run.get_id())
    except ElekError as error:
        logger.error(str(error))
        return Failed(message=str(error), data=error)
    for line in outcome.lines():
        logger.info(line)
        terminal.line(f" register │ {line}")
    return Completed(name=outcome.state, message=outcome.lines()[0])


class ProgressArtifact:
    """A stage's progress bar on Prefect's pages, from the plain lines of `elek.progress`."""

    def __init__(self, stage: str) -> None:
        self._key = "progress-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in stage.lower())
        self._stage = stage
        self._id: Any = None
        self._sent = float("-inf")

    def line(self, line: str) -> None:
        """Update the artifact if `line` is one of `elek.progress`; at most every `PROGRESS_SECONDS`."""
        progress = parse_progress(line)
        if progress is None or time.monotonic() - self._sent < PROGRESS_SECONDS:
            return
        self._sent = time.monotonic()
        self._send(100 * progress.done / max(progress.total, 1), f"{self._stage}: {line}")

    def finish(self) -> None:
        """Set the artifact, if there is one, to 100 per cent."""
        if self._id is not None:
            self._send(100.0, f"{self._stage}: done")

    def _send(self, percent: float, description: str) -> None:
        if self._id is None:
            self._id = create_progress_artifact(percent, key=self._key, description=description)
        else:
            update_progress_artifact(self._id, percent, description=description)


def _publish(project: Path) -> None:
    """Create artifacts of the flow run: the funnel of documents, and links to the results."""
    rows = results.funnel(project)
    if rows:
        create_table_artifact(
            key="funnel", table=rows, description="Documents at every stage, and why they were dropped"
        )
    page = project / "data" / "report" / "index.html"
    outcome = registry.last_outcome(project)
    lines = ["# Where to look", ""]
    if page.is_file():
        create_link_artifact(
            key="report", link=page.as_uri(), link_text="The report", description="Self-contained HTML"
        )
        lines.append(f"- report: `{page.relative_to(project).as_posix()}`")
    if outcome is not None:
        lines += [f"- {line}" for line in outcome.lines()]
        lines.append(f"- MLflow: `elek ui`, then `/#/models/{outcome.model}`")
    create_markdown_artifact(key="summary", markdown="\n".join(lines))
