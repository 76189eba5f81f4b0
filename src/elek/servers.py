"""Which servers a living `elek ui` serves for a project: what runs report to and what summaries link to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import psutil

from elek.dataset import write_json

TRAINING_VIEW = "workflowType=machine_learning"
"""What a link to MLflow's pages ends in: its other view, for applications of language models, hides runs and curves."""


def announce(project: Path, urls: Mapping[str, str]) -> None:
    """Say that this process serves `urls` (address by server's name) from now on."""
    me = psutil.Process()
    write_json(_file(project), {"pid": me.pid, "started": me.create_time(), "urls": dict(urls)})


def forget(project: Path) -> None:
    """Say that this process serves nothing any more."""
    _file(project).unlink(missing_ok=True)


def addresses(project: Path) -> dict[str, str]:
    """Address by name (`prefect`, `mlflow`); empty where no `elek ui` lives."""
    try:
        found = json.loads(_file(project).read_text(encoding="utf-8"))
        # A killed `elek ui` leaves its file behind, and its number may be another process's by now.
        if abs(psutil.Process(found["pid"]).create_time() - found["started"]) > 1:
            return {}
    except (FileNotFoundError, json.JSONDecodeError, psutil.NoSuchProcess):
        return {}
    urls: dict[str, str] = found["urls"]
    return urls


def _file(project: Path) -> Path:
    return project / ".cache" / "servers.json"
