"""Lines and paragraphs that many documents of a source have."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset
from elek.dedup.boilerplate import segments
from elek.dedup.params import BoilerplateParams
from elek.removal import cut
from stages import dedup, split
from tests.dedup.project import Row, prose, row, seeded, write_documents, write_project
from tests.kernels.strategies import large
from tests.project import write_params

FOOTER = "Subscribe to our newsletter, page {} of 40."


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("ab é\n", max_size=20), max_size=5), st.sampled_from(["line", "paragraph"]), st.integers(1, 2))
def test_segments_are_those_of_plain_python(texts: list[str], unit: str, min_words: int) -> None:
    """Every line with its break, every paragraph with the empty lines behind it, of enough words, within its row."""
    params = BoilerplateParams(unit=unit, min_words=min_words)
    keys, spans = segments(large(texts), params)
    found = [
        (row, texts[row].encode()[start:end].decode())
        for row, start, end in zip(spans.row.tolist(), spans.start.tolist(), spans.end.tolist(), strict=True)
    ]
    expected = []
    for number, text in enumerate(texts):
        pieces, piece = [], ""
        for at, char in enumerate(text):
            piece += char
            ends = char == "\n" if unit == "line" else text[at - 1 : at + 1] == "\n\n" and text[at + 1 : at + 2] != "\n"
            if ends:
                pieces, piece = [*pieces, piece], ""
        expected += [(number, each) for each in [*pieces, piece] if len(each.split()) >= min_words]
    assert found == expected
    by_words: dict[tuple[str, ...], set[int]] = {}
    for key, (_, piece) in zip(keys.tolist(), found, strict=True):
        by_words.setdefault(tuple(piece.replace("é", "e").split()), set()).add(key)
    assert all(len(same) == 1 for same in by_words.values())
    assert len(set().union(*by_words.values())) == len(by_words)


def corpus() -> list[Row]:
    """Thirty pages of a site with a footer, and as many lines of another source that say the same."""
    rng = seeded(1)
    rows = []
    for n in range(30):
        body = "\n".join(" ".join(prose(rng, 25)) for _ in range(4))
        rows.append(row(f"site/{n:02}", f"{body}\nEND\n{FOOTER.format(n)}\n", "site"))
        rows.append(row(f"book/{n:02}", " ".join(prose(rng, 80)) + ("\n" + FOOTER.format(n) if n < 3 else ""), "book"))
    return rows


def run(folder: Path, parts: list[list[Row]], monkeypatch: pytest.MonkeyPatch, **options: object) -> dict[str, str]:
    """dedup and split; the text that split writes, by id."""
    write_project(folder / "data", parts)
    shares = {"split.validation": 0.2, "split.test": 0.2, "execution.workers": 1, "dedup.source_priority": []}
    write_params(folder, {"filter": {}, **shares, "dedup.boilerplate": {"max_documents": 5, **options}})
    monkeypatch.chdir(folder)
    dedup.main()
    split.main()
    sides = [
        Dataset(folder / "data" / "split" / name).read_all(["id", "text"]) for name in ("train", "validation", "test")
    ]
    return {item["id"]: item["text"] for side in sides for item in side.to_pylist()}


@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_split_writes_pages_without_their_footer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str) -> None:
    """What more than so many documents of a source have goes, digits aside; of another source, and short, it stays."""
    rows = corpus()
    if unit == "paragraph":
        rows = [item | {"text": item["text"].replace("\nEND\n", "\nEND\n\n")} for item in rows]
    texts = run(tmp_path, [rows[:25], [], rows[25:]], monkeypatch, unit=unit)
    for item in rows:
        number = int(item["id"][-2:])
        footer = FOOTER.format(number) + "\n" if item["source"] == "site" else ""
        assert texts[item["id"]] == item["text"].removesuffix(footer)
    metrics = json.loads((tmp_path / "reports" / "dedup.json").read_text(encoding="utf-8"))
    assert metrics["removed"] == {"documents": 30, "bytes": sum(len(FOOTER.format(n)) + 1 for n in range(30))}


def test_copies_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of which there are many copies keeps its lines: its copies are dropped before anything is counted."""
    page = "\n".join(" ".join(prose(seeded(4), 20)) for _ in range(5))
    rows = [*corpus(), *(row(f"copy/{n:02}", page.upper() if n % 2 else page, "copy") for n in range(20))]
    texts = run(tmp_path, [rows], monkeypatch)
    assert texts["copy/00"] == page


def test_layout_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the parts are cut: the same text."""
    rows = corpus()
    whole = run(tmp_path / "whole", [rows], monkeypatch)
    assert run(tmp_path / "cut", [rows[:7], rows[7:40], rows[40:]], monkeypatch) == whole


def test_whole_text_can_go(tmp_path: Path) -> None:
    """Spans fit the text that they are of, empty documents and texts without a line break among them."""
    texts = large(["", "one two three four", "one two three four\n"])
    _, spans = segments(texts, BoilerplateParams())
    assert spans.end.tolist() == [18, 19]
    remove = pa.array([[], [{"start": 0, "end": 18}], [{"start": 0, "end": 19}]])
    assert cut(texts, remove).to_pylist() == ["", "", ""]
    assert write_documents(tmp_path / "x", [[row("a", "")]]).counts == {}
