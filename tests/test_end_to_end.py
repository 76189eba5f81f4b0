"""The whole pipeline on a small corpus, as DVC runs it: twice for nothing, once for a change, whole after a death."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from elek.dataset import Dataset
from tests.project import dvc, environment, git, make_project, run, write_params

pytestmark = pytest.mark.slow

STAGES = [
    "fetch",
    "clean",
    "annotate",
    "filter",
    "dedup",
    "split",
    "vocab",
    "tokenize",
    "train",
    "evaluate",
    "export",
    "report",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run once and whose results are committed."""
    folder = make_project(tmp_path_factory.mktemp("project"))
    done = dvc(folder, "repro")
    assert re.findall(r"Running stage '(\w+)'", done.stdout) == STAGES
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Run")
    return folder


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The same project for a test that changes it."""
    return Path(shutil.copytree(project, tmp_path / "copy", symlinks=True))


def ran(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", done.stdout)


def outputs(folder: Path) -> dict[str, Any]:
    lock = YAML(typ="safe").load((folder / "dvc.lock").read_text(encoding="utf-8"))
    return {name: [out["md5"] for out in stage["outs"]] for name, stage in lock["stages"].items()}


def test_a_second_run_does_nothing(project: Path) -> None:
    """Nothing runs twice for nothing."""
    assert ran(dvc(project, "repro")) == []
    assert git(project, "status", "--porcelain") == ""


def test_every_document_is_accounted_for(project: Path) -> None:
    """In = kept + dropped at each stage; the copyleft source and the copies are gone, with their reasons."""
    metrics = {name: json.loads((project / "reports" / f"{name}.json").read_text(encoding="utf-8")) for name in STAGES}
    assert metrics["fetch"]["documents"] == {"train": 330, "evaluation": 10}
    for name in ("filter", "dedup", "split"):
        assert metrics[name]["in"] == metrics[name]["kept"] + metrics[name]["dropped"]
    assert metrics["filter"]["by_source"]["copyleft"]["reasons"] == {"licence.policy": 10}
    assert metrics["dedup"]["reasons"]["dedup.exact"] == 20
    assert metrics["report"]["accounted"]["documents"] == 330
    assert "held-out" not in metrics["split"]["train"]["by_source"]


def test_evaluation_text_is_never_trained_on(project: Path) -> None:
    """The held-out source reaches evaluation whole, and no shard of the training set."""
    import pyarrow as pa

    held = Dataset(project / "data" / "split" / "evaluation").read_all(["id"])
    assert held.num_rows == 10
    for shard in sorted((project / "data" / "tokenize" / "train").glob("*.arrow")):
        with pa.memory_map(str(shard)) as file:
            sources = set(pa.ipc.open_file(file).read_all()["source"].to_pylist())
        assert "held-out" not in sources


def test_a_threshold_reruns_filter_and_what_follows(copy: Path) -> None:
    """Text is not fetched, cleaned or measured again for another threshold; and back again is cached."""
    before = outputs(copy)
    write_params(copy, {"filter.gopher_quality": {"min_words": 150}})
    again = ran(dvc(copy, "repro", "filter"))
    assert again == ["filter"]
    assert outputs(copy)["filter"] != before["filter"]
    write_params(copy)
    assert ran(dvc(copy, "repro", "filter")) == []
    assert outputs(copy) == before


def test_the_same_bytes_from_nothing_with_another_number_of_workers(copy: Path) -> None:
    """Every output has the digest that two workers gave it, the model and all that follows from it too."""
    before = outputs(copy)
    for cache in (".dvc/cache", ".cache", ".ckpt"):
        shutil.rmtree(copy / cache, ignore_errors=True)
    write_params(copy, {"execution.workers": 1})
    assert ran(dvc(copy, "repro", "--force")) == STAGES
    assert outputs(copy) == before


def test_differences_and_experiments(copy: Path) -> None:
    """`dvc params diff`, `metrics diff`, `plots` and `exp run -S` work on a clone."""
    assert ran(dvc(copy, "exp", "run", "-S", "train.steps=6", "--name", "shorter", "train")) == ["train"]
    # In one process: DVC takes a second or two to load.
    commands = ("params diff --json", "metrics diff --json", "plots diff HEAD --json", "exp show --csv")
    script = "import sys; from dvc.cli import main\nfor line in sys.argv[1:]:\n    main(line.split())\n    print('\\f')"
    params, metrics, plots, table, _ = run(copy, sys.executable, "-c", script, *commands).stdout.split("\f")
    assert json.loads(params)["params.yaml"]["train.steps"] == {"old": 12, "new": 6, "diff": -6}
    assert json.loads(metrics)["reports/train.json"]["steps"]["new"] == 6
    assert json.loads(plots)["data"]["Loss"][0]["revisions"] == ["workspace", "HEAD"]
    assert "shorter" in table


def test_a_killed_stage_leaves_nothing_that_looks_whole(copy: Path) -> None:
    """kill -9 in the middle of `clean`: no output, and the next run finishes with the same bytes."""
    before = outputs(copy)
    shutil.rmtree(copy / ".dvc" / "cache")
    shutil.rmtree(copy / "data" / "clean")
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages.clean"], cwd=copy, env=environment(), stderr=subprocess.PIPE
    )
    while not list((copy / "data").glob(".clean.*.tmp")):
        assert stage.poll() is None, stage.communicate()
        time.sleep(0.01)
    children = psutil.Process(stage.pid).children(recursive=True)
    os.kill(stage.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    stage.wait()
    for child in children:
        child.kill()
    assert not (copy / "data" / "clean").exists()
    dvc(copy, "repro", "clean")
    assert outputs(copy)["clean"] == before["clean"]
    assert list((copy / "data").glob(".*.tmp")) == []


def test_a_typo_is_told_before_anything_runs(copy: Path) -> None:
    """A wrong key under `train` stops even a stage that does not read it, and names the right one."""
    write_params(copy, {"train.stepps": 3})
    done = run(copy, sys.executable, "-m", "stages.filter", check=False)
    assert done.returncode == 2
    assert "unknown key `train.stepps`" in done.stderr
    assert "did you mean `steps`?" in done.stderr
