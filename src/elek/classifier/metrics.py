"""What a classifier is worth on labelled documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def at(
    probabilities: npt.NDArray[np.floating[Any]], positive: npt.NDArray[np.bool_], threshold: float
) -> dict[str, float | int | None]:
    """Confusion and rates where what is strictly above `threshold` counts as positive, as a rule of a filter does.

    Precision is null where nothing was called positive, recall where nothing is.
    """
    said = probabilities > threshold
    right = int((said & positive).sum())
    wrong, missed = int((said & ~positive).sum()), int((~said & positive).sum())
    both = 2 * right + wrong + missed
    return {
        "threshold": threshold,
        "true_positives": right,
        "false_positives": wrong,
        "false_negatives": missed,
        "true_negatives": len(positive) - right - wrong - missed,
        "precision": round(right / (right + wrong), 4) if right + wrong else None,
        "recall": round(right / (right + missed), 4) if right + missed else None,
        "f1": round(2 * right / both, 4) if both else None,
    }


def auc(scores: npt.NDArray[np.floating[Any]], positive: npt.NDArray[np.bool_]) -> float | None:
    """Chance that a positive document scores above a negative one, ties counted half (Mann–Whitney U)."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each distinct score, from 1
    above = float(ranks[inverse][positive].sum()) - positives * (positives + 1) / 2
    return round(above / (positives * negatives), 4)


def summary(
    probabilities: npt.NDArray[np.floating[Any]], positive: npt.NDArray[np.bool_], threshold: float = 0.5
) -> dict[str, Any]:
    """Everything that is reported of a set: counts, rates at one threshold, and a table over many."""
    p = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    loss = float(-np.where(positive, np.log(p), np.log(1 - p)).mean()) if len(positive) else None
    return {
        "documents": len(positive),
        "positive": int(positive.sum()),
        "auc": auc(probabilities, positive),
        "log_loss": None if loss is None else round(loss, 4),
        **at(probabilities, positive, threshold),
        "thresholds": [at(probabilities, positive, value) for value in THRESHOLDS],
    }
