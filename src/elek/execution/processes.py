"""Child processes that end with their whole tree, on every system.

A child gets a session (on Windows: a process group) of its own, so that Ctrl-C reaches only this process, which
decides in which order the others end. `stop` ends the child and all its descendants.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

GRACE_SECONDS = 10.0
"""How long a process may take to end once it was asked to: enough for training to write its last checkpoint."""


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    stdin: int | IO[Any] | None = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = None,
) -> subprocess.Popen[str]:
    """Start `command` in a session of its own, stderr going where stdout goes."""
    own_group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        **own_group,
    )


def stop(process: subprocess.Popen[str], *, grace: float = GRACE_SECONDS, leaves_first: bool = False) -> None:
    """End `process` and its descendants: ask first, kill after `grace` seconds. Harmless when all have ended.

    With `leaves_first`, the descendants are ended first. `process` then has time to tidy up and end by itself before it
    is interrupted. Otherwise all are asked at once.
    """
    others = [member for member in [*_tree(process.pid), *_session(process.pid)] if member.pid != process.pid]
    try:
        _ask(others)
        if leaves_first and others:
            _, alive = psutil.wait_procs(others, timeout=grace)
            _kill(alive)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=grace / 2)
        if process.poll() is None:
            if not leaves_first:
                process.terminate()
            elif sys.platform != "win32":
                process.send_signal(signal.SIGINT)
        psutil.wait_procs(others, timeout=grace)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace)
    finally:  # also after a second Ctrl-C
        rest = [*others, *_tree(process.pid), *_session(process.pid)]
        _kill(rest)
        psutil.wait_procs(rest, timeout=grace)
        process.wait()


def stop_children(*, asked: bool, grace: float = 2 * GRACE_SECONDS) -> None:
    """End all descendants of this process. Children end their own children, if they are given time.

    `asked` says that they have already received a signal. Then they are asked again only after `grace` seconds, since a
    second signal would interrupt one that is tidying up.
    """
    me = psutil.Process()
    everybody = [child for child in me.children(recursive=True) if not _is_tracker(child)]
    try:
        if asked:
            psutil.wait_procs(everybody, timeout=grace)
        _ask(child for child in me.children() if not _is_tracker(child))
        psutil.wait_procs(everybody, timeout=grace)
    finally:
        _kill(everybody)


def _is_tracker(process: psutil.Process) -> bool:
    # A helper of multiprocessing: it ignores SIGTERM and ends together with this process.
    try:
        return any("multiprocessing.resource_tracker" in argument for argument in process.cmdline())
    except psutil.Error:
        return False


def _ask(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _session(leader: int) -> list[psutil.Process]:
    """Processes in the session of `leader`: also those that left the tree because their parent died."""
    if sys.platform == "win32":
        return []
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader:
                members.append(process)
    return members


@contextmanager
def signals_raise() -> Iterator[None]:
    """Turn the signals that ask this process to end into SystemExit, so that `finally` blocks stop the children.

    Ctrl-C raises KeyboardInterrupt already. Only for the main thread.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    names = ["SIGTERM", "SIGBREAK" if sys.platform == "win32" else "SIGHUP"]
    former = {name: signal.signal(getattr(signal, name), leave) for name in names}
    try:
        yield
    finally:
        for name, handler in former.items():
            signal.signal(getattr(signal, name), handler)
