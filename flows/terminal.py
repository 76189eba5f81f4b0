"""What a run shows on the terminal: the stages' lines, and a bar where a person looks on."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from elek.progress import Progress

_PROGRESS = re.compile(r"\[([\w@.-]+)\] (\d+)/(\d+) (\S+)(?: (.*))?$")


@dataclass(frozen=True)
class Line:
    """A plain progress line, taken apart."""

    label: str
    done: int
    total: int
    unit: str
    note: str


def parse_progress(line: str) -> Line | None:
    """`[label] done/total unit note` as `elek.progress` writes it; None for any other line."""
    match = _PROGRESS.match(line)
    if match is None:
        return None
    label, done, total, unit, note = match.groups()
    return Line(label, int(done), int(total), unit, note or "")


class Terminal:
    """Prints lines as they come; on a terminal a stage's progress lines become one bar."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def begin(self, stage: str) -> None:
        self._write(f"{stage:>9} │ …")

    def line(self, line: str) -> None:
        progress = parse_progress(line) if sys.stderr.isatty() else None
        if progress is None:
            self._write(line)
            return
        if self._bar is None or (self._bar.label, self._bar.total) != (progress.label, progress.total):
            self.end()
            self._bar = Progress(progress.label, progress.total, progress.unit).__enter__()
        self._bar.advance(progress.done - self._bar.done, progress.note)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def _write(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
