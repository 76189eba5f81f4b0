"""What a run tells of its course, step by step; holds nothing that two equal runs would not share."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elek.model.transformer import Transformer
    from elek.training.guard import Spike

SPEEDS = ("tokens_per_second", "mfu")
"""Columns of the live curve alone: no two runs share them."""


@dataclass(frozen=True)
class Row:
    """One row of history.csv."""

    step: int
    tokens: int
    """Seen since the first step."""
    train_loss: float | None
    """Nats per token, the mean since the row before; nothing where every step since was skipped."""
    validation_loss: float | None
    """Nats per token on the fixed sample, where this step was measured."""
    learning_rate: float
    """Of AdamW; Muon's follows the same schedule."""
    grad_norm: float | None
    """Before clipping; nothing where this step was skipped."""


@dataclass
class Trained:
    """What a run leaves: the model, its history, and its speed, which alone is not reproducible."""

    model: Transformer
    history: list[Row]
    precision: str
    tokens_per_second: float
    step: int
    """Of the weights: the best measured step where training stopped early, else the last one."""
    validation_loss: float
    """Nats per token of those weights."""
    spikes: list[Spike]


def to_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV with a header, numbers to six digits, and nothing where a loss was not measured."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = asdict(row)
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in values.items()})
    return text.getvalue()


def speeds(curve: Path, history: Path) -> Iterator[tuple[str, float, int]]:
    """Name, value and step of the figures that `LiveCurve` wrote beside those of history.csv, which it may not hold.

    Nothing where `curve` is of another run than `history`, as when DVC took the model from its cache.
    """
    if not (curve.is_file() and history.is_file()):
        return
    with curve.open(encoding="utf-8", newline="") as live, history.open(encoding="utf-8", newline="") as told:
        rows, wanted = list(csv.DictReader(live)), list(csv.DictReader(told))
    if [{name: row[name] for name in row if name not in SPEEDS} for row in rows] != wanted:
        return
    for row in rows:
        for name in SPEEDS:
            if row[name]:
                yield name, float(row[name]), int(row["step"])
