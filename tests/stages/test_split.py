"""The stage `split`, after `dedup`, in a project of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from elek.dataset import DOCUMENT, Dataset
from elek.splitting.decisions import SCHEMA
from stages import dedup, split
from tests.dedup.project import Row, edited, prose, row, seeded, write_project
from tests.project import write_params
from tests.report.project import remove_lines

SIDES = ("train", "validation", "test")


def corpus(families: int = 60) -> list[Row]:
    """Families of related pages (too unlike to be duplicates), in two languages, and a page dropped before."""
    rng = seeded(1)
    rows = []
    for family in range(families):
        base = prose(rng, 120)
        source, lang = ("book", "en") if family % 3 else ("web", "tr")
        for member in range(1 + family % 3):
            text = " ".join(edited(rng, base, 6 * member))
            rows.append(row(f"{source}/{family:02}-{member}", text, source, lang))
    return [*rows, row("web/dropped", "", "web", "tr", kept=False)]


EVALUATION = [row("held/1", " ".join(prose(seeded(2), 40)), "held", "tr"), row("held/2", "", "held", "tr")]


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: list[list[Row]], **changes: Any) -> dict[str, Any]:
    """dedup and split; the metrics."""
    write_project(folder / "data", parts, EVALUATION)
    shares = {"split.validation": 0.2, "split.test": 0.2, "execution.workers": 1, "dedup.source_priority": []}
    write_params(folder, {"filter": {}, **shares, **{f"split.{name}": value for name, value in changes.items()}})
    monkeypatch.chdir(folder)
    dedup.main()
    split.main()
    metrics: dict[str, Any] = json.loads((folder / "reports" / "split.json").read_text(encoding="utf-8"))
    return metrics


def read(folder: Path, name: str) -> Dataset:
    return Dataset(folder / "data" / "split" / name)


def test_every_document_is_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """in = kept + dropped; sides hold exactly the kept documents with their text; decisions are row-aligned."""
    rows = corpus()
    metrics = run(tmp_path, monkeypatch, [rows[:50], [], rows[50:]])
    decisions = read(tmp_path, "decisions")
    assert [part.rows for part in decisions.parts] == [50, 0, len(rows) - 50]
    table = decisions.read_all()
    assert table.schema.equals(SCHEMA)
    assert table["id"].to_pylist() == [r["id"] for r in rows]
    side_of = dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
    text_of = {r["id"]: r["text"] for r in rows}
    for name in SIDES:
        side = read(tmp_path, name).read_all()
        assert side.schema.equals(DOCUMENT)
        assert side["id"].to_pylist() == [id for id in text_of if side_of[id] == name]
        assert side["text"].to_pylist() == [text_of[id] for id in side["id"].to_pylist()]
        assert metrics[name]["documents"] == len(side) > 0
        assert metrics[name]["bytes"] == sum(len(text.encode()) for text in side["text"].to_pylist())
        for by in ("by_source", "by_lang"):
            assert sum(item["documents"] for item in metrics[name][by].values()) == len(side)
    assert metrics["in"] == metrics["kept"] + metrics["dropped"] == len(rows) - 1
    assert side_of["web/dropped"] is None
    assert metrics["kept"] == sum(metrics[name]["documents"] for name in SIDES)


def test_related_documents_are_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster has members on two sides."""
    run(tmp_path, monkeypatch, [corpus()])
    clusters = Dataset(tmp_path / "data" / "dedup").read_all(["cluster"])["cluster"].to_pylist()
    sides = read(tmp_path, "decisions").read_all(["split"])["split"].to_pylist()
    found: dict[str, set[str]] = {}
    for cluster, side in zip(clusters, sides, strict=True):
        if side is not None:
            found.setdefault(cluster, set()).add(side)
    assert all(len(names) == 1 for names in found.values())
    assert len(found) < len([side for side in sides if side])


def test_evaluation_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation documents come out as they are, empty ones too."""
    metrics = run(tmp_path, monkeypatch, [corpus()])
    assert read(tmp_path, "evaluation").read_all()["text"].to_pylist() == [r["text"] for r in EVALUATION]
    assert metrics["evaluation"]["by_source"]["held"] == {"documents": 2, "bytes": len(EVALUATION[0]["text"])}


def test_contaminated_training_text_is_dropped_with_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with an evaluation text inside is dropped from training, and the ledger names what it holds."""
    rng = seeded(3)
    pages = [
        row(f"page/{n}", " ".join([*prose(rng, 300), EVALUATION[0]["text"], *prose(rng, 300)]), "page")
        for n in range(6)
    ]
    metrics = run(tmp_path, monkeypatch, [corpus(), pages])
    table = read(tmp_path, "decisions").read_all().to_pylist()[-6:]
    dropped = [item for item in table if item["split"] is None]
    assert dropped
    assert metrics["by_source"]["page"]["reasons"] == {"split.contaminated": len(dropped)}
    assert all(item["split"] != "train" for item in table)
    for item in dropped:
        (failure,) = item["failures"]
        assert failure["rule"] == "split.contaminated"
        assert failure["value"] == 1.0
        assert failure["threshold"] == 0.2
        assert failure["evidence"] == "holds 100% of the 13-grams of held/1 (evaluation source held)"


def test_removed_text_is_not_written_and_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides hold the text after removal and count its bytes; a page whose held-out passage goes, stays."""
    rng = seeded(3)
    held = EVALUATION[0]["text"]
    pages = [
        row(f"page/{n}", " ".join([*prose(rng, 300), held, *prose(rng, 300), "ışık"]), "page", "tr") for n in range(6)
    ]
    rows = corpus()
    assert run(tmp_path, monkeypatch, [rows, pages])["by_source"]["page"]["dropped"]
    spans = {}
    for page in pages:
        at = page["text"].index(held)
        spans[page["id"]] = [(at, at + len(held)), (len(page["text"].encode()) - 7, len(page["text"].encode()) - 5)]
    remove_lines(tmp_path / "data", spans)
    split.main()
    metrics = json.loads((tmp_path / "reports" / "split.json").read_text(encoding="utf-8"))
    assert metrics["by_source"]["page"]["dropped"] == 0
    left = {page["id"]: page["text"].replace(held, "")[:-4] + "şık" for page in pages}
    found = {}
    for name in SIDES:
        side = read(tmp_path, name).read_all()
        assert metrics[name]["bytes"] == sum(len(text.encode()) for text in side["text"].to_pylist())
        found |= dict(zip(side["id"].to_pylist(), side["text"].to_pylist(), strict=True))
    assert {id: text for id, text in found.items() if id in left} == left
    assert all(found[r["id"]] == r["text"] for r in rows if r["kept"] and r["id"] in found)


def test_decontamination_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`decontaminate_ngram: null` drops nothing."""
    page = row("page/1", EVALUATION[0]["text"], "book")
    assert run(tmp_path, monkeypatch, [corpus(), [page]], decontaminate_ngram=None)["dropped"] == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("a", "one document")], "side is empty: there were 1 documents"),
        ([row("a", "dropped", kept=False)], "nothing passed filter and dedup"),
    ],
)
def test_an_empty_side_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: list[Row],
    message: str,
) -> None:
    """Which side, why, and what to do; exit code 4, nothing written."""
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, monkeypatch, [rows])
    assert stopped.value.code == 4
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data" / "split").exists()
