"""Write the page and the cards from the facts. They contain no date and no path, so equal facts give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from elek.dataset import write_text
from elek.evaluation.names import plain
from elek.licences.categories import category, licences_in, obligations
from elek.report import charts, measured
from elek.report.facts import Facts
from elek.report.fates import KEPT, Flow, Sample
from elek.report.funnel import funnel
from elek.report.nearest import by_rule
from elek.report.params import ReportParams
from elek.report.quotes import Quote, Sides, also, sides
from elek.report.wording import environment

HELD_FILE = "held.jsonl"
SHOWN_HELD = 50
DUTIES = {
    "attribution": "name the authors",
    "notice": "keep the copyright and licence notices",
    "changes": "say what was changed",
    "share-alike": "pass adaptations on under the same licence",
    "source": "offer the source text",
    "non-commercial": "no commercial use",
    "no-derivatives": "pass no adaptation on",
    "permission": "ask the owner",
}
"""The obligations of `elek.licences` in words."""
FILES = {
    "index.html": "page.html",
    "data_card.md": "data_card.md",
    "model_card.md": "model_card.md",
    "ATTRIBUTION.md": "attribution.md",
}


def write(folder: Path, facts: Facts, params: ReportParams) -> None:
    """Write `index.html`, `data_card.md`, `model_card.md` and `ATTRIBUTION.md` into `folder`, and `held.jsonl` where
    documents wait for review."""
    context = _context(facts, params)
    for target, template in FILES.items():
        write_text(folder / target, environment().get_template(template).render(context))
    if facts.held:
        lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in facts.held]
        write_text(folder / HELD_FILE, "\n".join(lines) + "\n")


def _context(facts: Facts, params: ReportParams) -> dict[str, Any]:
    reasons, figures = _reasons(facts), plain(facts.metrics["evaluate"])
    sources = [_source_row(name, source, facts.flows) for name, source in facts.sources.items()]
    licenses = _licenses(facts)
    return {
        "title": params.title,
        "facts": facts,
        "metrics": {**facts.metrics, "evaluate": figures},
        "sources": sources,
        "trained": sorted((row for row in sources if row["trained_bytes"]), key=lambda row: -row["trained_bytes"]),
        "licenses": licenses,
        "asked": [duty for duty in DUTIES if any(duty in row["obligations"] for row in licenses)],
        "filters": facts.filters,
        "thresholds": facts.thresholds,
        "reasons": reasons,
        "silent": _silent(facts, [row["rule"] for row in reasons if row["failures"]]),
        "kept_quotes": {name: [_quote(one) for one in facts.samples.get(name, [])] for name in KEPT},
        "held": facts.held[:SHOWN_HELD],
        "duties": DUTIES,
        "coverage": facts.coverage,
        "funnel_documents": funnel(facts.flows, "documents"),
        "funnel_bytes": funnel(facts.flows, "bytes"),
        "curves": _curves(facts.history, "hidden piece" if facts.masked else "token"),
        "seen": measured.view(figures, facts.generations, masked=facts.masked),
        "kept": sum(flow.documents for flow in facts.flows if flow.stage == "kept"),
        "kept_bytes": sum(flow.bytes for flow in facts.flows if flow.stage == "kept"),
        "all_bytes": sum(flow.bytes for flow in facts.flows),
        "exported": exported(facts.metrics["export"]),
        "hyperparameters": {key: value for key, value in facts.model.items() if not isinstance(value, dict)},
    }


def exported(export: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a program that reads models and what data/export has for it, or why it has nothing."""
    files = ", ".join(sorted(export["files"]))
    because = export.get("huggingface_because")
    transformers = f"not written: {because}" if because else f"{export['architecture']}, logits equal in float32"
    gguf = f"model.gguf, architecture {export['gguf']}" if export["gguf"] else f"not written: {export['gguf_because']}"
    rows = [("transformers", transformers), ("llama.cpp", gguf)]
    if because:
        rows.append(("Elek itself", "the model in its own format"))
    return [*rows, ("files in data/export", files)]


def _source_row(name: str, source: dict[str, Any], flows: list[Flow]) -> dict[str, Any]:
    own = [flow for flow in flows if flow.source == name]
    kept = [flow for flow in own if flow.stage == "kept"]
    return {
        **source,
        "name": name,
        "kept": sum(flow.documents for flow in kept),
        "kept_bytes": sum(flow.bytes for flow in kept),
        "trained_bytes": sum(flow.bytes for flow in kept if flow.fate == "train"),
    }


def _reasons(facts: Facts) -> list[dict[str, Any]]:
    """Every rule, the most frequent reason first, with its documents by source and how often it failed at all."""
    failures: dict[str, int] = {}
    for stage in ("filter", "dedup", "split"):
        failures |= facts.metrics[stage]["failures"]
    rows = []
    for rule in sorted(failures):
        own = [flow for flow in facts.flows if flow.fate == rule and flow.stage != "kept"]
        rows.append(
            {
                "rule": rule,
                "documents": sum(flow.documents for flow in own),
                "bytes": sum(flow.bytes for flow in own),
                "failures": failures[rule],
                "sources": sorted({flow.source: flow.documents for flow in own}.items(), key=lambda item: -item[1]),
                "sides": _sides(facts, rule),
            }
        )
    return sorted(rows, key=lambda row: (-row["documents"], -row["failures"], row["rule"]))


def _sides(facts: Facts, rule: str) -> list[Sides]:
    """Documents that the rule dropped, and kept ones to compare them with."""
    near = by_rule(facts.near).get(rule, {"rejected": [], "kept": []})
    survivors = {name: _quote(sample) for name, sample in facts.survivors.items()}
    return sides(rule, [_quote(one) for one in facts.samples.get(rule, [])], **near, survivors=survivors)


def _quote(sample: Sample) -> Quote:
    return Quote(sample.id, [sample.license], also(sample.told, sample.others), sample.excerpt)


def _silent(facts: Facts, failing: list[str]) -> list[dict[str, Any]]:
    """Rules that no document failed, each with the kept documents nearest to failing."""
    rules = sorted({near.rule for near in facts.near} - set(failing))
    return [{"rule": rule, "sides": _sides(facts, rule)} for rule in rules]


def _curves(history: dict[str, list[float]], what: str) -> list[tuple[str, str]]:
    """Charts of the training with their titles; `what` is the unit that the loss refers to."""
    step = history["step"]
    loss = [
        charts.Line(name, step, history[column], colour)
        for name, column, colour in (("training", "train_loss", "--c0"), ("validation", "validation_loss", "--c1"))
    ]
    found = [(f"Loss, nats per {what}", charts.lines(loss, "step", "Training and validation loss by step"))]
    for title, column in (
        ("Learning rate", "learning_rate"),
        ("Gradient norm", "grad_norm"),
    ):
        line = charts.Line(title.lower(), step, history[column], "--c0")
        found.append((title, charts.lines([line], "step", f"{title} by step")))
    return found


def _licenses(facts: Facts) -> list[dict[str, Any]]:
    """Training text by declared licence: bytes, sources, and the obligations of whoever passes it on."""
    sums: dict[str, dict[str, Any]] = {}
    rows = facts.table.group_by(["license", "source", "fate"]).aggregate([("bytes", "sum"), ("bytes", "count")])
    for row in rows.to_pylist():
        if row["fate"] != "train":
            continue
        entry = sums.setdefault(row["license"], {"license": row["license"], "bytes": 0, "documents": 0, "sources": []})
        entry["bytes"] += row["bytes_sum"]
        entry["documents"] += row["bytes_count"]
        entry["sources"].append(row["source"])
    for expression, entry in sums.items():
        entry["sources"] = sorted(set(entry["sources"]))
        entry["category"] = category(expression)
        entry["obligations"] = obligations(expression)
        entry["urls"] = [licence.url for licence in licences_in(expression) if licence.url]
    return sorted(sums.values(), key=lambda entry: (-entry["bytes"], entry["license"]))
