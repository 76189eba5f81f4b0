"""How fast the Gopher rules are, on any corpus, on one core, beside datatrove, and whether they decide the same.

    python benchmarks/curation.py corpus.jsonl.zst [--limit 5000] [--words unicode]

Takes .jsonl, .jsonl.zst or .parquet with a column `text` and, where there is one, `lang`. Elek's figure is the
best of three runs after one that compiles, datatrove's one run, if it is installed (0.10.1 is what the rules are
held against): under the same white-space words, with the same thresholds for each language. Seconds are of
processor time, MB are 10⁶ bytes of UTF-8 text.
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
from elek.filters.gopher_quality import GopherQuality, GopherQualitySettings
from elek.filters.gopher_repetition import DUPLICATED, TOP, GopherRepetition

FILTERS: tuple[Filter, ...] = (GopherQuality(), GopherRepetition())
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


def datatrove_filters() -> dict[str, tuple[Any, Any]] | None:
    """datatrove's two filters, for all languages and for Turkish."""
    try:
        from datatrove.pipeline.filters import gopher_quality_filter, gopher_repetition_filter
    except ImportError:
        return None
    for module in (gopher_quality_filter, gopher_repetition_filter):
        module.split_into_words = lambda text, language: text.split()
    quality, repetition = gopher_quality_filter.GopherQualityFilter, gopher_repetition_filter.GopherRepetitionFilter
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
        "default": (quality(), repetition()),
        "tr": (quality(max_avg_word_length=21, max_non_alpha_words_ratio=0.773, stop_words=words), turkish),
    }


def run_datatrove(filters: dict[str, tuple[Any, Any]], batch: Batch) -> tuple[list[float], list[list[str | None]]]:
    """Seconds and reasons of each of the two filters, every document by both."""
    from datatrove.data import Document

    seconds, found = [0.0, 0.0], [[], []]  # type: tuple[list[float], list[list[str | None]]]
    for text, lang in zip(batch.text.to_pylist(), batch.lang.to_pylist(), strict=True):
        document = Document(text=text, id="")
        for index, each in enumerate(filters.get(lang, filters["default"])):
            start = time.process_time()
            answer = each.filter(document)
            seconds[index] += time.process_time() - start
            found[index].append(None if answer is True else answer[1])
    return seconds, found


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
    show("elek both", sum(mine))
    filters = datatrove_filters() if arguments.words == "whitespace" else None
    if filters is None:
        return
    theirs, expected = run_datatrove(filters, batch)
    for each, seconds, own in zip(FILTERS, theirs, mine, strict=True):
        show(f"datatrove {each.name}", seconds, f"elek is {seconds / own:.1f}x")
    show("datatrove both", sum(theirs), f"elek is {sum(theirs) / sum(mine):.1f}x")
    different = 0
    for each, wanted in zip(FILTERS, expected, strict=True):
        got = np.array(reasons(each, batch), object)
        wrong = int((got != np.array(wanted, object)).sum())
        different += wrong
        print(f"{each.name}: {documents:,} decisions and reasons compared, {wrong} differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
