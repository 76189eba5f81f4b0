"""DVC as the flow sees it, without Prefect."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from elek.cli.doctor import _dvc_lock, _pipeline, _servers
from elek.errors import ElekError
from elek.execution import lock
from flows import repro
from flows.interrupts import check, keep_interrupts
from flows.terminal import parse_progress
from tests.flows.toy import Toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A project that has never run."""
    return Toy(tmp_path_factory.mktemp("repro") / "toy")


def test_plan_follows_dependencies(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage comes after those that it depends on, whatever their names and their place in the file."""
    monkeypatch.chdir(toy.folder)
    steps = repro.plan(toy.folder)
    assert [(step.name, step.upstream) for step in steps] == [("zero", ()), ("one", ("zero",)), ("apart", ("one",))]


def test_a_folder_without_dvc_is_told(tmp_path: Path) -> None:
    """Where DVC was never initialised, that is the error."""
    with pytest.raises(ElekError, match="DVC cannot read the pipeline"):
        repro.plan(tmp_path)


@pytest.mark.parametrize("torn", [b"", b"stages:\n  a: [", "stages: {}".encode("utf-16")])
def test_a_torn_lock_is_told(toy: Toy, monkeypatch: pytest.MonkeyPatch, torn: bytes) -> None:
    """DVC writes dvc.lock in place, so that a kill can leave half of it: how to have it back is told."""
    monkeypatch.chdir(toy.folder)
    (toy.folder / "dvc.lock").write_bytes(torn)
    try:
        with pytest.raises(ElekError, match="DVC cannot read the pipeline") as caught:
            repro.plan(toy.folder)
    finally:
        (toy.folder / "dvc.lock").unlink()
    assert "git checkout dvc.lock" in (caught.value.fix or "")


@pytest.mark.slow
def test_a_stage_is_current_only_after_it_ran(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage is up to date after it ran, and no longer when a param of its own changes, and only that stage."""
    from flows import environment

    monkeypatch.chdir(toy.folder)
    monkeypatch.setenv("PATH", environment.settings(toy.folder)["PATH"])
    lines: list[str] = []
    assert not repro.is_current(toy.folder, "zero")
    assert repro.reproduce(toy.folder, "zero", lines.append) == "Ran"
    assert lines == ["[zero] 1/2 parts", "[zero] 2/2 parts", "zero says merhaba, ğüşiöç"]
    assert repro.is_current(toy.folder, "zero")
    assert not repro.is_current(toy.folder, "one")
    toy.settings(zero={"ticks": 1})
    assert not repro.is_current(toy.folder, "zero")


def test_a_half_written_lock_file_is_mended(tmp_path: Path) -> None:
    """A torn lock file of a killed DVC, which stops every DVC command, is removed and told; a whole one stays.

    `elek doctor` sees it before, and says how to be rid of it."""
    path = tmp_path / ".dvc" / "tmp" / "rwlock"
    path.parent.mkdir(parents=True)
    assert repro.remove_damaged_lock(tmp_path) is None
    path.write_text("{}", encoding="utf-8")
    assert repro.remove_damaged_lock(tmp_path) is None
    for torn in ("", '{"write": {'):
        path.write_text(torn, encoding="utf-8")
        seen = _dvc_lock(tmp_path)
        assert (seen.state, "half-written" in seen.what) == ("wrong", True)
        assert "delete" in seen.fix
        assert "half-written" in str(repro.remove_damaged_lock(tmp_path))
        assert not path.exists()
        assert _dvc_lock(tmp_path).state == "ok"


def test_a_ctrl_c_that_somebody_swallows_is_raised_again() -> None:
    """Stages and their lines are loops that look for it; without one they go on."""
    reached = []

    def loop() -> None:
        check()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        reached.append("the next turn")
        check()
        reached.append("beyond it")

    with pytest.raises(KeyboardInterrupt), keep_interrupts():
        loop()
    check()
    assert reached == ["the next turn"]


def test_a_ctrl_c_that_is_swallowed_last_is_raised_at_the_end() -> None:
    """Where no loop looks any more, the end of the run does."""
    with pytest.raises(KeyboardInterrupt), keep_interrupts(), contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_ctrl_c_that_comes_out_as_another_error_is_a_ctrl_c() -> None:
    """Pydantic wraps whatever is raised within it; an error without a Ctrl-C stays what it is."""

    def wrap() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ValueError("wrapped") from error

    with pytest.raises(KeyboardInterrupt), keep_interrupts():
        wrap()
    with pytest.raises(ValueError, match="own"), keep_interrupts():
        raise ValueError("own")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_project_without_git_is_told_what_to_do(tmp_path: Path) -> None:
    """DVC wants a repository, as an unpacked archive has none."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("", encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    with pytest.raises(ElekError, match="not a git repository") as told:
        repro.plan(tmp_path)
    assert "`git init`" in str(told.value.fix)


def test_doctor_looks_at_no_pipeline_that_a_run_is_changing(tmp_path: Path) -> None:
    """What DVC is writing would look damaged, and the remedy would do damage."""
    with lock.run_lock(tmp_path):
        found = _pipeline(tmp_path)
    assert (found.state, "while a run is at work" in found.what) == ("warning", True)


def test_doctor_names_a_store_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever MLFLOW_TRACKING_URI names."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = _servers(tmp_path)
    assert (found.state, "MLFLOW_TRACKING_URI" in found.what) == ("warning", True)


@pytest.mark.parametrize(("code", "exit_code"), [(4, 4), (7, 7), (1, 1), (255, 1), (-9, 1), (None, 1)])
def test_a_stage_error_keeps_our_exit_codes(code: int | None, exit_code: int) -> None:
    """A stage's exit code is the run's where it is one of ours; any other death is 1."""
    error = repro.StageError("clean", code, ["a", "b"])
    assert error.exit_code == exit_code
    assert "b" in str(error)


def test_progress_lines() -> None:
    """The plain lines of elek.progress are read, others are not."""
    line = parse_progress("[train] 30/800 steps loss 3.20, 5,000 tokens/s")
    assert line is not None
    assert (line.label, line.done, line.total, line.unit, line.note) == (
        "train",
        30,
        800,
        "steps",
        "loss 3.20, 5,000 tokens/s",
    )
    assert parse_progress("[clean] 1/2 parts") is not None
    for other in ("", "train │ 3/4", "[x] 1 of 2", "see [clean] 1/2 parts"):
        assert parse_progress(other) is None


@pytest.mark.parametrize(
    ("code", "says"),
    [(-9, "was killed by signal 9"), (137, "was killed by signal 9"), (143, "was killed by signal 15"), (2, "failed")],
)
def test_a_signal_is_named_whichever_shell_stood_between(code: int, says: str) -> None:
    """bash gives the stage's own code, dash 128 + the signal; both are the same death, with the same advice."""
    error = repro.StageError("zero", code, [])
    assert error.what == f"stage `zero` {says}"
    assert ("memory ran out" in str(error.fix)) == ("signal 9" in says)
