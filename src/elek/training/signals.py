"""Requests to stop: training finishes the current step and writes a checkpoint before it exits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ASKING = ("SIGTERM", "SIGINT", "SIGBREAK")  # SIGBREAK: sent to a process group on Windows


class StopRequest:
    """`signal` is the name of the signal that was received, or None."""

    signal: str | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Record SIGTERM and Ctrl-C instead of ending at once. A second signal of the same kind has its usual effect.

    Signals reach a process's main thread only; in any other thread this does nothing.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {
        number: signal.getsignal(number) for name in _ASKING if (number := getattr(signal, name, None)) is not None
    }

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = signal.Signals(number).name
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
