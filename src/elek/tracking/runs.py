"""Runs as they are filled: params and points of curves, each once, whoever comes first, live training or registration.

A training's run is found again by the tag `elek_training`, the digest of all that its result depends on (the name of
its folder of checkpoints), so that a training that goes on from a checkpoint goes on in its run.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run

from elek.lineage import worktree
from elek.tracking.figures import TRAINING_SECTION, Point, flatten, points
from elek.training.history import CURVE, SPEEDS, read_rows

BATCH = 1000
"""Metrics in one request, MLflow's limit."""
COMPLETE = "elek_model_id"
"""A run's last tag: the model logged in it. A run without it is no model's yet: one that showed a training, which
registration completes, or one that was killed half-way."""
TRAINING = "elek_training"
"""What was trained: the digest of params, data, versions. All runs that showed a training live have it."""
PLACE = "elek_project"
"""Where it was trained: a digest of machine and folder, so that nobody takes another one's living run for dead."""
MEASURED = {TRAINING_SECTION + name for name in SPEEDS}
"""Curves that no two trainings share."""
SYSTEM = "system/"
"""How MLflow's own names of a machine's figures begin, which its page shows apart from the model's."""
NOTE = "mlflow.note.content"
"""What MLflow shows as a run's description."""


class Curves:
    """The curves of a run."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        # What is there by now: values by name and step.
        self._known: dict[str, dict[int, set[float]]] = {}
        self._names = set(client.get_run(run_id).data.metrics)

    def log(self, wanted: Iterable[Point]) -> None:
        """Log those points that the run does not have. Of speeds, which no two trainings share, the first ones stay."""
        new = [point for point in wanted if not self._has(point)]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            metrics = [Metric(point.name, point.value, point.time, point.step) for point in batch]
            self._client.log_batch(self._run_id, metrics=metrics)
            for point in batch:
                self._known[point.name].setdefault(point.step, set()).add(point.value)

    def _has(self, point: Point) -> bool:
        if point.name not in self._known:
            there: dict[int, set[float]] = {}
            if point.name in self._names:
                for metric in self._client.get_metric_history(self._run_id, point.name):
                    there.setdefault(metric.step, set()).add(metric.value)
            self._known[point.name] = there
        values = self._known[point.name].get(point.step, set())
        return point.value in values or bool(values and (point.name in MEASURED or point.name.startswith(SYSTEM)))


class TrainingRun:
    """The MLflow run that shows a training: an earlier run of the same training, or a new one.

    `course` is the description that `LiveCurve` writes. `told` is a message about the run for the user.
    """

    def __init__(self, client: MlflowClient, experiment: str, project: Path, course: Mapping[str, Any]) -> None:
        self._client = client
        self._curves: Curves | None = None
        training = str(course["training"])
        found = find_trainings(client, experiment, project, training)
        complete = [run for run in found if COMPLETE in run.data.tags]
        if complete:
            # The same params, data and versions give the same model, so everything is there already.
            self.told = f"MLflow has had this very training already: run {complete[0].info.run_name}"
            return
        if found:
            self.run_id = str(found[0].info.run_id)
            self._client.update_run(self.run_id, status="RUNNING")
            self._client.set_tag(self.run_id, NOTE, "")
        else:
            tags = {TRAINING: training, PLACE: place(project)}
            made = self._client.create_run(experiment, tags=tags, run_name=f"training-{training[:8]}")
            self.run_id = str(made.info.run_id)
        log_params(self._client, self.run_id, flatten(course["params"], "train"))
        self._curves = Curves(self._client, self.run_id)
        self._end_abandoned_runs(experiment, project)
        machine()  # the first call starts the measurement of the processor's load
        self.told = f"shown in MLflow as run training-{training[:8]}: {_where(project, experiment, self.run_id)}"

    def log(self, project: Path) -> None:
        """Log the rows of the live curve that the run does not have yet, and the load of the machine."""
        if self._curves is None:
            return
        now = int(time.time() * 1000)
        rows = read_rows(project / CURVE)
        wanted = list(points(rows, now))
        if rows:
            step = int(rows[-1]["step"])
            wanted += [Point(f"{SYSTEM}{name}", value, step, now) for name, value in machine().items()]
        self._curves.log(wanted)

    def end(self, project: Path, status: str, words: str) -> None:
        """End the run with a status of MLflow and, if there is a model, tag it with the digest of the model."""
        if self._curves is None:
            return
        if status == "FINISHED":
            self._client.set_tag(self.run_id, "dvc_md5", worktree.digest(project / worktree.MODEL))
        else:
            self._client.set_tag(self.run_id, NOTE, _stopped(words))
        self._client.set_terminated(self.run_id, status)

    def _end_abandoned_runs(self, experiment: str, project: Path) -> None:
        """End other runs of this project that are still marked as running: only this training is running here."""
        query = f"attributes.status = 'RUNNING' and tags.{PLACE} = '{place(project)}'"
        for run in self._client.search_runs([experiment], query):
            if run.info.run_id != self.run_id:
                self._client.set_tag(run.info.run_id, NOTE, _stopped("its process was killed"))
                self._client.set_terminated(run.info.run_id, "KILLED")


def find_trainings(client: MlflowClient, experiment: str, project: Path, training: str) -> list[Run]:
    """The runs of this training in this project, the newest first."""
    query = f"tags.{TRAINING} = '{training}' and tags.{PLACE} = '{place(project)}'"
    return list(client.search_runs([experiment], query))


def place(project: Path) -> str:
    """A digest of sixteen characters for this folder on this machine."""
    return hashlib.sha256(f"{platform.node()} {project.resolve()}".encode()).hexdigest()[:16]


def machine() -> dict[str, float]:
    """The load of the machine, under MLflow's names for system metrics."""
    memory = psutil.virtual_memory()
    return {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": round(memory.used / 1e6, 1),
        "system_memory_usage_percentage": memory.percent,
    }


def log_params(client: MlflowClient, run_id: str, values: Mapping[str, Any]) -> None:
    """Log the params that the run does not have yet."""
    known = client.get_run(run_id).data.params
    params = [Param(key(name), _text(value)) for name, value in values.items() if key(name) not in known]
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])


def key(name: str) -> str:
    """`name` with only the characters that MLflow allows."""
    return re.sub(r"[^\w\-./ ]", "_", name)[:250]


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:6000]


def _stopped(words: str) -> str:
    return f"Training ended early: {words}. It goes on in this run, if its last checkpoint is still there."


def _where(project: Path, experiment: str, run_id: str) -> str:
    from elek import servers

    url = servers.addresses(project).get("mlflow")
    page = f"{url}/#/experiments/{experiment}/runs/{run_id}/model-metrics?{servers.TRAINING_VIEW}"
    return page if url else "`elek ui` serves its pages"
