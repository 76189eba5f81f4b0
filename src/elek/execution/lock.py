"""One pipeline run at a time in a project, whoever starts it.

Two locks under `.cache/`. `run.lock` is held by `elek run` for its whole life, and by a stage that somebody
starts alone, by hand or by a bare `dvc repro`, for its own; the stages of a run are let in by a token in the
environment. `stage.lock` is held by every stage while it runs, so that a stage whose `dvc` or `elek run` was
killed still keeps a second writer out. Both are locks of the operating system: they end with the process that
holds them, even after `kill -9`, so there are no stale locks. A file beside each names its holder, for people to read.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from elek.dataset import write_json
from elek.errors import LockError

TOKEN = "ELEK_RUN_TOKEN"  # noqa: S105 - the name of a variable, and no secret either


@contextmanager
def run_lock(project: Path) -> Iterator[None]:
    """Hold the project's run lock and admit child processes. Raises LockError at once if another run is active.

    Inside a run that holds it already, such as the flow of `elek run`, this does nothing.
    """
    if _inside_run(project):
        yield
        return
    token = secrets.token_hex(8)
    with _held(project, "run", token):
        with _held(project, "stage", token):
            pass  # make sure that no stage has outlived its run
        outer = os.environ.get(TOKEN)
        os.environ[TOKEN] = token
        try:
            yield
        finally:
            if outer is None:
                del os.environ[TOKEN]
            else:
                os.environ[TOKEN] = outer


@contextmanager
def stage_lock(project: Path) -> Iterator[None]:
    """Hold the stage lock, alone or inside the run that started this process. Raises LockError otherwise."""
    if _inside_run(project):
        with _held(project, "stage", os.environ[TOKEN]):
            yield
    else:
        with _held(project, "run", ""), _held(project, "stage", ""):
            yield


def _inside_run(project: Path) -> bool:
    token = os.environ.get(TOKEN, "")
    return bool(token) and _read_holder(project, "run").get("token") == token


def check_free(project: Path) -> None:
    """Raise LockError if a run or a stage is active in the project, before anything slow is begun."""
    for name in ("run", "stage"):
        with _held(project, name, ""):
            pass


def holder(project: Path) -> str | None:
    """The active run or stage in words, or None."""
    try:
        check_free(project)
    except LockError as error:
        return error.what
    return None


@contextmanager
def _held(project: Path, name: str, token: str) -> Iterator[None]:
    folder = project / ".cache"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockError(
            f"another run is at work in this project: {_describe(project, name)}",
            where=str(project),
            fix="wait for it to end, or stop it",
        ) from None
    holder_file = _holder_file(project, name)
    try:
        write_json(
            holder_file,
            {
                "pid": os.getpid(),
                "command": _command(),
                "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                "token": token,
            },
        )
        yield
    finally:
        holder_file.unlink(missing_ok=True)
        lock.release()


def _command() -> str:
    """The command line as a person types it; for `python -m stages.clean`, argv has only the path of the file."""
    main = sys.modules["__main__"].__spec__
    program = f"python -m {main.name}" if main else Path(sys.argv[0]).name
    return " ".join([program, *sys.argv[1:]])


def _holder_file(project: Path, name: str) -> Path:
    return project / ".cache" / f"{name}.holder.json"


def _read_holder(project: Path, name: str) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_holder_file(project, name).read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError, json.JSONDecodeError):
        return {}  # just started, or being renamed right now (Windows)
    return found


def _describe(project: Path, name: str) -> str:
    found = _read_holder(project, name)
    # A killed holder leaves its file behind, and the next one needs a moment to write its own.
    if not found or not psutil.pid_exists(int(found["pid"])):
        return "a process that has only just begun"
    return f"`{found['command']}`, process {found['pid']}, since {found['since']}"
