"""Training by several processes: the losses of one, the death of one, and what is refused."""

from __future__ import annotations

import os
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

from elek.errors import DataError, ParamsError, TrainingError
from elek.params import load, parse
from elek.training import parallel
from elek.training.job import Facts, train
from elek.training.launch import launch
from elek.training.parallel import LostError, World, naming_losses
from elek.training.params import TrainParams
from stages import tokenize, vocab
from tests.conftest import ROOT
from tests.training.ranks import KINDS
from tests.training.runs import make_trainer
from tests.vocabulary import write_project

TRAIN = """\
train:
  steps: 8
  batch: 8
  micro_batch: 1
  threads: 1
  precision: fp32
  model: {context: 16, layers: 4, width: 64, heads: 2}
  validation: {every: 4, windows: 8}
  history_every: 1
  checkpoint_every: 2
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose text is tokenized."""
    folder = tmp_path_factory.mktemp("distributed")
    write_project(folder)
    with (folder / "params.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write(TRAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        vocab.main()
        tokenize.main()
    return folder


def inputs(project: Path) -> tuple[Path, Path]:
    """The shards and the vocabulary."""
    return project / "data" / "tokenize", project / "data" / "vocab"


@pytest.fixture(scope="module")
def alone(project: Path) -> list[list[float]]:
    """The history of one process."""
    train(project, *inputs(project), project / "one", load(project / "params.yaml", "train", TrainParams))
    return history(project / "one")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes must find this package and the tests, wherever they start."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT), *sys.path]))


def history(folder: Path) -> list[list[float]]:
    lines = (folder / "history.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [[float(cell) for cell in line.split(",") if cell] for line in lines]


def run(project: Path, processes: int) -> Facts:
    """Train with so many processes, by FSDP2 and then by DDP, into `<processes>-fsdp` and `<processes>-ddp`."""
    text = (project / "params.yaml").read_text(encoding="utf-8").partition("  distributed:")[0]
    text += f"  distributed: {{processes: {processes}}}\n"
    (project / "params.yaml").write_text(text, encoding="utf-8", newline="\n")
    return launch(project, *inputs(project), project / str(processes), processes, "tests.training.ranks")


def agree(one: list[list[float]], other: list[list[float]]) -> None:
    """Six digits are written; products of other shapes and sums of other orders may move the fifth."""
    assert len(one) == len(other)
    for row, wanted in zip(one, other, strict=True):
        assert row == pytest.approx(wanted, rel=2e-4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="PyTorch's launcher needs libuv there, which its wheels lack")
def test_the_death_of_one_of_two_ends_the_job_and_the_next_one_goes_on(
    project: Path, alone: list[list[float]], capfd: pytest.CaptureFixture[str]
) -> None:
    """kill -9 is told by rank and signal. Resumed under FSDP2, with weights, AdamW's and Muon's state shared out again,
    two processes end with the losses of one, which holds for two that nobody killed all the more; and so under DDP."""
    (project / "die").touch()
    with pytest.raises(TrainingError, match="process 1 of 2 was killed by SIGKILL") as caught:
        run(project, 2)
    assert "goes on from the last checkpoint" in str(caught.value)
    assert not list(project.glob("2-*"))
    capfd.readouterr()
    facts = run(project, 2)
    assert capfd.readouterr().err.count("train: going on from the checkpoint of step 4") == 1
    assert facts["metrics"]["steps"] == 8
    for kind in KINDS:
        agree(history(project / f"2-{kind}"), alone)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="PyTorch's launcher needs libuv there, which its wheels lack")
def test_four_processes_take_the_same_steps(project: Path, alone: list[list[float]]) -> None:
    """Losses, validation losses and gradient norms agree to rounding, with micro-batches and Muon; the first writes."""
    run(project, 4)
    for kind in KINDS:
        agree(history(project / f"4-{kind}"), alone)
        written = sorted(path.name for path in (project / f"4-{kind}").iterdir())
        assert written == ["config.json", "history.csv", "model.safetensors"]


def test_machines_with_other_data_or_checkpoints_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its first differences: else one goes on from step 100 and the other from 0, or on other text."""
    every = [{"train": "a", "checkpoint": 100}, {"train": "a", "checkpoint": 100}, {"train": "b", "checkpoint": None}]
    monkeypatch.setattr(distributed, "all_gather_object", lambda found, mine: found.__setitem__(slice(None), every))
    with pytest.raises(DataError, match=r'process 2 .*checkpoint was 100, is null, train was "a", is "b"'):
        World(0, 3).require_same(every[0])
    every[2] = every[1]
    World(0, 3).require_same(every[0])


@pytest.mark.parametrize(
    "error",
    [
        distributed.DistNetworkError("Failed to recv, got 0 bytes. Connection was likely closed."),  # of the store
        RuntimeError(
            "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer."
        ),
    ],
)
def test_a_process_that_loses_the_others_says_so(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """While it meets them, as where the first is refused, and later; any other error stays what it is."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(LostError, match=r"process 1 of 2 lost the others: .*Connection"), naming_losses(Path(".ckpt")):
        raise error
    with pytest.raises(RuntimeError, match="shape"), naming_losses(Path(".ckpt")):
        raise RuntimeError("mat1 and mat2 have another shape")


def test_a_process_whose_launcher_died_before_they_met_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed while its processes imported torch; PyTorch would look for it for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", **address}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(parallel, "TIMEOUT", timedelta(seconds=1))
    with pytest.raises(LostError, match="process 1 of 2 lost its launcher"), parallel.joined("ddp"):
        pass


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    """By name, with a number that would do: before the first stage, or where torchrun says how many they are."""
    with pytest.raises(ParamsError, match="8 windows do not divide among 3 processes") as early:
        parse("train", {"batch": 8, "distributed": {"processes": 3}}, TrainParams)
    assert "given" not in str(early.value)  # the whole section
    with pytest.raises(ParamsError, match="a batch of 6 windows does not divide among 4 processes") as caught:
        World(0, 4).check(6)
    assert "take 8" in str(caught.value)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_shares_of_all_processes_are_the_batch(size: int) -> None:
    """Each window once, in order."""
    windows = make_trainer(batch=8).batches.windows(3)
    shares: list[Any] = [World(rank, size).share(windows).tolist() for rank in range(size)]
    assert [window for share in shares for window in share] == windows.tolist()
