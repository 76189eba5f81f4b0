"""Whether our rules decide as datatrove 0.10.1 does: every document, kept or dropped, and for the same reason.

    python benchmarks/parity.py corpus.jsonl.zst [--limit 5000] [--words whitespace unicode]

Takes .jsonl, .jsonl.zst or .parquet with a column `text` and, where there is one, `lang`. Both sides have the same
words and the same thresholds, those for Turkish where `lang` is `tr`; C4 in datatrove is given our count of sentences.
A line of the table is a rule set under one kind of words: documents compared, those that one side keeps and the other
drops, those that are dropped for another reason; of C4 also the documents whose remaining lines differ, white space at
their ends aside. The exit code is 1 where anything differs. Needs datatrove, which is installed for the tests.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from datatrove.data import Document
from datatrove.pipeline.filters import (
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

from elek.filtering import Batch, FilterParams, WordKind, decide, discover
from elek.filters.gopher_quality import GopherQualitySettings
from elek.filters.gopher_repetition import DUPLICATED, TOP
from elek.kernels.c4 import SENTENCES, measure
from elek.removal import cut

REASONS = {  # datatrove's reason → our rule
    "gopher_quality": {
        "gopher_short_doc": "min_words",
        "gopher_long_doc": "max_words",
        "gopher_below_avg_threshold": "min_mean_word_length",
        "gopher_above_avg_threshold": "max_mean_word_length",
        "gopher_too_many_hashes": "max_hash_ratio",
        "gopher_too_many_ellipsis": "max_ellipsis_ratio",
        "gopher_too_many_bullets": "max_bullet_lines",
        "gopher_too_many_end_ellipsis": "max_ellipsis_lines",
        "gopher_below_alpha_threshold": "min_alphabetic_words",
        "gopher_enough_stop_words": "min_stop_words",
    },
    "gopher_repetition": {
        "empty": "min_characters",
        "dup_para_frac": "max_duplicate_paragraphs",
        "dup_para_char_frac": "max_duplicate_paragraph_characters",
        "dup_line_frac": "max_duplicate_lines",
        "dup_line_char_frac": "max_duplicate_line_characters",
        **{f"top_{n}_gram": f"max_top_{n}_gram" for n in TOP},
        **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_grams" for n in DUPLICATED},
    },
    "fineweb": {
        "empty": "min_lines",
        "line_punct_ratio": "min_punctuated_lines",
        "short_line_ratio": "max_short_lines",
        "char_dup_ratio": "max_duplicate_line_characters",
        "list_ratio": "max_newline_ratio",
    },
    "c4": {
        "lorem_ipsum": "max_lorem_ipsum",
        "curly_bracket": "max_curly_brackets",
        "too_few_sentences": "min_sentences",
    },
}
SETS = tuple(REASONS)

_MARKS = "".join(chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M"))
_WORD = re.compile(rf"[\w{_MARKS}]+(?:['’][\w{_MARKS}]+)*")


def words_of(text: str, kind: WordKind) -> list[str]:
    """The words of docs/rules.md in plain Python, for datatrove to count."""
    return text.split() if kind == "whitespace" else _WORD.findall(text)


class _Text(str):
    """A text whose lines have Unicode words: C4 in datatrove asks `line.split()` and nobody else."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> list[Any]:
        return [_Line(line) for line in super().splitlines(keepends)]


class _Line(str):
    __slots__ = ()

    def strip(self, chars: str | None = None, /) -> _Line:
        return _Line(super().strip(chars))

    def split(self, sep: str | None = None, maxsplit: Any = -1) -> list[str]:
        return words_of(self, "unicode")


@dataclass
class Comparison:
    """What came of comparing one rule set. The lists hold the numbers of the documents that differ."""

    documents: int = 0
    dropped: int = 0
    decisions: list[int] = field(default_factory=list)
    reasons: list[int] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not (self.decisions or self.reasons or self.texts)


def filters(lang: str) -> dict[str, Any]:
    """datatrove's four filters with the thresholds that ours have by default for a language."""
    quality, repetition = gopher_quality_filter.GopherQualityFilter, gopher_repetition_filter.GopherRepetitionFilter
    fineweb, c4 = fineweb_quality_filter.FineWebQualityFilter, c4_filters.C4QualityFilter
    if lang != "tr":
        return dict(zip(SETS, (quality(), repetition(), fineweb(), c4()), strict=True))
    stop_words = list(GopherQualitySettings().stop_words["tr"])
    return {
        "gopher_quality": quality(max_avg_word_length=21, max_non_alpha_words_ratio=0.773, stop_words=stop_words),
        "gopher_repetition": repetition(
            dup_line_frac=0.272,
            dup_para_frac=None,
            dup_line_char_frac=None,
            dup_para_char_frac=None,
            top_n_grams=tuple((n, thresholds[1]) for n, thresholds in TOP.items()),
            dup_n_grams=tuple((n, thresholds[1]) for n, thresholds in DUPLICATED.items()),
        ),
        "fineweb": fineweb(
            line_punct_thr=0.091, short_line_thr=999, char_duplicates_ratio=0.1, new_line_ratio=0.222
        ),
        "c4": c4(),
    }  # fmt: skip


def sentence_counts(texts: Sequence[str]) -> dict[str, int]:
    """Our count of sentences of every line, as C4 in datatrove will see it: stripped, without citations."""
    found = sorted({c4_filters.CITATION_REGEX.sub("", line.strip()) for text in texts for line in text.splitlines()})
    counted = measure(pa.array(found, pa.large_string()), citations=False)
    ends = np.append(0, np.cumsum(counted.lines[:, SENTENCES], dtype=np.int64))[counted.line_offsets]
    return dict(zip(found, np.diff(ends).tolist(), strict=True))


@contextmanager
def same_words(kind: WordKind, texts: Sequence[str]) -> Iterator[None]:
    """datatrove with our words and our count of sentences."""
    counts = sentence_counts(texts)

    def split(text: str, language: str) -> list[str]:
        return words_of(text, kind)

    with (
        patch.object(gopher_quality_filter, "split_into_words", split),
        patch.object(gopher_repetition_filter, "split_into_words", split),
        patch.object(fineweb_quality_filter, "split_into_words", split),
        patch.object(c4_filters, "split_into_sentences", lambda text, language: range(counts[text])),
    ):
        yield


def theirs(
    texts: Sequence[str], langs: Sequence[str], kind: WordKind, sets: Sequence[str]
) -> tuple[dict[str, list[str | None]], list[str]]:
    """Our name of datatrove's reason for each document (None: kept), by rule set; and what C4 leaves of each."""
    by_lang = {lang: filters(lang) for lang in sorted(set(langs))}
    found: dict[str, list[str | None]] = {name: [] for name in sets}
    left = []
    with same_words(kind, texts):
        for text, lang in zip(texts, langs, strict=True):
            for name in sets:
                own = _Text(text) if name == "c4" and kind == "unicode" else text
                document = Document(text=own, id="")
                answer = by_lang[lang][name].filter(document)
                found[name].append(None if answer is True else f"{name}.{REASONS[name][answer[1]]}")
                if name == "c4":
                    left.append(document.text)
    return found, left


def ours(
    texts: Sequence[str], langs: Sequence[str], kind: WordKind, sets: Sequence[str]
) -> tuple[dict[str, list[str | None]], list[str]]:
    """The same from us, by the way that `annotate` and `filter` go."""
    names, lang = pa.array([str(row) for row in range(len(texts))]), pa.array(langs, pa.string())
    column = pa.array(texts, pa.large_string())
    batch = Batch(names, column, lang, lang, names, names, words=kind)
    found: dict[str, list[str | None]] = {}
    left: list[str] = []
    for name in sets:
        measured = {f"{name}.{signal}": values for signal, values in discover()[name].measure(batch).items()}
        table = decide(pa.table({"id": names, "language.rules": lang, **measured}), FilterParams({name: None}))
        failures = table["failures"].to_pylist()
        found[name] = [row[0]["rule"] if row else None for row in failures]
        if name == "c4":
            left = cut(column, table["remove"].combine_chunks()).to_pylist()
    return found, left


def compare(
    texts: Sequence[str], langs: Sequence[str], kind: WordKind, sets: Sequence[str] = SETS
) -> dict[str, Comparison]:
    """Every document under every rule set, on both sides."""
    (mine, my_text), (other, other_text) = ours(texts, langs, kind, sets), theirs(texts, langs, kind, sets)
    result = {}
    for name in sets:
        one = Comparison(documents=len(texts))
        for row, (a, b) in enumerate(zip(mine[name], other[name], strict=True)):
            one.dropped += b is not None
            if (a is None) != (b is None):
                one.decisions.append(row)
            elif a != b:
                one.reasons.append(row)
            elif a is None and name == "c4" and _lines(my_text[row]) != _lines(other_text[row]):
                one.texts.append(row)
        result[name] = one
    return result


def _lines(text: str) -> list[str]:
    """Without the white space at the ends of lines, which C4 in datatrove strips and we leave, and blank lines, which
    a citation alone on its line may leave behind."""
    return [line for line in (line.strip() for line in text.splitlines()) if line]


def read(path: Path, limit: int | None = None) -> tuple[list[str], list[str]]:
    """Texts and languages of a corpus."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).slice(0, limit).to_pylist()
    else:
        with path.open("rb") as file:
            stream: Any = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
            rows = [json.loads(line) for line in io.TextIOWrapper(stream, encoding="utf-8") if line.strip()][:limit]
    return [row["text"] for row in rows], [row.get("lang") or "en" for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, help="documents to take")
    parser.add_argument("--words", choices=["whitespace", "unicode"], nargs="+", default=["whitespace", "unicode"])
    arguments = parser.parse_args()
    texts, langs = read(arguments.corpus, arguments.limit)
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} documents, {size:.1f} MB, {langs.count('tr'):,} of them under the Turkish thresholds\n")
    print(f"{'words':<11}{'rule set':<19}{'documents':>10}{'dropped':>9}{'decisions':>11}{'reasons':>9}{'text':>6}")
    print(f"{'':<11}{'':<19}{'compared':>10}{'':>9}{'differ':>11}{'differ':>9}{'':>6}")
    same = True
    for kind in arguments.words:
        for name, found in compare(texts, langs, kind).items():
            text = f"{len(found.texts):>6}" if name == "c4" else f"{'–':>6}"
            print(
                f"{kind:<11}{name:<19}{found.documents:>10,}{found.dropped:>9,}"
                f"{len(found.decisions):>11}{len(found.reasons):>9}{text}"
            )
            for row in [*found.decisions, *found.reasons, *found.texts][:3]:
                print(f"{'':<11}document {row} ({langs[row]}): {texts[row][:80]!r}")
            same = same and found.same
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
