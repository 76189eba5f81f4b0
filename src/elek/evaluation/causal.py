"""Evaluation of a causal model: scores with an n-gram baseline, samples, and measured generations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from elek.dataset import Dataset, write_json
from elek.evaluation.generations import draw_prompts, figures, write_generations
from elek.evaluation.ngram import KneserNey
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import Predictions, by_document, calibration, ngram_errors, summarise
from elek.evaluation.samples import write_samples
from elek.evaluation.scoring import plan_windows, score
from elek.model.transformer import Transformer
from elek.progress import Progress
from elek.shards import TokenShards
from elek.vocab.tokenizer import Tokenizer


def evaluate_causal(
    out: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    train: tuple[TokenShards, Dataset],
    splits: Mapping[str, TokenShards],
    params: EvaluateParams,
    workers: int,
) -> dict[str, Any]:
    """Score the splits, write samples and generations into `out`: a table per split, samples.json, generations.json.

    `train` is the training text as tokens and as documents: it trains the baseline, and copies are searched in it.
    """
    tokens, documents = train
    plans = {name: plan_windows(shards.documents, model.config.context, params) for name, shards in splits.items()}
    ngram = None
    if params.ngram.order:
        ngram = KneserNey.train(tokens, tokenizer, params.ngram.order, params.ngram.max_tokens)
    prompts = draw_prompts({"train": tokens, **splits}, params)

    def measured(predictions: Predictions, shards: TokenShards) -> dict[str, Any]:
        return {
            **summarise(by_document(predictions, shards.documents, tokenizer)),
            "ngram_errors": ngram_errors(predictions),
            "calibration": calibration(predictions),
        }

    metrics: dict[str, Any] = {}
    total = sum(window.scored for plan in plans.values() for window in plan) * (2 if ngram else 1)
    with Progress("evaluate", total + len(prompts) * params.generations.new_tokens, "tokens") as progress:
        how: dict[str, Any] = {"workers": workers, "advance": progress.advance}
        for name, shards in splits.items():
            predictions = score(model, shards, plans[name], batch_tokens=params.batch_tokens, **how)
            scored = by_document(predictions, shards.documents, tokenizer)
            pq.write_table(scored, out / f"{name}.parquet", compression="zstd")
            metrics[name] = {**measured(predictions, shards), "documents_in_split": len(shards.documents)}
            if ngram:
                baseline = measured(ngram.score(shards, plans[name], **how), shards)
                metrics[name]["ngram"] = {"order": params.ngram.order, **baseline}
        records = write_generations(model, tokenizer, prompts, tokens, documents, params, progress)
    write_json(out / "generations.json", records)
    write_json(out / "samples.json", write_samples(model, tokenizer, params))
    return {**metrics, "generations": figures(records)}
