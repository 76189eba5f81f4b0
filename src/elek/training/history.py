"""The history of a run: rows of measurements, the same for equal runs, and the files that hold them."""

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
"""The live curve: the history as it grows, with the columns of `LIVE`. A path in the project's folder."""
COURSE = ".cache/timings/train.run.json"
"""What the live curve belongs to: `training` (the digest of the run), `checkpoints`, `params`."""
SPEEDS = ("tokens_per_second", "mfu")
LIVE = (*SPEEDS, "time")
"""Columns that only the live curve has, since they differ between equal runs. `time` is Unix time in seconds."""


@dataclass(frozen=True)
class Row:
    """One row of history.csv."""

    step: int
    tokens: int
    """Seen since the first step."""
    train_loss: float | None
    """Nats per token, the mean since the row before; None where all steps since were skipped."""
    validation_loss: float | None
    """Nats per token on the fixed sample; None where it was not measured at this step."""
    learning_rate: float
    """Of AdamW; Muon's follows the same schedule."""
    grad_norm: float | None
    """Before clipping; None where this step was skipped."""


@dataclass
class Trained:
    """The result of a run: the model, its history, and its speed, which is the only part that is not reproducible."""

    model: Transformer
    history: list[Row]
    precision: str
    tokens_per_second: float
    step: int
    """The step of the weights: the best one where training stopped early, else the last one."""
    validation_loss: float
    """Nats per token of those weights."""
    spikes: list[Spike]


def cells(row: Row) -> dict[str, str]:
    """The cells of a row in CSV: numbers with six significant digits, empty for None."""
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
    """The rows of a history or a live curve, without an incomplete last line, as there is while the file is written.

    Empty where there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))


def live_rows(curve: Path, history: Path) -> list[dict[str, str]]:
    """The rows of a live curve that belongs to the same run as `history`, whose file must not contain times.

    Empty where it belongs to another run, for example because DVC took the model from its cache.
    """
    rows = read_rows(curve)
    known = [{name: cell for name, cell in row.items() if name not in LIVE} for row in rows]
    return rows if known == read_rows(history) else []
