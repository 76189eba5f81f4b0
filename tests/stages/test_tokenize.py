"""The stage `tokenize`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elek.dataset import Dataset
from elek.shards import TokenShards
from elek.vocab.tokenizer import Tokenizer
from stages import tokenize, vocab
from tests.vocabulary import write_project


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(folder)
    monkeypatch.chdir(folder)
    vocab.main()
    tokenize.main()


def test_tokenize_writes_a_shard_per_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every split, an empty one too, with its documents and the counts by language."""
    _run(tmp_path, monkeypatch)
    tokenizer = Tokenizer.load(tmp_path / "data" / "vocab")
    metrics = json.loads((tmp_path / "reports" / "tokenize.json").read_text(encoding="utf-8"))
    for name in ("train", "validation", "test", "evaluation"):
        shards, split = TokenShards(tmp_path / "data/tokenize" / name), Dataset(tmp_path / "data/split" / name)
        shards.require(tokenizer)
        table = split.read_all(["id", "text"])
        assert shards.documents["id"].to_pylist() == table["id"].to_pylist()
        assert [tokenizer.decode(shards.document(row)) for row in range(len(table))] == table["text"].to_pylist()
        figures = metrics[name]
        assert (figures["documents"], figures["tokens"], figures["shards"]) == (
            len(split),
            len(shards),
            len(split.parts),
        )
        for key in ("documents", "tokens", "bytes"):
            assert sum(lang[key] for lang in figures["by_lang"].values()) == figures[key]
    assert metrics["evaluation"] == {
        "documents": 0, "tokens": 0, "bytes": 0, "bytes_per_token": None, "shards": 1, "by_lang": {},
    }  # fmt: skip


def test_no_vocabulary_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4 and the remedy."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        tokenize.main()
    assert end.value.code == 4
    assert "dvc repro vocab" in capsys.readouterr().err
