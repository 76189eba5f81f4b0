"""Predictions and their figures: loss, perplexity, bits per byte, accuracy, calibration, n-gram errors.

The network and the n-gram baseline both give one row per predicted token, so the same code measures both on the same
tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from elek.vocab.tokenizer import Tokenizer

SCORED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("document_bytes", pa.int64(), nullable=False),  # of the whole document
        pa.field("bytes", pa.int64(), nullable=False),  # that the scored tokens stand for
        pa.field("characters", pa.int64(), nullable=False),  # likewise
        pa.field("tokens", pa.int64(), nullable=False),  # predictions
        pa.field("nats", pa.float64(), nullable=False),  # summed -ln p
        pa.field("correct", pa.int64(), nullable=False),  # predictions whose likeliest token was the right one
        pa.field("correct5", pa.int64(), nullable=False),  # ... with the right one among the five likeliest
    ]
)
"""One row per document with scored tokens, in the order of the shards."""

LENGTHS = (1_000, 4_000, 16_000, 64_000)
"""Limits of the length buckets, in bytes of a document."""

RESAMPLES, CONFIDENCE, SEED = 1000, 0.95, 1
"""Bootstrap over documents (Efron 1979; Koehn 2004 for its use on texts): resamples, level, seed."""

BINS = 15
"""Number of bins of equal width for calibration (Guo et al. 2017, §2)."""

NGRAMS = (1, 2, 3, 4)

Work = TypeVar("Work")


@dataclass(frozen=True)
class Predictions:
    """One row per predicted token, sorted by document and position. About 35 bytes each."""

    row: npt.NDArray[np.int64]
    """Row of the document in the shards."""
    position: npt.NDArray[np.int64]
    """Position in the document of the predicted token; bos is 0."""
    token: npt.NDArray[np.int64]
    """The right token."""
    nats: npt.NDArray[np.float64]
    """-ln of the probability of the right token."""
    rank: npt.NDArray[np.int8]
    """Number of tokens likelier than the right one, at most 5."""
    confidence: npt.NDArray[np.float32]
    """The probability of the likeliest token."""

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def of_logits(
        cls, logits: torch.Tensor, right: torch.Tensor, row: npt.NDArray[np.int64], position: npt.NDArray[np.int64]
    ) -> Predictions:
        """The predictions of a network, from its logits [N, V] in float32 and the right tokens [N]."""
        own = logits.gather(1, right[:, None])
        # Of equally likely tokens, the one with the smallest id ranks first, as in argmax.
        before = torch.arange(logits.shape[1]) < right[:, None]
        likelier = ((logits > own) | ((logits == own) & before)).sum(1)
        return cls(
            row=row,
            position=position,
            token=right.numpy(),
            nats=F.cross_entropy(logits, right, reduction="none").double().numpy(),
            rank=likelier.clamp(max=5).to(torch.int8).numpy(),
            confidence=(logits.max(1).values - logits.logsumexp(1)).exp().numpy(),
        )

    @classmethod
    def gather(cls, pieces: list[Predictions]) -> Predictions:
        """All of them, sorted, so that the order in which they were made does not matter."""
        columns = {
            field.name: np.concatenate([getattr(piece, field.name) for piece in pieces]) if pieces else np.empty(0)
            for field in fields(cls)
        }
        order = np.lexsort((columns["position"], columns["row"]))
        types = {"row": np.int64, "position": np.int64, "token": np.int64, "rank": np.int8, "confidence": np.float32}
        return cls(**{name: column[order].astype(types.get(name, np.float64)) for name, column in columns.items()})


def collect(
    predict: Callable[[Work], Predictions], work: Iterable[Work], workers: int, advance: Callable[[int], None]
) -> Predictions:
    """The predictions for all `work`, made in `workers` threads; `advance` is called with the number of each piece."""
    pieces = []
    with ThreadPoolExecutor(workers) as pool:
        for piece in pool.map(predict, work):
            pieces.append(piece)
            advance(len(piece))
    return Predictions.gather(pieces)


def piece_characters(tokenizer: Tokenizer) -> npt.NDArray[np.int64]:
    """Number of characters of each id, [V]. For a character in several byte pieces, the first byte counts as one."""
    lengths = np.zeros(tokenizer.size, np.int64)
    for index in range(tokenizer.controls, tokenizer.size):
        piece = tokenizer.piece(index)
        lengths[index] = int(piece[3:5], 16) & 0xC0 != 0x80 if tokenizer.is_byte(index) else len(piece)
    return lengths


def by_document(predictions: Predictions, documents: pa.Table, tokenizer: Tokenizer) -> pa.Table:
    """The table `SCORED`: sums for each of `documents` (as `TokenShards.documents`) that has predictions."""
    count = len(documents)
    tokens = np.bincount(predictions.row, minlength=count)
    sums = {
        "bytes": _sums(predictions.row, tokenizer.piece_bytes[predictions.token], count),
        "characters": _sums(predictions.row, piece_characters(tokenizer)[predictions.token], count),
        "tokens": tokens,
        "nats": np.bincount(predictions.row, predictions.nats, count),
        "correct": _sums(predictions.row, predictions.rank < 1, count),
        "correct5": _sums(predictions.row, predictions.rank < 5, count),
    }
    scored = np.flatnonzero(tokens)
    chosen = documents.take(pa.array(scored))
    columns = [chosen[name] for name in ("id", "source", "lang", "bytes")]
    return pa.table([*columns, *(pa.array(column[scored]) for column in sums.values())], schema=SCORED)


def _sums(rows: npt.NDArray[np.int64], values: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    return np.rint(np.bincount(rows, values, count)).astype(np.int64)


def summarise(scored: pa.Table) -> dict[str, Any]:
    """Figures over all documents, and by language, source and length of the document."""
    lengths = [_bucket(size) for size in scored["document_bytes"].to_pylist()]
    scored = scored.append_column("length", pa.array(lengths, pa.string()))
    parts = {}
    for column in ("lang", "source", "length"):
        names = sorted(set(scored[column].to_pylist()), key=_length_order if column == "length" else str)
        parts[f"by_{column}"] = {name: _figures(scored.filter(pc.equal(scored[column], name))) for name in names}
    return {**_figures(scored), **parts}


def _bucket(size: int) -> str:
    below = next((border for border in LENGTHS if size < border), None)
    return f"{LENGTHS[-1] // 1000} kB and more" if below is None else f"below {below // 1000} kB"


def _length_order(name: str) -> tuple[bool, int]:
    return name.endswith("more"), int(next(word for word in name.split() if word.isdigit()))


def _figures(scored: pa.Table) -> dict[str, Any]:
    """Loss in nats per token and the figures derived from it; `_interval` has the bounds of a confidence interval."""
    total = {name: sum(scored[name].to_pylist()) for name in ("bytes", "characters", "tokens", "correct", "correct5")}
    tokens, nats = total["tokens"], math.fsum(scored["nats"].to_pylist())
    loss = nats / tokens if tokens else None
    bits = nats / math.log(2)
    loss_interval = _interval(scored, "tokens")
    return {
        "documents": len(scored),
        "tokens": tokens,
        "bytes": total["bytes"],
        "loss": None if loss is None else round(loss, 5),
        "loss_interval": loss_interval,
        "perplexity": None if loss is None else round(math.exp(loss), 3),
        "perplexity_interval": loss_interval and [round(math.exp(bound), 3) for bound in loss_interval],
        "bits_per_byte": round(bits / total["bytes"], 5) if total["bytes"] else None,
        "bits_per_byte_interval": _interval(scored, "bytes", 1 / math.log(2)),
        "bits_per_character": round(bits / total["characters"], 5) if total["characters"] else None,
        "bits_per_character_interval": _interval(scored, "characters", 1 / math.log(2)),
        "accuracy": round(total["correct"] / tokens, 5) if tokens else None,
        "accuracy_top5": round(total["correct5"] / tokens, 5) if tokens else None,
    }


def _interval(scored: pa.Table, unit: str, factor: float = 1.0) -> list[float] | None:
    """Confidence interval of nats per unit, by bootstrap over documents; None for fewer than two documents."""
    count = len(scored)
    if count < 2:
        return None
    nats, units = scored["nats"].to_numpy(), scored[unit].to_numpy().astype(np.float64)
    generator = np.random.Generator(np.random.PCG64(SEED))
    ratios = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        below = times @ units
        ratios[at] = factor * (times @ nats) / below if below else np.nan
    if np.isnan(ratios).all():
        return None
    tail = (1 - CONFIDENCE) / 2
    return [round(float(bound), 5) for bound in np.nanquantile(ratios, [tail, 1 - tail])]


def calibration(predictions: Predictions) -> dict[str, Any]:
    """Expected calibration error of the likeliest token, and the reliability diagram's bins (Guo et al. 2017, §2).

    A bin has its upper limit of confidence, its number of predictions, their mean confidence and their accuracy.
    """
    right = predictions.rank < 1
    confidence = predictions.confidence.astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sums, hits = np.bincount(bins, confidence, BINS), np.bincount(bins, right, BINS)
    rows = [
        {
            "upto": round((at + 1) / BINS, 4),
            "predictions": int(counts[at]),
            "confidence": round(float(sums[at] / counts[at]), 5),
            "accuracy": round(float(hits[at] / counts[at]), 5),
        }
        for at in range(BINS)
        if counts[at]
    ]
    error = float(np.abs(sums - hits).sum() / len(predictions)) if len(predictions) else None
    return {"expected_error": None if error is None else round(error, 5), "bins": rows}


def ngram_errors(predictions: Predictions) -> dict[str, float | None]:
    """For n = 1 to 4, the share of runs of n consecutive tokens of a document that are not predicted in full.

    A run is predicted in full if each of its tokens was the likeliest at its position; n = 1 gives 1 - accuracy.
    """
    missed = predictions.rank > 0
    errors: dict[str, float | None] = {}
    for n in NGRAMS:
        last = len(predictions) - n + 1
        if last <= 0:
            errors[str(n)] = None
            continue
        steps = predictions.position[n - 1 :] - predictions.position[:last]
        run = (predictions.row[n - 1 :] == predictions.row[:last]) & (steps == n - 1)
        wrong = np.zeros(last, bool)
        for offset in range(n):
            wrong |= missed[offset : offset + last]
        errors[str(n)] = round(float(wrong[run].mean()), 5) if run.any() else None
    return errors
