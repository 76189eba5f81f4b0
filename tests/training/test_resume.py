"""A run that was cut short goes on to the very same bits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest
from safetensors import SafetensorError

from elek.errors import StoppedError, TrainingError
from elek.training import checkpoint, parallel
from elek.training.trainer import Trainer
from tests.apart import run_apart
from tests.training import victim
from tests.training.runs import make_trainer
from tests.training.stream import chain
from tests.training.test_trainer import same, weights


def steps_of(trainer: Trainer) -> list[str]:
    assert trainer.checkpoints is not None
    return sorted(path.name for path in trainer.checkpoints.folder.iterdir() if path.is_dir())


def test_the_loss_scale_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With overflows before the checkpoint and a doubling that is due after it."""
    monkeypatch.setattr("elek.training.scaling.FIRST", 2.0**40)
    monkeypatch.setattr("elek.training.scaling.PATIENCE", 7)
    whole = make_trainer(precision="fp16")
    whole.run()
    assert whole.scaler is not None
    make_trainer(tmp_path, precision="fp16").run()  # leaves the checkpoints of steps 4 and 8
    second = make_trainer(tmp_path, precision="fp16")
    second.run()
    assert second.scaler is not None
    assert second.scaler.state() == whole.scaler.state()
    assert 2.0 < second.scaler.scale < 2.0**40
    assert same(weights(second), weights(whole))


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    """The newest two, and none of the finished model."""
    trainer = make_trainer(tmp_path, checkpoint_every=3)
    trainer.run()
    assert steps_of(trainer) == ["step-00000006", "step-00000009"]
    checkpoint.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    """One flipped bit is seen, told by name, and the result is the same."""
    whole = make_trainer(tmp_path)
    whole.run()
    assert whole.checkpoints is not None
    path = whole.checkpoints.folder / "step-00000008" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    again = make_trainer(tmp_path)
    again.run()
    told = capsys.readouterr().err
    assert "step-00000008 is damaged" in told
    assert "going on from the checkpoint of step 4" in told
    assert same(weights(again), weights(whole))


@pytest.mark.parametrize("change", [{"seed": 2}, {"clip": 0.5}, {"steps": 13}, {"precision": "bf16"}, {"threads": 2}])
def test_a_checkpoint_of_another_run_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    """Other params have a folder of their own, and what differs is told."""
    make_trainer(tmp_path).run()
    other = make_trainer(tmp_path, **change)
    other._resume()
    assert other.step == 0
    told = capsys.readouterr().err
    assert "going on" not in told
    ((name, value),) = change.items()
    assert f"params.{name} was " in told
    assert f", is {json.dumps(value)}" in told


def test_a_checkpoint_of_other_data_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Even where somebody put it into this run's folder."""
    one = make_trainer(tmp_path)
    one.run()
    other = Trainer(one.params, chain(3000), one.validation, tmp_path)
    other._resume()
    assert other.step == 0
    assert f'train was "{one.train.digest}", is "{other.train.digest}"' in capsys.readouterr().err
    assert one.checkpoints is not None
    assert other.checkpoints is not None
    shutil.copytree(one.checkpoints.folder, other.checkpoints.folder)
    other._resume()
    assert other.step == 0
    assert "was put here from another run" in capsys.readouterr().err


def test_other_data_is_another_run(tmp_path: Path) -> None:
    """The digest of the training text and that of the validation text are both part of what a run is."""
    trainer = make_trainer(tmp_path)
    folders = {trainer.identity()["train"], trainer.identity()["validation"]}
    assert folders == {trainer.train.digest, trainer.validation.digest}
    assert len(folders) == 2


def test_only_checkpoints_are_cleared(tmp_path: Path) -> None:
    """Forgetting removes the folders of runs, and nothing that somebody else put there."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", encoding="utf-8")
    make_trainer(tmp_path, seed=5).run()
    trainer = make_trainer(tmp_path)
    trainer.run()
    assert len(list(tmp_path.iterdir())) == 3
    checkpoint.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), SafetensorError("Error while serializing: I/O error: No space left")],
)
def test_a_full_disk_is_told_and_harms_no_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The error says what to do, and the next run goes on from the checkpoint before, whoever tells the error."""
    whole = make_trainer()
    whole.run()
    trainer = make_trainer(tmp_path)
    write = checkpoint._write

    def full(path: Path, content: bytes) -> None:
        if "00000008" in path.parent.name:
            raise error
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_write", full)
        with pytest.raises(TrainingError, match=r"step 8 could not be written: .*No space left"):
            trainer.run()
    assert steps_of(trainer) == ["step-00000004"]
    again = make_trainer(tmp_path)
    again.run()
    assert same(weights(again), weights(whole))


@pytest.mark.skipif(sys.platform == "win32", reason="there a signal cannot be sent to oneself and noted")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_asked_to_stop_it_saves_and_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Between two checkpoints: nothing of the work is lost, and the handlers are put back."""
    before = signal.getsignal(getattr(signal, name))
    whole = make_trainer()
    whole.run()
    trainer = make_trainer(tmp_path)
    step = trainer._step

    def step_and_ask() -> float:
        loss = step()
        if trainer.step == 6:
            os.kill(os.getpid(), getattr(signal, name))
        return loss

    monkeypatch.setattr(trainer, "_step", step_and_ask)
    with pytest.raises(TrainingError, match=f"stopped by {name} after step 6 of 12"):
        trainer.run()
    assert steps_of(trainer) == ["step-00000004", "step-00000006"]
    assert signal.getsignal(getattr(signal, name)) is before
    again = make_trainer(tmp_path)
    again.run()
    assert same(weights(again), weights(whole))


def test_without_its_launcher_it_saves_and_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill -9` of torchrun reaches none of its processes: each sees that its parent is another one now, and none
    trains on unseen beside the next run. Every system but Windows gives orphans another parent."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    trainer = make_trainer(tmp_path)
    step = trainer._step

    def step_and_lose() -> float:
        if trainer.step == 5:
            monkeypatch.setattr(os, "getppid", lambda: 1)
        return step()

    monkeypatch.setattr(trainer, "_step", step_and_lose)
    with parallel.joined("ddp") as trainer.world, pytest.raises(StoppedError, match="launcher's death after step 6"):
        trainer.run()
    assert steps_of(trainer) == ["step-00000004", "step-00000006"]


def test_training_works_outside_the_main_thread() -> None:
    """Where no signal can be caught; a flow may run its tasks in threads."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            make_trainer(steps=2).run()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


DEATHS = ("step:7", "tensors:10", "manifest:15", "term:18", "never")


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["causal", "masked"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_process_killed_again_and_again_ends_in_the_same_bytes(
    tmp_path: Path, objective: str, precision: str
) -> None:
    """kill -9 between checkpoints, in the middle of one, at its very end, and a SIGTERM: one model.safetensors."""
    log, changes = tmp_path / "log", {"objective": objective, "precision": precision}

    def run(out: str, death: str) -> int:
        return run_apart(victim.run, tmp_path / f"{out}.ckpt", tmp_path / out, log, death, changes)

    assert run("whole", "never") == 0
    goings_on = []
    for death in DEATHS:
        code, told = run("cut", death), log.read_text(encoding="utf-8")
        assert (code == 0) == (death == "never"), told
        goings_on += [line for line in told.splitlines() if "going on" in line]
        if death.startswith("term") and sys.platform != "win32":
            assert code == TrainingError.exit_code
    steps = [int(line.rsplit(maxsplit=1)[-1]) for line in goings_on]
    # A checkpoint is written while training goes on: a kill soon after may find it unfinished, and the one before.
    assert steps
    assert all(step % 5 == 0 or step == 18 for step in steps)
    model = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert model[0] == model[1]
