"""The stage `filter`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from elek.dataset import DECISION, Dataset
from elek.removal import REMOVE, removed_bytes
from stages import annotate, filter
from tests.annotated import rows, write_clean

PARAMS = """\
execution:
  workers: 1
filter:
  language:
    allow: [en, tr]
  gopher_quality:
  gopher_repetition:
  toxicity:
"""

SHORT = {"gopher_quality.min_words": 1, "language.min_score": 1, "toxicity.max_score": 1}


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose `annotate` has run."""
    folder = tmp_path_factory.mktemp("project")
    write_clean(folder, parts=4)
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        annotate.main()
    shutil.rmtree(folder / "data" / "clean")  # what `filter` must not read
    return folder


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, params: str = PARAMS) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    filter.main()
    metrics: dict[str, Any] = json.loads((folder / "reports/filter.json").read_text(encoding="utf-8"))
    return metrics


def test_decisions_are_row_aligned_and_need_no_text(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part n of `filter` has the rows of part n of `annotate`, and `clean` is not there to be read."""
    _run(annotated, monkeypatch)
    signals, decided = Dataset(annotated / "data/annotate"), Dataset(annotated / "data/filter")
    assert len(decided.parts) == 4
    for index in range(4):
        table = decided.read(index)
        assert table.schema.equals(DECISION)
        assert table["id"].to_pylist() == signals.read(index, ["id"])["id"].to_pylist()
    assert decided.manifest["parents"] == {"annotate": signals.digest}


def test_every_document_is_accounted_for(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """in = kept + dropped, over all and by source; each drop has one reason."""
    metrics = _run(annotated, monkeypatch)
    assert metrics["in"] == len(rows())
    for part in (metrics, *metrics["by_source"].values()):
        assert part["in"] == part["kept"] + part["dropped"]
        assert sum(part["reasons"].values()) == part["dropped"]
    assert metrics["by_source"]["short"] == {"in": 3, "kept": 0, "dropped": 3, "reasons": SHORT}
    assert metrics["by_source"]["repeating"]["kept"] == 0
    assert metrics["by_source"]["stories-tr"]["dropped"] == 0


def test_all_failing_rules_are_recorded(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short toxic prompt is dropped for its toxicity, and its length shows as well."""
    metrics = _run(annotated, monkeypatch)
    decided = Dataset(annotated / "data/filter").read_all().to_pylist()
    (toxic,) = [row for row in decided if row["id"] == "short:12"]
    names = [failure["rule"] for failure in toxic["failures"]]
    assert names[0] == "toxicity.max_score"
    assert "gopher_quality.min_words" in names
    assert all(failure["value"] is not None or failure["evidence"] for failure in toxic["failures"])
    assert metrics["failures"]["gopher_quality.min_words"] == 3


def test_a_threshold_changes_decisions_alone(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same signals under another threshold; and the same threshold gives the same bytes."""
    before = _run(annotated, monkeypatch)
    digest = Dataset(annotated / "data/filter").digest
    stricter = PARAMS.replace("gopher_quality:", "gopher_quality:\n    min_words: {default: 5000, tr: 50}")
    after = _run(annotated, monkeypatch, stricter)
    assert after["by_source"]["stories-en"]["kept"] == 0
    assert after["by_source"]["stories-tr"]["kept"] == before["by_source"]["stories-tr"]["kept"] - 1  # one is English
    _run(annotated, monkeypatch)
    assert Dataset(annotated / "data/filter").digest == digest


def test_removed_lines_are_recorded_beside_the_decisions(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With C4 named there is a column `remove`, the manifest says so, and the bytes are counted; else neither."""
    _run(annotated, monkeypatch)
    assert "removes" not in Dataset(annotated / "data/filter").manifest
    metrics = _run(annotated, monkeypatch, PARAMS + "  c4:\n    min_sentences: 1\n")
    decided = Dataset(annotated / "data/filter")
    table = decided.read_all()
    assert table.schema.equals(DECISION.append(REMOVE))
    assert decided.manifest["removes"] == ["c4"]
    lost = removed_bytes(table["remove"])
    assert metrics["removed"] == {"documents": int((lost > 0).sum()), "bytes": int(lost.sum())}
    assert not lost[~table["kept"].to_numpy()].any()


def test_line_thresholds_need_no_text(annotated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line rules are asked again from stored signals: with all off nothing goes, with many words asked everything."""
    off = "line_min_words: 0\n    line_terminal_punctuation: false\n    line_javascript: false\n    line_policy: false"
    some = PARAMS + f"  c4:\n    min_sentences: null\n    {off}\n"
    assert _run(annotated, monkeypatch, some)["removed"] == {"documents": 0, "bytes": 0}
    metrics = _run(annotated, monkeypatch, some.replace("line_min_words: 0", "line_min_words: 100000"))
    assert metrics["removed"]["documents"] == metrics["kept"] > 0


def test_an_unknown_rule_stops_before_anything_is_touched(
    annotated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the nearest valid name, and the former decisions stay."""
    _run(annotated, monkeypatch)
    digest = Dataset(annotated / "data/filter").digest
    with pytest.raises(SystemExit) as caught:
        _run(annotated, monkeypatch, PARAMS.replace("gopher_quality:", "gopher_quality:\n    min_word: 3"))
    assert caught.value.code == 2
    assert "did you mean `min_words`?" in capsys.readouterr().err
    assert Dataset(annotated / "data/filter").digest == digest
