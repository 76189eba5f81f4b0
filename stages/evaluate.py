"""`evaluate`: model + held-out shards → loss, perplexity and bits per byte, and samples."""

from __future__ import annotations

import pyarrow.parquet as pq

from elek.dataset import write_json
from elek.evaluation.masked import evaluate_masked
from elek.evaluation.params import EvaluateParams
from elek.evaluation.samples import write_samples
from elek.evaluation.scoring import plan_windows, score, summarise
from elek.execution import worker_count
from elek.model.files import load_model
from elek.progress import Progress
from elek.shards import TokenShards
from elek.vocab.tokenizer import Tokenizer
from stages._shell import Stage

SPLITS = ("validation", "test", "evaluation")


def main() -> None:
    with Stage("evaluate", EvaluateParams) as stage:
        params = stage.params
        tokenizer = Tokenizer.load(stage.data("vocab"))
        model = load_model(stage.data("train"))
        splits = {name: TokenShards(stage.data("tokenize") / name) for name in SPLITS}
        for shards in splits.values():
            shards.require(tokenizer)
        if not model.config.causal:
            workers = worker_count(stage.execution, sum(len(split.documents) for split in splits.values()))
            stage.metrics = evaluate_masked(stage.out, model, tokenizer, splits, params, workers)
            for name, row in stage.metrics.items():
                figures = f"pseudo-perplexity {row['perplexity']}, {row['bits_per_byte']} pseudo-bits per byte"
                stage.summary.append((name, f"loss {row['loss']}, {figures}"))
            return
        plans = {name: plan_windows(split.documents, model.config.context, params) for name, split in splits.items()}
        tokens = sum(window.scored for plan in plans.values() for window in plan)
        with Progress("evaluate", tokens, "tokens") as progress:
            for name, shards in splits.items():
                scored = score(
                    model,
                    shards,
                    tokenizer.piece_bytes,
                    plans[name],
                    batch_tokens=params.batch_tokens,
                    workers=worker_count(stage.execution, len(plans[name])),
                    advance=progress.advance,
                )
                pq.write_table(scored, stage.out / f"{name}.parquet", compression="zstd")
                stage.metrics[name] = {**summarise(scored), "documents_in_split": len(shards.documents)}
        write_json(stage.out / "samples.json", write_samples(model, tokenizer, params))
        for name, row in stage.metrics.items():
            stage.summary.append(
                (name, f"loss {row['loss']}, perplexity {row['perplexity']}, {row['bits_per_byte']} bits per byte")
            )


if __name__ == "__main__":
    main()
