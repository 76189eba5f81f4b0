"""The tags of a run and of a registered version: where a model comes from, what it was trained for, what it scored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from elek.dataset import Dataset
from elek.errors import DataError
from elek.evaluation.names import CAUSAL, NOTE, key, words
from elek.lineage.worktree import MODEL, Lineage

OBJECTIVE = "objective"
SCORE = "bits_per_byte"
DIRTY, DIRTY_BECAUSE = "git_dirty", "git_dirty_because"


def origin_tags(origin: Lineage, flow_run_id: str | None) -> dict[str, str]:
    """What ties a run to DVC's outputs, git's commit and Prefect's run."""
    return {f"dvc.{name}": md5 for name, md5 in origin.outs.items()} | _made_by(origin, flow_run_id)


def version_tags(
    project: Path, origin: Lineage, measured: Mapping[str, float], flow_run_id: str | None
) -> dict[str, str]:
    """What decides about a version, and who made it: `measured` are bits per byte by held-out text. The digests of
    all outputs are on its run."""
    tags = {**_made_by(origin, flow_run_id), OBJECTIVE: trained_for(project)}
    for name, score in measured.items():
        tags[f"{key(SCORE, tags[OBJECTIVE])}.{name}"] = repr(score)
        folder = project / "data" / "split" / name
        if folder.is_dir():
            tags[f"text.{name}"] = Dataset(folder).digest
    return tags


def _made_by(origin: Lineage, flow_run_id: str | None) -> dict[str, str]:
    tags = {"dvc_md5": origin.outs[MODEL], DIRTY: "true" if origin.dirty else "false"}
    tags["git_commit"] = origin.commit or "none"
    if origin.untraceable:
        tags[DIRTY_BECAUSE] = origin.untraceable
    if flow_run_id:
        tags["prefect_flow_run_id"] = flow_run_id
    return tags


def trained_for(project: Path) -> str:
    """The objective of the model in data/train, `causal` or `masked`, as its config.json says."""
    path = project / MODEL / "config.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get(OBJECTIVE, CAUSAL))
    except (FileNotFoundError, json.JSONDecodeError, AttributeError) as error:
        raise DataError(f"no model's shape: {error}", where=str(path), fix="run `dvc repro train`") from None


def objective(tags: Mapping[str, str]) -> str:
    """What a registered version was trained for. One without the tag is causal: there was nothing else."""
    return tags.get(OBJECTIVE, CAUSAL)


def scores(tags: Mapping[str, str]) -> dict[str, float]:
    """A version's bits per byte by held-out text, those of a masked model being pseudo (`objective` says which)."""
    # Masked versions from before the measure had its own name have it under the causal one's, and the objective beside.
    found: dict[str, float] = {}
    for measure in (SCORE, key(SCORE, objective(tags))):
        prefix = f"{measure}."
        found |= {name.removeprefix(prefix): float(tag) for name, tag in tags.items() if name.startswith(prefix)}
    return found


def describe(tags: Mapping[str, str]) -> str:
    """A version in a sentence or two, as MLflow's page shows it."""
    kind = objective(tags)
    measured = ", ".join(f"{score:.4f} on {name}" for name, score in scores(tags).items()) or "not measured"
    unit = words(SCORE, kind)
    said = f"{unit[0].upper()}{unit[1:]}: {measured}. "
    said += f"Commit {tags['git_commit'][:12]}, DVC digest of the model {tags['dvc_md5']}. "
    said += "Its source run has params, the digests of all data, the report, and what it learned from (`lineage`)."
    return said if kind == CAUSAL else f"{said} {NOTE}"
