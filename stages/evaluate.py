"""`evaluate`: model + held-out shards → what the model is worth, as figures, tables and samples."""

from __future__ import annotations

from elek.dataset import Dataset
from elek.evaluation.causal import evaluate_causal
from elek.evaluation.masked import evaluate_masked
from elek.evaluation.memory import return_freed_memory
from elek.evaluation.names import plain, words
from elek.evaluation.params import EvaluateParams
from elek.execution.engine import worker_count
from elek.model.files import load_model
from elek.shards import TokenShards
from elek.vocab.tokenizer import Tokenizer
from stages._shell import Stage

SPLITS = ("validation", "test", "evaluation")


def main() -> None:
    return_freed_memory()
    with Stage("evaluate", EvaluateParams) as stage:
        tokenizer = Tokenizer.load(stage.data("vocab"))
        model = load_model(stage.data("train"))
        shards = {name: TokenShards(stage.data("tokenize") / name) for name in ("train", *SPLITS)}
        for split in shards.values():
            split.require(tokenizer)
        held_out = {name: shards[name] for name in SPLITS}
        workers = worker_count(stage.execution, sum(len(split.documents) for split in held_out.values()))
        if model.config.causal:
            train = (shards["train"], Dataset(stage.data("split") / "train"))
            stage.metrics = evaluate_causal(stage.out, model, tokenizer, train, held_out, stage.params, workers)
        else:
            stage.metrics = evaluate_masked(stage.out, model, tokenizer, held_out, stage.params, workers)
        objective = model.config.objective
        loss, perplexity, bits = (words(name, objective) for name in ("loss", "perplexity", "bits_per_byte"))
        for name in SPLITS:
            row = plain(stage.metrics[name])
            if not row["documents"]:
                stage.summary.append((name, "no documents"))
                continue
            figures = f"{loss} {row['loss']}, {perplexity} {row['perplexity']}, {row['bits_per_byte']} {bits}"
            beside = f"; n-gram model {row['ngram']['bits_per_byte']}" if "ngram" in row else ""
            stage.summary.append((name, f"{figures}{beside}"))
        if "generations" in stage.metrics:
            copying = stage.metrics["generations"]["memorisation"]["train"]
            told = f"longest overlap with training text {copying['longest_overlap']} tokens"
            stage.summary.append(("memorised", told))


if __name__ == "__main__":
    main()
