"""What a person sees of a run: speed, share of the machine's peak, time left. None of it touches a result."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TextIO

import torch

from elek.dataset import write_json
from elek.training.history import LIVE, Row, cells, read_rows
from elek.training.runtime import Runtime


def measured_peak(runtime: Runtime, threads: int, cache: Path) -> float:
    """Operations a second of a large square matrix product in the run's arithmetic: what MFU is a share of.

    The JSON file `cache` keeps the highest ever measured per machine, version of torch, arithmetic and number of
    threads. Each run measures anew, in a fraction of a second, because a busy machine measures too little.
    """
    machine = str(runtime.device) if runtime.device.type == "cpu" else torch.cuda.get_device_name(runtime.device)
    key = f"{platform.node()} {machine} torch {torch.__version__} {runtime.precision} {threads} threads"
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not measured yet, or torn by a killed writer
        known = {}
    known[key] = max(float(known.get(key, 0)), matmul_speed(runtime.device, runtime.compute, threads))
    write_json(cache, known)
    return float(known[key])


def matmul_speed(device: torch.device, dtype: torch.dtype, threads: int) -> float:
    """The fastest of a few products of square matrices (1024 on a processor, 8192 on a GPU), operations a second."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
    fastest = float("inf")
    for _ in range(12):
        _synchronise(device)
        start = time.perf_counter()
        a @ b
        _synchronise(device)
        fastest = min(fastest, time.perf_counter() - start)
    torch.set_num_threads(before)
    return 2 * size**3 / fastest


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def live_line(loss: float, speed: float, seconds_left: float, flops_per_token: int, peak: float | None) -> str:
    """`loss 4.123, 10,200 tokens/s, MFU 45%, 1:02 left`; MFU is model operations over the machine's measured peak."""
    mfu = f", MFU {speed * flops_per_token / peak:.0%}" if peak else ""
    return f"loss {loss:.3f}, {speed:,.0f} tokens/s{mfu}, {int(seconds_left) // 60}:{int(seconds_left) % 60:02d} left"


class Pace:
    """How fast a run goes now: over the steps of the last minute but the slowest, which is the first one that compiles,
    one that measured the validation loss, or one that the machine slept through."""

    SECONDS, STEPS = 60.0, 500

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._last = clock, clock()
        self._steps: deque[float] = deque(maxlen=self.STEPS)

    def step(self) -> float:
        """Note that a step is done; steps a second."""
        now = self._clock()
        self._steps.append(now - self._last)
        self._last = now
        while len(self._steps) > 3 and sum(self._steps) - max(self._steps) > self.SECONDS:
            self._steps.popleft()
        if len(self._steps) == 1:
            return 1 / self._steps[0]
        return (len(self._steps) - 1) / (sum(self._steps) - max(self._steps))


class Observer(Protocol):
    """Who looks on while a model trains. Only the first of several processes has one, and it changes no result."""

    def begin(self, history: Sequence[Row]) -> None:
        """Training begins, or goes on after the rows that its checkpoint has."""

    def add(self, row: Row, speed: float) -> None:
        """A new row of the history, and tokens a second at that time."""


class LiveCurve:
    """An observer that keeps the history as it grows in a CSV file, with the columns that history.csv must not have.

    Each row is on its way to the disk when `add` returns. Of what an earlier run left in the file, those rows stay that
    the history has. `about` says what is trained, for whoever reads along: it is written beside the file, under the
    name `course`, once the file is this run's.
    """

    def __init__(
        self, path: Path, flops_per_token: int, peak: float | None, course: Path, about: Mapping[str, Any]
    ) -> None:
        self._path, self._flops, self._peak = path, flops_per_token, peak
        self._course, self._about = course, about
        self._columns = [*(field.name for field in fields(Row)), *LIVE]

    def begin(self, history: Sequence[Row]) -> None:
        known = {row["step"]: row for row in read_rows(self._path)}
        rows = []
        for row in map(cells, history):
            old = known.get(row["step"], {})
            rows.append(old if row.items() <= old.items() else row)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", encoding="utf-8", newline="") as file:
            writer = self._writer(file)
            writer.writeheader()
            writer.writerows(rows)
        write_json(self._course, self._about)

    def add(self, row: Row, speed: float) -> None:
        mfu = f"{speed * self._flops / self._peak:.6g}" if self._peak else ""
        live = {"tokens_per_second": f"{speed:.0f}", "mfu": mfu, "time": f"{time.time():.3f}"}
        with self._path.open("a", encoding="utf-8", newline="") as file:
            self._writer(file).writerow({**cells(row), **live})

    def _writer(self, file: TextIO) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self._columns, restval="", extrasaction="ignore", lineterminator="\n")
