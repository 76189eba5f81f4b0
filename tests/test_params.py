"""params.yaml is validated as a whole, and a mistake is told with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from elek import params
from elek.errors import ElekError, LockError, ParamsError, did_you_mean
from elek.params import ExecutionParams, Section
from elek.training.params import TrainParams


class Inner(Section):
    layers: int = Field(default=2, ge=1)


class Outer(Section):
    seed: int = 1
    model: Inner = Inner()
    by_name: dict[str, Inner] = Field(default_factory=dict)


def test_the_shipped_file_is_valid(root: Path) -> None:
    """The params.yaml in the repository passes its own validation."""
    assert set(params.validate(params.read(root / "params.yaml"))) == set(params.SECTIONS)


def test_every_section_has_its_stage_or_is_known(root: Path) -> None:
    """The shipped file spells out every section, so that people see what there is."""
    assert set(params.read(root / "params.yaml")) == set(params.SECTIONS)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("train:\n  steps: 3\n".encode("utf-16"), "the file is not UTF-8"),
        (b"train: {steps: 2023-13-45}\n", "the file is not valid YAML: month must be in 1..12"),
        (b"train: {steps: %s}\n" % (b"9" * 5000), "the file is not valid YAML: Exceeds the limit"),
        (b"train: " + b"[" * 1000, "the file is not valid YAML: maximum recursion depth"),
        (None, "the file cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None, what: str) -> None:
    """Notepad's UTF-16, a date that is none, a number and a nesting without end, a folder: told as what they are."""
    path = tmp_path / "params.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ParamsError) as caught:
        params.read(path)
    assert caught.value.what.startswith(what)


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    """1e-4 is a number and `no` is a word (PyYAML reads a string and False)."""
    path = tmp_path / "params.yaml"
    path.write_text("a: 1e-4\nb: no\n", encoding="utf-8")
    assert params.read(path) == {"a": 1e-4, "b": "no"}


@pytest.mark.parametrize(
    ("raw", "what", "fix"),
    [
        ({"sed": 3}, "unknown key `train.sed`", "did you mean `seed`?"),
        ({"model": {"layer": 3}}, "unknown key `train.model.layer`", "did you mean `layers`?"),
        ({"by_name": {"x": {"layer": 3}}}, "unknown key `train.by_name.x.layer`", "did you mean `layers`?"),
        ({"model": {"layers": 0}}, "`train.model.layers`: Input should be greater than or equal to 1 (given: 0)", None),
        ({"seed": "one"}, "`train.seed`", None),
        ({"seed": True}, "`train.seed`: a number, not true or false (given: True)", None),
        ({"model": {"layers": float("inf")}}, "`train.model.layers`: Input should be a finite number", None),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest(raw: object, what: str, fix: str | None) -> None:
    """The whole path of the key is told, and the valid name nearest to it."""
    with pytest.raises(ParamsError) as caught:
        params.parse("train", raw, Outer)
    assert what in caught.value.what
    assert caught.value.fix == fix


def test_an_unknown_section_is_named() -> None:
    """A section that no stage reads is an error, not something to ignore."""
    with pytest.raises(ParamsError, match=r"(?s)unknown section `trian`.*did you mean `train`"):
        params.validate({"trian": {}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "not valid YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"just words", "no sections"),
        (b"a: 1\na: 2\n", "not valid YAML"),
    ],
)
def test_a_broken_file_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    """Broken YAML, other encodings, a key given twice: each is told."""
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=message):
        params.read(path)


def test_outside_of_a_project(tmp_path: Path) -> None:
    """Without params.yaml the remedy is to go to the project's folder."""
    with pytest.raises(ParamsError, match="project's folder"):
        params.read(tmp_path / "params.yaml")


def test_a_slip_in_a_size_is_told_alone() -> None:
    """Far beyond what can be trained is refused, and what only follows from that size is not told beside it."""
    with pytest.raises(ParamsError) as caught:
        params.parse("train", {"model": {"context": 10_000_000}}, TrainParams)
    assert caught.value.what == (
        "`train.model.context`: Input should be less than or equal to 1048576 (given: 10000000)"
    )


def test_an_empty_section_has_the_defaults() -> None:
    """`execution:` with nothing after it is valid YAML for null."""
    assert params.parse("execution", None, ExecutionParams) == ExecutionParams()


def test_errors_say_what_where_and_how_to_mend() -> None:
    """The three lines of an error; it survives the way home from a worker process."""
    import pickle

    error = LockError("held", where="here", fix="wait")
    assert str(error) == "held\n  where: here\n  fix:   wait"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(again, LockError)
    assert str(again) == str(error)


def test_every_error_has_an_exit_code_of_its_own() -> None:
    """Programs can tell errors apart by the exit code."""
    codes = [cls.exit_code for cls in ElekError.__subclasses__()]
    assert len(set(codes)) == len(codes)
    assert did_you_mean("xyzzy", ["a", "b"]) == "valid names: a, b"
