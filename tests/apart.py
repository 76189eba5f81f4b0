"""Functions in processes of their own, which cost little: torch is loaded once, where the system can fork."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

_MODULES = ["pytest", "tests.options", "tests.training.victim", "torch._dynamo", "torch.distributed.fsdp", "pandas"]
"""What such functions use. The last three come with an optimizer's first step and with Arrow: a second of work."""

_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
_CONTEXT = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
if _FORKS:
    _CONTEXT.set_forkserver_preload(_MODULES)


def run_apart(function: Callable[..., None], *arguments: Any) -> int:
    """The exit code of a process that does `function(*arguments)`, which must be picklable; −9 after SIGKILL."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    process.join()
    code = process.exitcode
    assert code is not None
    return code
