"""Read the results of a run: reports/*.json, timings, samples. A missing file gives an empty result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from elek.errors import DataError
from elek.evaluation.names import CAUSAL

DECIDING = ("filter", "dedup", "split")
"""The stages that keep and drop documents, in order."""


def report(project: Path, stage: str) -> dict[str, Any]:
    """reports/<stage>.json; empty where the stage has not run."""
    found = _json(project / "reports" / f"{stage}.json")
    return found if isinstance(found, dict) else {}


def timing(project: Path, stage: str) -> dict[str, Any]:
    """Time and memory of the last run of the stage on this machine; not tracked by DVC or git."""
    found = _json(project / ".cache" / "timings" / f"{stage}.json")
    return found if isinstance(found, dict) else {}


def samples(project: Path) -> list[dict[str, str]]:
    """The samples that `evaluate` wrote: mappings with `lang`, `prompt` and `text`."""
    found = _json(project / "data" / "evaluate" / "samples.json")
    return found if isinstance(found, list) else []


def objective(project: Path) -> str:
    """The objective of the model, `causal` or `masked`; see `elek.evaluation.names` for its consequences."""
    found = _json(project / "data" / "train" / "config.json")
    return str(found.get("objective", CAUSAL)) if isinstance(found, dict) else CAUSAL


def funnel(project: Path) -> list[dict[str, Any]]:
    """One row for each deciding stage that has run, with its reasons, the most frequent first."""
    rows = []
    for stage in DECIDING:
        figures = report(project, stage)
        if figures:
            reasons = sorted(figures.get("reasons", {}).items(), key=lambda item: (-item[1], item[0]))
            rows.append(
                {
                    "stage": stage,
                    "in": figures["in"],
                    "kept": figures["kept"],
                    "dropped": figures["dropped"],
                    "reasons": ", ".join(f"{rule} {count}" for rule, count in reasons if count),
                }
            )
    return rows


def _json(path: Path) -> object:
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"damaged: {error}", where=str(path), fix="run `dvc repro`") from None
    return found
