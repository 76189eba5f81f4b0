"""Documents quoted on the pages: those that a rule dropped, and kept ones to compare them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from elek.report.borders import HASHED, HOW
from elek.report.nearest import Near


class Quote(NamedTuple):
    """The start of a document (`excerpt`), with short `tags` and a longer remark (`told`)."""

    id: str
    tags: Sequence[str]
    told: str
    excerpt: str


class Sides(NamedTuple):
    """Dropped documents on the left, kept ones on the right; either may be empty."""

    rejected_title: str
    rejected: Sequence[Quote]
    kept_title: str
    kept: Sequence[Quote]


def sides(
    rule: str,
    samples: Sequence[Quote],
    rejected: Sequence[Near],
    kept: Sequence[Near],
    survivors: Mapping[str, Quote],
) -> list[Sides]:
    """What to show for a rule: `samples` of what it dropped, and the most instructive kept documents.

    A duplicate is shown with the document that was kept in its place (`survivors`, by the duplicate's id).
    """
    if rule.startswith("dedup."):
        return [
            Sides("rejected", [one], "kept in its place", [survivors[one.id]] if one.id in survivors else [])
            for one in samples
        ]
    if any(near.value is not None for near in (*rejected, *kept)):
        beside = Sides("just rejected", _quotes(rejected), "kept, nearest to the threshold", _quotes(kept))
        if not rejected:
            return [beside._replace(rejected_title="rejected", rejected=samples)]
        return [*([Sides("rejected", samples, "", [])] if samples else []), beside]
    noted = [near for near in kept if near.note]
    title = HOW.get(rule, HASHED) if noted else HASHED
    return [Sides("rejected", samples or _quotes(rejected), title, _quotes(noted or kept))]


def also(told: str, others: Sequence[str]) -> str:
    """The remark on a dropped document, with the rules that it fails besides the reason."""
    return "; ".join(part for part in (told, f"also fails {', '.join(others)}" if others else "") if part)


def _quotes(found: Sequence[Near]) -> list[Quote]:
    return [Quote(near.id, _tags(near), near.note, near.excerpt) for near in found]


def _tags(near: Near) -> list[str]:
    numbers = [] if near.value is None else [f"{near.value:,.4g}, threshold {near.threshold:,.4g}"]
    return [near.license, *numbers]
