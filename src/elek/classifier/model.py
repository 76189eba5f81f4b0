"""A trained model: plain arrays and a header that says what they are and where they come from."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import atomic_folder, sha256_file, write_json
from elek.errors import DataError
from elek.kernels import buffers
from elek.text.casing import DOTTED_LANGUAGES

HEADER, WEIGHTS = "model.json", "weights.npz"
FORMAT = "elek-classifier-1"
MAX_BITS = 26
_REQUIRED = (
    "format",
    "task",
    "classes",
    "shape",
    "max_bytes",
    "bias",
    "calibration",
    "prior",
    "data",
    "weights_sha256",
)


@dataclass(frozen=True)
class Shape:
    """What the features are. `2**bits` weights of 4 bytes each."""

    bits: int = 18
    """Base-2 logarithm of the number of weights."""
    letters: tuple[int, int] = (2, 5)
    """Least and most letters of a character n-gram; the two ends of a word count as letters."""
    words: int = 2
    """Most words of a word n-gram."""

    def array(self) -> npt.NDArray[np.int64]:
        return np.array([self.bits, *self.letters, self.words], np.int64)


@dataclass(frozen=True)
class Model:
    """`weights` is float32 of shape (2**bits,); `header` is what `model.json` holds."""

    header: Mapping[str, Any]
    weights: npt.NDArray[np.float32]
    digest: str
    """SHA-256 of the header, which holds that of the weights: one digest for the whole model."""

    def expect(self, task: str) -> Model:
        """Itself. Raises DataError where it was trained for another task."""
        if self.header["task"] != task:
            raise DataError(
                f"the model {self.digest[:12]} was trained for {self.header['task']}, and here {task} is asked",
                where="annotate.settings in params.yaml",
                fix=f"elek classifier train --task {task} …",
            )
        return self

    def log_odds(self, texts: pa.Array, languages: pa.Array) -> npt.NDArray[np.float64]:
        """Calibrated log-odds of the positive class of every text (large_string); null is read as empty.

        `languages` decides how I is lower-cased. Of a long text the first `max_bytes` bytes are read.
        """
        shape = self.header["shape"]
        raw = logits(
            texts, languages, Shape(shape["bits"], tuple(shape["letters"]), shape["words"]),
            int(self.header["max_bytes"]), self.weights, float(self.header["bias"]),
        )  # fmt: skip
        calibration = self.header["calibration"]
        result: npt.NDArray[np.float64] = np.clip(
            raw * float(calibration["slope"]) + float(calibration["intercept"]), -35, 35
        )
        return result

    def probabilities(self, texts: pa.Array, languages: pa.Array) -> npt.NDArray[np.float32]:
        """Calibrated probability of the positive class, 4 decimals."""
        return np.round(1 / (1 + np.exp(-self.log_odds(texts, languages))), 4).astype(np.float32)

    @property
    def prior_log_odds(self) -> float:
        """Log-odds of the positive class where the model was calibrated: what it says of nothing in particular."""
        prior = float(self.header["prior"])
        return math.log(prior / (1 - prior))


def dotless(languages: pa.Array) -> npt.NDArray[np.bool_]:
    """Whether I is the capital of ı in each row's language."""
    known = pa.array(sorted(DOTTED_LANGUAGES))
    found: npt.NDArray[np.bool_] = pc.is_in(languages.cast(pa.string()), known).to_numpy(zero_copy_only=False)
    return found.astype(bool)


def logits(
    texts: pa.Array, languages: pa.Array, shape: Shape, max_bytes: int, weights: npt.NDArray[np.float32], bias: float
) -> npt.NDArray[np.float64]:
    """Uncalibrated log-odds, before anything is held out: what training and `Model` share."""
    from elek.classifier import kernel

    run: Any = kernel.score
    data, offsets = buffers(texts.cast(pa.large_string()))
    out = np.zeros(len(texts), np.float64)
    rows = np.arange(len(texts))
    run(data, offsets, rows, dotless(languages), kernel.LOWER, shape.array(), max_bytes, weights, bias, out)
    return out


def save(folder: Path, header: dict[str, Any], weights: npt.NDArray[np.float32]) -> str:
    """Write a model whole or not at all, and give its digest. The same model is the same bytes.

    A folder that is there already is replaced if it holds a model, and refused if it holds anything else.
    """
    if folder.exists() and not (folder / HEADER).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("this is no model, and is not overwritten", where=str(folder), fix="name a new folder")
    with atomic_folder(folder) as out:
        # A zip of one stored member, with zip's zero of time: numpy.load reads it, and no clock is in it.
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, weights, allow_pickle=False)
        with zipfile.ZipFile(out / WEIGHTS, "w", zipfile.ZIP_STORED) as file:
            info = zipfile.ZipInfo("weights.npy", (1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # one value on every system
            file.writestr(info, buffer.getvalue())
        write_json(out / HEADER, header | {"weights_sha256": sha256_file(out / WEIGHTS)})
    return sha256_file(folder / HEADER)


def load(folder: Path, sha256: str | None = None) -> Model:
    """The model in a folder. Raises DataError where it is missing, torn, altered, or not the one of `sha256`.

    A process reads a model once. What has changed on the disk meanwhile is read again.
    """
    try:
        stamp = tuple((folder / name).stat().st_mtime_ns for name in (HEADER, WEIGHTS))
    except OSError:
        missing = "there is no model here" if not (folder / HEADER).is_file() else f"the model has no {WEIGHTS}"
        raise DataError(missing, where=str(folder), fix="`elek classifier train` makes one; `dvc pull`?") from None
    model = _load(folder, stamp)
    if sha256 is not None and model.digest != sha256:
        raise DataError(
            f"the model is not the one that params.yaml names: its sha256 is {model.digest}",
            where=str(folder),
            fix="write this digest into params.yaml beside `model`, or bring the old model back",
        )
    return model


@lru_cache(maxsize=4)
def _load(folder: Path, stamp: tuple[int, ...]) -> Model:
    header_path, weights_path = folder / HEADER, folder / WEIGHTS
    raw = header_path.read_bytes()
    try:
        header = json.loads(raw)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"not a header of {FORMAT}", where=str(header_path), fix="train the model again")
    absent = [name for name in _REQUIRED if name not in header]
    if absent:
        raise DataError(f"the header has no {', '.join(absent)}", where=str(header_path), fix="train the model again")
    if sha256_file(weights_path) != header["weights_sha256"]:
        raise DataError("the weights are not those of the header", where=str(weights_path), fix="bring both back")
    with np.load(weights_path, allow_pickle=False) as arrays:
        weights = arrays["weights"]
    if weights.shape != (1 << int(header["shape"]["bits"]),) or weights.dtype != np.float32:
        raise DataError("the weights do not fit the header", where=str(weights_path), fix="train the model again")
    return Model(header, weights, hashlib.sha256(raw).hexdigest())
