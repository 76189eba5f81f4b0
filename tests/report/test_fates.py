"""What became of every document: one fate each, and no report where counts contradict each other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from elek.dataset import write_json
from elek.errors import DataError
from elek.report import fates
from elek.report.facts import gather
from elek.report.page import write
from elek.report.params import ReportParams
from tests.report.project import ROWS, build, remove_lines


def test_every_document_has_one_fate(tmp_path: Path) -> None:
    """The stage that dropped it and the first failing rule, or the split that it is in."""
    data, _ = build(tmp_path)
    table = fates.fates(data)
    found = {row["id"]: (row["stage"], row["fate"]) for row in table.to_pylist()}
    assert found == {
        "book/1": ("kept", "train"),
        "book/2": ("kept", "validation"),
        "book/3": ("kept", "test"),
        "book/4": ("dedup", "dedup.minhash"),
        "chat/1": ("filter", "toxicity.max_score"),
        "chat/2": ("filter", "gopher_quality.min_words"),
        "chat/3": ("split", "split.contaminated"),
    }


def test_flows_add_up(tmp_path: Path) -> None:
    """Documents and bytes over all flows are those that came in."""
    data, _ = build(tmp_path)
    flows = fates.flows(fates.fates(data))
    assert sum(flow.documents for flow in flows) == len(ROWS)
    assert sum(flow.bytes for flow in flows) == sum(row[2] for row in ROWS)


def test_removed_text_is_accounted_for(tmp_path: Path) -> None:
    """Bytes that a filter took out of kept documents flow to a block of their own; documents stay what they were."""
    data, reports = build(tmp_path)
    remove_lines(data, {"book/1": [(0, 4)], "book/4": [(2, 3)]})
    flows = fates.flows(fates.fates(data))
    assert sum(flow.documents for flow in flows) == len(ROWS)
    assert sum(flow.bytes for flow in flows) == sum(row[2] for row in ROWS)
    assert fates.Flow("book", "filter", fates.REMOVED, 0, 5) in flows
    assert fates.Flow("book", "kept", "train", 1, 896) in flows
    with pytest.raises(DataError, match="900 bytes of train text, and the documents there should have 896"):
        gather(data, reports, ReportParams())
    split = json.loads((reports / "split.json").read_text(encoding="utf-8"))
    split["train"]["bytes"] -= 4
    write_json(reports / "split.json", split)
    facts = gather(data, reports, ReportParams())
    (sample,) = facts.samples["train"]
    assert sample.excerpt == "n book/1 ışık"
    target = tmp_path / "out"
    target.mkdir()
    write(target, facts, ReportParams())
    pictures = re.findall(r"<svg.*?</svg>", (target / "index.html").read_text(encoding="utf-8"), re.S)
    assert [fates.REMOVED in picture for picture in pictures].count(True) == 1, "the funnel of bytes alone"


def test_samples_name_the_other_failing_rules(tmp_path: Path) -> None:
    """A short toxic text shows that it was too short as well."""
    data, _ = build(tmp_path)
    samples = fates.samples(data, fates.fates(data), per_fate=3, characters=20)
    (sample,) = samples["toxicity.max_score"]
    assert sample.id == "chat/1"
    assert sample.others == ["gopher_quality.min_words"]
    assert len(sample.excerpt) <= 22


def test_lost_documents_stop_the_report(tmp_path: Path) -> None:
    """Counts that contradict the rows are an error that names the stage."""
    data, reports = build(tmp_path)
    broken = json.loads((reports / "dedup.json").read_text(encoding="utf-8"))
    write_json(reports / "dedup.json", {**broken, "kept": broken["kept"] - 1})
    with pytest.raises(DataError, match="`dedup` says"):
        gather(data, reports, ReportParams())


def test_rows_out_of_line_stop_the_report(tmp_path: Path) -> None:
    """Decisions that stand beside other documents are never read as if they were theirs."""
    data, reports = build(tmp_path)
    other, _ = build(tmp_path / "other", list(reversed(ROWS)))
    shutil.rmtree(data / "filter")
    shutil.copytree(other / "filter", data / "filter")
    with pytest.raises(DataError, match="rows of `annotate`"):
        gather(data, reports, ReportParams())
