"""`elek whatif`: what other settings would keep, drop and gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from elek.cli import console
from elek.errors import ParamsError
from elek.execution.optional_modules import without_optional_modules
from elek.explaining.whatif import GROUPS, Example, WhatIf
from elek.explaining.whatif import whatif as ask

SHOWN = 12
"""Rows of a table."""


def whatif(settings: Sequence[str], removed: Sequence[str], examples: int, *, as_json: bool) -> None:
    """Print the comparison, for people or for programs."""
    if not settings and not removed:
        fix = "elek whatif --set filter.gopher_quality.min_words=30"
        raise ParamsError("nothing to ask about", where="elek whatif", fix=fix)
    with without_optional_modules():
        result = ask(console.project(), settings, removed, examples)
    if as_json:
        console.print_json(result.as_dict())
    else:
        console.say("\n".join(lines(result)))


def lines(result: WhatIf) -> list[str]:
    """The comparison for people."""
    total = result.totals()
    told = [f"what if {', '.join(result.settings)}"]
    for what in ("documents", "bytes"):
        before, after = total[f"{what}_before"], total[f"{what}_after"]
        told.append(f"{what:>9} │ {before:,} → {after:,} ({after - before:+,})")
    told.append(f"{'':>9} │ {total['gained']:,} gained, {total['lost']:,} lost")
    told += [f"{'note':>9} │ {note}" for note in result.notes]
    told += _table("dropped by", result.reasons())
    told += _table("side", result.splits())
    for group in GROUPS:
        rows = {
            name: {"before": item["documents_before"], "after": item["documents_after"]}
            for name, item in result.by(group).items()
            if item["gained"] or item["lost"]
        }
        told += _table({"license": "licence"}.get(group, group), rows)
    for title, found in (("gained", result.gained), ("lost", result.lost)):
        told += _examples(title, found)
    return told


def _table(title: str, rows: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """The rows that change, the greatest change first."""
    changes = {name: row["after"] - row["before"] for name, row in rows.items()}
    changed = sorted((name for name in rows if changes[name]), key=lambda name: (-abs(changes[name]), name))
    if not changed:
        return
    yield f"\n{title}"
    width = max(len(name) for name in changed[:SHOWN])
    for name in changed[:SHOWN]:
        before, after = rows[name]["before"], rows[name]["after"]
        yield f"  {name:<{width}}  {before:>9,} → {after:>9,}  ({changes[name]:+,})"
    if len(changed) > SHOWN:
        yield f"  … and {len(changed) - SHOWN:,} more: --json lists all"


def _examples(title: str, found: Sequence[Example]) -> Iterator[str]:
    if found:
        yield f"\n{title}, for example"
    for item in found:
        yield f"  {item.id}  ({'was ' if title == 'gained' else ''}{item.reason})"
        yield f"    {item.words}"
