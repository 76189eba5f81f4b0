"""Make sure that Ctrl-C ends the run, whatever code is running at that moment.

KeyboardInterrupt is raised wherever the main thread happens to be. That may be inside pydantic or DVC, which turn it
into errors of their own, or in a callback of the garbage collector, where Python prints and ignores it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_interrupted = False


@contextmanager
def keep_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block if Ctrl-C was pressed in it, whatever became of it there."""
    global _interrupted
    _interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        global _interrupted
        _interrupted = True
        raise KeyboardInterrupt

    former = signal.getsignal(signal.SIGINT)
    ours = former is signal.default_int_handler
    if ours:  # otherwise it is ignored, as for a background process of a shell script
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception:
        check()
        raise
    else:
        check()
    finally:
        _interrupted = False
        if ours:
            signal.signal(signal.SIGINT, former)


def check() -> None:
    """Raise KeyboardInterrupt if one was lost. For loops that would otherwise continue."""
    if _interrupted:
        raise KeyboardInterrupt from None
