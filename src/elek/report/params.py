"""Section `report` of params.yaml."""

from __future__ import annotations

from pydantic import Field

from elek.params import Section


class ReportParams(Section):
    """How much the page shows. All that it shows comes from the earlier stages."""

    title: str = "Elek"
    """Heading of the page and name of the model in its card."""

    samples_per_rule: int = Field(default=3, ge=0, le=50)
    """Documents shown for each reason and for each split; chosen by a hash of their id."""

    nearest_per_rule: int = Field(default=2, ge=0, le=20)
    """Documents shown on each side of each rule's threshold: the nearest ones."""

    sample_characters: int = Field(default=280, ge=20, le=5000)
    """Length of each excerpt."""
