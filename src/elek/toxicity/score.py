"""From matches to a score: what was said, weighed against how much was said beside it.

With W the summed weight of the matches (`WEIGHTS` by severity; ambiguous ones together at most AMBIGUOUS_CAP) and n
the number of words, at least one per twelve bytes,

    score = W / (W + TOLERATED + TOLERATED_PER_WORD * n)

so that 0.5 is reached where the matches weigh as much as a text of that length may bear: one mild word in 35, one
strong word in 135, one severe word in 285. A novel with one oath scores near 0; a short prompt full of them near 1.
A score for a text without a match is 0. The constants were set by hand on half of a labelled set of short prompts
and on long documents that must survive; they are ours, from no paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.toxicity.lexicon import CATEGORIES, WEIGHTS, Language, load

TOLERATED = 0.3
TOLERATED_PER_WORD = 0.02
AMBIGUOUS_CAP = 1.0
TOXIC = 0.5
"""The score above which a text counts as toxic, unless somebody says otherwise: it outweighs what its length bears."""


@dataclass(frozen=True)
class Scores:
    """Arrays of one length, a row per text. `category` is an index into CATEGORIES, -1 where nothing matched."""

    score: npt.NDArray[np.float32]
    severity: npt.NDArray[np.int8]
    category: npt.NDArray[np.int8]
    matches: npt.NDArray[np.int32]

    def category_names(self) -> pa.Array:
        """Category of each row as a string, empty where nothing matched."""
        return pa.array(["", *CATEGORIES], pa.string()).take(pa.array(self.category.astype(np.int32) + 1))


def score_texts(texts: pa.Array, languages: pa.Array) -> Scores:
    """Score a column of large_string; `languages` picks the lexicon of each row (en, tr, else both)."""
    from elek.kernels import buffers  # numba, and what compiles on first use: not for those who only validate params
    from elek.toxicity import kernel

    scan: Any = kernel.scan
    rows = len(texts)
    data, offsets = buffers(texts.cast(pa.large_string()))
    words = np.zeros(rows, np.int64)
    weight, ambiguous = np.zeros(rows), np.zeros(rows)
    matches = np.zeros(rows, np.int32)
    severity, category = np.zeros(rows, np.int8), np.full(rows, -1, np.int8)
    names = np.array([str(language) for language in languages.to_pylist()], dtype=object)
    weights = np.array(WEIGHTS)
    known: tuple[Language, ...] = ("en", "tr", "und")
    for language in known:
        chosen = ~np.isin(names, known[:2]) if language == "und" else names == language
        if chosen.any():
            scan(
                data, offsets, np.flatnonzero(chosen), load(language), weights,
                words, weight, ambiguous, matches, severity, category,
            )  # fmt: skip
    total = weight + np.minimum(ambiguous, AMBIGUOUS_CAP)
    length = np.maximum(words, np.diff(offsets) // 12)
    score = total / (total + TOLERATED + TOLERATED_PER_WORD * length)
    return Scores(score.astype(np.float32), severity, category, matches)
