"""`elek rules`: how often each rule fires, which go together, which are dead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elek.cli import console
from elek.explaining.cuts import cuts, dead_cuts
from elek.explaining.dead_rules import dead_rules, dead_stage_rules
from elek.explaining.survey import By, Survey, stage_surveys, survey
from elek.filtering import FilterParams, rule
from elek.params import load


def rules(*, by: By | None, as_json: bool) -> None:
    """Print figures of every rule over everything that was measured, with the thresholds in params.yaml."""
    project = console.project()
    params = load(project / "params.yaml", "filter", FilterParams)
    found = collect(project, params, by)
    if as_json:
        console.print_json(found)
        return
    for line in lines(found):
        console.say(line)


def collect(project: Path, params: FilterParams, by: By | None = None) -> dict[str, Any]:
    """Everything that the command says, as plain data; `matrix` counts the documents that fail both of two rules."""
    found, taken = survey(project, params, by), cuts(project, params)
    behind = stage_surveys(project)
    dead = (*dead_rules(found, params), *dead_cuts(taken, found.documents), *dead_stage_rules(behind))
    return {
        "documents": found.documents,
        "rules": [row for stage, each in {"filter": found, **behind}.items() for row in _rows(stage, each)],
        "removing": [vars(item) for item in taken],
        "dead": [vars(item) for item in dead],
        "matrix": {"rules": found.rules, "documents": found.together.tolist()},
        "by": {"by": by, "groups": dict(sorted(found.groups.items()))} if by else None,
    }


def _rows(stage: str, found: Survey) -> list[dict[str, Any]]:
    rows = []
    for index, name in enumerate(found.rules):
        near, declared = found.closest.get(name), rule(name)
        fails = int(found.failing[index])
        rows.append(
            {
                "stage": stage,
                "rule": name,
                "documents": found.documents,
                "measured": int(found.measured[index]),
                "fails": fails,
                "alone": int(found.alone[index]),
                "with_others": fails - int(found.alone[index]),
                "reason": int(found.reason[index]),
                "closest": None if near is None else vars(near),
                "side": declared.fails if declared else None,
                "overlaps": [{"rule": other, "documents": count} for other, count in found.overlaps(name)],
            }
        )
    return rows


def lines(found: dict[str, Any]) -> list[str]:
    """The figures for people: rules that fire, most often first; then the dead ones."""
    fired = sorted((row for row in found["rules"] if row["fails"]), key=lambda row: (-row["fails"], row["rule"]))
    width = max((len(row["rule"]) for row in fired), default=4)
    said = [
        f"{found['documents']:,} documents; of each rule: how many fail it, fail it alone, have it as their reason",
        "",
        f"{'rule':<{width}} {'fails':>8} {'':>7} {'alone':>8} {'reason':>8}   most often together with",
    ]
    for row in fired:
        overlaps = ", ".join(f"{item['rule']} {item['documents'] / row['fails']:.0%}" for item in row["overlaps"][:2])
        share = f"{row['fails'] / row['documents']:.2%}"
        line = f"{row['rule']:<{width}} {row['fails']:>8,} {share:>7} {row['alone']:>8,} {row['reason']:>8,}"
        said.append(f"{line}   {overlaps}".rstrip())
    if found["by"]:
        said += _by(found["by"]["groups"], [row["rule"] for row in fired if row["stage"] == "filter"])
    said += _removing(found["removing"])
    said += ["", f"{len(found['dead'])} dead rules" if found["dead"] else "no dead rules"]
    width = max((len(item["rule"]) for item in found["dead"]), default=0)
    said += [f"{item['rule']:<{width}}  {item['kind']:<12}  {item['why']}" for item in found["dead"]]
    return said


def _removing(taken: list[dict[str, Any]]) -> list[str]:
    """Rules that take text out of documents, those that do; most bytes first."""
    rows = sorted((row for row in taken if row["documents"]), key=lambda row: (-row["bytes"], row["rule"]))
    if not rows:
        return []
    width = max(len(row["rule"]) for row in rows)
    said = [
        "",
        "rules that take text out: documents in which they do, those of them that stay, bytes of these",
        "",
        f"{'rule':<{width}} {'documents':>9} {'stay':>8} {'bytes':>12} {'alone':>12}",
    ]
    return said + [
        f"{row['rule']:<{width}} {row['documents']:>9,} {row['staying']:>8,} {row['bytes']:>12,} {row['alone']:>12,}"
        for row in rows
    ]


def _by(groups: dict[str, dict[str, int]], rules: list[str]) -> list[str]:
    """Share of each group's documents that fail each rule; the largest groups, in columns."""
    largest = sorted(groups, key=lambda name: (-groups[name][""], name))[:8]
    width = max(map(len, rules), default=4)
    columns = [max(8, len(name)) for name in largest]
    head = " ".join(f"{name:>{size}}" for name, size in zip(largest, columns, strict=True))
    counts = " ".join(f"{groups[name]['']:>{size},}" for name, size in zip(largest, columns, strict=True))
    said = ["", f"{'share failing, by group':<{width}} {head}", f"{'documents':<{width}} {counts}"]
    for rule_name in rules:
        cells = [
            f"{groups[name].get(rule_name, 0) / groups[name]['']:>{size}.1%}" if groups[name][""] else f"{'–':>{size}}"
            for name, size in zip(largest, columns, strict=True)
        ]
        said.append(f"{rule_name:<{width}} {' '.join(cells)}")
    if len(groups) > len(largest):
        said.append(f"and {len(groups) - len(largest)} more, in --json")
    return said
