"""`evaluate`: model + held-out shards → loss, perplexity and bits per byte, beside an n-gram model; samples;
what generations are like and what of them was copied."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq

from elek.dataset import Dataset, write_json
from elek.evaluation.generations import draw_prompts, figures, write_generations
from elek.evaluation.ngram import KneserNey
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import Predictions, by_document, calibration, ngram_errors, summarise
from elek.evaluation.samples import write_samples
from elek.evaluation.scoring import plan_windows, score
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
        shards = {name: TokenShards(stage.data("tokenize") / name) for name in ("train", *SPLITS)}
        for split in shards.values():
            split.require(tokenizer)
        plans = {name: plan_windows(shards[name].documents, model.config.context, params) for name in SPLITS}
        ngram = None
        if params.ngram.order:
            ngram = KneserNey.train(shards["train"], tokenizer, params.ngram.order, params.ngram.max_tokens)
        prompts = draw_prompts(shards, params)

        def measured(predictions: Predictions, name: str) -> dict[str, Any]:
            return {
                **summarise(by_document(predictions, shards[name].documents, tokenizer)),
                "ngram_errors": ngram_errors(predictions),
                "calibration": calibration(predictions),
            }

        tokens = sum(window.scored for plan in plans.values() for window in plan)
        total = tokens * (2 if ngram else 1) + len(prompts) * params.generations.new_tokens
        with Progress("evaluate", total, "tokens") as progress:
            for name, plan in plans.items():
                workers = worker_count(stage.execution, len(plan))
                predictions = score(
                    model,
                    shards[name],
                    plan,
                    batch_tokens=params.batch_tokens,
                    workers=workers,
                    advance=progress.advance,
                )
                scored = by_document(predictions, shards[name].documents, tokenizer)
                pq.write_table(scored, stage.out / f"{name}.parquet", compression="zstd")
                stage.metrics[name] = {
                    **measured(predictions, name),
                    "documents_in_split": len(shards[name].documents),
                }
                if ngram:
                    baseline = ngram.score(shards[name], plan, workers=workers, advance=progress.advance)
                    stage.metrics[name]["ngram"] = measured(baseline, name)
            train = Dataset(stage.data("split") / "train")
            records = write_generations(model, tokenizer, prompts, shards["train"], train, params, progress)
        write_json(stage.out / "generations.json", records)
        stage.metrics["generations"] = figures(records)
        write_json(stage.out / "samples.json", write_samples(model, tokenizer, params))
        for name in SPLITS:
            row = stage.metrics[name]
            beside = f"; {params.ngram.order}-gram model {row['ngram']['bits_per_byte']}" if ngram else ""
            told = f"loss {row['loss']}, perplexity {row['perplexity']}, {row['bits_per_byte']} bits per byte{beside}"
            stage.summary.append((name, told))
        copying = stage.metrics["generations"]["memorisation"]["train"]
        stage.summary.append(("memorised", f"longest overlap with training text {copying['longest_overlap']} tokens"))


if __name__ == "__main__":
    main()
