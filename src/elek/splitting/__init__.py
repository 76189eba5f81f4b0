"""Train, validation and test: by a keyed hash of the cluster, so that near-duplicates are never on two sides.

The side of a document depends on its cluster's name and the seed alone: a corpus that grows keeps the sides of the
clusters that it had, unless a new document with a smaller id joins one.
"""

from __future__ import annotations

import hashlib

from pydantic import Field, model_validator

from elek.params import Section

SIDES = ("train", "validation", "test")


class SplitParams(Section):
    """Shares of the sides, and what training text may not have in common with held-out text."""

    validation: float = Field(default=0.03, gt=0, lt=1)
    """Share of clusters."""
    test: float = Field(default=0.03, gt=0, lt=1)
    """Share of clusters."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Key of the hash that chooses the side."""
    decontaminate_ngram: int | None = Field(default=13, ge=2, le=64)
    """Words in an n-gram that training and held-out text (validation, test, evaluation sources) are compared by;
    null leaves training text as it is. 13: T. Brown et al., "Language Models are Few-Shot Learners", appendix C."""
    decontaminate_share: float = Field(default=0.2, ge=0, lt=1)
    """A training document is dropped when more than this share of its n-grams stands in held-out text, or more
    than this share of one held-out document's n-grams stands in it."""
    decontaminate_common: int = Field(default=10, ge=1)
    """An n-gram that more training documents than this have is boilerplate, such as a licence's header, and
    counts for nothing (10: the same appendix)."""

    @model_validator(mode="after")
    def _require_training_share(self) -> SplitParams:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave a share for training")
        return self


def side(cluster: str, params: SplitParams) -> str:
    """The side of a cluster."""
    key = params.seed.to_bytes(8, "little")
    digest = hashlib.blake2b(cluster.encode(), digest_size=8, key=key).digest()
    at = int.from_bytes(digest, "big") / 2**64
    if at < params.validation:
        return "validation"
    return "test" if at < params.validation + params.test else "train"
