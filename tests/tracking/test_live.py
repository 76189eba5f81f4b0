"""A training in MLflow while it runs: every point once, whatever dies; registration completes that very run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import elek
from elek.errors import StoppedError, TrainingError
from elek.lineage import worktree
from elek.tracking import live
from elek.tracking.feed import Follower, outcome_of
from elek.tracking.live import follow
from elek.tracking.registry import register
from elek.tracking.store import open_store
from elek.training.history import COURSE, CURVE, Row, to_csv
from elek.training.watching import LiveCurve
from tests.flows.toy import wait_for
from tests.registered import commit, empty_database, make_trained_project, relock

if TYPE_CHECKING:
    from mlflow.entities import Run

FINISHED = {"status": "FINISHED", "words": ""}
STOPPED = {"status": "KILLED", "words": "stopped by SIGTERM after step 2 of 4"}
HISTORY = [Row(step, 64 * step, 6.0 - step / 8, 5.5 if step % 2 == 0 else None, 1e-3, 1.5) for step in range(1, 5)]
CHECKPOINTS = ".ckpt/0123456789abcdef"


class Training:
    """One that runs while it is followed: each look of the follower lets the next of `acts` happen, then it ends."""

    def __init__(self, *acts: Callable[[], Any], word: dict[str, str] = FINISHED) -> None:
        self._acts, self.outcome = list(acts), word

    def wait(self, seconds: float) -> bool:
        if not self._acts:
            return True
        self._acts.pop(0)()
        return False


class Course:
    """What a training leaves in the files, act by act."""

    def __init__(self, project: Path, training: str = "0123456789abcdef") -> None:
        self.project = project
        about = {"training": training, "checkpoints": CHECKPOINTS, "params": {"seed": 1, "batch": 4}}
        self._curve = LiveCurve(project / CURVE, 100, 1e6, project / COURSE, about)

    def begin(self, upto: int = 0) -> Callable[[], None]:
        return lambda: self._curve.begin(HISTORY[:upto])

    def add(self, *steps: int) -> Callable[[], None]:
        def act() -> None:
            for step in steps:
                self._curve.add(HISTORY[step - 1], 500.0)

        return act

    def save(self, step: int) -> Callable[[], None]:
        return lambda: (self.project / CHECKPOINTS / f"step-{step:08d}").mkdir(parents=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A trained project whose model nobody has registered."""
    folder = make_trained_project(tmp_path)
    (folder / "data" / "train" / "history.csv").write_text(to_csv(HISTORY), encoding="utf-8")
    relock(folder)
    commit(folder)
    return folder


@pytest.fixture(autouse=True)
def nobody_elses_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def show(project: Path, training: Training, *, every: float = 0) -> list[str]:
    """Follow to the end; what was said."""
    said: list[str] = []
    follow(project, training, said.append, after=0, every=every)  # type: ignore[arg-type]
    return said


def runs(project: Path) -> list[Run]:
    with open_store(project, "elek") as store:
        return list(store.client.search_runs([store.experiment]))


def curve(project: Path, run: Run, name: str) -> list[tuple[int, float]]:
    with open_store(project, "elek") as store:
        return [
            (point.step, point.value) for point in store.client.get_metric_history(run.info.run_id, f"training/{name}")
        ]


def losses(*steps: int) -> list[tuple[int, float]]:
    return [(step, 6.0 - step / 8) for step in steps]


def test_a_training_is_seen_while_it_runs(project: Path) -> None:
    """Its run is there with params and curves from the first batch on; a checkpoint sends what is new at once, and the
    end says what became of it."""
    course, seen = Course(project), []

    def look() -> None:
        (run,) = runs(project)
        seen.append((run.info.status, curve(project, run, "train_loss")))

    acts = [course.begin(), course.add(1), look, course.add(2, 3), look, course.save(3), look, course.add(4)]
    (told,) = show(project, Training(*acts), every=1000)
    assert seen == [("RUNNING", losses(1)), ("RUNNING", losses(1)), ("RUNNING", losses(1, 2, 3))]
    (run,) = runs(project)
    assert "run training-01234567" in told
    assert (run.info.status, run.info.run_name) == ("FINISHED", "training-01234567")
    assert run.data.params == {"train.seed": "1", "train.batch": "4"}
    assert run.data.tags["dvc_md5"] == worktree.digest(project / "data" / "train")
    assert curve(project, run, "train_loss") == losses(1, 2, 3, 4)
    assert [step for step, _ in curve(project, run, "validation_loss")] == [2, 4]
    names = ("train_loss", "validation_loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "mfu")
    assert {f"training/{name}" for name in names} | {"system/cpu_utilization_percentage"} <= set(run.data.metrics)


def test_points_have_the_time_of_their_step(project: Path) -> None:
    """And not that of the batch which brought them."""
    course = Course(project)
    show(project, Training(course.begin(), course.add(1, 2)))
    times = [float(line.split(",")[-1]) for line in (project / CURVE).read_text(encoding="utf-8").splitlines()[1:]]
    (run,) = runs(project)
    with open_store(project, "elek") as store:
        points = store.client.get_metric_history(run.info.run_id, "training/train_loss")
    assert [point.timestamp for point in points] == [int(time * 1000) for time in times]


def test_a_training_that_goes_on_goes_on_in_its_run(project: Path) -> None:
    """Stopped after step 3, gone on from the checkpoint of step 2: one run, each point once, and nothing is left of the
    words on its end."""
    course = Course(project)
    show(project, Training(course.begin(), course.add(1, 2, 3), word=STOPPED))
    (run,) = runs(project)
    assert run.info.status == "KILLED"
    assert "stopped by SIGTERM after step 2 of 4" in run.data.tags["mlflow.note.content"]
    assert "dvc_md5" not in run.data.tags
    show(project, Training(course.begin(2), course.add(3, 4)))
    (again,) = runs(project)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert again.data.tags["mlflow.note.content"] == ""
    for name in ("train_loss", "grad_norm", "tokens_per_second", "mfu"):
        assert [step for step, _ in curve(project, again, name)] == [1, 2, 3, 4], name


def test_a_dead_run_is_ended_by_the_next_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was killed with its follower is marked when another training begins here; another machine's runs on."""
    dead, theirs = Course(project, "dead" * 4), Course(project, "away" * 4)
    with pytest.raises(KeyboardInterrupt):
        show(project, Training(dead.begin(), dead.add(1), _die))
    with monkeypatch.context() as patch:
        patch.setattr("elek.tracking.runs.place", lambda _: "elsewhere")
        with pytest.raises(KeyboardInterrupt):
            show(project, Training(theirs.begin(), theirs.add(1), _die))
    assert {run.info.status for run in runs(project)} == {"RUNNING"}
    mine = Course(project)
    show(project, Training(mine.begin(), mine.add(1)))
    states = {run.data.tags["elek_training"][:4]: run.info.status for run in runs(project)}
    assert states == {"dead": "KILLED", "away": "RUNNING", "0123": "FINISHED"}


def _die() -> None:
    raise KeyboardInterrupt


def test_a_failing_mlflow_is_told_once_and_nothing_is_lost(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said when it begins, counted at the end; what could not be sent is sent when MLflow is back."""
    course, good = Course(project), project / "mlflow.db"

    def damage() -> None:
        (project / "good.db").write_bytes(good.read_bytes())
        good.write_bytes(b"no database" * 1000)

    def mend() -> None:
        good.write_bytes((project / "good.db").read_bytes())

    damage()
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 0.0)
    acts = [course.begin(), course.add(1), course.add(2), mend, course.add(3), course.add(4)]
    said = show(project, Training(*acts))
    assert len(said) == 3
    assert "MLflow" in said[0]
    assert "training goes on" in said[0]
    assert "mlflow.db" in said[0]
    assert "run training-01234567" in said[1]
    assert "batches for MLflow failed" in said[2]
    (run,) = runs(project)
    assert curve(project, run, "train_loss") == losses(1, 2, 3, 4)


def test_a_short_training_costs_nothing(tmp_path: Path) -> None:
    """One that is over before anybody could look has no run: registration makes it."""
    follow(tmp_path, Training(), pytest.fail, after=10)  # type: ignore[arg-type]
    follow(tmp_path, Training(lambda: None), pytest.fail, after=0)  # type: ignore[arg-type] # ended before it began
    assert list(tmp_path.iterdir()) == []


def test_registration_completes_the_run_that_showed_the_training(project: Path) -> None:
    """The same run, under the model's name, with everything and no point twice; a second registration finds it, and
    the same training once more leaves it as it is."""
    course = Course(project)
    show(project, Training(course.begin(), course.add(1, 2, 3, 4)))
    (shown,) = runs(project)
    with open_store(project, "elek") as store:
        assert store.entries() == []  # no model's version, whatever its run says
    outcome = register(project)
    assert (outcome.state, outcome.run_id) == ("Registered", shown.info.run_id)
    (run,) = runs(project)
    digest = worktree.digest(project / "data" / "train")
    assert (run.info.run_name, run.info.status) == (f"elek-{digest[:8]}", "FINISHED")
    assert run.data.params == {"train.seed": "1", "train.batch": "4", "register.model": "elek"}
    assert run.data.metrics["evaluate.validation.bits_per_byte"] == 2.0
    for name in ("train_loss", "tokens_per_second"):
        assert [step for step, _ in curve(project, run, name)] == [1, 2, 3, 4]
    assert register(project).state == "Found"
    (told,) = show(project, Training(course.begin(), course.add(1), word=STOPPED))
    assert f"MLflow has had this very training already: run elek-{digest[:8]}" in told
    (after,) = runs(project)
    assert after.info.status == "FINISHED"
    assert after.data.metrics == run.data.metrics


def test_registration_finds_a_run_whose_end_mlflow_missed(project: Path) -> None:
    """By the training itself, where the live curve is this model's; what is missing of the curves is added."""
    course = Course(project)
    show(project, Training(course.begin(), course.add(1, 2), word=STOPPED))
    (shown,) = runs(project)
    course.add(3, 4)()
    assert register(project).run_id == shown.info.run_id
    (run,) = runs(project)
    assert run.info.status == "FINISHED"
    assert curve(project, run, "train_loss") == losses(1, 2, 3, 4)


def test_a_training_of_another_model_is_left_alone(project: Path) -> None:
    """Where DVC brought the model from elsewhere, the last training here is not taken for its own."""
    course = Course(project)
    show(project, Training(course.begin(), course.add(1, 2), word=STOPPED))
    outcome = register(project)
    states = {run.info.run_id: run.info.status for run in runs(project)}
    assert len(states) == 2
    assert states.pop(str(outcome.run_id)) == "FINISHED"
    assert list(states.values()) == ["KILLED"]


def test_how_a_training_ended_is_told_in_words() -> None:
    """As MLflow calls it: whoever was asked to stop was killed, whoever met an error failed, with its first line."""
    assert outcome_of(None) == FINISHED
    asked, spike = StoppedError("stopped by SIGTERM after step 2 of 4", where="/x"), TrainingError("a spike", where="d")
    assert outcome_of(asked) == STOPPED
    assert outcome_of(KeyboardInterrupt()) == {"status": "KILLED", "words": "KeyboardInterrupt"}
    assert outcome_of(spike) == {"status": "FAILED", "words": "a spike"}
    left = SystemExit(7)
    left.__context__ = spike  # as a stage leaves, which has printed it
    assert outcome_of(left) == {"status": "FAILED", "words": "a spike"}


def test_nothing_is_started_where_params_say_so(tmp_path: Path) -> None:
    """`tracking.live: false` is no process at all."""
    (tmp_path / "params.yaml").write_text("tracking: {live: false}\n", encoding="utf-8")
    before = psutil.Process().children()
    with Follower() as follower:
        follower.start(tmp_path)
        assert psutil.Process().children() == before


VICTIM = """\
import json, time
from pathlib import Path
from elek.dataset import write_json
from elek.tracking.feed import Follower

project = Path.cwd()
with Follower(after=0) as follower:
    follower.start(project)
    (project / ".cache" / "timings").mkdir(parents=True)
    (project / "{curve}").write_text("step,train_loss,time\\n1,5.5,1.0\\n2,5.25,2.0\\n", encoding="utf-8")
    write_json(project / "{course}", {{"training": "abc", "checkpoints": ".ckpt/abc", "params": {{"seed": 1}}}})
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_training_is_marked_by_the_process_beside_it(tmp_path: Path) -> None:
    """`kill -9` of a training: all of its points are there, its run is marked, and nothing of it lives on."""
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    (tmp_path / "params.yaml").write_text("tracking: {live: true}\n", encoding="utf-8")
    script = VICTIM.format(curve=CURVE, course=COURSE)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(elek.__file__).parent.parent)},
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "at work\n"
        (follower,) = psutil.Process(victim.pid).children()
        wait_for((tmp_path / ".cache" / "logs" / "tracking.log").is_file, "the follower's beginning")
        follower.terminate()  # as the whole of a session is asked to end: it stays to see how training does
        victim.kill()
    assert follower.wait(120) in {0, None}  # None: somebody else's child by now
    (run,) = runs(tmp_path)
    assert run.info.status == "KILLED"
    assert "its process was killed" in run.data.tags["mlflow.note.content"]
    assert curve(tmp_path, run, "train_loss") == [(1, 5.5), (2, 5.25)]
