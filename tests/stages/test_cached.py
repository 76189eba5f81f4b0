"""The shard cache in the stages that make one file of one part: what is unchanged is not made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from elek.dataset import Dataset
from elek.execution import cache
from stages import _shell, annotate, clean, fetch, tokenize, vocab
from tests.corpus import document
from tests.vocabulary import write_project

SOURCES = [f"source{number:02d}" for number in range(40)]


def write_params(folder: Path, sources: list[str], **changes: Any) -> None:
    listed = {
        name: {"kind": "files", "files": f"data/raw/{name}.txt", "license": "MIT", "lang": "tr"} for name in sources
    }
    params = {"execution": {"workers": 1}, "fetch": {"sources": listed}} | changes
    with (folder / "params.yaml").open("w", encoding="utf-8", newline="\n") as file:
        YAML().dump(params, file)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty-one small files, each a source and so a part; params name the first forty."""
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    for number, name in enumerate([*SOURCES, "source19b"]):
        (raw / f"{name}.txt").write_text(document("tr", number, 4), encoding="utf-8", newline="\n")
    write_params(tmp_path, SOURCES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timing(stage: str) -> tuple[int, int]:
    found = json.loads(Path(".cache", "timings", f"{stage}.json").read_text(encoding="utf-8"))
    return found["parts_from_cache"], found["parts"]


def outputs(*stages: str) -> dict[str, bytes]:
    files = [path for stage in stages for path in (*Path("data", stage).rglob("*"), Path("reports", f"{stage}.json"))]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def entries(stage: str) -> list[Path]:
    return sorted(path for path in Path(".cache", "shards", stage).rglob("*") if path.is_file())


def test_one_part_more_costs_one_part(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forty parts and one in their midst: forty come from the cache in `clean` and in `annotate`, and the bytes are
    those of a run without a cache."""
    for stage in (fetch, clean, annotate):
        stage.main()
    assert timing("clean") == (0, 41)  # the evaluation role is a part of no rows
    assert timing("annotate") == (0, 40)
    write_params(project, [*SOURCES[:20], "source19b", *SOURCES[20:]])
    for stage in (fetch, clean, annotate):
        stage.main()
    assert timing("clean") == (41, 42)
    assert timing("annotate") == (40, 41)
    assert "40 of 41 parts" in capsys.readouterr().out
    cached = outputs("clean", "annotate")
    assert Dataset(Path("data/annotate")).read_all(["id"])["id"][20].as_py().startswith("source19b/")
    write_params(project, [*SOURCES[:20], "source19b", *SOURCES[20:]], execution={"workers": 1, "cache_gigabytes": 0})
    for stage in (clean, annotate):
        stage.main()
        assert timing(stage.__name__.rpartition(".")[2])[0] == 0
    assert outputs("clean", "annotate") == cached


def test_another_param_or_other_code_is_computed_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back to what it was finds what was made then. Params of other stages are nobody's
    affair."""
    fetch.main()
    clean.main()
    before = outputs("clean")
    write_params(project, SOURCES, clean={"pii": []})
    clean.main()
    assert timing("clean") == (0, 41)
    write_params(project, SOURCES, split={"seed": 7}, execution={"workers": 1, "cache_gigabytes": 1})
    clean.main()
    assert timing("clean") == (41, 41)
    assert outputs("clean") == before
    with monkeypatch.context() as edit:
        edit.setattr(_shell, "code_digest", lambda files, root: "edited")
        clean.main()
        assert timing("clean") == (0, 41)
    monkeypatch.setattr(cache, "environment", lambda: "another ftfy")
    clean.main()
    assert timing("clean") == (0, 41)
    assert outputs("clean") == before


def test_the_code_that_counts_is_what_the_stage_imports() -> None:
    """A digest over the stage's own files, changed by an edit of any of them."""
    from stages._deps import PROJECT, closure

    files = closure("stages.clean")
    assert PROJECT / "src/elek/text/cleaning.py" in files
    assert PROJECT / "src/elek/kernels/ngrams.py" not in files
    whole = cache.code_digest(files, PROJECT)
    assert whole == cache.code_digest(sorted(files, reverse=True), PROJECT)
    assert whole != cache.code_digest(list(files)[1:], PROJECT)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_damaged_entry_is_told_and_made_again(project: Path, capsys: pytest.CaptureFixture[str], place: int) -> None:
    """One flipped bit anywhere in it, or half of it missing."""
    fetch.main()
    clean.main()
    before = outputs("clean")
    flipped, torn = entries("clean")[3], entries("clean")[5]
    data = bytearray(flipped.read_bytes())
    data[place] ^= 1
    flipped.write_bytes(data)
    torn.write_bytes(torn.read_bytes()[: -len(data) // 2])
    capsys.readouterr()
    clean.main()
    assert capsys.readouterr().err.count("a damaged entry of the cache was computed again") == 2
    assert timing("clean") == (39, 41)
    assert outputs("clean") == before
    clean.main()
    assert timing("clean") == (41, 41)


def test_the_cache_is_bounded_and_keeps_what_was_used_last(project: Path) -> None:
    """By the sum of all stages' entries; what is not kept is computed."""
    fetch.main()
    clean.main()
    size = sum(path.stat().st_size for path in entries("clean"))
    write_params(project, SOURCES[:5], execution={"workers": 1, "cache_gigabytes": size * 0.75 / 1e9})
    fetch.main()
    clean.main()  # the five are used
    assert 0.6 * size < sum(path.stat().st_size for path in entries("clean")) <= 0.75 * size
    clean.main()
    assert timing("clean") == (6, 6)


def test_an_altered_input_is_an_error_whatever_the_cache_holds(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The part's digest is checked before anything is looked up; the file is named."""
    fetch.main()
    clean.main()
    part = Path("data/fetch/train/part-00007.parquet")
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(SystemExit) as caught:
        clean.main()
    assert caught.value.code == 4
    assert "part-00007.parquet" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_costs_nothing_but_a_word(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the folder should be."""
    fetch.main()
    Path(".cache/shards").write_text("in the way", encoding="utf-8")
    clean.main()
    assert "the shard cache could not be written" in capsys.readouterr().err
    assert len(Dataset(Path("data/clean/train"))) == 40


def test_tokenize_keeps_its_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the vocabulary is another."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    vocab.main()
    tokenize.main()
    before = outputs("tokenize")
    assert timing("tokenize")[0] == 0
    tokenize.main()
    assert timing("tokenize") == (len(entries("tokenize")), len(entries("tokenize")))
    assert outputs("tokenize") == before
    params = Path("params.yaml")
    params.write_text(params.read_text(encoding="utf-8").replace("size: 700", "size: 690"), encoding="utf-8")
    vocab.main()
    tokenize.main()
    assert timing("tokenize")[0] == 0
