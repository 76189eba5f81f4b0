"""How fast curation is, on any corpus, on one core: rules beside datatrove, and the whole chain step by step.

    python -m benchmarks.curation corpus.jsonl.zst [--limit 5000] [--words unicode] [--part rules,chain,workers,memory]
    python -m benchmarks.curation data/clean/train          # the sample corpus of a project, after `elek run`

Takes JSON lines (also .zst), Parquet or a folder of parts, with a column `text` and, where there is one, `lang`.

*rules*: Elek's figure is the best of three runs after one that compiles, datatrove's one run, if it is installed
(0.10.1 is what the rules are held against): under the same words, with the same thresholds for each language; C4 in
datatrove is given our count of sentences, so that its figure leaves out the cost of counting. Decisions, reasons and
what C4 leaves are compared as `benchmarks.parity` does it. datatrove *as shipped*, with the words of spaCy, is measured
on SAMPLE documents and given as a speed (its words being others, its decisions are not compared); it needs
`pip install spacy==3.8.*`.
*chain*: `elek curate` with a clock around each part (`benchmarks/chain.py`).
*workers*: the command itself with one worker and two, in wall time and in processor time.
*memory*: the largest processes for the corpus as it is and twelve times over with salt (`benchmarks/memory.py`).

Seconds are of processor time elsewhere, MB are 10⁶ bytes of UTF-8 text.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import chain, corpora, memory
from benchmarks.clock import best
from elek.filtering import Batch, WordKind, discover

SAMPLE = 300
"""Documents, evenly spread, by which datatrove as shipped is measured."""

SETS = ("gopher_quality", "gopher_repetition", "fineweb", "c4")
TOGETHER = {"both Gopher": 2, "Gopher + FineWeb": 3, "all": 4}
"""The first so many of SETS."""


def as_shipped(text: pa.Array) -> list[float] | None:
    """Seconds that datatrove's filters take for all texts as they are shipped; None where they cannot run."""
    if importlib.util.find_spec("spacy") is None:
        print("datatrove as shipped is left out: it splits words with spaCy (pip install 'spacy==3.8.*')")
        return None
    from datatrove.data import Document
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

    filters = (GopherQualityFilter(), GopherRepetitionFilter(), FineWebQualityFilter())
    chosen = text.take(pa.array(np.unique(np.linspace(0, len(text) - 1, SAMPLE).astype(np.int64)))).to_pylist()
    filters[0].filter(Document(text="Words are split by a model, which is loaded first.", id=""))
    seconds = []
    for each in filters:
        start = time.process_time()
        for one in chosen:
            each.filter(Document(text=one, id=""))
        seconds.append(time.process_time() - start)
    scale = pc.sum(pc.binary_length(text)).as_py() / sum(len(one.encode()) for one in chosen)
    return [each * scale for each in seconds]


def rules(batch: Batch, show: Callable[..., None]) -> int:
    """Print the table of the rules; how many decisions, reasons and texts differ from datatrove's."""
    mine = [best(partial(discover()[name].measure, batch)) for name in SETS]
    for name, seconds in zip(SETS, mine, strict=True):
        show(f"elek {name}", seconds)
    for label, count in TOGETHER.items():
        show(f"elek {label}", sum(mine[:count]))
    if importlib.util.find_spec("datatrove") is None:
        print("datatrove is left out: it is not installed")
        return 0
    if batch.words == "whitespace" and (shipped := as_shipped(batch.text)) is not None:
        for label, count in list(TOGETHER.items())[:2]:
            ratio = f"elek is {sum(shipped[:count]) / sum(mine[:count]):.0f}x (by {SAMPLE} documents)"
            show(f"datatrove as shipped {label}", sum(shipped[:count]), ratio)
    from benchmarks.parity import compare

    compared = compare(batch.text.to_pylist(), batch.lang.to_pylist(), batch.words, SETS)
    theirs = [compared[name].seconds for name in SETS]
    for name, seconds, own in zip(SETS, theirs, mine, strict=True):
        show(f"datatrove {name}", seconds, f"elek is {seconds / own:.1f}x")
    for label, count in TOGETHER.items():
        show(f"datatrove {label}", sum(theirs[:count]), f"elek is {sum(theirs[:count]) / sum(mine[:count]):.1f}x")
    for name, found in compared.items():
        print(f"{name}: {found.documents:,} documents compared, {len(found.different)} differ")
    return sum(len(found.different) for found in compared.values())


def batch_of(table: pa.Table, words: WordKind) -> Batch:
    column = {name: table[name].combine_chunks() for name in table.column_names}
    lang = column["lang"]
    return Batch(column["id"], column["text"], lang, lang, column["license"], column["source"], words=words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, help="documents to take")
    parser.add_argument("--words", choices=["whitespace", "unicode"], default="whitespace")
    parser.add_argument("--part", default="rules,chain", help="rules, chain, workers, memory; several with commas")
    arguments = parser.parse_args()
    parts = arguments.part.split(",")
    table = corpora.read(arguments.corpus, arguments.limit)
    batch = batch_of(table, arguments.words)
    documents, megabytes = len(batch), pc.sum(pc.binary_length(batch.text)).as_py() / 1e6
    pa.set_cpu_count(1)
    print(f"{documents:,} documents, {megabytes:.1f} MB; {arguments.words} words; one core")

    def show(label: str, seconds: float, beside: str = "") -> None:
        speed = f"{documents / seconds:>10,.0f} docs/s {megabytes / seconds:>8.1f} MB/s" if seconds > 0 else ""
        print(f"{label:<36} {speed}  {beside}".rstrip(), flush=True)

    different = rules(batch, show) if "rules" in parts else 0
    if "chain" in parts:
        chain.measure(table, show)
    if "workers" in parts:
        chain.workers(table)
    if "memory" in parts:
        memory.measure(table)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
