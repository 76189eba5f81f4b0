"""The one screen at the end of `elek run`, from what the stages left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from elek import results, servers
from elek.cli import console
from elek.evaluation.names import plain, words
from elek.tracking import registry

UNKNOWN = "–"
SHOWN_REASONS = 8
SAMPLE_CHARACTERS = 200
SPLITS = ("train", "validation", "test", "evaluation")


def collect(project: Path) -> dict[str, Any]:
    """Everything that the screen shows, as plain data."""
    report = {stage: results.report(project, stage) for stage in ("fetch", "tokenize", "train", "evaluate")}
    funnel = results.funnel(project)
    reasons: dict[str, int] = {}
    for stage in results.DECIDING:
        for rule, count in results.report(project, stage).get("reasons", {}).items():
            reasons[rule] = reasons.get(rule, 0) + count
    outcome = registry.last_outcome(project)
    page = project / "data" / "report" / "index.html"
    return {
        "documents": report["fetch"].get("documents"),
        "dropped": {rule: count for rule, count in reasons.items() if count},
        "kept": funnel[-1]["kept"] if funnel else None,
        "tokens": {split: report["tokenize"][split]["tokens"] for split in SPLITS if split in report["tokenize"]},
        "parameters": report["train"].get("parameters"),
        "tokens_per_second": results.timing(project, "train").get("tokens_per_second"),
        "validation": report["evaluate"].get("validation"),
        "objective": results.objective(project),
        "memorisation": report["evaluate"].get("generations", {}).get("memorisation"),
        "samples": _one_per_language(results.samples(project)),
        "registered": None if outcome is None else json.loads(json.dumps(vars(outcome))),
        "report": str(page) if page.is_file() else None,
        "pages": servers.addresses(project),
    }


def show(project: Path) -> None:
    """Print the screen: a panel on a terminal, the same lines plain elsewhere."""
    rows = list(_rows(project, collect(project)))
    if not rows:
        return
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.panel import Panel
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for label, value in rows:
            table.add_row(label, value)
        Console(markup=False, highlight=False).print(Panel(table, title="Elek", title_align="left"))
        return
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        first, *rest = value.split("\n")
        console.say("\n".join([f"{label:<{width}}  {first}", *(f"{'':<{width}}  {line}" for line in rest)]))


def _rows(project: Path, found: dict[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    documents = found["documents"]
    if documents:
        held_out = f", {documents['evaluation']:,} more held out" if documents.get("evaluation") else ""
        rows.append(("documents in", f"{documents['train']:,}{held_out}"))
    if found["kept"] is not None:
        ranked = sorted(found["dropped"].items(), key=lambda item: (-item[1], item[0]))
        lines = [f"{count:>7,}  {rule}" for rule, count in ranked[:SHOWN_REASONS]]
        if ranked[SHOWN_REASONS:]:
            rest = ranked[SHOWN_REASONS:]
            lines.append(f"{sum(count for _, count in rest):>7,}  by {len(rest)} other rules")
        rows.append(("dropped", "\n".join(lines) or "none"))
        rows.append(("kept", f"{found['kept']:,}"))
    if found["tokens"]:
        counts = [f"{split} {_number(count)}" for split, count in found["tokens"].items()]
        rows.append(("tokens", ", ".join(counts)))
    if found["parameters"] is not None:
        rows.append(("model", f"{found['parameters']:,} parameters, {_number(found['tokens_per_second'])} tokens/s"))
    if found["validation"]:
        rows += _quality(plain(found["validation"]), found["objective"])
    if found["memorisation"]:
        rows.append(("longest copy", _longest_copy(found["memorisation"])))
    for sample in found["samples"]:
        rows.append((f"sample ({sample['lang']})", _clip(sample)))
    if rows or found["registered"]:
        rows += _where_next(project, found)
    return rows


def _quality(figures: dict[str, Any], objective: str) -> list[tuple[str, str]]:
    """Loss and bits per byte with their interval, and the n-gram model's where one stands beside."""
    loss, bits, interval = (figures.get(key) for key in ("loss", "bits_per_byte", "bits_per_byte_interval"))
    said = f"{words('loss', objective)} {_score(loss)}, {_score(bits)} {words('bits_per_byte', objective)}"
    if interval:
        said += f" (95 %: {interval[0]:.2f} to {interval[1]:.2f})"
    rows = [("validation", said)]
    baseline = figures.get("ngram", {})
    if bits and baseline.get("bits_per_byte"):
        other = baseline["bits_per_byte"]
        gain = 1 - bits / other
        outcome = f"beaten by {100 * gain:.1f} %" if gain > 0 else "the network has not reached it yet"
        name = f"{baseline['order']}-gram model" if "order" in baseline else "n-gram model"
        rows.append(("baseline", f"{name}: {other:.4f} bits per byte; {outcome}"))
    return rows


def _longest_copy(memorisation: dict[str, Any]) -> str:
    """The longest run of the training text in anything that was generated, and where it stands."""
    longest = max(memorisation.values(), key=lambda group: int(group["longest_overlap"]))
    origin = longest["longest_from"]
    if not origin:
        return "none: no run of the training text was found in what it writes"
    return f"{longest['longest_overlap']} tokens of training text, from {origin['source']} ({origin['license']})"


def _where_next(project: Path, found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    outcome = registry.last_outcome(project)
    if outcome is not None:
        rows.append(("registry", "\n".join(outcome.lines())))
    if found["report"]:
        rows.append(("report", found["report"]))
    if found["pages"]:
        model = f"/#/models/{outcome.model}?{servers.TRAINING_VIEW}" if outcome and outcome.version else ""
        rows.append(("pages", f"{found['pages']['prefect']}/runs\n{found['pages']['mlflow']}{model}"))
    else:
        rows.append(("pages", "`elek ui` serves them: the flow run in Prefect, the model in MLflow"))
    return rows


def _one_per_language(samples: list[dict[str, str]]) -> list[dict[str, str]]:
    """The first sample of each language, English and Turkish before others."""
    first: dict[str, dict[str, str]] = {}
    for sample in samples:
        first.setdefault(sample["lang"], sample)
    return [first[lang] for lang in sorted(first, key=lambda lang: (lang not in ("en", "tr"), lang))]


def _clip(sample: dict[str, str]) -> str:
    text = sample["text"] if sample["text"].startswith(sample["prompt"]) else sample["prompt"] + sample["text"]
    text = " ".join(text.split())
    return text if len(text) <= SAMPLE_CHARACTERS else text[:SAMPLE_CHARACTERS].rstrip() + " …"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _score(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"
