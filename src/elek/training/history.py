"""What a run tells of its course, step by step; holds nothing that two equal runs would not share."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elek.model.transformer import Transformer
    from elek.training.guard import Spike


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
