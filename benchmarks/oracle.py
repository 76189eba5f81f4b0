"""datatrove 0.10.1 as the oracle of our rules: its four rule sets with our words and our thresholds.

C4 there asks NLTK for sentences, which are others than ours: it is given our count of each line.
"""

from __future__ import annotations

import re
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.filters import (
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

from elek.filtering import WordKind
from elek.filters.gopher_quality import GopherQualitySettings
from elek.filters.gopher_repetition import DUPLICATED, TOP
from elek.kernels.c4 import measure
from elek.kernels.kinds import SENTENCES

RULES = {
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
"""Rule set → datatrove's reason → our rule."""
SETS = tuple(RULES)

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
class Judged:
    """What datatrove says of documents."""

    reasons: dict[str, list[str | None]]
    """By rule set, our name of the reason of each document; None where it is kept."""
    left: list[str]
    """What C4 leaves of each."""
    seconds: dict[str, float]
    """Processor time, by rule set."""


def judge(texts: Sequence[str], langs: Sequence[str], kind: WordKind, sets: Sequence[str] = SETS) -> Judged:
    """Every document by every rule set, those before it notwithstanding."""
    by_lang = {lang: _filters(lang) for lang in sorted(set(langs))}
    judged = Judged({name: [] for name in sets}, [], dict.fromkeys(sets, 0.0))
    with _our_words(kind, texts):
        for text, lang in zip(texts, langs, strict=True):
            for name in sets:
                document = Document(text=_Text(text) if name == "c4" and kind == "unicode" else text, id="")
                start = time.process_time()
                answer = _answer(by_lang[lang][name], document, kind)
                judged.seconds[name] += time.process_time() - start
                judged.reasons[name].append(None if answer is True else f"{name}.{RULES[name][answer[1]]}")
                if name == "c4":
                    judged.left.append(document.text)
    return judged


def _answer(own: Any, document: Document, kind: WordKind) -> Any:
    try:
        return own.filter(document)
    except ZeroDivisionError:
        # Its FineWeb divides the line ends by the number of words, as its last rule. Ours passes what has no words.
        if isinstance(own, fineweb_quality_filter.FineWebQualityFilter) and not words_of(document.text, kind):
            return True
        raise


def _filters(lang: str) -> dict[str, Any]:
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


@contextmanager
def _our_words(kind: WordKind, texts: Sequence[str]) -> Iterator[None]:
    """datatrove with our words and our count of sentences."""
    counts = _sentences(texts)

    def split(text: str, language: str) -> list[str]:
        return words_of(text, kind)

    with (
        patch.object(gopher_quality_filter, "split_into_words", split),
        patch.object(gopher_repetition_filter, "split_into_words", split),
        patch.object(fineweb_quality_filter, "split_into_words", split),
        patch.object(c4_filters, "split_into_sentences", lambda text, language: range(counts[text])),
    ):
        yield


def _sentences(texts: Sequence[str]) -> dict[str, int]:
    """Our count of sentences of every line, as C4 in datatrove will see it: stripped, without citations."""
    found = sorted({c4_filters.CITATION_REGEX.sub("", line.strip()) for text in texts for line in text.splitlines()})
    counted = measure(pa.array(found, pa.large_string()), citations=False)
    document = np.repeat(np.arange(len(found)), np.diff(counted.line_offsets))
    kind = counted.kind_offsets[document] + counted.lines
    sums = np.bincount(document, counted.kinds[kind, SENTENCES], len(found)).astype(int)
    return dict(zip(found, sums.tolist(), strict=True))
