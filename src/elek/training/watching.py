"""What a person sees of a run: speed, MFU, time left. None of it affects the result."""

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

    The JSON file `cache` keeps the highest value for each machine, version of torch, arithmetic and number of threads.
    Every run measures again, which takes a fraction of a second, because a busy machine gives too low a value.
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
    """The current speed: over the steps of the last minute without the slowest one.

    The slowest step is usually an exception: it compiled, measured the validation loss, or the machine was suspended.
    """

    SECONDS, STEPS = 60.0, 500

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._last = clock, clock()
        self._steps: deque[float] = deque(maxlen=self.STEPS)

    def step(self) -> float:
        """Record a finished step; returns steps per second."""
        now = self._clock()
        self._steps.append(now - self._last)
        self._last = now
        while len(self._steps) > 3 and sum(self._steps) - max(self._steps) > self.SECONDS:
            self._steps.popleft()
        if len(self._steps) == 1:
            return 1 / self._steps[0]
        return (len(self._steps) - 1) / (sum(self._steps) - max(self._steps))


class Observer(Protocol):
    """Follows a training run. Only the first of several processes has one, and it changes no result."""

    def begin(self, history: Sequence[Row]) -> None:
        """Training begins, or continues after the rows in its checkpoint."""

    def add(self, row: Row, speed: float) -> None:
        """The history has a new row; `speed` is in tokens per second."""


class LiveCurve:
    """An observer that writes the growing history to a CSV file, with the columns `LIVE` that history.csv cannot have.

    Rows that an earlier, interrupted run wrote are kept where the history still has them. `about` describes the run for
    programs that read along; it is written to the file `course` once the curve belongs to this run.
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
