"""What the section `filter.licence` of params.yaml takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from elek.licences.policy import PolicyName, single_licences
from elek.params import Section

Response = Literal["drop", "hold", "keep"]
"""`hold`: neither keep nor drop for good, but list for a person to look at; `keep` switches the rule off."""

Licences = Annotated[tuple[str, ...], AfterValidator(single_licences)]


class LicenceParams(Section):
    """`policy: open` lets copyleft and share-alike text in; `research` also non-commercial; `any` all that is known."""

    policy: PolicyName = "permissive"
    """permissive, open, research or any: the categories of licence that may be trained on."""
    allow: Licences = ()
    """SPDX identifiers that are taken whatever the policy says, `LicenseRef-…` of one's own included."""
    deny: Licences = ()
    """SPDX identifiers that are refused whatever the policy says."""
    unknown: bool = True
    """Drop what nobody knows the licence of."""
    undeclared: Literal["unknown", "evidence"] = "unknown"
    """What a document without a declared licence (`NOASSERTION`) is judged as: as `unknown` as any, or by the
    `evidence` in its own text, so that it stays where it says nothing of itself that the policy refuses."""
    contradiction: Response = "drop"
    """What becomes of a document that names, of itself, a stricter licence than its source declares."""
    opt_out: Response = "drop"
    """What becomes of a document that reserves itself against text and data mining."""
    release: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Documents that somebody has looked at and lets go although they are on hold: by id, the reason. What the other
    rules drop stays dropped."""
