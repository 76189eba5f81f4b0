"""Hugging Face data sets, tested on local ones: the hub may be out of reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from elek.errors import ParamsError, SourceError
from tests.sources.build import Fetched, put

ROWS = [
    {"text": "one", "lang": "en", "license": "mit", "key": "k1"},
    {"text": "iki", "lang": "tr", "license": None, "key": "k2"},
    {"text": None, "lang": "tr", "license": None, "key": "k3"},
    {"text": "dört", "lang": None, "license": None, "key": "k2"},
]


def hub(path: str, **options: Any) -> dict[str, Any]:
    return {"kind": "huggingface", "path": path, "license": "CC-BY-4.0", "lang": "en", **options}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    put(tmp_path, "data/raw/set/train.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    put(tmp_path, "data/raw/set/test.jsonl", '{"text": "held", "lang": "en", "license": null, "key": "t"}\n')
    return tmp_path


def test_a_folder_is_streamed(project: Path) -> None:
    """Ids, licences and languages are as for any source; a null text is recorded."""
    fetched = Fetched(project, {"s": hub("data/raw/set")})
    assert fetched.ids == ["s/train#1", "s/train#2", "s/train#4"]
    assert fetched.texts == ["one", "iki", "dört"]
    assert [(row["license"], row["lang"]) for row in fetched.rows] == [
        ("MIT", "en"),
        ("CC-BY-4.0", "tr"),
        ("CC-BY-4.0", "en"),
    ]
    assert fetched.skipped == [{"source": "s", "file": "train", "line": 3, "reason": "`text` is null, not a string"}]
    assert fetched.sources["s"]["pinned"] == {"path": "data/raw/set", "name": None, "split": "train", "revision": None}


def test_options(project: Path) -> None:
    """Split, limit, ids from a column (renamed where equal) and groups work."""
    sources = {
        "t": hub("data/raw/set", split="test"),
        "l": hub("data/raw/set", limit=1),
        "k": hub("data/raw/set", id_column="key"),
    }
    fetched = Fetched(project, sources)
    assert fetched.ids == ["t/test#1", "l/train#1", "k/train#k1", "k/train#k2", "k/train#k2~2"]
    assert fetched.metrics["renamed"] == 1


def test_a_saved_data_set_is_read(project: Path) -> None:
    """What `save_to_disk` wrote is read too."""
    import datasets

    datasets.Dataset.from_list([{"text": "saved"}]).save_to_disk(str(project / "data/raw/saved"))
    assert Fetched(project, {"s": hub("data/raw/saved")}).texts == ["saved"]


def test_mistakes_are_told(project: Path) -> None:
    """A missing column, an unknown split, a hub name without a revision."""
    with pytest.raises(SourceError, match="no column `body`; the columns are: text, lang, license, key"):
        Fetched(project, {"s": hub("data/raw/set", text_column="body")})
    with pytest.raises(SourceError, match="cannot be read") as caught:
        Fetched(project, {"s": hub("data/raw/set", split="nope")})
    assert "data/raw/set" in str(caught.value)
    with pytest.raises(ParamsError, match="needs a revision"):
        Fetched(project, {"s": hub("some-owner/some-name")})


def test_no_hub_is_a_clear_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the hub is out of reach, the error names the data set and what to check."""
    import datasets

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(SourceError, match="Couldn't reach the Hub") as caught:
        Fetched(project, {"s": hub("some-owner/some-name", revision="0" * 40)})
    assert "some-owner/some-name" in str(caught.value)
    assert "network" in str(caught.value)
