"""How fast deduplication and decontamination are, on any corpus, on one core.

    python benchmarks/dedup.py corpus.jsonl.zst

Takes .jsonl, .jsonl.zst or .parquet with a column `text` (and `id`, where there is one). Each figure is the best
of three runs, after one that compiles; MB are 10⁶ bytes of UTF-8 text.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DECISION, DOCUMENT, Dataset, write_manifest, write_part
from elek.decontamination import find
from elek.dedup import kernels
from elek.dedup.decisions import deduplicate
from elek.dedup.lsh import candidates
from elek.dedup.normalise import normalise, shingle_sets, word_hashes
from elek.dedup.params import DedupParams, MinHashParams
from elek.dedup.signatures import from_binary, signatures

sys.path.insert(0, str(Path(__file__).resolve().parent))
from corpora import read

PART = 4_000_000  # bytes of text, as fetch.part_megabytes has it


def best(function: Callable[[], Any], runs: int = 3) -> float:
    """Seconds of processor time, the least of some runs after a first."""
    function()
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)


def line(what: str, seconds: float, documents: int, megabytes: float, note: str = "") -> None:
    print(f"{what:<34} {seconds:8.3f} s {documents / seconds:12,.0f} docs/s {megabytes / seconds:9.1f} MB/s  {note}")


def steps(table: pa.Table) -> None:
    text = table["text"].combine_chunks()
    documents, megabytes = len(text), pc.sum(pc.binary_length(text)).as_py() / 1e6
    print(f"{documents:,} documents, {megabytes:.1f} MB\n")
    params = MinHashParams()
    line("normalise", best(lambda: normalise(text)), documents, megabytes)
    normalised = normalise(text)
    line("hash words", best(lambda: word_hashes(normalised)), documents, megabytes)
    line("signatures (all of it)", best(lambda: signatures(text, params)), documents, megabytes)

    exact, minhash = signatures(text, params)
    _, first = np.unique(exact.dictionary_encode().indices.to_numpy(), return_index=True)
    first = first[minhash.is_valid().to_numpy(zero_copy_only=False)[first]]
    values = from_binary(minhash)[first]
    for thresholds in ([0.8], [0.5, 0.8]):
        left, right = candidates(values, thresholds)
        note = f"{len(left):,} pairs of {len(first):,} distinct texts"
        what = f"LSH at {' and '.join(map(str, thresholds))}"
        line(what, best(partial(candidates, values, thresholds)), documents, megabytes, note)
    texts, ends = np.unique(np.concatenate([left, right]), return_inverse=True)
    asked = text.take(pa.array(first[texts]))
    size = pc.sum(pc.binary_length(asked)).as_py() / 1e6
    line("verify: sets of shingles", best(lambda: shingle_sets(asked, params.shingle)), len(asked), size)
    sets, offsets = shingle_sets(asked, params.shingle)
    ends = ends.reshape(2, -1)
    seconds = best(lambda: kernels.jaccard(sets, offsets, ends[0], ends[1]))
    similar = kernels.jaccard(sets, offsets, ends[0], ends[1])
    print(f"{'verify: Jaccard':<34} {seconds:8.3f} s {len(left) / seconds:12,.0f} pairs/s")
    print(f"{'':<34} {(similar >= 0.8).sum():,} pairs at or above 0.8, {(similar >= 0.5).sum():,} at or above 0.5\n")


def whole(table: pa.Table, folder: Path) -> None:
    """From stored signatures to decisions, and decontamination against every 20th document, with all files."""
    clean, annotate, filtered = datasets(table, folder)
    megabytes = pc.sum(pc.binary_length(table["text"])).as_py() / 1e6
    scratch = folder / "scratch"
    scratch.mkdir()

    def one_process(function: Callable[[Any], Any], tasks: Any) -> list[Any]:
        return [function(task) for task in tasks]

    def dedup() -> Any:
        return deduplicate(clean, annotate, filtered, DedupParams(), scratch)

    dropped = int((dedup().survivor >= 0).sum())
    line("dedup, signatures stored", best(dedup), len(table), megabytes, f"{dropped:,} dropped")

    rows = [(clean.path(index), np.arange(part.rows)) for index, part in enumerate(clean.parts)]
    held_out = [(path, own[::20]) for path, own in rows]
    train = [(path, np.setdiff1d(own, own[::20])) for path, own in rows]
    ids = pa.array([str(n) for n in range(sum(len(own) for _, own in held_out))])
    seconds = best(lambda: find(train, held_out, ids, 13, 10, scratch, one_process), runs=1)
    line("decontamination by 13-grams", seconds, len(table), megabytes, f"{len(ids):,} held out")


def datasets(table: pa.Table, folder: Path) -> tuple[Dataset, Dataset, Dataset]:
    parts: dict[str, list[Any]] = {"clean": [], "annotate": [], "filter": []}
    for name in parts:
        (folder / name).mkdir()
    ends = np.cumsum(pc.binary_length(table["text"]).to_numpy()) // PART
    for index, start in enumerate(np.unique(ends, return_index=True)[1]):
        own = table.slice(start, int((ends == ends[start]).sum()))
        fixed = {"source": "corpus", "license": "MIT", "lang": "und", "url": "", "meta": "{}"}
        filled = {name: pa.array([value] * len(own), pa.string()) for name, value in fixed.items()}
        columns = {"id": own["id"], "text": own["text"], **filled}
        documents = pa.table([columns[name] for name in DOCUMENT.names], schema=DOCUMENT)
        exact, minhash = signatures(own["text"].combine_chunks(), MinHashParams())
        signals = documents.drop_columns("text").append_column("hash.text", exact)
        yes = pa.array([True] * len(own))
        nothing = pa.array([[]] * len(own), DECISION.field("failures").type)
        kept = pa.table([own["id"], yes, yes, nothing], schema=DECISION)
        for name, part in (
            ("clean", documents),
            ("annotate", signals.append_column("hash.minhash", minhash)),
            ("filter", kept),
        ):
            parts[name].append(write_part(folder / name, index, part))
    extra = {"minhash": MinHashParams().model_dump()}
    clean, annotate, filtered = (write_manifest(folder / name, parts[name], extra=extra) for name in parts)
    return clean, annotate, filtered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    table = read(parser.parse_args().corpus)
    pa.set_cpu_count(1)
    steps(table)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        whole(table, Path(folder))


if __name__ == "__main__":
    main()
