"""One pipeline run at a time in a project, whoever starts it.

Two locks under `.cache/`. `run.lock` is held by `elek run` for its whole life, and its stages are let in by a
token in the environment. `stage.lock` is held by every stage while it lives, so that a stage whose `dvc` or
`elek run` was killed still keeps a second writer out. Both are locks of the operating system: they end with the
process that holds them, `kill -9` included, and none is ever stale.
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

from filelock import FileLock, Timeout

from elek.dataset import write_json
from elek.errors import LockError

TOKEN = "ELEK_RUN_TOKEN"  # noqa: S105 - the name of a variable, and no secret either


@contextmanager
def run_lock(project: Path) -> Iterator[None]:
    """Hold the project's run lock and let child processes in. Raises LockError at once if it is held."""
    token = secrets.token_hex(8)
    with _held(project, "run", token), _held(project, "stage", token, only_try=True):
        os.environ[TOKEN] = token
        try:
            yield
        finally:
            del os.environ[TOKEN]


@contextmanager
def stage_lock(project: Path) -> Iterator[None]:
    """Hold the stage lock, alone or inside the run that started this process. Raises LockError otherwise."""
    token = os.environ.get(TOKEN, "")
    holder = _read_holder(project, "run")
    inside_run = bool(token) and holder.get("token") == token
    if not inside_run:
        with _held(project, "run", token, only_try=True):
            pass
    with _held(project, "stage", token):
        yield


@contextmanager
def _held(project: Path, name: str, token: str, *, only_try: bool = False) -> Iterator[None]:
    folder = project / ".cache"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockError(
            f"another run is at work in this project: {describe(project)}",
            where=str(project),
            fix="wait for it to end, or stop it",
        ) from None
    if only_try:
        lock.release()
        yield
        return
    try:
        write_json(
            folder / f"{name}.holder.json",
            {
                "pid": os.getpid(),
                "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
                "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                "token": token,
            },
        )
        yield
    finally:
        (folder / f"{name}.holder.json").unlink(missing_ok=True)
        lock.release()


def _read_holder(project: Path, name: str) -> dict[str, str]:
    try:
        holder: dict[str, str] = json.loads((project / ".cache" / f"{name}.holder.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return holder


def describe(project: Path) -> str:
    """Who holds a lock, for people: process number, command and since when."""
    for name in ("run", "stage"):
        holder = _read_holder(project, name)
        if holder:
            return f"`{holder['command']}`, process {holder['pid']}, since {holder['since']}"
    return "a process that has only just begun"
