"""`elek doctor`: is everything here that a run needs, and what is to be done where it is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil
import typer

from elek import __version__, servers
from elek.cli import console
from elek.errors import ElekError, of_system
from elek.execution import lock
from elek.lineage import worktree

State = Literal["ok", "warning", "wrong"]
MARKS: dict[State, str] = {"ok": "ok", "warning": "!", "wrong": "✗"}

# Newer ones install without complaint and break the Prefect server; see pyproject.toml.
CAPS = {"fastapi": (0, 151), "sqlalchemy": (2, 1)}
PACKAGES = ("dvc", "prefect", "mlflow", "fastapi", "sqlalchemy", "torch", "sentencepiece", "pyarrow", "datasets")


@dataclass(frozen=True)
class Finding:
    """One line of the report. `fix` says what to do where the state is not ok."""

    topic: str
    state: State
    what: str
    fix: str = ""


def doctor(*, as_json: bool) -> None:
    """Print every finding; exit code 1 if something is wrong."""
    findings = list(examine())
    if as_json:
        console.print_json([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.topic) for finding in findings)
        for finding in findings:
            console.say(f"{MARKS[finding.state]:>2}  {finding.topic:<{width}}  {finding.what}")
            if finding.fix and finding.state != "ok":
                console.say(f"{'':>{width + 6}}fix: {finding.fix}")
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Installation first, then the machine, then the project, each check on its own."""
    yield _python()
    yield Finding("elek", "ok", __version__)
    yield from _packages()
    yield from _machine()
    try:
        project = console.project()
    except ElekError as error:
        yield _wrong("project", error)
        return
    checks: list[tuple[str, Callable[[Path], Finding]]] = [
        ("params", _params),
        ("models", _models),
        ("git", _git),
        ("lock", _lock),
        ("dvc lock", _dvc_lock),
        ("pipeline", _pipeline),
        ("servers", _servers),
    ]
    for topic, check in checks:
        try:
            yield check(project)
        except (ElekError, OSError) as error:
            told = error if isinstance(error, ElekError) else of_system(error)
            if told is None:
                raise
            yield _wrong(topic, told)


def _wrong(topic: str, error: ElekError) -> Finding:
    return Finding(topic, "wrong", f"{error.what} ({error.where})" if error.where else error.what, error.fix or "")


def _python() -> Finding:
    fits = (3, 11) <= sys.version_info[:2] < (3, 15)
    what = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok" if fits else "wrong", what, "Elek needs Python 3.11 to 3.14")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(name, "wrong", "not installed", "install requirements.lock anew: see the README")
            continue
        cap = CAPS.get(name)
        fits = cap is None or tuple(int(part) for part in found.split(".")[:2]) < cap
        below = ".".join(str(part) for part in cap or ())
        yield Finding(name, "ok" if fits else "wrong", found, f"Prefect's server needs {name} below {below}")


def _machine() -> Iterator[Finding]:
    yield Finding("cores", "ok", str(os.cpu_count()))
    memory = psutil.virtual_memory()
    free = memory.available / 2**30
    what = f"{free:.1f} GiB free of {memory.total / 2**30:.1f}"
    yield Finding("memory", "ok" if free > 4 else "warning", what, "the sample pipeline needs up to 4 GiB")
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    state: State = "ok" if disk > 4 else "warning" if disk > 1 else "wrong"
    yield Finding("disk", state, f"{disk:.1f} GiB free", "DVC's cache keeps old results: `dvc gc -w` drops them")


def _params(project: Path) -> Finding:
    from elek import params

    sections = params.validate(params.read(project / "params.yaml"))
    return Finding("params", "ok", f"params.yaml is valid, {len(sections)} sections")


def _models(project: Path) -> Finding:
    """Whether the classifiers that params name are there, and are the ones that they name."""
    from elek import params
    from elek.classifier.model import load
    from elek.classifier.settings import ModelSettings
    from elek.filtering.annotation import AnnotateParams

    annotate = params.load(project / "params.yaml", "annotate", AnnotateParams)
    told = []
    for task, name in (("toxicity", "toxicity"), ("quality", "quality_model")):
        settings = annotate.settings.root.get(name)
        if isinstance(settings, ModelSettings) and settings.model is not None:
            load(project / settings.model, settings.sha256).expect(task)
            told.append(f"{name} by {settings.model}")
        else:
            without = "its signal is null" if task == "quality" else "word list and cues alone"
            told.append(f"no model for {name}: {without}")
    return Finding("models", "ok", "; ".join(told))


def _git(project: Path) -> Finding:
    origin = worktree.read(project)
    if origin.untraceable:
        fix = "commit: a model is promoted only where a commit holds what made it"
        return Finding("git", "warning", origin.untraceable, fix)
    return Finding("git", "ok", f"clean at {str(origin.commit)[:12]}")


def _lock(project: Path) -> Finding:
    holder = lock.holder(project)
    return Finding("lock", "warning" if holder else "ok", holder or "free", "wait for it to end, or stop it")


def _dvc_lock(project: Path) -> Finding:
    from flows import repro

    if repro.damaged_lock(project) is None:
        return Finding("dvc lock", "ok", "whole")
    what = ".dvc/tmp/rwlock is half-written, as a killed DVC leaves it: no DVC command works"
    return Finding("dvc lock", "wrong", what, "`elek run` removes it; or delete it, while no DVC is at work")


def _pipeline(project: Path) -> Finding:
    from flows import environment, repro

    if lock.holder(project):
        return Finding("pipeline", "warning", "not looked at while a run is at work", "ask again when it has ended")
    environment.apply(project)
    steps = repro.plan(project)
    stale = [step.name for step in steps if not repro.is_current(project, step.name)]
    if stale:
        return Finding("pipeline", "warning", f"not up to date: {', '.join(stale)}", "`elek run`, or `dvc repro`")
    return Finding("pipeline", "ok", f"{len(steps)} stages, all up to date")


def _servers(project: Path) -> Finding:
    from flows.server import healthy

    found = servers.addresses(project)
    if found:
        silent = [url for name, url in found.items() if not healthy(f"{url}{'/api' * (name == 'prefect')}/health")]
        what = f"{', '.join(found.values())}" if not silent else f"{', '.join(silent)} does not answer"
        return Finding("servers", "warning" if silent else "ok", what, "stop `elek ui` and start it again")
    given = os.environ.get("PREFECT_API_URL")
    if given and not healthy(f"{given}/health"):
        return Finding("servers", "wrong", f"PREFECT_API_URL is {given}, which does not answer", "unset it")
    store = os.environ.get("MLFLOW_TRACKING_URI", "")
    if store.startswith("http") and not healthy(f"{store}/health"):
        what = f"MLFLOW_TRACKING_URI is {store}, which does not answer"
        return Finding(
            "servers", "warning", what, "start it, or unset the variable: the project's own mlflow.db will do"
        )
    return Finding("servers", "ok", given or "none running, and none needed; `elek ui` starts them")
