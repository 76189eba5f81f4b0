"""FineWeb's own rules: documents whose lines read like prose and not like lists, menus or repeated headers.

Penedo et al. 2024, "The FineWeb Datasets" (arXiv:2406.17557), section 3.6, with the details and the order of
datatrove 0.10.1, whose decisions these are under the same words: a line ends at a line feed, keeps the white space
at its ends, and does not count when it is blank. The Turkish figures are those of FineWeb-2 (Penedo et al. 2025,
arXiv:2506.20920). FineWeb asks these rules after C4's have taken lines out; here every measure is of the text
before that.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from elek.filtering import SHARE, Batch, Filter, Number, Rule
from elek.params import Section

SOURCE = "Penedo et al. 2024 (FineWeb), 3.6; Turkish: Penedo et al. 2025 (FineWeb-2), tur_Latn"
REPEATED: dict[str, Number] = {"default": 0.01, "tr": 0.1}


class FineWebSettings(Section):
    short_line: int = Field(default=30, ge=1)
    """Characters that a short line has at most."""


class FineWeb(Filter):
    """Signals: lines that are not blank; the shares of them that end in a sentence's terminal and that are short;
    the share of the characters, line feeds aside, in lines that equal an earlier one; line feeds per word. Null
    where there is nothing to divide by.
    """

    name = "fineweb"
    rank = 70
    settings_class = FineWebSettings
    signals: ClassVar = {
        "lines": pa.int32(),
        "punctuated_lines": pa.float64(),
        "short_lines": pa.float64(),
        "duplicate_line_characters": pa.float64(),
        "newline_ratio": pa.float64(),
    }
    rules = (
        Rule("min_lines", "lines", "below", 1, "datatrove 0.10.1: an empty document is dropped"),
        Rule("min_punctuated_lines", "punctuated_lines", "below", {"default": 0.12, "tr": 0.091}, SOURCE, SHARE),
        Rule("max_short_lines", "short_lines", "above", {"default": 0.67, "tr": None}, SOURCE, SHARE),
        Rule("max_duplicate_line_characters", "duplicate_line_characters", "above", REPEATED, SOURCE, SHARE),
        Rule("max_newline_ratio", "newline_ratio", "above", {"default": 0.3, "tr": 0.222}, SOURCE),
    )

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        from elek.kernels.fineweb import measure

        assert isinstance(self.settings, FineWebSettings)  # noqa: S101  (settings_class)
        return self.arrays(measure(batch.text, self.settings.short_line, unicode=batch.words == "unicode"))
