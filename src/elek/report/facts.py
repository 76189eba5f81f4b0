"""Everything that the page and the cards show, gathered from what the stages wrote."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from elek.dataset import Dataset
from elek.errors import DataError
from elek.evaluation.names import CAUSAL, MASKED, key
from elek.report import counterparts, coverage, fates
from elek.report.nearest import Near
from elek.report.params import ReportParams
from elek.report.thresholds import applied, thresholds

DATASETS = (
    "fetch/train",
    "fetch/evaluation",
    "clean/train",
    "clean/evaluation",
    "annotate",
    "filter",
    "dedup",
    "split/train",
    "split/validation",
    "split/test",
    "split/evaluation",
)
METRICS = (
    *("fetch", "clean", "annotate", "filter", "dedup", "split"),
    *("vocab", "tokenize", "train", "evaluate", "export"),
)


@dataclass(frozen=True)
class Facts:
    """All figures, documents and texts that the templates show."""

    metrics: dict[str, dict[str, Any]]
    """What each stage wrote to `reports/<stage>.json`."""
    sources: dict[str, dict[str, Any]]
    """`data/fetch/sources.json`: licence, language, role and pinned digest of each source."""
    table: pa.Table
    """One row per document, with its fate; see `fates.fates`."""
    flows: list[fates.Flow]
    samples: dict[str, list[fates.Sample]]
    near: list[Near]
    """The documents nearest to the threshold of each rule, on both sides; see `counterparts.nearest_documents`."""
    survivors: dict[str, fates.Sample]
    """What was kept in place of each duplicate among `samples`, by the duplicate's id."""
    held: list[dict[str, Any]]
    """Documents that are held for review by a person; see `fates.held`."""
    released: list[dict[str, Any]]
    """Held documents that a person released; see `fates.released`."""
    own_licences: list[dict[str, Any]]
    """Licences that training documents state for themselves; see `fates.licences_of_their_own`."""
    filters: list[str]
    """The filters and checks that the training text passed; see `thresholds.applied`."""
    thresholds: dict[str, str]
    """The threshold of each rule; see `elek.report.thresholds`."""
    coverage: dict[str, Any]
    """Times, languages, reservations and decontamination for the data card; see `coverage.gather`."""
    history: dict[str, list[float]]
    """Columns of the training history; NaN where a step has no such figure."""
    samples_written: list[dict[str, Any]]
    """The model's continuations of fixed prompts."""
    generations: list[dict[str, Any]]
    """Its continuations of the beginnings of documents, with the true ones; empty for a masked model."""
    model: dict[str, Any]
    digests: dict[str, str]
    """SHA-256 of every dataset on the way from source to model."""

    @property
    def masked(self) -> bool:
        """Whether the model fills masks instead of continuing text."""
        return bool(self.model.get("objective", CAUSAL) == MASKED)


def gather(data: Path, reports: Path, params: ReportParams) -> Facts:
    """Read what the stages wrote. Raises DataError where their counts contradict each other."""
    metrics = {name: _json(reports / f"{name}.json") for name in METRICS}
    table = fates.fates(data)
    sources = _json(data / "fetch" / "sources.json")
    settings = [Dataset(data / name).manifest.get("params") for name in ("filter", "dedup", "split/decisions")]
    samples = fates.samples(data, table, params.samples_per_rule, params.sample_characters)
    facts = Facts(
        metrics=metrics,
        sources=sources,
        table=table,
        flows=fates.flows(table),
        samples=samples,
        near=counterparts.nearest_documents(data, table, params.nearest_per_rule, params.sample_characters),
        survivors=counterparts.survivors(data, table, samples, params.sample_characters),
        held=fates.held(data, table),
        released=fates.released(data),
        own_licences=fates.licences_of_their_own(data, table),
        filters=applied(*settings),
        thresholds=thresholds(*settings),
        coverage=coverage.gather(data, table, sources),
        history=_history(data / "train" / "history.csv"),
        samples_written=_json(data / "evaluate" / "samples.json"),
        generations=_json(data / "evaluate" / "generations.json") if "generations" in metrics["evaluate"] else [],
        model=_json(data / "train" / "config.json"),
        digests={name: Dataset(data / name).digest for name in DATASETS} | _file_digests(data),
    )
    _conservation(facts)
    return facts


def headline(facts: Facts) -> dict[str, Any]:
    """The few figures by which two runs are compared: what `dvc metrics show` prints for the whole pipeline."""
    kept = sum(flow.documents for flow in facts.flows if flow.stage == "kept")
    found: dict[str, Any] = {
        "accounted": {"documents": facts.table.num_rows, "kept": kept, "dropped": facts.table.num_rows - kept},
        "training": {
            "documents": facts.metrics["split"]["train"]["documents"],
            "bytes": facts.metrics["split"]["train"]["bytes"],
            "tokens": facts.metrics["tokenize"]["train"]["tokens"],
        },
    }
    objective = MASKED if facts.masked else CAUSAL
    for side in ("validation", "test", "evaluation"):
        measured = facts.metrics["evaluate"][side]
        found[side] = {name: measured[name] for name in (key("loss", objective), key("bits_per_byte", objective))}
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("the file is missing", where=str(path), fix="run `dvc repro`") from None
    except json.JSONDecodeError as error:
        raise DataError(f"damaged: {error}", where=str(path), fix="run `dvc repro`") from None


def _history(path: Path) -> dict[str, list[float]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise DataError("the training history is empty", where=str(path), fix="run `dvc repro`")
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}


def _file_digests(data: Path) -> dict[str, str]:
    found = {}
    for name in ("vocab/tokenizer.model", "train/model.safetensors"):
        with (data / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _conservation(facts: Facts) -> None:
    """Check that in = kept + dropped at every stage, both in the stages' counts and by rows, and compare the bytes."""
    fetched = facts.metrics["fetch"]["documents"]["train"]
    if fetched != facts.table.num_rows:
        raise DataError(f"`fetch` wrote {fetched} documents and {facts.table.num_rows} have a fate")
    entering = fetched
    for stage in fates.STAGES:
        own = facts.metrics[stage]
        counted = sum(flow.documents for flow in facts.flows if flow.stage == stage)
        if not own["in"] == own["kept"] + own["dropped"] or own["in"] != entering or own["dropped"] != counted:
            raise DataError(
                f"`{stage}` says in {own['in']}, kept {own['kept']}, dropped {own['dropped']}; "
                f"{entering} entered it and {counted} rows say that it dropped them",
                fix="run `dvc repro --force`",
            )
        entering = own["kept"]
    for side in fates.KEPT:
        written = facts.metrics["split"][side]["bytes"]
        counted = sum(flow.bytes for flow in facts.flows if flow.stage == "kept" and flow.fate == side)
        if written != counted:
            raise DataError(
                f"`split` wrote {written} bytes of {side} text, and the documents there should have {counted}",
                fix="run `dvc repro --force`",
            )
