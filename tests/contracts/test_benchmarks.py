"""The benchmarks, which no other test runs: they must at least start."""

from __future__ import annotations

import runpy
import sys

import pytest

from tests.conftest import ROOT

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
