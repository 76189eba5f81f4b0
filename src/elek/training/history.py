"""What a run tells of its course, step by step; holds nothing that two equal runs would not share."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elek.model.transformer import Transformer
    from elek.training.guard import Spike

CURVE = ".cache/timings/train.csv"
"""The history as it grows, with the columns of `LIVE`, in a project's folder."""
COURSE = ".cache/timings/train.run.json"
"""What is trained while that file grows: `training`, the digest of all that it depends on, `checkpoints`, `params`."""
SPEEDS = ("tokens_per_second", "mfu")
LIVE = (*SPEEDS, "time")
"""Columns of the live curve alone: no two runs share them. `time` is Unix time, in seconds."""


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


def cells(row: Row) -> dict[str, str]:
    """A row as CSV has it: numbers to six digits, and nothing where there is none."""
    values = asdict(row)
    return {k: "" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for k, v in values.items()}


def to_csv(rows: Iterable[Row]) -> str:
    """The rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(cells, rows))
    return text.getvalue()


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a history or a live curve; a last line that is not whole, as while it is written, is left out.

    Empty where there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))


def live_rows(curve: Path, history: Path) -> list[dict[str, str]]:
    """The rows of a live curve, where it is of the same run as `history`, which may not hold times.

    Empty where it is not, as when DVC took the model from its cache.
    """
    rows = read_rows(curve)
    known = [{name: cell for name, cell in row.items() if name not in LIVE} for row in rows]
    return rows if known == read_rows(history) else []
