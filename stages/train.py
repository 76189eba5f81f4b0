"""`train`: token shards → a model, its shape and the history of its training."""

from __future__ import annotations

import math
import os

# Read by GNU's OpenMP, which torch brings on Linux, when torch is loaded: how long a thread that waits for the other
# spins before it sleeps. By default so long that any other busy program costs training most of its speed. Measured on
# 2 cores, tokens a second, idle and beside one busy process: default 10,200 and 2,900; 1,000 turns 9,900 and 4,700;
# no turns 7,600 and 5,400. The bits are the same.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pyarrow.compute as pc

from elek.dataset import write_text
from elek.model.config import ModelConfig
from elek.model.files import save_model
from elek.shards import TokenShards
from elek.training.history import to_csv
from elek.training.masking import Words
from elek.training.params import TrainParams
from elek.training.trainer import Trainer
from elek.vocab.tokenizer import Tokenizer
from stages._shell import Stage


def main() -> None:
    with Stage("train", TrainParams) as stage:
        train = TokenShards(stage.data("tokenize") / "train")
        validation = TokenShards(stage.data("tokenize") / "validation")
        config = ModelConfig(
            **stage.params.model.model_dump(), vocab_size=train.vocab_size, objective=stage.params.objective
        )
        words = Words.of(Tokenizer.load(stage.data("vocab"))) if stage.params.objective == "masked" else None
        trainer = Trainer(stage.params, config, train, validation, stage.project / ".ckpt", words)
        trained = trainer.run()
        save_model(stage.out, trained.model)
        write_text(stage.out / "history.csv", to_csv(trained.history))
        last = trained.history[-1]
        assert last.validation_loss is not None  # noqa: S101 - the last step is always measured
        bytes_per_token = pc.sum(validation.documents["bytes"]).as_py() / len(validation)
        stage.metrics = {
            "parameters": config.parameters,
            "precision": trained.precision,
            "steps": last.step,
            "tokens": last.tokens,
            "train_loss": round(last.train_loss, 6),
            "validation_loss": round(last.validation_loss, 6),
            "validation_bits_per_byte": round(last.validation_loss / math.log(2) / bytes_per_token, 6),
        }
        stage.timing["tokens_per_second"] = round(trained.tokens_per_second)
        stage.summary = [
            ("model", f"{config.parameters:,} parameters, {config.layers} layers, {config.width} wide"),
            ("tokens", f"{last.tokens:,} in {last.step} steps, {trained.tokens_per_second:,.0f} a second"),
            ("loss", f"{last.train_loss:.4f} training, {last.validation_loss:.4f} validation"),
            (
                "bits per byte" if config.causal else "pseudo-bits per byte",
                f"{stage.metrics['validation_bits_per_byte']:.4f} validation",
            ),
        ]
    trainer.forget()  # data/train stands: the checkpoints have served


if __name__ == "__main__":
    main()
