"""Pseudo-log-likelihood of a masked model (Salazar et al. 2020): each token is predicted once, with only it masked.

A masked model assigns no probability to a text. The sum of ln p(token | all others) over its tokens is used instead:
`exp` of its mean, negated, is the pseudo-perplexity, and its ratio to the bytes of the text compares models with
different vocabularies. It is lower than the perplexity of a causal model, because each token is predicted from both
sides, so the two must not be compared. As in training, bos and eos are not predicted. A document longer than the
context is read in consecutive windows.

Each token costs a pass over its window: `evaluate.max_masked_tokens` limits their number per split; a hash chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from elek.dataset import write_json
from elek.evaluation.names import as_pseudo
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import Predictions, by_document, calibration, collect, summarise
from elek.evaluation.scoring import one_core_each, require_vocabulary
from elek.generation.filling import fill
from elek.model.transformer import Transformer
from elek.progress import Progress
from elek.shards import TokenShards
from elek.splitmix import finalise
from elek.vocab.params import SPECIAL_PIECES
from elek.vocab.tokenizer import Tokenizer

Plan = npt.NDArray[np.int64]
"""Tokens to predict, [N, 2]: row of the document, position in it."""


def evaluate_masked(
    out: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    splits: Mapping[str, TokenShards],
    params: EvaluateParams,
    workers: int,
) -> dict[str, Any]:
    """Score the splits and fill the prompts. Writes a table per split and samples.json into `out`.

    Returns figures by split, under the names for masked models (`elek.evaluation.names`).
    """
    plans = {name: plan_masks(shards, params.max_masked_tokens) for name, shards in splits.items()}
    metrics: dict[str, Any] = {}
    with Progress("evaluate", sum(map(len, plans.values())), "tokens") as progress:
        for name, shards in splits.items():
            predictions = score_masked(
                model,
                shards,
                plans[name],
                batch_tokens=params.batch_tokens,
                workers=workers,
                advance=progress.advance,
            )
            scored = by_document(predictions, shards.documents, tokenizer)
            pq.write_table(scored, out / f"{name}.parquet", compression="zstd")
            metrics[name] = {
                **as_pseudo(summarise(scored)),
                "calibration": calibration(predictions),
                "documents_in_split": len(shards.documents),
            }
    write_json(out / "samples.json", write_fills(model, tokenizer, params))
    return metrics


def plan_masks(shards: TokenShards, max_tokens: int) -> Plan:
    """All tokens that are not special, or the `max_tokens` of them with the smallest hash.

    The hash is over the document's id and the token's position, so the choice is the same on every machine.
    """
    rows, places, hashes = [], [], []
    for row, name in enumerate(shards.documents["id"].to_pylist()):
        asked = np.flatnonzero(shards.document(row) >= len(SPECIAL_PIECES))
        start = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
        rows.append(np.full(len(asked), row))
        places.append(asked)
        hashes.append(finalise(np.uint64(start) ^ asked.astype(np.uint64)))
    if not rows:
        return np.empty((0, 2), dtype=np.int64)
    plan = np.stack([np.concatenate(rows), np.concatenate(places)], axis=1)
    drawn = np.argsort(np.concatenate(hashes), kind="stable")[:max_tokens]
    return plan[np.sort(drawn)]


def score_masked(
    model: Transformer,
    shards: TokenShards,
    plan: Plan,
    *,
    batch_tokens: int,
    workers: int = 1,
    advance: Callable[[int], None] = lambda tokens: None,
) -> Predictions:
    """Predictions of the tokens in `plan`; the arguments are those of `scoring.score`.

    Raises DataError where the vocabulary of the shards does not have the model's size.
    """
    require_vocabulary(model, shards)
    batches = _batches(shards, plan, model.config.context, batch_tokens)
    with one_core_each():
        return collect(partial(_score_batch, model, shards), batches, workers, advance)


def _batches(shards: TokenShards, plan: Plan, context: int, batch_tokens: int) -> Iterator[npt.NDArray[np.int64]]:
    """Batches of windows of equal length, at most `batch_tokens`, as rows (document, begin, end, position)."""
    if not len(plan):
        return
    lengths = shards.documents["length"].to_numpy()[plan[:, 0]]
    begin = plan[:, 1] // context * context
    work = np.stack([plan[:, 0], begin, np.minimum(begin + context, lengths), plan[:, 1]], axis=1)
    length = work[:, 2] - work[:, 1]
    work = work[np.lexsort((plan[:, 1], plan[:, 0], -length))]
    for group in np.split(work, np.flatnonzero(np.diff(np.sort(length)[::-1])) + 1):
        step = max(1, batch_tokens // int(group[0, 2] - group[0, 1]))
        yield from (group[start : start + step] for start in range(0, len(group), step))


@torch.inference_mode()
def _score_batch(model: Transformer, shards: TokenShards, batch: npt.NDArray[np.int64]) -> Predictions:
    inputs = np.stack([shards.document(row)[begin:end] for row, begin, end, _ in batch.tolist()]).astype(np.int64)
    index, place = np.arange(len(batch)), batch[:, 3] - batch[:, 1]
    right = inputs[index, place]
    inputs[index, place] = Tokenizer.mask
    states = model.states(torch.from_numpy(inputs))[torch.from_numpy(index), torch.from_numpy(place)]
    logits = F.linear(states, model.head_weight).float()
    return Predictions.of_logits(logits, torch.from_numpy(right), batch[:, 0], batch[:, 3])


def write_fills(model: Transformer, tokenizer: Tokenizer, params: EvaluateParams) -> list[dict[str, Any]]:
    """Samples of a masked model: each prompt with its masks filled. A prompt without a mask gets one at its end."""
    samples = []
    for lang, prompts in sorted(params.prompts.items()):
        for prompt in prompts:
            text = prompt if "[MASK]" in prompt or "<mask>" in prompt else f"{prompt} [MASK]"
            filled = fill(model, tokenizer, text)
            shown = "; ".join(
                ", ".join(f"{found.piece.strip()} {found.probability:.1%}" for found in mask) for mask in filled.masks
            )
            samples.append(
                {
                    "lang": lang,
                    "prompt": text,
                    "text": f" → {shown}",
                    "filled": filled.text,
                    "tokens": len(filled.masks),
                    "ended": True,
                }
            )
    return samples
