"""How fast text becomes token shards, beside `sentencepiece` itself, and whether the ids are the same.

    python -m benchmarks.tokenization corpus.jsonl.zst [--size 8000] [--workers 2] [--rounds 3]

Takes JSON lines (also .zst), Parquet or a folder of parts, with a column `text`. A vocabulary is trained on it first
(not timed). Then, in turn, so that a noisy machine disturbs all alike: `sentencepiece.encode(list)` on one thread and
on each of several numbers of threads, ids in memory as Python lists and as numpy arrays; and our stage's function on
so many processes, from Parquet parts to written, hashed Arrow shards, the start of the processes included. Seconds
are of the wall clock, the fastest of the rounds counts, MB are 10⁶ bytes of UTF-8 text.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sentencepiece

from benchmarks.corpora import read
from elek.dataset import Dataset, atomic_folder, write_manifest, write_part
from elek.execution.engine import map_shards
from elek.params import ExecutionParams
from elek.shards import TokenShards, write_shards_manifest
from elek.vocab.params import VocabParams
from elek.vocab.parts import TokenizeTask, tokenize_part
from elek.vocab.tokenizer import SPACE_MARK, Tokenizer
from elek.vocab.training import train_vocabulary

PART_BYTES = 4_000_000


def write_parts(folder: Path, table: pa.Table) -> Dataset:
    """The corpus in parts as `split` writes them."""
    ends = np.cumsum(pc.binary_length(table["text"]).to_numpy())
    cuts = np.searchsorted(ends, np.arange(PART_BYTES, ends[-1] + PART_BYTES, PART_BYTES)) + 1
    borders = np.unique(np.minimum(np.concatenate([[0], cuts]), len(table)))
    with atomic_folder(folder) as out:
        pairs = zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
        write_manifest(out, [write_part(out, at, table.slice(a, b - a)) for at, (a, b) in enumerate(pairs)])
    return Dataset(folder)


def wall(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--size", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    table = read(options.corpus, options.limit)
    megabytes = pc.sum(pc.binary_length(table["text"])).as_py() / 1e6
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        dataset = write_parts(folder / "split", table)
        for name in ("vocab", "warm"):
            (folder / name).mkdir()
        model, _ = train_vocabulary(dataset, VocabParams(size=options.size, max_megabytes=30))
        vocab = folder / "vocab" / "tokenizer.model"
        vocab.write_bytes(model)
        tokenizer = Tokenizer(model)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        texts: list[str] = table["text"].to_pylist()

        def shards() -> None:
            out = folder / "shards"
            out.mkdir(exist_ok=True)
            tasks = [
                TokenizeTask(dataset.path(index), out, index, vocab, tokenizer.sha256)
                for index in range(len(dataset.parts))
            ]
            execution = ExecutionParams(workers=options.workers)
            written = map_shards(tokenize_part, tasks, execution=execution, label="tokenize", unit="parts")
            write_shards_manifest(out, written, tokenizer, parent=dataset.digest)

        threads = sorted({1, 2, 4, os.cpu_count() or 1})
        ways: dict[str, Callable[[], object]] = {f"ours, into shards, {options.workers} processes": shards}
        for number in threads:
            encode = partial(processor.encode, texts, num_threads=number)
            ways[f"sentencepiece lists, {number} threads"] = encode
            ways[f"sentencepiece numpy, {number} threads"] = partial(encode, return_type="numpy")
        tokenize_part(TokenizeTask(dataset.path(0), folder / "warm", 0, vocab, tokenizer.sha256))  # compiles once
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(options.rounds):
            for name, way in ways.items():
                best[name] = min(best[name], wall(way))

        stream, differ, marked = TokenShards(folder / "shards"), 0, 0
        for row, text in enumerate(texts):
            if SPACE_MARK in text:
                marked += 1  # a documented difference: SentencePiece would turn U+2581 into a space
            elif stream.document(row)[1:-1].tolist() != processor.encode(text):
                differ += 1
    print(f"{len(texts):,} documents, {megabytes:.1f} MB, {options.size:,} pieces; {os.cpu_count()} cores")
    for name, seconds in best.items():
        print(f"{name:<36} {seconds:8.2f} s {megabytes / seconds:8.1f} MB/s")
    ours = best[f"ours, into shards, {options.workers} processes"]
    one = best["sentencepiece lists, 1 threads"]
    lists = min(seconds for name, seconds in best.items() if name.startswith("sentencepiece lists"))
    print(f"ours is {one / ours:.2f} times encode(list) on one thread, {lists / ours:.2f} times its fastest")
    print(f"documents whose ids differ: {differ} of {len(texts) - marked}; {marked} hold U+2581 and are not compared")


if __name__ == "__main__":
    main()
