"""What the page and the model card make of what `evaluate` measured."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset, write_json, write_manifest, write_part
from elek.evaluation.names import as_pseudo
from elek.report import charts, measured
from elek.report.facts import gather
from elek.report.page import write
from elek.report.params import ReportParams
from tests.report.project import build

BINS = [
    {"upto": 0.5, "predictions": 90, "confidence": 0.25, "accuracy": 0.2},
    {"upto": 1.0, "predictions": 10, "confidence": 0.75, "accuracy": 0.9},
]


def around(value: float, spread: float | None) -> list[float] | None:
    return None if spread is None else [value - spread, value + spread]


def figures(bits: float, spread: float | None = 0.25) -> dict[str, Any]:
    loss = 2 * bits
    return {
        "documents": 3,
        "tokens": 100,
        "bytes": 300,
        "loss": loss,
        "loss_interval": around(loss, spread),
        "perplexity": math.exp(loss),
        "bits_per_byte": bits,
        "bits_per_byte_interval": around(bits, spread),
        "bits_per_character": bits * 1.25,
        "accuracy": 0.25,
        "accuracy_top5": 0.5,
    }


def split(bits: float, *, causal: bool = True) -> dict[str, Any]:
    own = figures(bits)
    lengths = {"64 kB and more": own, "below 1 kB": figures(bits, None), "below 16 kB": own}
    parts = {"by_lang": {"tr": own}, "by_source": {"book <b>": own}, "by_length": lengths}
    found = {**own, **parts, "calibration": {"expected_error": 0.06, "bins": BINS}}
    return {**found, "ngram_errors": {"1": 0.75, "2": 0.9, "3": None, "4": None}} if causal else found


def record(group: str, name: str, overlap: int, **more: Any) -> dict[str, Any]:
    origin = {"id": f"book/{name}", "source": "book", "license": "MIT"} if overlap else None
    text = {
        "prompt": f"Bir <i>{name}</i>",
        "text": " yazdı <script>alert(2)</script>" + "!" * 2000,
        "reference": " gerçek",
    }
    more = {"toxic": False, "pii": 0, **more}
    return {
        "group": group,
        "id": name,
        "lang": "tr",
        "tokens": 64,
        "overlap": overlap,
        "copied_from": origin,
        **text,
        **more,
    }


VARIETY = {"distinct": dict.fromkeys("1234", 0.5), "repetition": dict.fromkeys("1234", None), "self_bleu": None}


def measured_project(folder: Path, *, network: float = 2.0, ngram: float = 1.5, masked: bool = False) -> Path:
    """The small project with all that `evaluate` measures; returns the folder of the report."""
    data, reports = build(folder)
    evaluate: dict[str, Any] = {}
    for name in measured.SPLITS:
        evaluate[name] = split(network, causal=not masked)
        if not masked:
            evaluate[name]["ngram"] = {"order": 5, **split(ngram)}
    if masked:
        write_json(data / "train" / "config.json", {"layers": 2, "objective": "masked"})
        fills = [{"lang": "tr", "prompt": "Bir [MASK]", "text": " → gün 50.0%", "filled": "Bir gün"}]
        write_json(data / "evaluate" / "samples.json", fills)
    else:
        told: dict[str, Any] = {
            "generations": 2,
            "longest_overlap": 60,
            "longest_from": record("", "x", 1)["copied_from"],
        }
        copying = {**told, "copies": 0.5, "copied_sources": {"book (MIT)": 1}}
        nothing: dict[str, Any] = {
            "generations": 1,
            "longest_overlap": 0,
            "longest_from": None,
            "copies": 0.0,
            "copied_sources": {},
        }
        written = {"generations": 2, "chrf": 12.5, "written": VARIETY, "true": VARIETY, "toxic": 0.0, "pii": 0.5}
        evaluate["generations"] = {
            "by_lang": {"tr": written},
            "memorisation": {"held_out": nothing, "train": copying},
        }
        records = [record("held_out", f"h{n}", 0) for n in range(9)]
        records += [record("train", "less", 7), record("train", "most", 60, toxic=True), record("train", "none", 0)]
        write_json(data / "evaluate" / "generations.json", records)
    write_json(reports / "evaluate.json", as_pseudo(evaluate) if masked else evaluate)
    target = folder / "out"
    target.mkdir()
    write(target, gather(data, reports, ReportParams()), ReportParams())
    return target


def test_the_page_says_that_the_baseline_is_better(tmp_path: Path) -> None:
    """In words, with both figures, and what it means; and that it is beaten where it is."""
    folder = measured_project(tmp_path / "a", network=2.6, ngram=1.5)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "validation: the n-gram model is better</span>, 1.500 against 2.600 bits per byte" in page
    assert "counting short runs of tokens predicts the text better" in page
    assert "overlap or are unknown" not in page
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert "| 2.600 (2.35–2.85) | 1.500 (1.25–1.75) |" in card
    assert "the network does not reach it, by 73.3 % of the bits" in card
    better = measured_project(tmp_path / "b", network=1.4, ngram=1.5)
    page = (better / "index.html").read_text(encoding="utf-8")
    assert "validation: the network is better" in page
    assert "overlap or are unknown" in page
    assert "counting short runs" not in page


def test_every_picture_of_evaluation_is_there(tmp_path: Path) -> None:
    """An overview, and of each split calibration, lengths in their order and runs; each well-formed and named."""
    page = (measured_project(tmp_path) / "index.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(pictures) == 5 + 1 + 3 * 3
    names = [ET.fromstring(picture).attrib["aria-label"] for picture in pictures]  # noqa: S314 - our own output
    assert "Reliability diagram of test" in names
    lengths = next(picture for picture in pictures if "by length in test" in picture)
    order = [lengths.index(f">{name} (3)<") for name in ("below 1 kB", "below 16 kB", "64 kB and more")]
    assert order == sorted(order)


def test_generations_stand_beside_the_truth_and_copies_name_their_licence(tmp_path: Path) -> None:
    """A few of them, cut short and as text; of training documents those that copy most; with source and licence."""
    page = (measured_project(tmp_path) / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(2)" in page
    assert "Bir &lt;i&gt;most" in page
    assert "Bir &lt;i&gt;none" not in page
    assert page.count("Bir &lt;i&gt;h") == measured.SHOWN_TEXTS
    assert "!" * measured.TEXT_CHARACTERS not in page
    assert "60 of 64 tokens, in book/most (book, MIT)" in page
    assert "book (MIT): 1" in page


def test_a_masked_model_is_told_as_one(tmp_path: Path) -> None:
    """Pseudo-figures by that name, fills for samples, no baseline, nothing said of writing or copying."""
    folder = measured_project(tmp_path, masked=True)
    page = (folder / "index.html").read_text(encoding="utf-8")
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    for text in (page, card):
        assert "pseudo-perplexity" in text
        assert not re.search(r"(?<!pseudo-)(?<!pseudo-<br>)(perplexity|bits(<br>| )per)", text, re.IGNORECASE)
        assert "gram model" not in text.replace("No n-gram model stands beside them", "")
    assert "Loss, nats per hidden piece" in page
    assert "A masked language model" in card
    assert "What it fills in" in page
    assert "Bir [MASK]" in page
    for claim in ("What it writes", "copied from the training text", "compares any two models", "bar to pass"):
        assert claim not in page
    assert "What it writes" not in card
    pictures = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(pictures) == 5 + 1 + 3 * 2


def replace_columns(folder: Path, **columns: Any) -> None:
    """Set columns of a dataset, given as functions of a part's table; other parts' manifests stay."""
    old = Dataset(folder)
    parts, kept = [], old.manifest.get("params")
    for index in range(len(old.parts)):
        table = old.read(index)
        for name, make in columns.items():
            at = name.replace("__", ".")
            column = make(table)
            table = table.drop_columns([at]) if at in table.column_names else table
            table = table.append_column(at, column)
        parts.append(write_part(folder, index, table))
    write_manifest(folder, parts, extra={} if kept is None else {"params": kept})


def test_the_data_card_covers_what_a_public_summary_asks(tmp_path: Path) -> None:
    """Years by source, languages as identified, reservations and whether they are honoured, decontamination."""
    data, reports = build(tmp_path)
    metas = ['{"year": 1911}', '{"date": "12 May 1938"}', "{}", '{"year": null}']
    replace_columns(data / "split" / "train", meta=lambda table: pa.array(metas[: len(table)]))
    replace_columns(
        data / "annotate",
        language__label=lambda table: pa.array(["tr"] * len(table)),
        licence__opt_out=lambda table: pa.array([name == "chat/1" for name in table["id"].to_pylist()]),
    )
    decisions = Dataset(data / "split" / "decisions")
    params = {"decontaminate_ngram": 13, "decontaminate_share": 0.2}
    write_manifest(decisions.folder, decisions.parts, extra={"params": params})

    def card(name: str) -> str:
        (tmp_path / name).mkdir()
        write(tmp_path / name, gather(data, reports, ReportParams()), ReportParams())
        return (tmp_path / name / "data_card.md").read_text(encoding="utf-8")

    text = card("first")
    assert "| 1911–1938 |" in text
    assert "As identified: tr 1 documents" in text
    assert "1 document reserves itself against" in text
    assert "None of them is in the training text" in text
    assert "13-grams of words stand in held-out text" in text
    assert "were dropped: 1." in text
    replace_columns(
        data / "annotate",
        licence__opt_out=lambda table: pa.array([name == "book/1" for name in table["id"].to_pylist()]),
    )
    write_manifest(decisions.folder, decisions.parts, extra={"params": {**params, "decontaminate_ngram": None}})
    text = card("second")
    assert "**1 of them is in the training text all the same**" in text
    assert "**Training text was not compared with held-out text.**" in text


spans = st.floats(0, 10)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.none() | spans, st.none() | st.tuples(spans, spans)), max_size=6))
def test_any_figures_can_be_drawn(values: list[tuple[float | None, tuple[float, float] | None]]) -> None:
    """No figure, no interval, equal figures: a picture all the same, and well-formed."""
    rows = [charts.Dots(f"row <{at}>", [value]) for at, value in enumerate(values)]
    picture = charts.dots(rows, [("network", "--c0")], "bits", "Bits & bytes")
    assert "nan" not in picture
    ET.fromstring(picture)  # noqa: S314 - our own output


def test_a_verdict_needs_both() -> None:
    """Without a baseline, or with nothing scored, nothing is said; overlapping intervals are not sure."""
    assert measured.verdict("test", figures(2.0)) is None
    assert measured.verdict("test", {**figures(2.0), "ngram": {"bits_per_byte": None}}) is None
    close = measured.verdict("test", {**figures(2.0), "ngram": figures(2.1)})
    assert close is not None
    assert (close["better"], close["sure"]) == (True, False)
    alone = measured.verdict("test", {**figures(2.0, None), "ngram": figures(9.0)})
    assert alone is not None
    assert not alone["sure"]
