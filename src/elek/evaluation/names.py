"""Names of a model's measures: those of a masked model differ, because its figures do not compare with a causal one's.

A masked model has no probability of a text: its figures come from the pseudo-log-likelihood (Salazar et al. 2020, see
`elek.evaluation.masked`) and are lower, since each token is told by both sides. They bear other names everywhere: in
`reports/evaluate.json` and so in DVC and MLflow (`pseudo_bits_per_byte`), on the pages, on the command line. While it
is trained something else again is measured, the loss of the pieces that are hidden, many at a time, under names of its
own: `validation_bits_per_byte_of_hidden_pieces`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CAUSAL, MASKED = "causal", "masked"
LIKELIHOODS = ("loss", "perplexity", "bits_per_byte", "bits_per_character")
"""Measures that come from the probability of a text; their intervals do, too. Accuracy and calibration do not."""
PSEUDO = "pseudo_"
NOTE = (
    "A masked model: evaluate.* are pseudo-figures (Salazar et al. 2020), each token asked for alone with both its "
    "sides in sight; train.* and training/* are of the pieces that training hides. A causal model's do not compare."
)
"""What to say of a masked model's run where its figures stand in a list with others'."""


def key(measure: str, objective: str) -> str:
    """A measure's name in JSON: `bits_per_byte`, of a masked model `pseudo_bits_per_byte`."""
    return measure if objective == CAUSAL else PSEUDO + measure


def training_key(measure: str, objective: str) -> str:
    """What training measures, as it is named in JSON: a masked model's is `<measure>_of_hidden_pieces`."""
    return measure if objective == CAUSAL else f"{measure}_of_hidden_pieces"


def words(measure: str, objective: str) -> str:
    """The same for people: `bits per byte`, `pseudo-bits per byte`."""
    return ("" if objective == CAUSAL else "pseudo-") + measure.replace("_", " ")


def as_pseudo(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures, nested by language and so on, under the names of a masked model's."""
    return {
        (PSEUDO + name if name.removesuffix("_interval") in LIKELIHOODS else name): (
            as_pseudo(value) if isinstance(value, Mapping) else value
        )
        for name, value in figures.items()
    }


def plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `as_pseudo`, for tables that say elsewhere which kind of model they show."""
    return {
        name.removeprefix(PSEUDO): plain(value) if isinstance(value, Mapping) else value
        for name, value in figures.items()
    }
