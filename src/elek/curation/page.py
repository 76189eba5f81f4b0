"""The report of a curation: one HTML file without a network, and who is to be named for the documents kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elek.curation import counterparts
from elek.curation.against import Earlier
from elek.curation.output import KEPT, Sample, Volume
from elek.dataset import Dataset, write_text
from elek.licences.categories import category, licences_in, obligations
from elek.licences.spdx import check
from elek.report.nearest import Near, by_rule
from elek.report.quotes import Quote, also, sides
from elek.report.sankey import Node, flow_chart
from elek.report.thresholds import thresholds
from elek.report.wording import environment
from elek.sources.records import Skip

SHOWN_SKIPS = 20
LARGEST = 9
"""Blocks of their own in a column of the flow chart; what is left shares one."""


def write(
    folder: Path,
    manifest: dict[str, Any],
    volume: Volume,
    samples: dict[str, list[Sample]],
    near: Sequence[Near],
    skips: Sequence[Skip],
    earlier: Sequence[Earlier],
) -> None:
    """Write `report.html`, and `ATTRIBUTION.md` where a kept document's licence asks for something.

    `near` are the kept documents nearest to failing each rule; those kept in the place of duplicates, here or in
    `earlier` results, are read.
    """
    licences = _licences(volume)
    instead = {one.id: one.survivor for found in samples.values() for one in found if one.survivor}
    survivors = counterparts.survivors(Dataset(folder / "documents"), earlier, instead)
    context = {
        "manifest": manifest,
        "funnel": {unit: _funnel(volume, unit) for unit in ("documents", "bytes")},
        "bytes_in": sum(number for key, number in volume.items() if key[-1] == "bytes"),
        "reasons": _reasons(manifest, volume, samples, by_rule(near), survivors),
        "thresholds": thresholds(manifest["settings"]["filter"], manifest["settings"].get("dedup"), None),
        "kept_samples": [_quote(one) for one in samples.get(KEPT, [])],
        "tables": [(title, _table(volume, place)) for title, place in (("source", 1), ("language", 3), ("licence", 2))],
        "skips": skips[:SHOWN_SKIPS],
    }
    templates = environment()
    write_text(folder / "report.html", templates.get_template("curation.html").render(context))
    if any(licence["obligations"] for licence in licences):
        names = sorted({name for licence in licences for name in licence["sources"]})
        sources = [{"name": name, "url": "", "trained_bytes": 1} for name in names]
        text = templates.get_template("attribution.md").render(
            title="whatever is made of these documents", licenses=licences, sources=sources
        )
        write_text(folder / "ATTRIBUTION.md", text)


def _licences(volume: Volume) -> list[dict[str, Any]]:
    """Of the documents kept, by declared licence: what it asks. What is no licence asks nothing that we know."""
    sums: dict[str, dict[str, Any]] = {}
    for (fate, source, license, _, what), number in sorted(volume.items()):
        if fate == KEPT and what == "documents" and number and check(license) is None:
            entry = sums.setdefault(license, {"license": license, "documents": 0, "sources": set()})
            entry["documents"] += number
            entry["sources"].add(source)
    for expression, entry in sums.items():
        entry["category"] = category(expression)
        entry["obligations"] = obligations(expression)
        entry["urls"] = [licence.url for licence in licences_in(expression) if licence.url]
    return sorted(sums.values(), key=lambda entry: (-entry["documents"], entry["license"]))


def _reasons(
    manifest: dict[str, Any],
    volume: Volume,
    samples: dict[str, list[Sample]],
    near: dict[str, dict[str, list[Near]]],
    survivors: dict[str, Quote],
) -> list[dict[str, Any]]:
    """Every rule that a document fails, the commonest reason first, with documents that it dropped and kept ones."""
    sizes: Counter[str] = Counter()
    sources: dict[str, Counter[str]] = {}
    for (fate, source, _, _, what), number in sorted(volume.items()):
        if what == "bytes":
            sizes[fate] += number
        else:
            sources.setdefault(fate, Counter())[source] += number
    rows = [
        {
            "rule": rule,
            "documents": manifest["reasons"].get(rule, 0),
            "bytes": sizes[rule],
            "failures": failures,
            "sources": sorted(sources.get(rule, {}).items(), key=lambda item: (-item[1], item[0])),
            "sides": sides(
                rule,
                [_quote(one) for one in samples.get(rule, [])],
                [],
                near[rule]["kept"] if rule in near else [],
                survivors,
            ),
        }
        for rule, failures in manifest["failures"].items()
    ]
    return sorted(rows, key=lambda row: (-row["documents"], -row["failures"], row["rule"]))


def _quote(sample: Sample) -> Quote:
    return Quote(sample.id, [sample.license], also(sample.evidence, sample.others), sample.excerpt)


def _table(volume: Volume, place: int) -> list[dict[str, Any]]:
    """Documents and text in and kept, by one part of the key: the largest first, the many small ones together."""
    rows: dict[str, Counter[str]] = {}
    for key, number in sorted(volume.items()):
        row = rows.setdefault(key[place], Counter())
        row[key[-1]] += number
        if key[0] == KEPT:
            row[f"kept_{key[-1]}"] += number
    order = sorted(rows, key=lambda name: (-rows[name]["documents"], name))
    shown = [{"name": name, **_figures(rows[name])} for name in order[:30]]
    if len(order) > 30:
        rest: Counter[str] = Counter()
        for name in order[30:]:
            rest.update(rows[name])
        shown.append({"name": f"{len(order) - 30:,} others", **_figures(rest)})
    return shown


def _figures(row: Counter[str]) -> dict[str, int]:
    return {name: row[name] for name in ("documents", "bytes", "kept_documents", "kept_bytes")}


def _funnel(volume: Volume, unit: str) -> str:
    """Sources on the left, then what the filters dropped and why, then duplicates and what is kept."""
    flows: Counter[tuple[str, str]] = Counter()
    for (fate, source, _, _, what), number in sorted(volume.items()):
        if what == unit and number:
            flows[source, fate] += number
    if not flows:
        return ""
    sources = _grouped(Counter({source: sum(n for (s, _), n in flows.items() if s == source) for source, _ in flows}))
    sums: Counter[str] = Counter()
    for (_, fate), number in flows.items():
        sums[fate] += number
    twins = Counter({fate: number for fate, number in sums.items() if fate.startswith("dedup.")})
    rules = Counter({fate: number for fate, number in sums.items() if fate != KEPT and fate not in twins})
    nodes: list[Node] = []

    def add(name: str, column: int, colour: str, value: int) -> int:
        shown = f"{value / 1e6:,.1f} MB" if unit == "bytes" else f"{value:,}"
        nodes.append(Node(name, column, colour, shown))
        return len(nodes) - 1

    def blocks(groups: dict[str, str], values: Counter[str], column: int, colours: Sequence[str]) -> dict[str, int]:
        """The block of every name; `groups` says which it shares."""
        totals: Counter[str] = Counter()
        for name, group in groups.items():
            totals[group] += values[name]
        order = list(dict.fromkeys(groups.values()))
        made = {}
        for i, group in enumerate(order):
            shared = group not in groups and len(colours) > 1
            made[group] = add(group, column, "--soft" if shared else colours[i % len(colours)], totals[group])
        return {name: made[group] for name, group in groups.items()}

    by_source: Counter[str] = Counter()
    for (source, _), number in flows.items():
        by_source[source] += number
    first = blocks(sources, by_source, 0, [f"--c{i}" for i in range(8)])
    through = add("pass every filter", 1, "--keep", sums[KEPT] + twins.total())
    dropped = blocks(_grouped(rules), rules, 1, ["--drop"])
    kept = add("kept", 2, "--keep", sums[KEPT])
    copies = blocks(_grouped(twins), twins, 2, ["--drop"])
    links: Counter[tuple[int, int]] = Counter()
    for (source, fate), number in flows.items():
        links[first[source], dropped.get(fate, through)] += number
    for fate, number in sums.items():
        if fate not in rules:
            links[through, copies.get(fate, kept)] += number
    drawn = [(start, end, float(number)) for (start, end), number in sorted(links.items())]
    return flow_chart(nodes, drawn, ["sources", "filters", "duplicates"], f"Where the {unit} went")


def _grouped(values: Counter[str]) -> dict[str, str]:
    """Name → the block that it stands in: its own for the largest, a common one for the rest."""
    order = sorted(values, key=lambda name: (-values[name], name))
    large = order if len(order) <= LARGEST else order[: LARGEST - 1]
    rest = order[len(large) :]
    return {name: name for name in large} | dict.fromkeys(rest, f"{len(rest):,} others")
