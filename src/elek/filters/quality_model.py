"""Quality as a trained classifier sees it: optional, a model of one's own, its probability one more signal.

A linear classifier over hashed n-grams (`elek.classifier`), as DCLM (Li et al. 2024, arXiv:2406.11794, section 4.4)
and GPT-3 (Brown et al. 2020, appendix A) filter web text, there with fastText and with logistic regression. Elek
ships no model: what "good" text is, the labels say that `elek classifier train --task quality` learned from. Without
a model the signal is null and the rule fails nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from elek.classifier.settings import ModelSettings
from elek.filtering import Batch, Filter, Rule


class QualityModelFilter(Filter):
    """Signals: the model's probability of the class `high`, null without a model (annotate.settings.quality_model)."""

    name = "quality_model"
    rank = 60
    signals: ClassVar = {"score": pa.float32()}
    rules = (Rule("min_score", "score", "below", None, "Elek: off by default; 0.5 drops what is more likely `low`"),)
    settings_class = ModelSettings

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        assert isinstance(self.settings, ModelSettings)  # noqa: S101 - settings_class
        if self.settings.model is None:
            return {"score": pa.nulls(len(batch), pa.float32())}
        from elek.classifier.model import load  # compiles on first use: not for those who only validate params

        model = load(Path(self.settings.model), self.settings.sha256).expect("quality")
        return {"score": pa.array(model.probabilities(batch.text, batch.lang))}
