"""`elek curate` as a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from elek.cli import app
from tests.curation.files import records, write


def test_the_screen_says_what_became_of_the_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, reasons, what is missing of licences, and where the report is; no project is needed."""
    rows = [*records(), records()[0]]
    corpus = write(tmp_path / "in.jsonl", rows)
    with corpus.open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    app(["curate", str(corpus), "--out", str(tmp_path / "out"), "--workers", "1"], standalone_mode=False)
    screen = capsys.readouterr().out
    for said in ("25 documents", "gopher_quality.min_words", "dedup.exact", "1 records", "declare none", "report.html"):
        assert said in screen
