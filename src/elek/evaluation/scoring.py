"""Loss of a causal model, document by document: every token is predicted once, from the tokens before it.

A document is bos, its pieces, eos. Bos is given; the pieces and eos are predicted, since the end is part of a text. So
a document of n pieces has n + 1 predictions, and bits per byte is the length in bits of the document's code under the
model, divided by its UTF-8 bytes. Documents are independent of each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from elek.errors import DataError
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import Predictions, collect
from elek.model.transformer import Transformer
from elek.shards import TokenShards


@dataclass(frozen=True)
class Window:
    """A section of a document that goes through the model: inputs `start` to `end`, each predicting the next token.

    Inputs before `first` only provide context: an earlier window scored their predictions.
    """

    row: int
    start: int
    end: int
    first: int

    @property
    def scored(self) -> int:
        """The number of predictions that are scored."""
        return self.end - self.first


def windows(row: int, length: int, context: int, stride: float) -> Iterator[Window]:
    """Windows of at most `context` inputs that together score each of a document's `length - 1` predictions once.

    The first window scores all its predictions, every later one at most its last `stride · context`.
    """
    predictions, step = length - 1, max(1, round(stride * context))
    done = min(context, predictions)
    yield Window(row, 0, done, 0)
    while done < predictions:
        end = min(done + step, predictions)
        yield Window(row, end - context, end, done)
        done = end


def plan_windows(documents: pa.Table, context: int, params: EvaluateParams) -> list[Window]:
    """The windows to score: all of them, or at least one and as many as `params.max_tokens` predictions allow.

    A hash of document and position chooses windows, the same on every machine. Whole documents are not chosen, since a
    few long ones could take the place of all others.
    """
    ids, lengths = documents["id"].to_pylist(), documents["length"].to_pylist()
    plan = [window for row in range(len(ids)) for window in windows(row, lengths[row], context, params.stride)]
    if sum(window.scored for window in plan) <= params.max_tokens:
        return plan
    drawn = sorted(plan, key=lambda window: hashlib.blake2b(f"{ids[window.row]}\0{window.first}".encode()).digest())
    fitting = np.cumsum([window.scored for window in drawn]) <= params.max_tokens
    return sorted(drawn[: max(1, int(fitting.sum()))], key=lambda window: (window.row, window.start))


def score(
    model: Transformer,
    shards: TokenShards,
    plan: Sequence[Window],
    *,
    batch_tokens: int,
    workers: int = 1,
    advance: Callable[[int], None] = lambda tokens: None,
) -> Predictions:
    """The model's predictions for the windows in `plan`.

    `advance` is called with the number of tokens scored since the last call. Batches go through the model in `workers`
    threads, each on one core: so the figures do not depend on their number, and no thread waits for another within a
    matrix product. Raises DataError where the vocabulary of the shards does not have the model's size.
    """
    require_vocabulary(model, shards)
    with one_core_each():
        return collect(partial(_score_batch, model, shards), _batches(plan, batch_tokens), workers, advance)


def require_vocabulary(model: Transformer, shards: TokenShards) -> None:
    """Raises DataError where the vocabulary of the shards does not have the model's size."""
    if shards.vocab_size != model.config.vocab_size:
        raise DataError(
            f"the model knows {model.config.vocab_size} tokens, the shards {shards.vocab_size}",
            where=str(shards.folder),
            fix="run `dvc repro`",
        )


@contextmanager
def one_core_each() -> Iterator[None]:
    """During the block, torch uses one thread per operation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def _score_batch(model: Transformer, shards: TokenShards, batch: Sequence[Window]) -> Predictions:
    inputs, targets, rows, positions = _assemble(shards, batch)
    scored = targets >= 0
    right, chosen = targets[scored], scored.numpy()
    # The output layer costs most: it is computed for scored tokens only.
    logits = F.linear(model.states(inputs)[scored], model.head_weight).float()
    return Predictions.of_logits(logits, right, rows[chosen], positions[chosen])


def _batches(plan: Sequence[Window], batch_tokens: int) -> Iterator[list[Window]]:
    """Batches of windows of similar length, the longest first, each at most `batch_tokens` with padding."""
    batch: list[Window] = []
    for window in sorted(plan, key=lambda window: (window.start - window.end, window.row, window.start)):
        widest = batch[0].end - batch[0].start if batch else 0
        if batch and (len(batch) + 1) * widest > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _assemble(
    shards: TokenShards, batch: Sequence[Window]
) -> tuple[torch.Tensor, torch.Tensor, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Inputs, targets (-1: not scored), rows of the documents and positions of the targets, each [B, T].

    Padding is at the end, where it does not affect a causal model.
    """
    shape = (len(batch), batch[0].end - batch[0].start)
    inputs, targets = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    for index, window in enumerate(batch):
        tokens = shards.document(window.row)
        inputs[index, : window.end - window.start] = tokens[window.start : window.end]
        targets[index, window.first - window.start : window.end - window.start] = tokens[
            window.first + 1 : window.end + 1
        ]
    owners = np.repeat([window.row for window in batch], shape[1]).reshape(shape)
    positions = np.array([window.start + 1 for window in batch])[:, None] + np.arange(shape[1])
    return torch.from_numpy(inputs), torch.from_numpy(targets), owners, positions
