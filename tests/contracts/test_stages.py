"""The rules of the design that no single module can hold: one noun per stage, and what DVC must be told."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from elek.params import SECTIONS
from elek.report.facts import DATASETS, METRICS
from stages import _deps
from tests.conftest import ROOT

STAGES: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
NAMES = list(STAGES)


def test_the_stages_are_those_of_the_folder() -> None:
    """Every module in stages/ that is no helper is a DVC stage, and the other way round."""
    modules = {path.stem for path in (ROOT / "stages").glob("*.py") if not path.stem.startswith("_")}
    assert modules == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_noun_per_stage(name: str) -> None:
    """Stage, module, params section, data folder, file of figures and test share one name."""
    stage = STAGES[name]
    assert stage["cmd"] == f"python -m stages.{name}"
    assert stage["params"] == [name]
    assert name in SECTIONS
    figures = {f"reports/{name}.json": {"cache": False}}  # tracked by git
    # A metric, and no plain output: with one of those that is not cached DVC leaves its run cache aside.
    assert (stage["outs"], stage["metrics"]) == ([f"data/{name}"], [figures])
    assert (ROOT / "tests" / "stages" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_deps_name_every_module_that_the_stage_imports(name: str) -> None:
    """A change in any module of ours that a stage runs makes DVC run the stage again."""
    declared = sorted(dependency for dependency in STAGES[name]["deps"] if _deps.is_code(dependency))
    assert declared == _deps.dependencies(name), "run `make deps`"


def test_a_new_filter_reruns_what_filters_concern() -> None:
    """A file in src/elek/filters is no reason to split, train or evaluate again, unless decisions change."""
    concerned = {name for name in NAMES if any("filters" in dependency for dependency in _deps.dependencies(name))}
    assert concerned == {"annotate", "filter", "report"}


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_reads_no_other_section(name: str) -> None:
    """The params that a stage gets are its own section, which is what dvc.yaml declares (and what changes no result:
    `execution`, `tracking`)."""
    tree = ast.parse((ROOT / "stages" / f"{name}.py").read_text(encoding="utf-8"))
    opened = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Stage"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert opened == [name]
    for path in _deps.closure(f"stages.{name}"):
        source = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
        if path.name not in {"_shell.py", "params.py"}:
            assert 'params.yaml")' not in source, f"{path} opens params.yaml by itself"


@pytest.mark.parametrize("name", NAMES)
def test_data_deps_name_every_folder_that_the_stage_opens(name: str) -> None:
    """`stage.data("x")` in a stage is declared in dvc.yaml as data/x or as folders within it."""
    source = (ROOT / "stages" / f"{name}.py").read_text(encoding="utf-8")
    opened = set(re.findall(r'stage\.data\(\s*"(\w+)"\s*\)', source)) - {name}
    if name == "report":  # reads them all, by way of `gather`
        opened = {dataset.partition("/")[0] for dataset in DATASETS} | {"vocab", "train", "evaluate"}
        metrics = {f"reports/{metric}.json" for metric in METRICS}
        assert metrics == {dep for dep in STAGES[name]["deps"] if dep.startswith("reports/")}
    declared = {dep.split("/")[1] for dep in STAGES[name]["deps"] if dep.startswith("data/")} - {"raw"}
    assert opened == declared


def test_a_module_imported_inside_a_function_counts(tmp_path: Path) -> None:
    """The reader of imports sees lazy ones, and leaves out those for type checkers."""
    source = tmp_path / "module.py"
    source.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import elek.execution.lock\n"
        "def f():\n    from elek.dataset import Dataset\n    return Dataset\n",
        encoding="utf-8",
    )
    found = _deps._imports(source)
    assert "elek.dataset" in found
    assert "elek.execution.lock" not in found
