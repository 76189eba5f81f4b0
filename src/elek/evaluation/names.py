"""Names of measures. Those of a masked model differ, because they cannot be compared with those of a causal model.

The figures of a masked model come from the pseudo-log-likelihood (Salazar et al. 2020, see `elek.evaluation.masked`).
They are lower, since each token is predicted from both sides, and have other names everywhere: in
`reports/evaluate.json` and so in DVC and MLflow (`pseudo_bits_per_byte`), on the pages, and on the command line. During
training, the loss of the hidden pieces is measured instead, again under a name of its own:
`validation_bits_per_byte_of_hidden_pieces`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CAUSAL, MASKED = "causal", "masked"
LIKELIHOODS = ("loss", "perplexity", "bits_per_byte", "bits_per_character")
"""Measures derived from the probability of a text, as are their intervals; accuracy and calibration are not."""
PSEUDO = "pseudo_"
NOTE = (
    "A masked model: evaluate.* are pseudo-figures (Salazar et al. 2020), each token asked for alone with both its "
    "sides in sight; train.* and training/* are of the pieces that training hides. A causal model's do not compare."
)
"""A note on the run of a masked model, for lists that show it together with other models."""


def key(measure: str, objective: str) -> str:
    """The name of a measure in JSON: `bits_per_byte`, or `pseudo_bits_per_byte` for a masked model."""
    return measure if objective == CAUSAL else PSEUDO + measure


def training_key(measure: str, objective: str) -> str:
    """The name in JSON of a measure taken in training: for a masked model, `<measure>_of_hidden_pieces`."""
    return measure if objective == CAUSAL else f"{measure}_of_hidden_pieces"


def words(measure: str, objective: str) -> str:
    """The name of a measure in words: `bits per byte`, `pseudo-bits per byte`."""
    return ("" if objective == CAUSAL else "pseudo-") + measure.replace("_", " ")


def as_pseudo(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Rename (possibly nested) figures to the names for a masked model."""
    return {
        (PSEUDO + name if name.removesuffix("_interval") in LIKELIHOODS else name): (
            as_pseudo(value) if isinstance(value, Mapping) else value
        )
        for name, value in figures.items()
    }


def plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `as_pseudo`, for tables that state elsewhere which kind of model they show."""
    return {
        name.removeprefix(PSEUDO): plain(value) if isinstance(value, Mapping) else value
        for name, value in figures.items()
    }
