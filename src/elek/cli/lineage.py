"""`elek lineage`: from a model version back to what made it, from a source or a document forward to what learned."""

from __future__ import annotations

from collections.abc import Iterator

from elek.cli import console
from elek.evaluation.names import words
from elek.lineage.ancestry import Descent, Version, trace
from elek.tracking.tagging import objective, scores


def lineage(name: str, *, as_json: bool) -> None:
    """Print what is known of `name`: a version or alias, a source, or a document's id."""
    found = trace(console.project(), name)
    if isinstance(found, Version):
        plain, said = found.plain(), list(backward(found))
    else:
        plain, said = {"name": name, **found.plain()}, list(forward(name, found))
    if as_json:
        console.print_json(plain)
    else:
        console.say("\n".join(said))


def forward(name: str, found: Descent) -> Iterator[str]:
    """The versions that learned from a source or a document, for people."""
    count = len(found.learned)
    yield f"{name}: {count or 'no'} registered version{'s' * (count != 1)} learned from it"
    for item in found.learned:
        aliases = "".join(f" @{alias}" for alias in item.aliases)
        digest = f", text sha256 {item.sha256[:12]}…" if item.sha256 else ""
        yield f"  {item.model} version {item.version}{aliases}: {item.said}{digest}"
    yield from unknown(found)


def unknown(found: Descent) -> Iterator[str]:
    """A line about the versions that cannot be asked."""
    if found.unknown:
        numbers = ", ".join(map(str, found.unknown))
        yield f"  not known of version {numbers}: an older Elek did not record it, and the data is no longer here"


def backward(version: Version) -> Iterator[str]:
    """Where a version comes from, for people."""
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    yield f"{version.model} version {version.number}{aliases}"
    yield f"  commit    {version.tags.get('git_commit', 'unknown')}" + (
        f" (dirty: {version.tags.get('git_dirty_because', 'uncommitted changes')})"
        if version.tags.get("git_dirty") == "true"
        else ""
    )
    for name, score in scores(version.tags).items():
        yield f"  measured  {score:.4f} {words('bits_per_byte', objective(version.tags))} on {name}"
    yield f"  params    {len(version.params)} logged with run {version.run_id}; --json has them all"
    yield "  digests"
    for path, digest in version.digests.items():
        if path.startswith("data/"):
            yield f"    {path:<16} {digest}"
    yield from _sources(version)
    yield "can it be rebuilt?"
    how = version.rebuild
    yield f"  commit here: {_yes(how.commit_here)}; its dvc.lock names this model: {_yes(how.lock_here)}"
    yield f"  the model itself in DVC's cache: {_yes(how.cached)}"
    yield from (f"  ! {reason}" for reason in how.reasons)
    yield from (f"  $ {command}" for command in how.commands)
    yield f"  {how.result}"


def _sources(version: Version) -> Iterator[str]:
    if version.sources is None:
        yield "  sources   not recorded: registered by an older Elek; `elek run` with the same model adds them"
        return
    width = max((len(name) for name in version.sources), default=6)
    head = f"{'documents':>10} {'tokens':>12} {'drawn':>12}"
    yield f"  {'sources':<{width + 2}} {'licence':<24} {head}"
    for name, source in version.sources.items():
        own = source["training"]
        drawn = "unknown" if own["drawn"] is None else f"{own['drawn']:,}"
        figures = f"{own['documents']:>10,} {own['tokens']:>12,} {drawn:>12}"
        yield f"    {name:<{width}} {source.get('license', 'unknown'):<24} {figures}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
