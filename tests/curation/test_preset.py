"""`elek curate --preset gopher`, document by document against datatrove 0.10.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from elek.cli import app
from tests.corpus import document
from tests.curation.files import decisions, records, table, write

pytest.importorskip("datatrove")

QUALITY = {
    "gopher_short_doc": "min_words",
    "gopher_long_doc": "max_words",
    "gopher_below_avg_threshold": "min_mean_word_length",
    "gopher_above_avg_threshold": "max_mean_word_length",
    "gopher_too_many_hashes": "max_hash_ratio",
    "gopher_too_many_ellipsis": "max_ellipsis_ratio",
    "gopher_too_many_bullets": "max_bullet_lines",
    "gopher_too_many_end_ellipsis": "max_ellipsis_lines",
    "gopher_below_alpha_threshold": "min_alphabetic_words",
    "gopher_enough_stop_words": "min_stop_words",
}
REPETITION = {
    "empty": "min_characters",
    "dup_para_frac": "max_duplicate_paragraphs",
    "dup_para_char_frac": "max_duplicate_paragraph_characters",
    "dup_line_frac": "max_duplicate_lines",
    "dup_line_char_frac": "max_duplicate_line_characters",
    **{f"top_{n}_gram": f"max_top_{n}_gram" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_grams" for n in range(5, 11)},
}


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


def expected(text: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The first rule that datatrove drops the document for, in our name."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import gopher_quality_filter, gopher_repetition_filter

    for module in (gopher_quality_filter, gopher_repetition_filter):
        monkeypatch.setattr(module, "split_into_words", lambda text, language: text.split())
    for filters, names, ruleset in (
        (gopher_quality_filter.GopherQualityFilter(), QUALITY, "gopher_quality"),
        (gopher_repetition_filter.GopherRepetitionFilter(), REPETITION, "gopher_repetition"),
    ):
        answer = filters.filter(Document(text=text, id=""))
        if answer is not True:
            return f"{ruleset}.{names[answer[1]]}"
    return None


def test_the_preset_decides_as_datatrove_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept and reason of every document, by the command as people type it; nine rules are the reason of some."""
    rows = corpus()
    command = f"curate {write(tmp_path / 'in.jsonl', rows)} --out {tmp_path / 'out'} --preset gopher --words whitespace"
    app([*command.split(), "--skip", "clean,dedup", "--workers", "1", "--json"], standalone_mode=False)
    found = [(row["id"], row["reason"], row["kept"]) for row in decisions(tmp_path / "out")]
    wanted = [(row["id"], expected(row["text"], monkeypatch)) for row in rows]
    assert found == [(name, reason, reason is None) for name, reason in wanted]
    assert len({reason for _, reason, _ in found if reason}) >= 9
    told = json.loads(capsys.readouterr().out)
    assert told["in"] == len(rows) == told["kept"] + told["dropped"]
    kept = [row["text"] for row, (_, _, kept) in zip(rows, found, strict=True) if kept]
    assert table(tmp_path / "out", "documents")["text"].to_pylist() == kept
