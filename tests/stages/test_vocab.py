"""The stage `vocab`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elek.vocab.tokenizer import Tokenizer
from stages import vocab
from tests.vocabulary import documents, write_dataset, write_project


def test_vocab_writes_model_table_and_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files, the counts, and the same bytes when other splits change: only training text is seen."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    vocab.main()
    tokenizer = Tokenizer.load(tmp_path / "data" / "vocab")
    metrics = json.loads((tmp_path / "reports" / "vocab.json").read_text(encoding="utf-8"))
    assert tokenizer.size == metrics["size"] == 700
    assert metrics["kind"] == "bpe"
    assert metrics["documents"] == 60
    assert metrics["sentences"] > 60
    table = (tmp_path / "data" / "vocab" / "tokenizer.vocab").read_text(encoding="utf-8")
    assert len(table.splitlines()) == 700
    write_dataset(tmp_path / "data" / "split" / "validation", [documents(["something else"])])
    vocab.main()
    assert Tokenizer.load(tmp_path / "data" / "vocab").sha256 == tokenizer.sha256


def test_too_little_text_ends_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the largest possible size on the screen, and no data folder."""
    write_project(tmp_path)
    write_dataset(tmp_path / "data" / "split" / "train", [documents(["very little text"])])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        vocab.main()
    assert end.value.code == 2
    assert "largest possible" in capsys.readouterr().err
    assert not (tmp_path / "data" / "vocab").exists()
