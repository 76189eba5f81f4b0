"""The report accounts for every document, or is not written."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset, write_json, write_manifest, write_part
from elek.decisions import Verdict
from elek.errors import DataError
from elek.report import charts, fates
from elek.report.facts import gather
from elek.report.nearest import Nearest
from elek.report.page import FILES, write
from elek.report.params import ReportParams
from tests.report.project import ROWS, build, remove_lines


def render(folder: Path) -> Path:
    data, reports = build(folder)
    target = folder / "out"
    target.mkdir()
    write(target, gather(data, reports, ReportParams()), ReportParams())
    return target


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


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "srcset"}]
        self.loads += [value or "" for name, value in attrs if tag == "link" and name == "href"]


def test_the_page_is_one_file_and_text_cannot_run_in_it(tmp_path: Path) -> None:
    """No script, nothing loaded from elsewhere, and documents are shown as text."""
    html = (render(tmp_path) / "index.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert "script" not in page.tags
    assert page.loads == []
    assert "url(" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "&lt;b&gt;ışık" in html, "kept ones, too"
    assert "<b>ışık" not in html
    assert "Bir &lt;varmış&gt;" in html


def test_pictures_are_well_formed(tmp_path: Path) -> None:
    """Every SVG on the page is XML, with a name for those who do not see it."""
    html = (render(tmp_path) / "index.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(pictures) == 5
    for picture in pictures:
        assert ET.fromstring(picture).attrib["aria-label"]  # noqa: S314 - our own output


def test_equal_facts_give_equal_bytes(tmp_path: Path) -> None:
    """No date, no path, no order that depends on chance."""
    first, second = render(tmp_path / "a"), render(tmp_path / "b")
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_cards_name_sources_and_licences(tmp_path: Path) -> None:
    """Who must be named is named; a source that left nothing in the training data is told apart."""
    folder = render(tmp_path)
    attribution = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "## MIT" in attribution
    assert "asks for attribution, notice" in attribution
    assert "- **book**" in attribution
    assert "not in the training data: chat" in attribution
    assert "| gopher_quality.min_words | 1 |" in (folder / "data_card.md").read_text(encoding="utf-8")
    assert "12,345 parameters" in (folder / "model_card.md").read_text(encoding="utf-8")


def test_page_and_card_say_what_was_exported_and_why_not(tmp_path: Path) -> None:
    """Which class holds the model; and where a file was not written, whose wish or lack that was."""
    data, reports = build(tmp_path)
    params, own = ReportParams(), {"architecture": "Elek's own format", "huggingface_because": "nobody asked"}
    for name, change in (("a", {}), ("b", own)):
        told = json.loads((reports / "export.json").read_text(encoding="utf-8")) | change
        (reports / "export.json").write_text(json.dumps(told), encoding="utf-8")
        (tmp_path / name).mkdir()
        write(tmp_path / name, gather(data, reports, params), params)
    for file in ("index.html", "model_card.md"):
        one, other = ((tmp_path / name / file).read_text(encoding="utf-8") for name in ("a", "b"))
        assert "LlamaForCausalLM" in one
        assert "not written: export.gguf: false" in one
        assert "not written: nobody asked" in other


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(allow_nan=True, allow_infinity=True, width=32)), min_size=0, max_size=30
    )
)
@settings(deadline=None, max_examples=40)
def test_any_curve_can_be_drawn(points: list[tuple[float, float]]) -> None:
    """A loss that is not a number, one point, no point: a picture all the same."""
    line = charts.Line("loss", [p[0] for p in points], [p[1] for p in points], "--c0")
    assert "nan" not in charts.lines([line], "step", "Loss")


def verdict(rule: str, values: list[float], threshold: float = 10.0) -> Verdict:
    value = np.array(values)
    return Verdict(rule, value < threshold, value, np.full(len(values), threshold))


def signals(names: list[str], **columns: list[Any]) -> pa.Table:
    table = pa.table({"id": pa.array(names, pa.string()), "license": pa.array(["MIT"] * len(names), pa.string())})
    for name, values in columns.items():
        table = table.append_column(name.replace("__", "."), pa.array(values))
    return table


def all_of(names: list[str]) -> np.ndarray:
    return np.ones(len(names), bool)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(0, 40))
def test_the_nearest_are_the_nearest_whatever_the_parts(values: list[int], cut: int) -> None:
    """On each side of a threshold the documents with the least distance, ties settled by id; cut anyhow, the same."""
    names = [f"s/{row}" for row in range(len(values))]
    whole, parted = Nearest(2), Nearest(2)
    numbers = [float(value) for value in values]
    whole.add(0, signals(names), [verdict("r.min", numbers)], all_of(names))
    for part, rows in enumerate((slice(0, cut), slice(cut, None))):
        parted.add(part, signals(names[rows]), [verdict("r.min", numbers[rows])], all_of(names[rows]))
    found = [(near.id, near.failed, near.value) for near in whole.all()]
    assert found == [(near.id, near.failed, near.value) for near in parted.all()]
    for side in (True, False):
        distances = sorted(abs(value - 10) for value in values if (value < 10) == side)[:2]
        assert [abs(value - 10) for _, failed, value in found if failed == side and value is not None] == distances


def without_numbers(rule: str, failed: list[bool]) -> Verdict:
    nothing = np.full(len(failed), np.nan)
    return Verdict(rule, np.array(failed), nothing, nothing)


def kept_beside(rule: str, table: pa.Table, failed: list[bool]) -> list[tuple[str, str]]:
    """Ids and notes of what is kept beside `rule`: of the whole, and the same of single rows put together."""
    whole, parted = Nearest(2), Nearest(2)
    kept = ~np.array(failed)
    whole.add(0, table, [without_numbers(rule, failed)], kept)
    for row in range(len(table)):
        part = Nearest(2)
        part.add(row, table.slice(row, 1), [without_numbers(rule, failed[row : row + 1])], kept[row : row + 1])
        parted.merge(part.all())
    found = [[(near.id, near.note) for near in each.all() if not near.failed] for each in (whole, parted)]
    assert found[0] == found[1]
    return found[0]


def test_the_least_sure_of_its_language_is_shown_beside_what_was_dropped() -> None:
    """Where no numbers are compared the kept ones have an order all the same; what another rule dropped is not kept."""
    table = signals(
        ["a", "b", "c", "d"],
        language__label=["en", "az", "tr", "tr"],
        language__score=[0.9, 0.25, 0.4, 0.1],
        language__rules=["en", "tr", "tr", "tr"],
    )
    found = kept_beside("language.allow", table, [False, False, False, True])
    assert found == [("b", "declared as tr, identified as az (0.25)"), ("c", "identified as tr (0.40)")]
    both = Nearest(2)
    both.add(0, table, [without_numbers("language.allow", [False] * 4)], np.array([True, False, False, False]))
    assert [near.id for near in both.all()] == ["a"]


def test_of_each_kept_licence_one_document_is_shown_the_strictest_first() -> None:
    """Hundreds under the same licence say no more than one."""
    table = signals(
        ["a", "b", "c", "d", "e"],
        licence__declared=["MIT", "CC-BY-SA-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GPL-3.0-only"],
        licence__category=["permissive", "share-alike", "share-alike", "public-domain", "copyleft"],
    )
    found = kept_beside("licence.policy", table, [False, False, False, False, True])
    assert [note for _, note in found] == ["share-alike", "permissive"]


def test_documents_that_name_a_licence_are_nearest_to_contradicting_their_own() -> None:
    """Their own word before a mention, a mention before none; reservations are of another rule."""

    def item(own: bool, kind: str = "notice") -> dict[str, Any]:
        return {"licence": "MIT", "own": own, "kind": kind, "confidence": 0.9}

    marks = ["", json.dumps([item(False)]), json.dumps([item(True)]), json.dumps([item(True, "opt-out")])]
    table = signals(["a", "b", "c", "d"], licence__evidence=marks)
    found = kept_beside("licence.contradiction", table, [False] * 4)
    assert found == [
        ("c", "names MIT (notice, its own, confidence 0.9)"),
        ("b", "names MIT (notice, not its own, confidence 0.9)"),
    ]
    assert kept_beside("licence.opt_out", table, [False] * 4)[0][0] == "d"


def test_a_rule_that_is_off_or_unknown_has_no_nearest() -> None:
    """A switched-off rule of ours shows nobody; a stranger's rule those whose ids hash lowest."""
    off, strange = Nearest(2), Nearest(2)
    off.add(0, signals(["a", "b"]), [without_numbers("quality_model.min_score", [False, False])], all_of(["a", "b"]))
    assert off.all() == []
    strange.add(
        0, signals(["a", "b", "c"]), [without_numbers("l.p", [True, False, True])], np.array([False, True, False])
    )
    assert [(near.id, near.failed, near.value) for near in strange.all() if not near.failed] == [("b", False, None)]
    assert {near.id for near in strange.all() if near.failed} == {"a", "c"}


def test_a_duplicate_stands_beside_what_was_kept_in_its_place(tmp_path: Path) -> None:
    """And a contaminated document beside the kept one with most held-out text in it, by the share that was stored."""
    data, reports = build(tmp_path)
    decisions = Dataset(data / "split" / "decisions")
    params = {"decontaminate_ngram": 13, "decontaminate_share": 0.2}
    write_manifest(decisions.folder, decisions.parts, extra={"params": params})
    facts = gather(data, reports, ReportParams())
    assert {name: (one.id, one.excerpt) for name, one in facts.survivors.items()} == {
        "book/4": ("book/1", "Metin book/1 ışık")
    }
    assert [(near.id, near.failed, near.value) for near in facts.near] == [
        ("chat/3", True, 0.5),
        ("book/1", False, 0.125),
    ]
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", facts, ReportParams())
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    block = page[page.index("<summary><code>dedup.minhash") :]
    assert "kept in its place" in block[: block.index("</details>")]
    assert "0.125, threshold 0.2" in page
    assert page.count("<div") == page.count("</div>")


def with_signals(folder: Path) -> tuple[Path, Path]:
    """The small project with a measured signal, the thresholds by which `filter` decided, and one document held."""
    data, reports = build(
        folder, [(*row[:3], ["licence.held"], *row[4:]) if row[0] == "chat/1" else row for row in ROWS]
    )
    annotate, filtered = Dataset(data / "annotate"), Dataset(data / "filter")
    parts = []
    for index in range(len(annotate.parts)):
        table = annotate.read(index)
        rows = len(table)
        score = pa.array([0.25 + row / 10 for row in range(rows)], pa.float32())
        own = json.dumps([{"licence": "CC-BY-SA-4.0", "family": "CC-BY-SA", "own": True, "kind": "notice"}])
        columns: dict[str, pa.Array] = {
            "language.rules": pa.array(["tr"] * rows),
            "toxicity.score": score,
            "toxicity.lexicon": score,
            "toxicity.context": pa.nulls(rows, pa.float32()),
            "toxicity.severity": pa.array([1] * rows, pa.int8()),
            "toxicity.category": pa.array(["insult"] * rows),
            "toxicity.matches": pa.array([1] * rows, pa.int32()),
            "licence.evidence": pa.array([own if name == "book/1" else "" for name in table["id"].to_pylist()]),
        }
        for name, column in columns.items():
            table = table.append_column(name, column)
        parts.append(write_part(annotate.folder, index, table))
    write_manifest(annotate.folder, parts)
    parts = []
    for index in range(len(filtered.parts)):
        table = filtered.read(index)
        reasons = ["looked at: <quoted>" if name == "book/1" else None for name in table["id"].to_pylist()]
        parts.append(
            write_part(filtered.folder, index, table.append_column("released", pa.array(reasons, pa.string())))
        )
    write_manifest(filtered.folder, parts, extra={"params": {"toxicity": {"max_score": 0.4}}})
    return data, reports


def test_samples_around_the_threshold_and_what_is_held(tmp_path: Path) -> None:
    """The page shows both sides of a threshold with the values, escaped; what is held is listed, on the page and in a
    file; a licence that a training document names of itself is in the attribution."""
    data, reports = with_signals(tmp_path)
    facts = gather(data, reports, ReportParams(nearest_per_rule=1, sample_characters=20))
    sides = {(near.failed, round(near.value or 0, 3)) for near in facts.near if near.rule == "toxicity.max_score"}
    assert sides == {(True, 0.45), (False, 0.35)}
    assert all(len(near.excerpt) <= 22 for near in facts.near)
    assert [row["id"] for row in facts.held] == ["chat/1"]
    target = tmp_path / "out"
    target.mkdir()
    write(target, facts, ReportParams())
    page = (target / "index.html").read_text(encoding="utf-8")
    assert "Held for review" in page
    assert [(row["id"], row["evidence"], row["kept"]) for row in facts.released] == [
        ("book/1", "CC-BY-SA-4.0 (notice)", True)
    ]
    assert "<h3>Released</h3>" in page
    assert "looked at: &lt;quoted&gt;" in page
    assert "held for review" in page
    assert [json.loads(line)["id"] for line in (target / "held.jsonl").read_text(encoding="utf-8").splitlines()] == [
        "chat/1"
    ]
    attribution = (target / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "**CC-BY-SA-4.0** (share-alike), 1 document; asks for attribution" in attribution
    assert "name the authors" in attribution


def test_nothing_held_is_no_file(tmp_path: Path) -> None:
    """A list of nothing is not written."""
    assert not (render(tmp_path) / "held.jsonl").exists()
