"""A process that loads what workers need, once, and forks them: where that is safe, which is on Linux.

A spawned worker has to import Arrow and numba and to read compiled kernels and models before it can work: more than
a second of processor time each. A forked one begins in a few milliseconds, and what was loaded lies in memory once.

A child inherits every lock that another thread held at that moment, for good. So it is not this process that is
forked, which has threads, but multiprocessing's fork server: a fresh process that imports what it is told to, on one
thread, and does nothing else (a test counts its threads). macOS forbids much in forked processes, and Windows has
none: there, workers are spawned.

Python documents how to use its fork server, but not how to end one or how to ask whether it runs. What this module
takes of its inside (`INSIDE`) is the same in CPython 3.11 to 3.14; where it is not, workers are spawned and a line says
so.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

FORKS = sys.platform == "linux"

INSIDE = ("set_forkserver_preload", "ensure_running", "_preload_modules", "_forkserver_pid", "_stop")
"""What the object `multiprocessing.forkserver._forkserver` must have. 3.14 added a key that its socket asks for, which
these keep by themselves."""

_ours: list[Any] = []
"""The fork server, while it is one that a block of `fork_server` has started."""


def context() -> BaseContext:
    """How worker processes are started now: forked where a fork server stands ready."""
    return multiprocessing.get_context("forkserver" if standing() else "spawn")


@contextmanager
def fork_server(*modules: str) -> Iterator[None]:
    """A fork server that begins to import `modules` now, without waiting for it, and ends with the block.

    A module that is not there is left out, in silence: who needs it tells.
    Within such a block, or beside a server that somebody else has started, another one does nothing.
    """
    server = _server()
    if server is None or standing():
        yield
        return
    before = server._preload_modules
    server.set_forkserver_preload(list(modules))
    try:
        _start(server)
        yield
    except BaseException:
        if standing():
            os.kill(server._forkserver_pid, signal.SIGTERM)  # it may still be importing
        raise
    finally:
        # Otherwise it would live as long as we do; and what it and its children used is counted only when it is
        # waited for. The workers must have ended before.
        server._stop()
        server.set_forkserver_preload(before)
        _ours.clear()


def renew() -> None:
    """Another fork server in place of ours, once a worker was killed: it may be the one, and still be dying."""
    for server in list(_ours):
        if standing():
            os.kill(server._forkserver_pid, signal.SIGKILL)
            server._stop()
        _start(server)


def _start(server: Any) -> None:
    _ours[:] = [server]
    reason = "it has no process"
    with _environment(), _deaf_to_interrupts():
        try:
            server.ensure_running()
        except OSError as error:  # its socket lies where temporary files do, and the path may be too long for one
            reason = str(error)
    if not standing():
        _say_spawned(reason)


def standing() -> bool:
    """Whether a fork server runs, so that even small work is worth sharing."""
    server = _server()
    return server is not None and isinstance(server._forkserver_pid, int)


def _server() -> Any:  # private parts of it are used here
    if not FORKS:
        return None
    from multiprocessing import forkserver

    server = getattr(forkserver, "_forkserver", None)  # the one that the context uses
    missing = [name for name in INSIDE if not hasattr(server, name)]
    if missing:
        _say_spawned(f"in this Python it has no {' and no '.join(missing)}")
        return None
    return server


@cache  # once a process and reason
def _say_spawned(reason: str) -> None:
    sys.stderr.write(f"workers are spawned, which takes them a second each: no fork server could be had ({reason})\n")
    sys.stderr.flush()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started here is left alone by Ctrl-C, which would interrupt its imports with a traceback. We end it."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _environment() -> Iterator[None]:
    """What the server starts with."""
    values = {
        # numpy's BLAS and the allocator in Arrow start threads when they are imported.
        "OMP_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        # It imports what we would: not a numpy.py that lies in the folder where somebody stands.
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "PYTHONSAFEPATH": "1",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
