"""Licence policies: which categories of licence may stand in a training set.

An expression is evaluated as it reads: of an OR one acceptable branch is enough, because whoever receives the text
may choose; of an AND every part must be acceptable. `deny` beats `allow`, and both beat the policy. A licence of
category `unknown` is neither acceptable nor refused: it is unknown, and the caller must say what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from elek.licences.categories import CATEGORIES, Licence, leaf, licences_in, tree
from elek.licences.spdx import check, normalise

PolicyName = Literal["permissive", "open", "research", "any"]

POLICIES: dict[PolicyName, frozenset[str]] = {
    "permissive": frozenset({"public-domain", "permissive"}),
    "open": frozenset({"public-domain", "permissive", "weak-copyleft", "share-alike", "copyleft"}),
    "research": frozenset(CATEGORIES) - {"proprietary", "unknown"},
    "any": frozenset(CATEGORIES) - {"unknown"},
}
"""Categories by policy. `open` is what the Open Definition 2.1 calls open; `research` adds texts that may not be
sold or adapted; `any` takes whatever somebody has put a name to."""

Outcome = Literal["accepted", "refused", "unknown"]


@dataclass(frozen=True)
class Judgement:
    """What a policy makes of an expression, and the sentence that says why (empty where it is accepted)."""

    outcome: Outcome
    reason: str


@lru_cache(maxsize=65536)
def judge(expression: str, policy: PolicyName, allow: frozenset[str], deny: frozenset[str]) -> Judgement:
    """Judge an expression as it was declared; one that SPDX would not accept is `unknown`.

    `allow` and `deny` hold normalised licences: `GPL-3.0-only`, or `GPL-2.0-only WITH Classpath-exception-2.0`
    where the exception makes the difference.
    """
    problem = check(expression)
    if problem is not None:
        return Judgement("unknown", problem)

    def outcome(licence: Licence) -> Outcome:
        names = {licence.id, licence.key}
        if names & deny:
            return "refused"
        if names & allow or licence.category in POLICIES[policy]:
            return "accepted"
        return "unknown" if licence.category == "unknown" else "refused"

    def fold(node: Any) -> Outcome:
        parts = [fold(part) for part in getattr(node, "args", ())]
        if not parts:
            return outcome(leaf(node))
        order: list[Outcome] = ["accepted", "unknown", "refused"]
        pick = min if type(node).__name__ == "OR" else max
        return pick(parts, key=order.index)

    result = fold(tree(expression))
    if result == "accepted":
        return Judgement(result, "")
    culprits = [licence for licence in licences_in(expression) if outcome(licence) == result]
    words = [
        f"{licence.key} is denied by name"
        if {licence.id, licence.key} & deny
        else f"{licence.key} is {licence.category}"
        for licence in culprits
    ]
    if result == "unknown":
        return Judgement(result, f"{', '.join(words)}: nobody has said what it allows; put it in `allow` to accept it")
    allowed = ", ".join(category for category in CATEGORIES if category in POLICIES[policy])
    return Judgement(result, f"{', '.join(words)}; policy {policy} allows {allowed}")


def worst(judged: list[Judgement]) -> Judgement:
    """What becomes of a document under several licences at once; nothing is held against one under none."""
    order = ["accepted", "unknown", "refused"]
    found = max(judged, key=lambda item: order.index(item.outcome), default=Judgement("accepted", ""))
    return found if found.outcome == "accepted" else Judgement(found.outcome, f"none declared; found: {found.reason}")


def single_licences(names: Iterable[str]) -> tuple[str, ...]:
    """Normalise the entries of an allow or deny list. Raises ValueError where one is no single licence."""
    result = []
    for name in names:
        problem = check(name)
        if problem is not None:
            raise ValueError(problem)
        if len(licences_in(name)) != 1:
            raise ValueError(f"`{name}` is an expression; list its licences one by one")
        result.append(normalise(name))
    return tuple(result)
