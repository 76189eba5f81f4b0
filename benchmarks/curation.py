"""How fast the rules are, on any corpus, on one core, beside datatrove, and whether they decide the same.

    python benchmarks/curation.py corpus.jsonl.zst [--limit 5000] [--words unicode]

Takes .jsonl, .jsonl.zst or .parquet with a column `text` and, where there is one, `lang`. Elek's figure is the
best of three runs after one that compiles, datatrove's one run, if it is installed (0.10.1 is what the rules are
held against): under the same white-space words, with the same thresholds for each language. Of C4 the lines that
stay are compared as well; both sides use our count of sentences there, so that datatrove's figure leaves out the
cost of counting. Seconds are of processor time, MB are 10⁶ bytes of UTF-8 text.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from elek.filtering import Batch, Filter
from elek.filters.c4 import C4
from elek.filters.fineweb import FineWeb
from elek.filters.gopher_quality import GopherQuality, GopherQualitySettings
from elek.filters.gopher_repetition import DUPLICATED, TOP, GopherRepetition
from elek.removal import column, cut

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


def read(path: Path, limit: int | None) -> Batch:
    if path.suffix == ".parquet":
        rows = pq.read_table(path).slice(0, limit).to_pylist()
    else:
        with path.open("rb") as file:
            stream: Any = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
            rows = [json.loads(line) for line in io.TextIOWrapper(stream, encoding="utf-8") if line.strip()][:limit]
    lang = pa.array([row.get("lang", "en") for row in rows], pa.string())
    empty = pa.array([""] * len(rows), pa.string())
    return Batch(empty, pa.array([row["text"] for row in rows], pa.large_string()), lang, lang, empty, empty)


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


def datatrove_filters() -> dict[str, tuple[Any, ...]] | None:
    """datatrove's four filters, for all languages and for Turkish."""
    try:
        from datatrove.pipeline.filters import (
            c4_filters,
            fineweb_quality_filter,
            gopher_quality_filter,
            gopher_repetition_filter,
        )
    except ImportError:
        return None
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, help="documents to take")
    parser.add_argument("--words", choices=["whitespace", "unicode"], default="whitespace")
    arguments = parser.parse_args()
    batch = read(arguments.corpus, arguments.limit)
    ours = Batch(
        batch.id, batch.text, batch.lang, batch.declared_lang, batch.license, batch.source, words=arguments.words
    )
    documents, megabytes = len(batch), pc.sum(pc.binary_length(batch.text)).as_py() / 1e6
    print(f"{documents:,} documents, {megabytes:.1f} MB; {arguments.words} words; one core")

    def show(label: str, seconds: float, beside: str = "") -> None:
        print(f"{label:<28} {documents / seconds:>10,.0f} docs/s {megabytes / seconds:>8.1f} MB/s  {beside}".rstrip())

    mine = [best(lambda each=each: each.measure(ours)) for each in FILTERS]  # type: ignore[misc]
    for each, seconds in zip(FILTERS, mine, strict=True):
        show(f"elek {each.name}", seconds)
    for label, count in TOGETHER.items():
        show(f"elek {label}", sum(mine[:count]))
    filters = datatrove_filters() if arguments.words == "whitespace" else None
    if filters is None:
        return
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
    sys.exit(1 if different + wrong else 0)


if __name__ == "__main__":
    main()
