"""Gopher repetition: documents that repeat their paragraphs, lines or word n-grams.

Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher" (arXiv:2112.11446),
table A1, with the details and the order of datatrove 0.10.1, whose decisions these are under the same words. The
Turkish figures are those of FineWeb-2 (Penedo et al. 2025, arXiv:2506.20920).
"""

from __future__ import annotations

from math import inf
from typing import ClassVar

import pyarrow as pa

from elek.filtering import SHARE, Batch, Filter, Rule

DATATROVE = "datatrove 0.10.1: an empty document is dropped"
SOURCE = "Rae et al. 2021 (Gopher), table A1; Turkish: Penedo et al. 2025 (FineWeb-2), tur_Latn"

TOP = {2: (0.20, 0.214), 3: (0.18, 0.168), 4: (0.16, 0.147)}
DUPLICATED = {
    5: (0.15, 0.154), 6: (0.14, 0.144), 7: (0.13, 0.134), 8: (0.12, 0.124), 9: (0.11, 0.113), 10: (0.10, 0.103),
}  # fmt: skip
"""Thresholds by n: for all languages, and for Turkish."""


def _rule(signal: str, default: float, turkish: float | None) -> Rule:
    # An n-gram may overlap itself, so the most frequent one can hold more characters than the text has.
    bounds = (0, inf) if signal.startswith("top_") else SHARE
    return Rule(f"max_{signal}", signal, "above", {"default": default, "tr": turkish}, SOURCE, bounds)


class GopherRepetition(Filter):
    """Signals: characters (code points); the shares of paragraphs and of lines that equal an earlier one, and of the
    text's characters in them; the shares of its characters in the most frequent 2-, 3- and 4-gram, and in repeated
    5- to 10-grams. Null where the text is empty.
    """

    name = "gopher_repetition"
    zero_is_off = True
    signals: ClassVar = {
        "characters": pa.int64(),
        "duplicate_paragraphs": pa.float64(),
        "duplicate_paragraph_characters": pa.float64(),
        "duplicate_lines": pa.float64(),
        "duplicate_line_characters": pa.float64(),
        **{f"top_{n}_gram": pa.float64() for n in TOP},
        **{f"duplicate_{n}_grams": pa.float64() for n in DUPLICATED},
    }
    rules = (
        Rule("min_characters", "characters", "below", 1, DATATROVE),
        _rule("duplicate_paragraphs", 0.30, None),
        _rule("duplicate_paragraph_characters", 0.20, None),
        _rule("duplicate_lines", 0.30, 0.272),
        _rule("duplicate_line_characters", 0.20, None),
        *(_rule(f"top_{n}_gram", *default) for n, default in TOP.items()),
        *(_rule(f"duplicate_{n}_grams", *default) for n, default in DUPLICATED.items()),
    )

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        from elek.kernels.repetition import measure

        return self.arrays(measure(batch.text, unicode=batch.words == "unicode"))
