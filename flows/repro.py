"""The parts of DVC that the flow uses: the graph, whether a stage is up to date, and `dvc repro --single-item`.

`project` must be the current folder: DVC names stages by their path from there.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elek.errors import ElekError, LockError
from elek.execution.processes import start, stop
from flows.interrupts import check

Outcome = Literal["Ran", "Cached", "Skipped"]

# Messages of DVC for an interactive user, which say nothing about the stage.
_CHATTER = re.compile(
    r"Updating lock file|Generating lock file|To track the changes|\tgit add|To enable auto staging|\tdvc config"
    r"|Use `dvc push`|Running stage '|> |Data and pipelines are up to date"
)
_EXITED = re.compile(r"failed to run: .*, exited with (-?\d+)")
LAST_LINES = 12
REMEDIES = {
    # DVC writes it in place: a kill leaves half of it.
    "dvc.lock": "`git checkout dvc.lock`, or delete it: what ran before is found again in DVC's run cache",
    "not a git repository": "`git init`, or `dvc config core.no_scm true` to do without git",
}
"""Fixes for errors on reading the pipeline, by a part of DVC's message."""


class StageError(ElekError):
    """A stage failed. The exit code is that of the stage if it is one of Elek's own."""

    def __init__(self, stage: str, code: int | None, lines: list[str]) -> None:
        signal = _signal(code)
        how = f"was killed by signal {signal}" if signal else "failed"
        fix = (
            "most often memory ran out: lower execution.workers in params.yaml, then `elek run` goes on here"
            if signal == 9
            else "mend it and start `elek run` again: it goes on at this stage"
        )
        super().__init__(f"stage `{stage}` {how}", where="\n         ".join(lines) or "it said nothing", fix=fix)
        self.exit_code = code if code and 1 < code < 8 else 1

    def __reduce__(self) -> tuple[object, ...]:
        return ElekError, (self.what,), {"where": self.where, "fix": self.fix, "exit_code": self.exit_code}


def _signal(code: int | None) -> int | None:
    """The signal that an exit code stands for, if any.

    DVC starts a stage through a shell. Some shells (dash) return 128 + the signal; others (bash) are replaced by the
    stage, whose exit code is minus the signal.
    """
    if code is None or 0 <= code <= 128:
        return None
    return -code if code < 0 else code - 128


@dataclass(frozen=True)
class Step:
    """One stage of dvc.yaml. `upstream` are the stages that must have ended before it."""

    name: str
    upstream: tuple[str, ...]
    outs: tuple[str, ...]


def plan(project: Path) -> list[Step]:
    """The stages in topological order, the same on every machine."""
    import networkx as nx
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(project)) as repo:
            graph = repo.index.graph  # an edge points from a stage to what it depends on
            stages = {stage.addressing: stage for stage in graph if stage.cmd}
            order = nx.lexicographical_topological_sort(graph.reverse(), key=lambda stage: stage.addressing)
            return [
                Step(
                    stage.addressing,
                    tuple(sorted(dep.addressing for dep in graph.successors(stage) if dep.addressing in stages)),
                    tuple(str(out) for out in stage.outs),
                )
                for stage in order
                if stage.addressing in stages
            ]
    except (DvcException, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, DvcException) else f"a file that is not UTF-8 ({error})"
        fix = next((remedy for sign, remedy in REMEDIES.items() if sign in said), "see `dvc dag`")
        raise ElekError(f"DVC cannot read the pipeline: {said}", where=str(project), fix=fix) from None


def damaged_lock(project: Path) -> Path | None:
    """DVC's lock file if a killed DVC has left it half-written, in which case no DVC command works; otherwise None."""
    path = project / ".dvc" / "tmp" / "rwlock"
    for _ in range(5):  # a running DVC may be rewriting it right now
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            time.sleep(0.1)
        else:
            return None
    return path


def remove_damaged_lock(project: Path) -> str | None:
    """Remove a damaged lock file and return a message, or None. The caller must hold the run lock."""
    path = damaged_lock(project)
    if path is None:
        return None
    path.unlink()
    return "removed .dvc/tmp/rwlock, which a killed DVC had left half-written"


def is_current(project: Path, name: str) -> bool:
    """Whether DVC would skip the stage. Takes 0.1 s in this process, where the command would take 0.5 s."""
    from dvc.exceptions import DvcException
    from dvc.lock import LockError as RepoBusy
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        with Repo(str(project)) as repo, repo.lock:
            (stage,) = repo.stage.collect(name)
            return not stage.changed()
    except RepoBusy as error:
        raise LockError(
            f"another DVC command is at work here: {error}", where=str(project), fix="wait for it to end, or stop it"
        ) from None
    except DvcException:
        return False  # `dvc repro` will report the error


def reproduce(project: Path, name: str, on_line: Callable[[str], None]) -> Outcome:
    """Run one stage if it is out of date, calling `on_line` for each line of its output. Raises StageError.

    In any case, all processes that it started have ended afterwards.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    said: set[str] = set()
    code: int | None = None
    process = start([sys.executable, "-m", "dvc", "repro", "--single-item", name], cwd=project, stdout=subprocess.PIPE)
    try:
        for line in _lines(process):
            if "didn't change, skipping" in line or "is cached - skipping run" in line:
                said.add("Cached" if "is cached" in line else "Skipped")
            exited = _EXITED.search(line)
            if exited:
                code = int(exited[1])
            if line.strip() and not _CHATTER.match(line):
                if not exited:
                    last.append(line)
                on_line(line)
        returned = process.wait()
    finally:
        # DVC ends by itself when its stage ends. If it were killed earlier, it might leave a half-written lock file.
        stop(process, leaves_first=True)
    if returned != 0:
        raise StageError(name, code, list(last))
    return "Cached" if "Cached" in said else "Skipped" if "Skipped" in said else "Ran"


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    # Reads in a thread, because on Windows a main thread that waits for a pipe receives no signals.
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line.rstrip("\r\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        check()
        try:
            line = lines.get(timeout=0.5)
        except queue.Empty:
            if process.poll() is not None:
                return
            continue
        if line is None:
            return
        yield line
