"""How fast curation is, on any corpus, on one core: rules beside datatrove, and the whole chain step by step.

    python benchmarks/curation.py corpus.jsonl.zst [--limit 5000] [--words unicode] [--part rules,chain,workers,memory]
    python benchmarks/curation.py data/clean/train          # the sample corpus of a project, after `elek run`

Takes .jsonl, .jsonl.zst, .parquet or a folder of .parquet with a column `text` and, where there is one, `lang`.

*rules*: Elek's figure is the best of three runs after one that compiles, datatrove's one run, if it is installed
(0.10.1 is what the rules are held against): under the same white-space words, with the same thresholds for each
language; decisions and reasons are compared. Of C4 the lines that stay are compared as well; both sides use our
count of sentences there, so that datatrove's figure leaves out the cost of counting. datatrove *as shipped*, with
the words of spaCy, is measured on SAMPLE documents and given as a speed (its words being others, its decisions are
not compared); it needs `pip install spacy==3.8.*`.
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
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.filtering import Batch, Filter, WordKind
from elek.filters.c4 import C4
from elek.filters.fineweb import FineWeb
from elek.filters.gopher_quality import GopherQuality, GopherQualitySettings
from elek.filters.gopher_repetition import DUPLICATED, TOP, GopherRepetition
from elek.removal import column, cut

sys.path.insert(0, str(Path(__file__).resolve().parent))
import chain
import corpora
import memory

SAMPLE = 300
"""Documents, evenly spread, by which datatrove as shipped is measured."""

FILTERS: tuple[Filter, ...] = (GopherQuality(), GopherRepetition(), FineWeb(), C4())
TOGETHER = {"both Gopher": 2, "Gopher + FineWeb": 3, "all": 4}
RULES = {  # datatrove's reasons, in its order, which is ours
    "gopher_quality": (
        *("short_doc", "long_doc", "below_avg_threshold", "above_avg_threshold", "too_many_hashes"),
        *("too_many_ellipsis", "too_many_bullets", "too_many_end_ellipsis", "below_alpha_threshold"),
        "enough_stop_words",
    ),
    "gopher_repetition": (
        *("empty", "dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac"),
        *(f"top_{n}_gram" for n in TOP),
        *(f"duplicated_{n}_n_grams" for n in DUPLICATED),
    ),
    "fineweb": ("empty", "line_punct_ratio", "short_line_ratio", "char_dup_ratio", "list_ratio"),
    "c4": ("lorem_ipsum", "curly_bracket", "too_few_sentences"),
}


def batch_of(table: pa.Table, words: WordKind) -> Batch:
    column = {name: table[name].combine_chunks() for name in table.column_names}
    lang = column["lang"]
    return Batch(column["id"], column["text"], lang, lang, column["license"], column["source"], words=words)


def best(function: Callable[[], Any], runs: int = 3) -> float:
    function()
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)


def reasons(found: Filter, batch: Batch) -> list[str | None]:
    """datatrove's name of the first rule that each document fails."""
    first: list[str | None] = [None] * len(batch)
    verdicts = found.decide(pa.table(found.measure(batch)), found.params_class()(), batch.lang)
    for verdict, name in reversed(list(zip(verdicts, RULES[found.name], strict=True))):
        for row in verdict.failed.nonzero()[0]:
            first[row] = f"gopher_{name}" if found.name == "gopher_quality" else name
    return first


def kept_text(batch: Batch) -> list[str]:
    """What C4's line rules leave of each document."""
    signals, params = pa.table(FILTERS[3].measure(batch)), FILTERS[3].params_class()()
    spans = FILTERS[3].remove(signals, params, batch.lang)
    left: list[str] = cut(batch.text, column([spans], np.ones(len(batch), bool))).to_pylist()
    return left


def datatrove_filters() -> dict[str, tuple[Any, ...]]:
    """datatrove's four filters, for all languages and for Turkish."""
    from datatrove.pipeline.filters import (
        c4_filters,
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter):
        module.split_into_words = lambda text, language: text.split()
    c4_filters.split_into_sentences = lambda text, language: range(COUNTS[text])
    quality, repetition = gopher_quality_filter.GopherQualityFilter, gopher_repetition_filter.GopherRepetitionFilter
    fineweb, c4 = fineweb_quality_filter.FineWebQualityFilter, c4_filters.C4QualityFilter
    turkish = repetition(
        dup_line_frac=0.272,
        dup_para_frac=None,
        dup_line_char_frac=None,
        dup_para_char_frac=None,
        top_n_grams=tuple((n, thresholds[1]) for n, thresholds in TOP.items()),
        dup_n_grams=tuple((n, thresholds[1]) for n, thresholds in DUPLICATED.items()),
    )
    words = list(GopherQualitySettings().stop_words["tr"])
    return {
        "default": (quality(), repetition(), fineweb(), c4()),
        "tr": (
            quality(max_avg_word_length=21, max_non_alpha_words_ratio=0.773, stop_words=words),
            turkish,
            fineweb(line_punct_thr=0.091, short_line_thr=999, char_duplicates_ratio=0.1, new_line_ratio=0.222),
            c4(),
        ),
    }


def count_sentences(batch: Batch, citations: Any) -> None:
    """Our count of the sentences of every line, into `COUNTS`."""
    from elek.kernels.c4 import SENTENCES, measure

    whole = batch.text.to_pylist()
    found = sorted({citations.sub("", line.strip()) for text in whole for line in text.splitlines()})
    counted = measure(pa.array(found, pa.large_string()), citations=False)
    ends = np.append(0, np.cumsum(counted.lines[:, SENTENCES], dtype=np.int64))[counted.line_offsets]
    COUNTS.update(zip(found, np.diff(ends).tolist(), strict=True))


COUNTS: dict[str, int] = {}


def run_datatrove(
    filters: dict[str, tuple[Any, ...]], batch: Batch
) -> tuple[list[float], list[list[str | None]], list[str | None]]:
    """Seconds and reasons of each of the filters, every document by all, and the text that C4 leaves if it keeps."""
    from datatrove.data import Document

    seconds, found = [0.0] * len(FILTERS), [[] for _ in FILTERS]  # type: tuple[list[float], list[list[str | None]]]
    left: list[str | None] = []
    for text, lang in zip(batch.text.to_pylist(), batch.lang.to_pylist(), strict=True):
        document = Document(text=text, id="")
        for index, each in enumerate(filters.get(lang, filters["default"])):
            start = time.process_time()
            answer = each.filter(document)
            seconds[index] += time.process_time() - start
            found[index].append(None if answer is True else answer[1])
        left.append(document.text if answer is True else None)
    return seconds, found, left


def lines(text: str) -> list[str]:
    """Without the white space at their ends, which C4 in datatrove strips and we leave."""
    return [line.strip() for line in text.splitlines()]


def as_shipped(batch: Batch) -> list[float] | None:
    """Seconds that datatrove's filters take for all documents as they are shipped; None where they cannot run."""
    if importlib.util.find_spec("spacy") is None:
        print("datatrove as shipped is left out: it splits words with spaCy (pip install 'spacy==3.8.*')")
        return None
    from datatrove.data import Document
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

    filters = (GopherQualityFilter(), GopherRepetitionFilter(), FineWebQualityFilter())
    chosen = batch.text.take(pa.array(np.unique(np.linspace(0, len(batch) - 1, SAMPLE).astype(np.int64)))).to_pylist()
    filters[0].filter(Document(text="Words are split by a model, which is loaded first.", id=""))
    seconds = []
    for each in filters:
        start = time.process_time()
        for text in chosen:
            each.filter(Document(text=text, id=""))
        seconds.append(time.process_time() - start)
    scale = pc.sum(pc.binary_length(batch.text)).as_py() / sum(len(text.encode()) for text in chosen)
    return [each * scale for each in seconds]


def rules(batch: Batch, show: Callable[..., None]) -> int:
    """Print the table of the rules; how many decisions differ from datatrove's."""
    documents = len(batch)
    mine = [best(lambda each=each: each.measure(batch)) for each in FILTERS]  # type: ignore[misc]
    for each, seconds in zip(FILTERS, mine, strict=True):
        show(f"elek {each.name}", seconds)
    for label, count in TOGETHER.items():
        show(f"elek {label}", sum(mine[:count]))
    if batch.words != "whitespace" or importlib.util.find_spec("datatrove") is None:
        print("datatrove is left out: " + ("its words are others" if batch.words != "whitespace" else "not installed"))
        return 0
    if (shipped := as_shipped(batch)) is not None:
        for label, count in list(TOGETHER.items())[:2]:
            ratio = f"elek is {sum(shipped[:count]) / sum(mine[:count]):.0f}x (by {SAMPLE} documents)"
            show(f"datatrove as shipped {label}", sum(shipped[:count]), ratio)
    filters = datatrove_filters()
    from datatrove.pipeline.filters.c4_filters import CITATION_REGEX

    count_sentences(batch, CITATION_REGEX)  # before the clock runs
    theirs, expected, left = run_datatrove(filters, batch)
    for each, seconds, own in zip(FILTERS, theirs, mine, strict=True):
        show(f"datatrove {each.name}", seconds, f"elek is {seconds / own:.1f}x")
    for label, count in TOGETHER.items():
        show(f"datatrove {label}", sum(theirs[:count]), f"elek is {sum(theirs[:count]) / sum(mine[:count]):.1f}x")
    different = 0
    for each, wanted in zip(FILTERS, expected, strict=True):
        got, named = np.array(reasons(each, batch), object), np.array(wanted, object)
        # Where a document has both, datatrove names what comes first in the text.
        both = (got == "lorem_ipsum") & (named == "curly_bracket")
        wrong = int((got != named).sum() - both.sum())
        different += wrong
        note = f"; {both.sum()} with lorem ipsum after a bracket have another reason" if both.any() else ""
        print(f"{each.name}: {documents:,} decisions and reasons compared, {wrong} differ{note}")
    pairs = [(text, own) for text, own in zip(left, kept_text(batch), strict=True) if text is not None]
    wrong = sum(lines(text) != lines(own) for text, own in pairs)
    print(f"c4: text of {len(pairs):,} kept documents compared line by line, {wrong} differ")
    return different + wrong


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
