"""Gopher quality: documents that look like prose, by their words and lines.

Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher" (arXiv:2112.11446),
section A1.1, with the details, the order and the reading of "symbol" of datatrove 0.10.1, whose decisions these
are under the same words. The Turkish figures are those of FineWeb-2 (Penedo et al. 2025, arXiv:2506.20920); the
Turkish stop words are ours.
"""

from __future__ import annotations

from math import inf
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from elek.filtering import SHARE, Batch, Filter, Number, Rule
from elek.params import Section

GOPHER = "Rae et al. 2021 (Gopher), A1.1"
FINEWEB2 = "Turkish: Penedo et al. 2025 (FineWeb-2), tur_Latn"
LENGTH: dict[str, Number] = {"default": 10, "tr": 21}
ALPHABETIC: dict[str, Number] = {"default": 0.8, "tr": 0.773}

STOP_WORDS = {
    "default": ("the", "be", "to", "of", "and", "that", "have", "with"),
    "tr": (
        *("ve", "bir", "bu", "da", "de", "için", "ile", "olarak"),
        *("daha", "çok", "gibi", "kadar", "ki", "ne", "o", "her"),
    ),
}
StopWords = Annotated[tuple[str, ...], Field(max_length=64)]


def _with_default(lists: dict[str, StopWords]) -> dict[str, StopWords]:
    if "default" not in lists:
        raise ValueError("stop words by language need a `default` list beside them")
    if any(word.split() != [word] for words in lists.values() for word in words):
        raise ValueError("a stop word is one word without white space")
    return lists


class GopherQualitySettings(Section):
    stop_words: Annotated[dict[str, StopWords], AfterValidator(_with_default)] = Field(default=STOP_WORDS)
    """Frequent words by language, as written; `default` serves the languages that have no list."""


class GopherQuality(Filter):
    """Signals: words that are more than symbols, their mean length in characters, ratios to all words or all lines,
    and different stop words. Null where there is nothing to divide by.
    """

    name = "gopher_quality"
    settings_class = GopherQualitySettings
    zero_is_off = True
    signals: ClassVar = {
        "words": pa.int32(),
        "mean_word_length": pa.float64(),
        "hash_ratio": pa.float64(),
        "ellipsis_ratio": pa.float64(),
        "bullet_lines": pa.float64(),
        "ellipsis_lines": pa.float64(),
        "alphabetic_words": pa.float64(),
        "stop_words": pa.int32(),
    }
    rules = (
        Rule("min_words", "words", "below", 50, GOPHER),
        Rule("max_words", "words", "above", 100_000, GOPHER),
        Rule("min_mean_word_length", "mean_word_length", "below", 3, f"{GOPHER}; {FINEWEB2}", (1, inf)),
        Rule("max_mean_word_length", "mean_word_length", "above", LENGTH, f"{GOPHER}; {FINEWEB2}", (1, inf)),
        Rule("max_hash_ratio", "hash_ratio", "above", 0.1, GOPHER),
        Rule("max_ellipsis_ratio", "ellipsis_ratio", "above", 0.1, GOPHER),
        Rule("max_bullet_lines", "bullet_lines", "above", 0.9, GOPHER, SHARE),
        Rule("max_ellipsis_lines", "ellipsis_lines", "above", 0.3, GOPHER, SHARE),
        Rule("min_alphabetic_words", "alphabetic_words", "below", ALPHABETIC, f"{GOPHER}; {FINEWEB2}", SHARE),
        Rule("min_stop_words", "stop_words", "below", 2, f"{GOPHER}; {FINEWEB2}"),
    )

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        from elek.kernels.quality import WordLists, measure

        assert isinstance(self.settings, GopherQualitySettings)  # noqa: S101  (settings_class)
        languages = [name for name in self.settings.stop_words if name != "default"]
        lists = WordLists([self.settings.stop_words[name] for name in ["default", *languages]])
        list_of_row = pc.index_in(batch.lang, pa.array(languages, pa.string())).fill_null(-1).to_numpy() + 1
        return self.arrays(measure(batch.text, lists, list_of_row.astype(np.int64), unicode=batch.words == "unicode"))
