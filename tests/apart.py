"""Functions in processes of their own, which cost little: torch is loaded once, where the system can fork."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
_CONTEXT = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
if _FORKS:
    _CONTEXT.set_forkserver_preload(["pytest", "tests.options"])


def start(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that does `function(*arguments)`. Both must be picklable."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process
