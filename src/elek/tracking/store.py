"""One run per model in MLflow's store, complete or not there, and the versions and aliases in its registry."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from sqlalchemy.exc import SQLAlchemyError

import elek
from elek.errors import DataError, ElekError, did_you_mean
from elek.evaluation.names import CAUSAL
from elek.evaluation.names import NOTE as ABOUT_MASKED
from elek.lineage import provenance
from elek.lineage.worktree import MODEL, Lineage
from elek.params import read
from elek.tracking.figures import flatten, points, report_metrics
from elek.tracking.runs import BATCH, COMPLETE, NOTE, TRAINING, Curves, find_trainings, key, log_params
from elek.tracking.tagging import DIRTY_BECAUSE, OBJECTIVE, describe, origin_tags, trained_for
from elek.training.history import COURSE, CURVE, live_rows, read_rows

# What a served model needs to run, pinned to what it was made with; inferring the list takes MLflow nine seconds.
REQUIREMENTS = ("mlflow", "numba", "numpy", "pandas", "pyarrow", "pydantic", "safetensors", "sentencepiece", "torch")


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    number: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Entry(Version):
    """A registered version with what its run says of where it comes from."""

    run_id: str
    run_tags: Mapping[str, str]
    params: Mapping[str, str]


@contextmanager
def open_store(project: Path, model: str) -> Iterator[Store]:
    """The store that MLFLOW_TRACKING_URI names, else `mlflow.db` and `mlartifacts/` in the project.

    Raises ElekError where it cannot be reached or read.
    """
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    given = os.environ.get("MLFLOW_TRACKING_URI")
    uri = given or f"sqlite:///{(project / 'mlflow.db').resolve().as_posix()}"
    try:
        # Both set the variable for child processes too, which a later project in this process must not inherit.
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        with warnings.catch_warnings():
            _silence(_ADVICE)
            yield Store(project, model, own=not given)
    except (MlflowException, SQLAlchemyError) as error:
        said = str(getattr(error, "orig", None) or error)
        mend = "start that server, or unset MLFLOW_TRACKING_URI"
        refill = "where it is damaged, move it away: `elek register` fills a new one"
        raise ElekError(f"MLflow: {' '.join(said.split())}", where=uri, fix=mend if given else refill) from error
    finally:
        if given is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)


_ADVICE = ("Add type hints to the `predict` method", "An input example was not provided")


def _silence(messages: tuple[str, ...]) -> None:
    """Keep advice to whoever wrote the model from whoever runs it. MLflow puts its own filters before any of ours."""
    show = warnings.showwarning

    def choosy(message: Warning | str, *arguments: Any, **named: Any) -> None:
        if not any(text in str(message) for text in messages):
            show(message, *arguments, **named)

    warnings.showwarning = choosy


class Store:
    """MLflow as registration uses it."""

    def __init__(self, project: Path, model: str, *, own: bool) -> None:
        self._project, self._model = project, model
        self.client = MlflowClient()
        experiment = self.client.get_experiment_by_name(model)
        if experiment is None:
            location = (project / "mlartifacts").resolve().as_uri() if own else None
            self.experiment: str = self.client.create_experiment(model, artifact_location=location)
        else:
            self.experiment = experiment.experiment_id
            if experiment.lifecycle_stage == "deleted":
                self.client.restore_experiment(self.experiment)

    # -- runs

    def ensure_run(self, origin: Lineage, flow_run_id: str | None) -> str:
        """The complete run of this model: the one that showed its training, completed now, or else a new one."""
        digest = origin.outs[MODEL]
        found = self.client.search_runs([self.experiment], f"tags.dvc_md5 = '{digest}'")
        complete = next((str(run.info.run_id) for run in found if COMPLETE in run.data.tags), None)
        live = self._training(found) if complete is None else None
        for run in found:
            if run.info.run_id not in {complete, live}:
                self.client.delete_run(run.info.run_id)
        if complete:
            self._log_lineage(complete, origin)  # one from before the tables were kept gets them now
            return complete
        name = f"{self._model}-{digest[:8]}"
        with mlflow.start_run(run_id=live, experiment_id=self.experiment, run_name=name) as run:
            run_id = str(run.info.run_id)
            tags = origin_tags(origin, flow_run_id)
            if live:
                self.client.update_run(live, name=name)
                self._forget_models(live)
                tags[NOTE] = ""
            tags[OBJECTIVE] = trained_for(self._project)
            if tags[OBJECTIVE] != CAUSAL:
                tags[NOTE] = ABOUT_MASKED
            self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
            log_params(self.client, run_id, flatten(read(self._project / "params.yaml")))
            self._log_metrics(run_id)
            self._log_artifacts(run_id)
            self._log_lineage(run_id, origin)
            self.client.set_tag(run_id, COMPLETE, self._log_model())
        return run_id

    def _training(self, found: Sequence[Run]) -> str | None:
        """The run that showed the training of the model in data/train: by the model's digest, which it has from its
        end on, else by its own, where the last training here made this model and MLflow missed its end."""
        shown = [run for run in found if TRAINING in run.data.tags]
        course = self._project / COURSE
        if not shown and course.is_file() and live_rows(self._project / CURVE, self._history):
            training = json.loads(course.read_text(encoding="utf-8"))["training"]
            shown = find_trainings(self.client, self.experiment, self._project, training)
            shown = [run for run in shown if "dvc_md5" not in run.data.tags]
        return str(shown[0].info.run_id) if shown else None

    def _forget_models(self, run_id: str) -> None:
        """Delete what a registration that was killed had logged of the model."""
        for model in self.client.search_logged_models([self.experiment], f"source_run_id = '{run_id}'"):
            self.client.delete_logged_model(model.model_id)

    @property
    def _history(self) -> Path:
        return self._project / MODEL / "history.csv"

    def _log_metrics(self, run_id: str) -> None:
        now = int(time.time() * 1000)
        known = self.client.get_run(run_id).data.metrics
        figures = {key(name): value for name, value in report_metrics(self._project / "reports").items()}
        metrics = [Metric(name, value, now, 0) for name, value in figures.items() if known.get(name) != value]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(run_id, metrics=metrics[start : start + BATCH])
        rows = live_rows(self._project / CURVE, self._history) or read_rows(self._history)
        Curves(self.client, run_id).log(points(rows, now))

    def _log_artifacts(self, run_id: str) -> None:
        for name in ("params.yaml", "dvc.yaml", "dvc.lock"):
            if (self._project / name).is_file():
                self.client.log_artifact(run_id, str(self._project / name), "pipeline")
        for folder, target in (("reports", "reports"), ("data/report", "report"), ("data/export", "export")):
            if (self._project / folder).is_dir():
                self.client.log_artifacts(run_id, str(self._project / folder), target)

    def _log_lineage(self, run_id: str, origin: Lineage) -> None:
        """What the model learned from, by document and by source, where that is not logged yet."""
        if self.artifact(run_id, f"lineage/{provenance.SOURCES}") is not None:
            return
        tags = self.client.get_run(run_id).data.tags
        if any(tags.get(f"dvc.{name}") != origin.outs.get(name) for name in provenance.NEEDED):
            return  # the same model of other files: these are not what that run was made from
        with tempfile.TemporaryDirectory() as folder:
            if provenance.write(self._project, origin.outs, Path(folder)):
                self.client.log_artifacts(run_id, folder, "lineage")

    def artifact(self, run_id: str, path: str) -> bytes | None:
        """A file logged with a run; None where there is none."""
        folder = path.rpartition("/")[0]
        if path not in {item.path for item in self.client.list_artifacts(run_id, folder)}:
            return None
        with tempfile.TemporaryDirectory() as copy:
            found = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=copy)
            return Path(found).read_bytes()

    def _log_model(self) -> str:
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

        from elek.tracking.defaults import GENERATION

        types = {int: DataType.long, float: DataType.double}
        signature = ModelSignature(
            inputs=Schema([ColSpec(DataType.string, "prompt")]),
            outputs=Schema([ColSpec(DataType.string)]),
            params=ParamSchema([ParamSpec(name, types[type(value)], value) for name, value in GENERATION.items()]),
        )
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("served.py")),
            artifacts={"model": str(self._project / MODEL), "vocab": str(self._project / "data" / "vocab")},
            code_paths=[str(Path(elek.__file__).parent)],
            pip_requirements=[f"{name}=={installed_version(name).split('+')[0]}" for name in REQUIREMENTS],
            signature=signature,
        )
        return str(info.model_id)

    # -- versions

    def find_version(self, digest: str) -> Version | None:
        """The version of the model with this DVC digest, the oldest where somebody made several by hand."""
        found = self.client.search_model_versions(f"name = '{self._model}' and tag.dvc_md5 = '{digest}'")
        numbers = sorted(int(version.version) for version in found)
        return self.version(numbers[0]) if numbers else None

    def entries(self) -> list[Entry]:
        """Every registered version, the newest first."""
        found = []
        for number in sorted(self._numbers(), reverse=True):
            version = self.client.get_model_version(self._model, str(number))
            run = self.client.get_run(str(version.run_id)).data
            tags = {key: tag for key, tag in run.tags.items() if not key.startswith("mlflow.")}
            found.append(Entry(number, dict(version.tags), str(version.run_id), tags, dict(run.params)))
        return found

    def version(self, number: int) -> Version:
        found = self.client.get_model_version(self._model, str(number))
        return Version(number, dict(found.tags))

    def create_version(self, run_id: str, tags: Mapping[str, str]) -> Version:
        if not self.client.search_registered_models(f"name = '{self._model}'"):
            self.client.create_registered_model(self._model)
        model_id = self.client.get_run(run_id).data.tags[COMPLETE]
        made = self.client.create_model_version(
            self._model, f"models:/{model_id}", run_id, tags=dict(tags), description=describe(tags), model_id=model_id
        )
        return self.version(int(made.version))

    def retag(self, version: Version, tags: Mapping[str, str]) -> Version:
        """Set `tags` on a version, and take away why it was dirty."""
        for name, value in tags.items():
            self.client.set_model_version_tag(self._model, str(version.number), name, value)
        if DIRTY_BECAUSE in version.tags and DIRTY_BECAUSE not in tags:
            self.client.delete_model_version_tag(self._model, str(version.number), DIRTY_BECAUSE)
        return self.version(version.number)

    def aliases(self) -> dict[str, int]:
        """Version number by alias. (Searching for versions leaves them out.)"""
        try:
            found = self.client.get_registered_model(self._model).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}
        return {alias: int(number) for alias, number in found.items()}

    def locate(self, which: str) -> tuple[Path, Path]:
        """The folders of the registered version or alias `which`: its model, its vocabulary.

        Raises DataError where there is none of that name.
        """
        known = {**self.aliases(), **{str(number): number for number in self._numbers()}}
        if which not in known:
            fix = did_you_mean(which, known) if known else "register one: `elek run`"
            raise DataError(f"`{self._model}` has no version or alias `{which}`", where="MLflow's registry", fix=fix)
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{self._model}/{known[which]}"))
        artifacts = Model.load(str(folder)).flavors["python_function"]["artifacts"]
        return folder / artifacts["model"]["path"], folder / artifacts["vocab"]["path"]

    def _numbers(self) -> list[int]:
        return [int(found.version) for found in self.client.search_model_versions(f"name = '{self._model}'")]

    def set_alias(self, alias: str, number: int) -> None:
        self.client.set_registered_model_alias(self._model, alias, str(number))

    def drop_alias(self, alias: str) -> None:
        self.client.delete_registered_model_alias(self._model, alias)
