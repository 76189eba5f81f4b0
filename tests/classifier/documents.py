"""Labelled documents made up here: two ways of writing that share most of their words."""

from __future__ import annotations

import json
import random
from pathlib import Path

COMMON = ["the", "harbour", "boats", "water", "morning", "house", "river", "stone", "light", "road", "garden"]
GOOD = ["carefully", "measured", "because", "therefore", "observed", "described", "ayrıntılı", "açıklanmış"]
BAD = ["click", "buy", "cheap", "subscribe", "offer", "free", "tıkla", "ucuz"]


def text(positive: bool, seed: int, words: int = 12) -> str:
    """A line of common words, a quarter of them of its own kind."""
    draw = random.Random(f"{positive} {seed}")  # noqa: S311 - made-up text
    own = GOOD if positive else BAD
    return " ".join(draw.choice(own if draw.random() < 0.25 else COMMON) for _ in range(words))


def write(path: Path, count: int = 200, **columns: str) -> Path:
    """`count` rows by turns positive and not, as JSON Lines, with further columns of one value."""
    rows = [{"text": text(row % 2 == 1, row), "label": row % 2, **columns} for row in range(count)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
