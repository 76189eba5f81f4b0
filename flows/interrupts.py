"""A Ctrl-C that ends the run, whoever is at work when it comes.

KeyboardInterrupt is raised in the middle of whatever runs. Within Prefect that may be pydantic or DVC, who make errors
of their own of it, or a callback of the garbage collector, where Python prints it and goes on.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_came = False


@contextmanager
def interrupts_stay() -> Iterator[None]:
    """Whatever a Ctrl-C within the block comes out as, it is a KeyboardInterrupt in the end."""
    global _came
    _came = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        global _came
        _came = True
        raise KeyboardInterrupt

    former = signal.getsignal(signal.SIGINT)
    ours = former is signal.default_int_handler
    if ours:  # and not ignored, as in the background of a shell's script
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception:
        check()
        raise
    else:
        check()
    finally:
        _came = False
        if ours:
            signal.signal(signal.SIGINT, former)


def check() -> None:
    """Raise the KeyboardInterrupt that came and was swallowed. For loops that would otherwise go on."""
    if _came:
        raise KeyboardInterrupt from None
