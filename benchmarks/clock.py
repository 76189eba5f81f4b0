"""Processor time, which a busy machine distorts less than the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable


def best(function: Callable[[], object], runs: int = 3) -> float:
    """Seconds of processor time: the least of some runs after a first, which compiles and warms up."""
    function()
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)
