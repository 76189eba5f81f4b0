"""`tokenize`: documents + vocab → Arrow token shards, one for each part of `split`."""

from __future__ import annotations

from elek.dataset import Dataset
from elek.shards import TokenizeParams, TokenShards, shard_name, write_shards_manifest
from elek.vocab.parts import TokenizeTask, tokenize_part
from elek.vocab.tokenizer import Tokenizer
from stages._shell import Stage

SPLITS = ("train", "validation", "test", "evaluation")


def main() -> None:
    with Stage("tokenize", TokenizeParams) as stage:
        vocab = stage.data("vocab") / "tokenizer.model"
        tokenizer = Tokenizer.load(vocab)
        splits = {name: Dataset(stage.data("split") / name) for name in SPLITS}
        tasks = [
            TokenizeTask(dataset.path(index), stage.out / name, index, vocab, tokenizer.sha256)
            for name, dataset in splits.items()
            for index in range(len(dataset.parts))
        ]
        digests = [part.sha256 for dataset in splits.values() for part in dataset.parts]
        for name in splits:
            (stage.out / name).mkdir()
        written = iter(stage.map_parts(tokenize_part, tasks, digests, tokenizer.sha256, shard_name))
        for name, dataset in splits.items():
            shards = [next(written) for _ in dataset.parts]
            write_shards_manifest(stage.out / name, shards, tokenizer, parent=dataset.digest)
            stage.metrics[name] = TokenShards(stage.out / name, verify=False).figures()
        for name, row in stage.metrics.items():
            each = f", {row['bytes_per_token']} bytes each" if row["tokens"] else ""
            stage.summary.append((name, f"{row['tokens']:,} tokens{each}"))


if __name__ == "__main__":
    main()
