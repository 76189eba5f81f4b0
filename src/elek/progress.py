"""Progress of long work: a bar where a person looks on, plain lines where a program does.

The plain line is `[label] done/total unit note`, at most one every few seconds; the Prefect flow reads it.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType

PLAIN_SECONDS = 10.0


class Progress:
    """`with Progress("clean", total=12, unit="parts") as progress: progress.advance()`."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self._last = 0.0
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description:>9}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(label, total=total, note=unit)

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.done += steps
        if self._bar:
            note = f"{self.unit} {note}".strip()
            self._bar.update(self._task, completed=self.done, total=self.total, note=note)
            return
        now = time.monotonic()
        if self.done >= self.total or now - self._last >= PLAIN_SECONDS:
            self._last = now
            sys.stderr.write(f"[{self.label}] {self.done}/{self.total} {self.unit} {note}".rstrip() + "\n")
            sys.stderr.flush()

    def say(self, text: str) -> None:
        """Print a line that stays visible, for information that is needed afterwards."""
        line = f"[{self.label}] {text}"
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
