# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""py3langid's identifier, its walk over the bytes compiled: the same answers at three times the speed.

The model, its scoring and its probabilities are py3langid's (Lui and Baldwin 2012; the package's `LanguageIdentifier`
does one byte at a time in Python, and was the dearest step of the whole chain). What is computed, and in
what order, follows it, so that not even a rounding differs; a test compares the two.
"""

from __future__ import annotations

import io
import lzma
import math
import threading
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from elek.kernels import kernel


class Model(NamedTuple):
    """A model of F features and C classes over an automaton of S states with R distinct rows."""

    table: npt.NDArray[np.float32]  # (F, C): log-probabilities of features
    prior: npt.NDArray[np.float32]  # (C,)
    classes: list[str]  # (C,), some of them twice
    column: npt.NDArray[np.intp]  # (C,): the first column of the same class
    moves: npt.NDArray[np.uint32]  # (R, 256)
    row: npt.NDArray[np.uint32]  # (S,)
    feature: npt.NDArray[np.int32]  # (S,): what is seen on entering the state, -1 for nothing
    place: npt.NDArray[np.int32]  # (F,): all -1; a walk's notes, which it wipes out behind itself


_loading = threading.Lock()


def load() -> Model:
    """py3langid's model, from the installed package. Who asks while another thread loads it, waits for that."""
    with _loading:
        return _load()


@cache
def _load() -> Model:
    from py3langid.langid import MODEL_DIR, MODEL_FILE

    with np.load(io.BytesIO(lzma.decompress((MODEL_DIR / MODEL_FILE).read_bytes())), allow_pickle=False) as data:
        classes = [str(name) for name in data["classes"].tolist()]
        column = np.array([classes.index(name) for name in classes], np.intp)
        moves = data["nextmove"].astype(np.uint32).reshape(-1, 256)
        row, feature = data["nextmove_row"].astype(np.uint32), data["out_feat"].astype(np.int32)
        table = data["ptc"].astype(np.float32)  # 57 MB in place of 28: half of the time went into converting rows
        return Model(table, data["pc"], classes, column, moves, row, feature, np.full(len(table), -1, np.int32))


def rank(text: str, most: int) -> dict[str, float]:
    """The likeliest classes with their probabilities, at most `most`, best first."""
    model = load()
    raw = unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode("utf-8", "surrogatepass")
    found, counts = _walk(model.moves, model.row, model.feature, np.frombuffer(raw, np.uint8), model.place)
    if len(found):
        scores = np.log1p(counts) @ model.table[found] + model.prior
    else:
        scores = np.zeros(len(model.classes), np.float32)
    # The square root of the length keeps probabilities honest for short texts and for long ones.
    scores *= 1.0 / math.sqrt(len(raw) or 1)
    np.exp(scores - scores.max(), out=scores)
    scores /= scores.sum()
    for at in np.flatnonzero(model.column != np.arange(len(scores))):
        scores[model.column[at]] += scores[at]
        scores[at] = -1.0
    best = np.argsort(-scores, kind="stable")[:most]
    return {model.classes[at]: float(scores[at]) for at in best if scores[at] >= 0}


@kernel
def _walk(moves, row, feature, data, place):
    """Features that occur, in the order in which they first do, and how often each (float32)."""
    found = np.empty(len(data), np.int32)
    counts = np.zeros(len(data), np.float32)
    size = 0
    state = np.uint32(0)
    for byte in data:
        state = moves[row[state], byte]
        seen = feature[state]
        if seen >= 0:
            if place[seen] < 0:
                place[seen] = size
                found[size] = seen
                size += 1
            counts[place[seen]] += 1
    for at in range(size):
        place[found[at]] = -1
    return found[:size], counts[:size]
