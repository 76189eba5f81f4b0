"""The benchmarks, which no other test runs: they must at least start, and compare like with like."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contestants import Contestant, HuggingFace, Plain
from elek.training.params import TrainParams
from tests.conftest import ROOT
from tests.test_shards import write
from tests.vocabulary import prose, tokenizer

MAINS = [
    path.stem
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "def main() -> None:" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MAINS)
def test_it_tells_how_it_is_called(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that it imports is there, and `--help` says how to run it as a module of the package."""
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    with pytest.raises(SystemExit) as left:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert left.value.code == 0
    assert f"python -m benchmarks.{name}" in capsys.readouterr().out


def test_the_index_names_every_benchmark() -> None:
    """benchmarks/README.md has a row for each that can be run."""
    rows = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").splitlines()
    assert sorted(row.split("`")[1].split()[0] for row in rows if row.startswith("| `")) == MAINS


def test_the_hugging_face_trainer_learns_what_the_plain_loop_learns(tmp_path: Path) -> None:
    """Same weights, batches, targets, rates: after steps that teach more than how frequent each token is, one loss."""
    for name, first in (("train", 0), ("validation", 900)):
        write(tmp_path / name, [prose("en", 30, first)])
    params = TrainParams.model_validate(
        {
            "model": {"context": 32, "layers": 2, "width": 32, "heads": 2},
            "optimizer": {"name": "adamw", "learning_rate": 5e-3},
            "steps": 30,
            "threads": 1,
            "validation": {"windows": 16},
        }
    )
    config = params.config(tokenizer().size)

    class Free:
        """Nobody waits for anybody."""

        def begin(self) -> None: ...

        def end(self) -> None: ...

    def loss(kind: type[Contestant]) -> float:
        turns: Any = Free()
        one = kind(params, config, tmp_path)
        one.run(turns)
        return one.validation()

    assert loss(HuggingFace) == pytest.approx(loss(Plain), rel=5e-3)
