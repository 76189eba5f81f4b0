"""The page and the cards: one file each, safe to open, the same bytes of the same facts."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset, write_manifest, write_part
from elek.report import charts
from elek.report.facts import gather
from elek.report.page import FILES, write
from elek.report.params import ReportParams
from elek.report.sankey import Node, flow_chart
from elek.report.thresholds import thresholds
from elek.report.wording import environment, megabytes
from tests.report.project import ROWS, build


def render(folder: Path) -> Path:
    data, reports = build(folder)
    target = folder / "out"
    target.mkdir()
    write(target, gather(data, reports, ReportParams()), ReportParams())
    return target


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


def test_the_first_screen_answers_what_the_page_is_for(tmp_path: Path) -> None:
    """Which data, which licence, which filters, and can I build it again: in words, before any figure."""
    data, reports = build(tmp_path)
    for name, params in (
        ("filter", {"gopher_quality": {"min_words": {"default": 50, "tr": 40}}, "toxicity": {"max_score": 0.5}}),
        ("split/decisions", {"decontaminate_ngram": 13, "decontaminate_share": 0.2}),
    ):
        dataset = Dataset(data / name)
        write_manifest(dataset.folder, dataset.parts, extra={"params": params})
    (tmp_path / "out").mkdir()
    facts = gather(data, reports, ReportParams(nearest_per_rule=0))
    write(tmp_path / "out", facts, ReportParams())
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    answers = html[html.index("<dl") : html.index("</dl>")]
    for told in (
        "<b>1 document</b>",
        "book 100.0%",
        "<b>MIT</b> 100.0%",
        "name the authors, keep the copyright and licence notices",
        "gopher_quality, toxicity, decontamination: <b>3 of 7</b>",
        '<a href="#gopher_quality.min_words">',
        "elek lineage champion",
    ):
        assert told in answers
    assert facts.thresholds == {
        "gopher_quality.min_words": "50; tr 40",
        "toxicity.max_score": "0.5",
        "split.contaminated": "0.2",
    }
    assert '<span class="n soft">50; tr 40</span>' in html


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"a": {"allow": ["en", "tr"], "deny": [], "off": None, "on": True}}, {"a.allow": "en, tr"}),
        ({"a": {"max": {"default": 0.2, "tr": None}}}, {"a.max": "0.2; tr off"}),
        ({"a": {"max": {"tr": 100000}}, "b": None}, {"a.max": "tr 100,000"}),
        (None, {}),
    ],
)
def test_thresholds_are_told_in_the_words_of_params(params: dict[str, Any] | None, told: dict[str, str]) -> None:
    """By language where they differ; a switch and an empty list are no thresholds."""
    assert thresholds(params, None, None) == told


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0 B"), (99, "99 B"), (100, "0.1 kB"), (97_400, "97.4 kB"), (283_000, "283.0 kB"), (1_500_000, "1.5 MB")],
)
def test_sizes_keep_their_digits(size: int, told: str) -> None:
    """Below a megabyte they are told in kilobytes: 0.3 MB would be the same of 250 and of 349."""
    assert megabytes(size) == told


def test_personal_data_that_was_not_found_is_told_apart() -> None:
    """A row of noughts says less than their names."""
    assert environment().filters["personal"]({"email": 215, "ip": 11, "iban": 0}) == (
        "215 e-mail addresses, 11 IP addresses; no IBANs"
    )
    assert environment().filters["personal"]({"iban": 0}) == "no IBANs"


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
    block = page[page.index('id="dedup.minhash"') :]
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


def test_a_narrow_page_lists_what_the_flow_chart_shows() -> None:
    """Each block once below its column, in order, with its figure and a bar on one scale; an empty one is left out."""
    nodes = [
        Node("a_b", 0, "--c0", "30 B"),
        Node("kept", 1, "--keep", "20 B"),
        Node("x<y", 1, "--drop", "10 B"),
        Node("none", 1, "--drop", "0 B"),
    ]
    flow = flow_chart(nodes, [(0, 1, 20.0), (0, 2, 10.0)], ["sources", "filter"], "Where it went")
    chart, _, listed = flow.partition("<dl")
    assert chart.startswith('<div class="chart"><svg')
    assert re.findall(r"<dt>(.*?)</dt>|<dd><span>(.*?)</span><span>(.*?)</span>", listed) == [
        ("sources", "", ""),
        ("", "a_<wbr>b", "30 B"),
        ("filter", "", ""),
        ("", "kept", "20 B"),
        ("", "x&lt;y", "10 B"),
    ]
    assert re.findall(r"width:([\d.]+)%", listed) == ["100.00", "66.67", "33.33"]
