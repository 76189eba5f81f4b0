"""A fork server: one process that loads what workers need and then forks them. Only on Linux, where this is safe.

A spawned worker must import Arrow and numba and read compiled kernels and models before it can work, which costs more
than a second of processor time each. A forked one starts in a few milliseconds and shares the memory of what is loaded.

A forked child keeps every lock that another thread held at that moment, for ever. This process has threads, so it is
not forked itself. Instead multiprocessing's fork server is: a fresh process with one thread that does nothing but
import the modules it is given (a test counts its threads). macOS restricts forked processes and Windows has none, so
workers are spawned there.

Python documents how to use its fork server, but not how to stop it or how to ask whether it runs. The private names
that this module uses for it (`PRIVATE_API`) are the same in CPython 3.11 to 3.14. Where one is missing, workers are
spawned and a line on stderr says so.
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

PRIVATE_API = ("set_forkserver_preload", "ensure_running", "_preload_modules", "_forkserver_pid", "_stop")
"""Attributes that `multiprocessing.forkserver._forkserver` must have. Python 3.14 added an authentication key for its
socket, which these methods handle themselves."""

_ours: list[Any] = []
"""The fork server while a `fork_server` block of ours has one running, otherwise empty."""


def worker_context() -> BaseContext:
    """How to start workers now: forked where a fork server is running, otherwise spawned."""
    return multiprocessing.get_context("forkserver" if server_is_running() else "spawn")


@contextmanager
def fork_server(*modules: str) -> Iterator[None]:
    """Run a fork server during the block. It starts to import `modules` at once; nobody waits for that.

    A module that does not exist is skipped silently: whoever needs it will raise.
    Where a fork server runs already, ours or another library's, this does nothing.
    """
    server = _server()
    if server is None or server_is_running():
        yield
        return
    before = server._preload_modules
    server.set_forkserver_preload(list(modules))
    try:
        _start(server)
        yield
    except BaseException:
        if server_is_running():
            os.kill(server._forkserver_pid, signal.SIGTERM)  # it may still be importing
        raise
    finally:
        # Without this it would live as long as this process, and the system counts the resources that it and its
        # children used only once it was waited for. The workers must have ended before.
        server._stop()
        server.set_forkserver_preload(before)
        _ours.clear()


def restart_server() -> None:
    """Replace our fork server after a process was killed: it may be the server itself, and still be dying."""
    for server in list(_ours):
        if server_is_running():
            os.kill(server._forkserver_pid, signal.SIGKILL)
            server._stop()
        _start(server)


def _start(server: Any) -> None:
    _ours[:] = [server]
    reason = "it has no process"
    with _environment(), _deaf_to_interrupts():
        try:
            server.ensure_running()
        except OSError as error:  # its socket is a temporary file, whose path may be too long for a socket
            reason = str(error)
    if not server_is_running():
        _warn_of_spawning(reason)


def server_is_running() -> bool:
    """Whether a fork server runs. If so, workers start so fast that even small work is worth spreading."""
    server = _server()
    return server is not None and isinstance(server._forkserver_pid, int)


def _server() -> Any:  # Any: private attributes of it are used here
    if not FORKS:
        return None
    from multiprocessing import forkserver

    server = getattr(forkserver, "_forkserver", None)  # the one that the context uses
    missing = [name for name in PRIVATE_API if not hasattr(server, name)]
    if missing:
        _warn_of_spawning(f"in this Python it has no {' and no '.join(missing)}")
        return None
    return server


@cache  # says it once per process and reason
def _warn_of_spawning(reason: str) -> None:
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
    """Set the environment with which the fork server starts."""
    values = {
        # numpy's BLAS and the allocator in Arrow start threads when they are imported.
        "OMP_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        # It must import the same modules as this process, and not, for example, a numpy.py in the current folder.
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
