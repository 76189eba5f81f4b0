"""Child processes that end with their whole tree, on every system.

A child gets a session (on Windows: a process group) of its own, so that Ctrl-C reaches us alone and we decide
in which order things end. `stop` then ends the child, everything it started, and everything those started.
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
"""How long a process that was asked to end may take, so that training can write its last checkpoint."""


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
    """End `process` and all it started: asked first, killed after `grace` seconds. Harmless when all has ended.

    With `leaves_first` what it started is ended before it, and it may tidy up and end by itself; only then is it
    interrupted. Otherwise all are asked at once.
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
    finally:  # also when a second Ctrl-C ends our patience
        rest = [*others, *_tree(process.pid), *_session(process.pid)]
        _kill(rest)
        psutil.wait_procs(rest, timeout=grace)
        process.wait()


def stop_children(*, asked: bool, grace: float = 2 * GRACE_SECONDS) -> None:
    """End all that this process has started and that still lives: children see to their own, if they are given time.

    With `asked` they know already, and are asked again only after `grace` seconds: a second signal would make one
    that is tidying up run out of patience.
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
    # multiprocessing's own helper: it ignores SIGTERM and ends with us.
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
    """Members of the session that `leader` began: also those whose parent died, which left the tree."""
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
    """Turn the signals that ask us to end into SystemExit, so that `finally` blocks stop our children.

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
