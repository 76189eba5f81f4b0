"""How fast deduplication and decontamination are, on any corpus, on one core.

    python -m benchmarks.dedup corpus.jsonl.zst [--limit 5000]

Takes JSON lines (also .zst), Parquet or a folder of parts, with a column `text` (and `id`, where there is one). Each
figure of ours is the best of three runs, after one that compiles; MB are 10⁶ bytes of UTF-8 text, seconds are of
processor time.

Where datatrove is installed, its four MinHash steps run beside ours on the same documents: 14 bands of 8 rows over
5 words, in this process, from documents in memory, with words separated by white space in place of spaCy's (which
take ten times as long). Both are held against every pair of texts of exact Jaccard 0.8 or more, which
`benchmarks/jaccard.py` finds without hashing bands.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.clock import best
from benchmarks.corpora import read
from benchmarks.jaccard import similar_pairs
from elek.dataset import DECISION, DOCUMENT, Dataset, write_manifest, write_part
from elek.dedup import kernels, passages
from elek.dedup.decisions import deduplicate
from elek.dedup.lsh import candidates
from elek.dedup.normalise import shingle_sets, words
from elek.dedup.params import DedupParams, MinHashParams
from elek.dedup.signatures import from_binary, signatures
from elek.removal import text_parts
from elek.splitting.decontamination import find

PART = 4_000_000  # bytes of text, as fetch.part_megabytes has it


def line(what: str, seconds: float, documents: int, megabytes: float, note: str = "") -> None:
    print(f"{what:<34} {seconds:8.3f} s {documents / seconds:12,.0f} docs/s {megabytes / seconds:9.1f} MB/s  {note}")


def steps(table: pa.Table) -> None:
    text = table["text"].combine_chunks()
    documents, megabytes = len(text), pc.sum(pc.binary_length(text)).as_py() / 1e6
    print(f"{documents:,} documents, {megabytes:.1f} MB\n")
    params = MinHashParams()
    line("normalise and hash words", best(lambda: words(text)), documents, megabytes)
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

    held_out = np.arange(len(table)) % 20 == 0
    shared = passages.find(text_parts(clean), 13, scratch, one_process)
    seconds = best(lambda: passages.find(text_parts(clean), 13, scratch, one_process), runs=1)
    line("passages: shared 13-grams", seconds, len(table), megabytes, f"{len(shared.runs):,} passages")
    seconds = best(lambda: find(shared, ~held_out, held_out, table["id"].combine_chunks(), 10))
    line("decontamination, passages stored", seconds, len(table), megabytes, f"{held_out.sum():,} held out")


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


def beside_datatrove(table: pa.Table, folder: Path) -> None:
    """The whole of MinHash deduplication, ours and datatrove's, and both against exact Jaccard."""
    text = table["text"].combine_chunks()
    documents, megabytes = len(text), pc.sum(pc.binary_length(text)).as_py() / 1e6
    own = folder / "own"
    own.mkdir()
    clean, annotate, filtered = datasets(table, own)
    params, minhash = DedupParams(cluster_jaccard=None), MinHashParams()

    def elek() -> npt.NDArray[np.bool_]:
        signatures(text, minhash)
        return deduplicate(clean, annotate, filtered, params, folder).survivor < 0

    ours = best(elek)
    print("\nMinHash deduplication, from text to who is dropped")
    line("elek", ours, documents, megabytes)
    kept = {"elek": elek()}
    try:
        seconds, kept["datatrove"] = datatrove(text, folder / "datatrove")
    except ImportError:
        print("datatrove is not installed")
    else:
        line("datatrove, white-space words", seconds, documents, megabytes)
        print(f"{'ratio':<34} {seconds / ours:8.1f}")

    pairs = similar_pairs(text, 0.8, minhash.shingle)
    print(f"\nagainst {pairs.shape[1]:,} pairs of documents of exact Jaccard 0.8 or more")
    for name, stays in kept.items():
        resolved = ~(stays[pairs[0]] & stays[pairs[1]])
        similar = np.zeros(documents, dtype=bool)
        for one, other in (pairs, pairs[::-1]):
            similar[one[stays[other]]] = True
        right = (similar & ~stays).sum() / max((~stays).sum(), 1)
        note = f"recall {resolved.mean():.4f} (pairs not both kept), precision {right:.4f} (dropped for a similar one)"
        print(f"{name:<34} {(~stays).sum():>8,} dropped, {note}")


def datatrove(text: pa.Array, folder: Path) -> tuple[float, npt.NDArray[np.bool_]]:
    """Seconds of processor time of datatrove's four steps, and which documents it keeps."""
    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from datatrove.utils.logging import logger

    class Words:
        """datatrove's tokenizer of words, without a language."""

        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

    logger.remove()
    minhash.load_word_tokenizer = lambda language: Words()
    # xxhash 4 takes bytes alone, which datatrove 0.10.1 does not know.
    minhash.create_hash_func = lambda config: lambda words: xxhash.xxh64_intdigest(words.encode())
    config = minhash.MinhashConfig()
    documents = [Document(text=value, id=str(row)) for row, value in enumerate(text.to_pylist())]
    places = {name: str(folder / name) for name in ("signatures", "buckets", "remove")}
    start = time.process_time()
    minhash.MinhashDedupSignature(places["signatures"], config).run(documents, rank=0, world_size=1)
    for bucket in range(config.num_buckets):
        step = minhash.MinhashDedupBuckets(places["signatures"], places["buckets"], config=config)
        step.run(rank=bucket, world_size=config.num_buckets)
    minhash.MinhashDedupCluster(places["buckets"], places["remove"], config).run()
    kept = [document.id for document in minhash.MinhashDedupFilter(places["remove"]).run(documents, rank=0)]
    seconds = time.process_time() - start
    stays = np.zeros(len(documents), dtype=bool)
    stays[[int(name) for name in kept]] = True
    return seconds, stays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, help="documents to take")
    arguments = parser.parse_args()
    table = read(arguments.corpus, arguments.limit)
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        steps(table)
        whole(table, Path(folder))
        beside_datatrove(table, Path(folder))


if __name__ == "__main__":
    main()
