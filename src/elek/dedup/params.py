"""The knobs of deduplication. Light to import: annotate nests `MinHashParams`, and every stage validates both."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from elek.params import Section


class MinHashParams(Section):
    """How a signature is made. Signatures compare only where all three are equal."""

    shingle: int = Field(default=5, ge=1, le=32)
    """Words in a shingle. A document of fewer words has no signature and is never a near-duplicate."""
    permutations: int = Field(default=112, ge=8, le=1024)
    """Values in a signature; the standard error of a similarity estimated from them is at most 0.5/√permutations."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Chooses the permutations."""


class BoilerplateParams(Section):
    """What counts as boilerplate; see `elek.dedup.boilerplate`."""

    unit: Literal["line", "paragraph"] = "line"
    """What is compared: lines, or paragraphs between empty lines."""
    max_documents: int = Field(default=20, ge=1)
    """A line that more kept documents of its source have than this is taken out of all of them."""
    min_words: int = Field(default=4, ge=1)
    """Words of a line; shorter ones ("}", "See also") stay."""


class DedupParams(Section):
    """What counts as a duplicate, and which copy stays."""

    exact: bool = True
    """Drop documents whose normalised text equals another's."""
    url: bool = False
    """Of documents whose URLs lead to one page (`elek.dedup.urls`) only the first goes on, whatever their text."""
    minhash: bool = True
    """Drop near-duplicates: documents whose verified Jaccard similarity to a survivor reaches `jaccard`."""
    jaccard: float = Field(default=0.8, gt=0, le=1)
    """At or above: the same document, one survives."""
    cluster_jaccard: float | None = Field(default=0.5, gt=0, le=1)
    """At or above: related, in one cluster and so never on two sides of a split. Null leaves that to duplicates."""
    boilerplate: BoilerplateParams | None = None
    """Take lines out of documents that stay, where many documents of a source have them; null takes nothing out."""
    source_priority: tuple[str, ...] = ()
    """Which source's copy survives, the most trusted first; sources not named come after. Then the smallest id."""

    @model_validator(mode="after")
    def _loose_below_tight(self) -> DedupParams:
        if self.cluster_jaccard is not None and self.cluster_jaccard > self.jaccard:
            raise ValueError("cluster_jaccard must not be above jaccard: duplicates are related")
        if len(set(self.source_priority)) < len(self.source_priority):
            raise ValueError("source_priority names a source twice")
        return self
