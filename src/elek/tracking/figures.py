"""Which figures of a run become metrics in MLflow: those that one compares between runs.

`evaluate` measures hundreds, most of which are looked at in the report; all of them are in reports/*.json, which goes
along as an artifact. Names do not change between versions of Elek: only new ones come.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elek.evaluation.names import CAUSAL, MASKED
from elek.evaluation.names import key as named


def _both(*measures: str) -> tuple[str, ...]:
    return tuple(named(name, objective) for name in measures for objective in (CAUSAL, MASKED))


HEADLINES = (*_both("loss", "perplexity", "bits_per_byte"), "tokens", "bytes")
"""Of each held-out set, language and source; a masked model's under its own names."""
FURTHER = (*_both("bits_per_character"), "accuracy", "accuracy_top5")
"""Of each held-out set and language."""
TABLES = {"by_source", "reasons", "failures", "sources"}
"""What the data stages tell by source and by rule: no metrics."""


def flatten(value: object, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested mappings under dotted keys; a list is a leaf."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    flat: dict[str, Any] = {}
    for key, child in value.items():
        flat |= flatten(child, f"{prefix}.{key}" if prefix else str(key))
    return flat


def report_metrics(folder: Path) -> dict[str, float]:
    """Numbers in reports/*.json as `<stage>.<key>…`; of the data stages all but the tables, of `evaluate` a choice."""
    metrics = {}
    for path in sorted(folder.glob("*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        if path.stem == "evaluate":
            leaves = {f"evaluate.{key}": value for key, value in evaluation(report)}
        else:
            found = flatten(report, path.stem)
            leaves = {key: value for key, value in found.items() if not TABLES & set(key.split("."))}
        for key, value in leaves.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                metrics[key] = float(value)
    return metrics


def evaluation(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is logged of `reports/evaluate.json`; figures that were not measured are left out.

    By held-out set and language the headlines, by source their beginnings; the baseline's bits per byte; the expected
    calibration error; of generations how varied, how near to the truth, how harmful and how much copied.
    """
    for name, split in report.items():
        if name == "generations" or not isinstance(split, Mapping):
            continue
        yield from _chosen(split, name, (*HEADLINES, *FURTHER))
        yield from _chosen(split.get("calibration", {}), f"{name}.calibration", ("expected_error",))
        for kind, keys in (("by_lang", (*HEADLINES, *FURTHER)), ("by_source", HEADLINES)):
            for part, figures in split.get(kind, {}).items():
                yield from _chosen(figures, f"{name}.{kind}.{part}", keys)
        baseline = split.get("ngram", {})
        yield from _chosen(baseline, f"{name}.ngram", ("bits_per_byte",))
        for part, figures in baseline.get("by_lang", {}).items():
            yield from _chosen(figures, f"{name}.ngram.by_lang.{part}", ("bits_per_byte",))
    written = report.get("generations", {})
    for lang, figures in written.get("by_lang", {}).items():
        prefix = f"generations.by_lang.{lang}"
        yield from _chosen(figures, prefix, ("chrf", "toxic", "pii"))
        for kind, n in (("distinct", "2"), ("repetition", "4")):
            yield from _chosen(figures["written"][kind], f"{prefix}.written.{kind}", (n,))
        yield from _chosen(figures["written"], f"{prefix}.written", ("self_bleu",))
    for group, figures in written.get("memorisation", {}).items():
        yield from _chosen(figures, f"generations.memorisation.{group}", ("longest_overlap", "copies"))


def _chosen(figures: Mapping[str, Any], prefix: str, keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    return ((f"{prefix}.{key}", figures[key]) for key in keys if key in figures)


TRAINING_SECTION = "training/"
"""How the names of a training's curves begin. MLflow's page makes a section of what stands before a slash and shows it
before all that has none: else the curves would stand among hundreds of bars."""


@dataclass(frozen=True)
class Point:
    """One point of a curve; `time` is Unix time, in milliseconds."""

    name: str
    value: float
    step: int
    time: int


def points(rows: Iterable[Mapping[str, str]], now: int) -> Iterator[Point]:
    """The points of a training's curves, of the rows of its history or of its live curve; empty cells are left out.

    Those of a row that does not say when it was made are of `now`.
    """
    for row in rows:
        when = int(float(row["time"]) * 1000) if row.get("time") else now
        for name, cell in row.items():
            if name not in {"step", "time"} and cell and math.isfinite(float(cell)):
                yield Point(TRAINING_SECTION + name, float(cell), int(row["step"]), when)
