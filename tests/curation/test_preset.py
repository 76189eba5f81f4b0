"""`elek curate --preset gopher`, document by document against datatrove 0.10.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.oracle import judge
from elek.cli import app
from tests.corpus import document
from tests.curation.files import decisions, records, table, write


def corpus() -> list[dict[str, Any]]:
    """What fails one rule each, beside prose of every length in both languages and text as it came from a page."""
    made = [row["text"] for row in records()]
    for seed in range(60):
        made.append(document("en" if seed % 2 else "tr", seed, 4 + seed))
    prose = document("en", 5, 40)
    made += [
        prose + " #" * 60,
        prose + " ..." * 90,
        "\n".join(f"- {line}" for line in prose.split(". ")),
        "\n".join(f"{line}…" for line in prose.split(". ")),
        " ".join(f"a{number}b c" for number in range(200)),
        " ".join("incomprehensibilities-" * 2 for _ in range(80)),
        " ".join(str(number) for number in range(400)),
        "\n\n".join([prose[:200], *[f"A paragraph that comes back and has words {n % 3}." for n in range(9)]]),
        prose + "\n" + "\n".join(["The same line stands here again and again."] * 40),
        "\ufeff" + prose.replace(" ", "\u00a0", 9) + "\r\n\u200b\x00",
    ]
    return [{"id": f"{number}", "text": text} for number, text in enumerate(made)]


def expected(rows: list[dict[str, Any]]) -> list[str | None]:
    """The first rule of both Gopher sets that datatrove drops each document for, in our name."""
    judged = judge(
        [row["text"] for row in rows], ["en"] * len(rows), "whitespace", ["gopher_quality", "gopher_repetition"]
    )
    return [quality or repetition for quality, repetition in zip(*judged.reasons.values(), strict=True)]


def test_the_preset_decides_as_datatrove_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kept and reason of every document, by the command as people type it; nine rules are the reason of some."""
    rows = corpus()
    command = f"curate {write(tmp_path / 'in.jsonl', rows)} --out {tmp_path / 'out'} --preset gopher --words whitespace"
    app([*command.split(), "--skip", "clean,dedup", "--workers", "1", "--json"], standalone_mode=False)
    found = [(row["id"], row["reason"], row["kept"]) for row in decisions(tmp_path / "out")]
    assert found == [(row["id"], reason, reason is None) for row, reason in zip(rows, expected(rows), strict=True)]
    assert len({reason for _, reason, _ in found if reason}) >= 9
    told = json.loads(capsys.readouterr().out)
    assert told["in"] == len(rows) == told["kept"] + told["dropped"]
    kept = [row["text"] for row, (_, _, kept) in zip(rows, found, strict=True) if kept]
    assert table(tmp_path / "out", "documents")["text"].to_pylist() == kept
