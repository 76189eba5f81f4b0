"""What a person sees of a run: speed, share of the machine's peak, time left. None of it touches a result."""

from __future__ import annotations

import csv
import json
import platform
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch

from elek.dataset import write_json
from elek.training.history import SPEEDS, Row
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


class LiveCurve:
    """The history as it grows, in a CSV file with a column for the speed that history.csv must not have.

    Each row is on its way to the disk when `add` returns. A run that goes on from a checkpoint keeps the rows before.
    """

    def __init__(self, path: Path, flops_per_token: int, peak: float | None) -> None:
        self._path, self._flops, self._peak = path, flops_per_token, peak
        self._columns = [*(field.name for field in fields(Row)), *SPEEDS]
        self._rows: dict[int, dict[str, str]] = {}
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                self._rows = {int(row["step"]): row for row in csv.DictReader(file) if None not in row.values()}

    def add(self, row: Row, speed: float) -> None:
        """Append a row; rows of later steps, which an earlier run left, go."""
        values = {**asdict(row), "tokens_per_second": round(speed)}
        values["mfu"] = speed * self._flops / self._peak if self._peak else None
        cells = {k: "" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for k, v in values.items()}
        kept = {step: old for step, old in self._rows.items() if step < row.step}
        fresh = len(kept) < len(self._rows) or not self._path.is_file() or not kept
        self._rows = {**kept, row.step: cells}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w" if fresh else "a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._columns, lineterminator="\n")
            if fresh:
                writer.writeheader()
                writer.writerows(self._rows.values())
            else:
                writer.writerow(cells)
