"""Labelled documents → a model: the same documents, options and machine kind give the same bytes.

A tenth of the documents, chosen by a hash of their text, calibrates; another tenth is what the header's figures were
measured on; the rest is learned from. Equal texts are never on two sides. Memory: the documents and 16 bytes per
weight; time: a pass over the text for each epoch, at about 10 MB/s on one core.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from elek.classifier import metrics
from elek.classifier.labelled import Labelled
from elek.classifier.model import FORMAT, MAX_BITS, Shape, dotless, logits, save
from elek.errors import DataError
from elek.kernels import buffers
from elek.params import Section

Task = Literal["toxicity", "quality"]
CLASSES: dict[str, tuple[str, str]] = {"toxicity": ("not_toxic", "toxic"), "quality": ("low", "high")}
LEAST = 50
"""Documents of either class without which nothing can be learned, calibrated and measured."""


class TrainingParams(Section):
    """Options of `elek classifier train`, with defaults that did well on short texts and on documents."""

    seed: int = Field(default=1, ge=0)
    bits: int = Field(default=18, ge=10, le=MAX_BITS)
    min_letters: int = Field(default=2, ge=1, le=8)
    max_letters: int = Field(default=5, ge=1, le=8)
    words: int = Field(default=2, ge=1, le=5)
    max_bytes: int = Field(default=20_000, ge=100)
    """Of a longer text only so many bytes are read, in training and afterwards."""
    epochs: int = Field(default=8, ge=1, le=1000)
    alpha: float = Field(default=1.0, gt=0)
    """FTRL's learning rate."""
    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.3, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> TrainingParams:
        if self.min_letters > self.max_letters:
            raise ValueError("`min_letters` is above `max_letters`")
        return self


def train(data: Labelled, task: Task, params: TrainingParams, out: Path, license: str) -> tuple[dict[str, Any], str]:
    """Train on `data`, write the model to `out`, and give its header and digest.

    Raises DataError where a class has fewer than LEAST documents.
    """
    _enough(data, CLASSES[task])
    shape = Shape(params.bits, (params.min_letters, params.max_letters), params.words)
    share = np.array([_share(text, params.seed) for text in data.text.to_pylist()])
    learned, calibrated, held_out = share >= 0.2, share < 0.1, (share >= 0.1) & (share < 0.2)
    for part in (learned, calibrated, held_out):
        if len(np.unique(data.positive[part])) < 2:
            raise DataError("by chance a class has no document held out", fix="give more documents, or another seed")
    weights, bias, losses = _learn(data, np.flatnonzero(learned), shape, params)
    raw = logits(data.text, data.lang, shape, params.max_bytes, weights, bias)
    slope, intercept = platt(raw[calibrated], data.positive[calibrated])
    probability = 1 / (1 + np.exp(-np.clip(raw * slope + intercept, -35, 35)))
    positives, total = int(data.positive[calibrated].sum()), int(calibrated.sum())
    header: dict[str, Any] = {
        "format": FORMAT,
        "task": task,
        "classes": list(CLASSES[task]),
        "shape": {"bits": shape.bits, "letters": list(shape.letters), "words": shape.words},
        "max_bytes": params.max_bytes,
        "bias": bias,
        "calibration": {"slope": slope, "intercept": intercept},
        "prior": (positives + 1) / (total + 2),
        "training": params.model_dump(mode="json") | {"log_loss": losses},
        "data": {
            "files": data.files,
            "license": license,
            "documents": {"train": int(learned.sum()), "calibrate": total, "held_out": int(held_out.sum())},
            "repeated": data.repeated,
        },
        "held_out": metrics.summary(probability[held_out], data.positive[held_out]),
    }
    return header, save(out, header, weights)


def _enough(data: Labelled, classes: tuple[str, str]) -> None:
    for name, count in zip(classes, (int((~data.positive).sum()), int(data.positive.sum())), strict=True):
        if count < LEAST:
            raise DataError(
                f"{count} different documents of the class `{name}`, and {LEAST} are the least",
                where=", ".join(str(file["name"]) for file in data.files),
                fix="give more labelled documents; `--positive` says which labels are the positive class",
            )


def _share(text: str, seed: int) -> float:
    """Where a text falls between 0 and 1: by its letters alone, so that near-equal headlines fall together."""
    folded = " ".join(text.lower().split())
    digest = hashlib.blake2b(folded.encode(), digest_size=8, key=b"classifier %d" % seed).digest()
    return int.from_bytes(digest, "little") / 2**64


def _learn(
    data: Labelled, rows: npt.NDArray[np.int64], shape: Shape, params: TrainingParams
) -> tuple[npt.NDArray[np.float32], float, list[float]]:
    from elek.classifier import kernel

    epoch: Any = kernel.epoch
    text, offsets = buffers(data.text)
    z, n, own = np.zeros(1 << shape.bits), np.zeros(1 << shape.bits), np.zeros(2)
    rates = np.array([params.alpha, 1.0, params.l1, params.l2])
    labels = data.positive.astype(np.float64)
    shuffle = np.random.Generator(np.random.PCG64(params.seed))
    losses = []
    for _ in range(params.epochs):
        order = rows[shuffle.permutation(len(rows))]
        losses.append(round(float(epoch(
            text, offsets, order, labels, dotless(data.lang), kernel.LOWER, shape.array(), params.max_bytes,
            rates, z, n, own,
        )), 6))  # fmt: skip
    weights = np.empty(1 << shape.bits)
    finish: Any = kernel.weights_of
    finish(z, n, rates, weights)
    one: Any = kernel.weight_of
    bias = float(one(own[0], own[1], params.alpha, 1.0, 0.0, 0.0))
    return weights.astype(np.float32), bias, losses


def platt(raw: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept that turn logits into calibrated ones (Platt 1999, with his smoothed targets), by Newton.

    A slope below 0.01 would turn the model round: then the logits say nothing, and the slope is 0.01.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale = float(np.abs(raw).mean()) or 1.0
    x = raw / scale
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(slope * x + intercept, -35, 35)))
        weight = np.maximum(p * (1 - p), 1e-9)
        wrong = target - p
        a, b, c = float((weight * x * x).sum()) + 1e-6, float((weight * x).sum()), float(weight.sum())
        g, h = float((wrong * x).sum()), float(wrong.sum())
        determinant = a * c - b * b
        if determinant < 1e-9:
            break
        step, shift = (c * g - b * h) / determinant, (a * h - b * g) / determinant
        size = max(abs(step), abs(shift), 1.0)
        slope, intercept = slope + step / size, intercept + shift / size
        if max(abs(step), abs(shift)) < 1e-9:
            break
    slope = max(slope / scale, 0.01)
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise DataError("calibration found no numbers", fix="lower `--alpha`, or give more documents")
    return round(slope, 6), round(intercept, 6)


def settings_for(task: str, folder: str, digest: str) -> str:
    """The lines of params.yaml that put a model to work."""
    name = {"toxicity": "toxicity", "quality": "quality_model"}[task]
    return f"annotate:\n  settings:\n    {name}:\n      model: {folder}\n      sha256: {digest}"
