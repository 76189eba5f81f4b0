"""`elek why`: everything that happened to one document, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from elek.cli import console
from elek.explaining.ledger import Event, Story, story
from elek.explaining.standings import INCLUSIVE, Standing

if TYPE_CHECKING:
    from elek.lineage.ancestry import Descent

MARKS = {"fails": "✗", "passes": "✓", "off": "–", "not measured": "?"}


def why(doc_id: str, *, as_json: bool) -> None:
    """Print the document's story, and the registered model versions that learned from it, where any is registered."""
    from elek.lineage.ancestry import descent, registry_is_there

    project = console.project()
    found = story(project, doc_id)
    models = descent(project, doc_id) if registry_is_there(project) else None
    if as_json:
        console.print_json({**found.plain(), "models": None if models is None else models.plain()})
        return
    console.say("\n".join([*lines(found), *_models(doc_id, models)]))


def lines(found: Story) -> list[str]:
    """The story for people."""
    said = [
        f"{found.id}: {found.fate}",
        f"  {found.source}, {found.license}, {found.lang}, role {found.role}" + (f", {found.url}" if found.url else ""),
    ]
    shown = {item.rule.partition(".")[0] for event in found.events for item in event.rules}
    for event in found.events:
        said.append(f"{event.stage:>9} │ {event.what}")
        said += [f"{'':>9} │   {'└' if index else 'reason:'} {f}" for index, f in enumerate(event.failures)]
        said += [f"{'':>9} │   {name} = {_text(value)}" for name, value in _details(event, shown)]
        said += [f"{'':>9} │   {line}".rstrip() for line in table(event.rules)]
    return said


def _details(event: Event, shown: set[str]) -> list[tuple[str, Any]]:
    """What no rule's table shows: a filter's numbers stand there, its words (a label, a category) do not."""
    return [
        (name, value)
        for name, value in sorted(event.details.items())
        if event.stage != "annotate" or name.partition(".")[0] not in shown or isinstance(value, str | list | bool)
    ]


def _text(value: object) -> str:
    if isinstance(value, list):  # what is measured of every line, say
        return f"{len(value):,} entries"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(rules: Sequence[Standing]) -> Iterator[str]:
    """A table for each filter: what was measured, what is allowed, and how far apart the two are."""
    width = max((len(item.rule.partition(".")[2]) for item in rules), default=0)
    last = ""
    for item in rules:
        name, _, own = item.rule.partition(".")
        if name != last:
            yield f"  {name:<{width}} {'value':>10}   {'allowed':<10} {'margin':>10}"
            last = name
        line = f"{MARKS[item.state]} {own:<{width}}"
        value = "" if item.value is None else f"{item.value:.6g}"
        sign = "<" if item.rule == INCLUSIVE else "≤" if item.fails == "above" else "≥"
        allowed = "" if item.threshold is None else f"{sign} {item.threshold:.6g}"
        if item.state in ("off", "not measured"):
            yield f"{line} {value:>10}   {allowed:<10} {item.state:>12}"
        elif item.margin is None:
            yield f"{line} {item.evidence or (item.state if not allowed else f'{item.state} ({allowed})')}"
        else:
            share = "" if item.percent is None else f"  {item.percent:+.4g} %"
            yield f"{line} {value:>10}   {allowed:<10} {item.margin:>+10.4g}{share}"


def _models(doc_id: str, models: Descent | None) -> Iterator[str]:
    if models is not None:
        from elek.cli.lineage import forward

        first, *rest = forward(doc_id, models)
        yield f"{'models':>9} │ {first.removeprefix(f'{doc_id}: ')}"
        yield from (f"{'':>9} │ {line}" for line in rest)
