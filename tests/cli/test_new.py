"""A filter in one file and one line: what `elek new filter` writes keeps every promise that filters make."""

from __future__ import annotations

import importlib.resources
import inspect
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import elek.filters
from elek.cli.new import check, write
from elek.errors import ParamsError
from elek.filtering import FilterParams, decide, discover
from elek.filtering.annotation import AnnotateParams, annotate
from elek.params import parse
from tests import annotated
from tests.filters import test_contract

NAME = "digit_share"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folders of a checkout into which filters go."""
    for folder in ("src/elek/filters", "tests/filters"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def written(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout with a new filter, found like every other one."""
    write(checkout, NAME)
    monkeypatch.setattr(elek.filters, "__path__", [*elek.filters.__path__, str(checkout / "src/elek/filters")])
    discover.cache_clear()
    yield checkout
    discover.cache_clear()


def test_it_keeps_every_promise(written: Path) -> None:
    """Every contract test passes on the new filter as it was written."""
    found = discover()[NAME]
    promises = [(name, test) for name, test in inspect.getmembers(test_contract) if name.startswith("test_")]
    assert len(promises) >= 8
    for _, test in promises:
        test(found=found)


def test_its_own_test_passes(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that is written beside it holds, case by case."""
    source = (written / "tests" / "filters" / f"test_{NAME}.py").read_text(encoding="utf-8")
    space: dict[str, object] = {"__name__": "written"}
    exec(compile(source, "written", "exec"), space)  # noqa: S102  (what we wrote ourselves)
    cases = space["test_each_rule_drops_what_it_is_for"]
    for text, rules in cases.pytestmark[0].args[1]:  # type: ignore[attr-defined]
        cases(text, rules)  # type: ignore[operator]
    space["test_the_threshold_comes_from_params"]()  # type: ignore[operator]


def test_one_line_in_params_is_all(written: Path) -> None:
    """`annotate` measures it at once, and `filter: {digit_share: }` decides by it."""
    rows = [{**annotated.rows()[0], "id": "numbers", "text": "1 2 3 4 5 6 7 8 9"}, annotated.rows()[0]]
    signals = annotate(annotated.table(rows), AnnotateParams())
    assert f"{NAME}.digits" in signals.column_names
    decided = decide(signals, parse("filter", {NAME: None}, FilterParams))
    assert [[item["rule"] for item in row] for row in decided["failures"].to_pylist()] == [[f"{NAME}.max_digits"], []]
    assert pa.types.is_float64(signals.schema.field(f"{NAME}.digits").type)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Büyük Harf", "buyuk_harf"),
        ("digit-share", "digit_share"),
        ("1st", "st"),
        ("class", "class_share"),
        ("dedup", "dedup_share"),
        ("c4", "another"),
        ("", "capital_letters"),
        ("x" * 50, "xxx"),
    ],
)
def test_names_that_cannot_be(name: str, hint: str) -> None:
    """A name is a module's, not a keyword's, a column's or another filter's; the error has one that would do."""
    with pytest.raises(ParamsError) as caught:
        check(name)
    assert hint in str(caught.value.fix)


@pytest.mark.parametrize("name", ["batch", "rule", "filter"])
def test_a_name_that_filters_import(checkout: Path, name: str) -> None:
    """The class has another name than what its module imports."""
    module, _ = write(checkout, name)
    text = (checkout / module).read_text(encoding="utf-8")
    assert f"class {name.capitalize()}Filter(Filter):" in text


def test_nothing_is_overwritten(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A second time is an error, and so is a project without the source; neither writes anything."""
    write(checkout, NAME)
    before = (checkout / "src" / "elek" / "filters" / f"{NAME}.py").read_bytes()
    with pytest.raises(ParamsError, match="is there already"):
        write(checkout, NAME)
    assert (checkout / "src" / "elek" / "filters" / f"{NAME}.py").read_bytes() == before
    empty = tmp_path_factory.mktemp("installed")
    with pytest.raises(ParamsError, match="there is no src/elek/filters"):
        write(empty, NAME)
    assert list(empty.iterdir()) == []


def test_templates_travel_with_the_package() -> None:
    """Both are data of `elek.cli`."""
    folder = Path(str(importlib.resources.files("elek.cli"))) / "templates"
    assert sorted(path.name for path in folder.iterdir()) == ["filter.py.txt", "test_filter.py.txt"]
