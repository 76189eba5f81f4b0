"""What `evaluate` measured, prepared for the templates: a verdict in words, tables, charts, and generations.

What was not measured is left out. A masked model has no baseline and generates no text, and its figures are
pseudo-likelihoods (see `elek.evaluation.masked`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from elek.report import charts

SPLITS = ("validation", "test", "evaluation")
NETWORK, NGRAM = ("network", "--c0"), ("n-gram model", "--c1")
SHOWN_PARTS = 12
"""Rows of each table and picture by language or source; the rest is in the JSON."""
KINDS = {"by_lang": "by language", "by_source": "by source", "by_length": "by length of the document"}
"""The remark on the first row of each kind."""
SHOWN_TEXTS = 2
"""Generations shown for each language, and as many for training documents."""
TEXT_CHARACTERS = 420


def view(evaluate: dict[str, Any], records: Sequence[dict[str, Any]], *, masked: bool) -> dict[str, Any]:
    """Everything that the templates show of `reports/evaluate.json` (under its plain names) and `generations.json`."""
    splits = {name: evaluate[name] for name in SPLITS if name in evaluate}
    return {
        "masked": masked,
        "pseudo": "pseudo-" if masked else "",
        "baseline": baseline_name(splits),
        "rows": rows(splits),
        "verdicts": [told for name, figures in splits.items() if (told := verdict(name, figures))],
        "intervals": any("loss_interval" in figures for figures in splits.values()),
        "overview": _overview(splits, masked),
        "details": {name: found for name, figures in splits.items() if (found := _details(name, figures, masked))},
        "generations": evaluate.get("generations"),
        "variety": list(_variety(evaluate.get("generations", {}).get("by_lang", {}))),
        "texts": _texts(records),
    }


def baseline_name(splits: dict[str, Any]) -> str:
    """`5-gram model`, or `n-gram model` where the report does not give one order."""
    orders = {figures["ngram"]["order"] for figures in splits.values() if "order" in figures.get("ngram", {})}
    return f"{orders.pop()}-gram model" if len(orders) == 1 else "n-gram model"


def rows(splits: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table: each held-out set as a whole, then by language, source and length; the baseline as `ngram`."""
    found = []
    for name, figures in splits.items():
        found.append(
            {
                "set": name,
                "part": "all",
                "kind": "all",
                "told": "",
                **_NO_INTERVAL,
                **figures,
                **_baseline(figures.get("ngram")),
            }
        )
        for kind, order in (("by_lang", str), ("by_source", str), ("by_length", _length_order)):
            baseline = figures.get("ngram", {}).get(kind, {})
            own = figures.get(kind, {})
            for at, part in enumerate(sorted(own, key=order)[:SHOWN_PARTS]):
                told = KINDS[kind] if not at else ""
                row = {"set": name, "part": part, "kind": kind, "told": told, **_NO_INTERVAL, **own[part]}
                found.append({**row, **_baseline(baseline.get(part))})
    return found


_NO_INTERVAL = dict.fromkeys(
    f"{name}_interval" for name in ("loss", "perplexity", "bits_per_byte", "bits_per_character")
)


def _baseline(figures: dict[str, Any] | None) -> dict[str, Any]:
    return {} if figures is None else {"ngram": {**_NO_INTERVAL, **figures}}


def verdict(name: str, figures: dict[str, Any]) -> dict[str, Any] | None:
    """Which of the two predicts a split better, by how many per cent of the baseline's bits, and how surely.

    `sure` is false where the intervals of the two models, over the same documents, overlap or are unknown. None where
    there is no baseline to compare with.
    """
    own, other = figures.get("bits_per_byte"), figures.get("ngram", {}).get("bits_per_byte")
    if not own or not other:
        return None
    a, b = (one.get("bits_per_byte_interval") for one in (figures, figures["ngram"]))
    sure = bool(a and b and (a[1] < b[0] or b[1] < a[0]))
    gain = 1 - own / other
    return {"set": name, "network": own, "ngram": other, "better": gain > 0, "share": abs(gain), "sure": sure}


def _both(figures: dict[str, Any], key: str, factor: float = 1.0) -> list[tuple[float | None, list[float] | None]]:
    """The figure of the network with its interval, then that of the baseline where there is one."""
    found: list[tuple[float | None, list[float] | None]] = []
    for own in (figures, figures.get("ngram")):
        if own is not None:
            value = own.get(key)
            found.append((None if value is None else factor * value, own.get(f"{key}_interval")))
    return found


def _series(figures: dict[str, Any]) -> list[tuple[str, str]]:
    return [NETWORK, NGRAM] if "ngram" in figures else [NETWORK]


def _overview(splits: dict[str, Any], masked: bool) -> str | None:
    """A chart of bits per byte with intervals, for every split and every language in it."""
    if not all("bits_per_byte_interval" in figures for figures in splits.values()):
        return None
    drawn, series = [], [NETWORK]
    for row in rows(splits):
        if "ngram" in row:
            series = [NETWORK, NGRAM]
        if row["part"] == "all":
            drawn.append(charts.Dots(row["set"], _both(row, "bits_per_byte")))
        elif row["kind"] == "by_lang":
            drawn.append(charts.Dots(f"{row['set']}, {row['part']}", _both(row, "bits_per_byte"), indent=True))
    if not drawn:
        return None
    unit = "pseudo-bits per byte" if masked else "bits per byte"
    return charts.dots(drawn, series, f"{unit}; less is better", f"{unit.capitalize()} of every held-out set")


def _details(name: str, figures: dict[str, Any], masked: bool) -> list[dict[str, str]]:
    """Charts of one split, each with a title and a note on how to read it; without those that were not measured."""
    found = []
    if figures.get("calibration", {}).get("bins"):
        found.append(_calibration(name, figures))
    if figures.get("by_length"):
        found.append(_by_length(name, figures, "Pseudo-bits per byte" if masked else "Bits per byte"))
    if figures.get("ngram_errors"):
        found.append(_ngram_errors(name, figures))
    return found


def _calibration(name: str, figures: dict[str, Any]) -> dict[str, str]:
    models = [(NETWORK, figures["calibration"])]
    if "calibration" in figures.get("ngram", {}):
        models.append((NGRAM, figures["ngram"]["calibration"]))
    drawn = [
        charts.Reliability(what, colour, [(b["confidence"], b["accuracy"], b["predictions"]) for b in own["bins"]])
        for (what, colour), own in models
    ]
    errors = ", ".join(f"{what} {own['expected_error']:.1%}" for (what, _), own in models)
    return {
        "title": "Is it as right as it is sure?",
        "picture": charts.reliability(drawn, f"Reliability diagram of {name}"),
        "note": f"Expected calibration error: {errors}. Below the diagonal it is surer than it is right.",
    }


def _by_length(name: str, figures: dict[str, Any], bits: str) -> dict[str, str]:
    lengths, baseline = figures["by_length"], figures.get("ngram", {}).get("by_length", {})
    drawn = [
        charts.Dots(
            f"{length} ({lengths[length]['documents']:,})",
            _both({**lengths[length], **_baseline(baseline.get(length))}, "bits_per_byte"),
        )
        for length in sorted(lengths, key=_length_order)
    ]
    return {
        "title": f"{bits}, by the document's length",
        "picture": charts.dots(drawn, _series(figures), bits.lower(), f"{bits} by length in {name}"),
        "note": "In brackets the number of documents; of a single one there is no interval.",
    }


def _ngram_errors(name: str, figures: dict[str, Any]) -> dict[str, str]:
    errors, baseline = figures["ngram_errors"], figures.get("ngram", {}).get("ngram_errors")
    drawn = []
    for n in sorted(errors):
        values = [errors[n], *([baseline[n]] if baseline else [])]
        label = "1 token" if n == "1" else f"{n} in a row"
        drawn.append(charts.Dots(label, [(None if value is None else 100 * value, None) for value in values]))
    return {
        "title": "How often the likeliest tokens miss",
        "picture": charts.dots(drawn, _series(figures), "per cent missed", f"N-gram errors in {name}"),
        "note": "A run counts as missed when any of its tokens was not the likeliest where it stood.",
    }


def _length_order(name: str) -> tuple[bool, int]:
    return name.endswith("more"), next((int(word) for word in name.split() if word.isdigit()), 0)


MEASURES = (
    ("different 2-grams", "distinct", "2"),
    ("different 4-grams", "distinct", "4"),
    ("repeated 2-grams within a text", "repetition", "2"),
    ("repeated 4-grams within a text", "repetition", "4"),
)


def _variety(by_lang: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the table of variety by language: generated text beside the true text."""
    for lang, figures in sorted(by_lang.items()):
        written, true = figures["written"], figures["true"]
        lines = [
            {"name": name, "written": _share(written[kind][n]), "true": _share(true[kind][n])}
            for name, kind, n in MEASURES
        ]
        alike = {"written": _number(written["self_bleu"]), "true": _number(true["self_bleu"])}
        lines.append({"name": "likeness to each other (self-BLEU, of 100)", **alike})
        yield {"lang": lang, "lines": lines, **{key: figures[key] for key in ("generations", "chrf", "toxic", "pii")}}


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _texts(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The generations to show: the first of each language, whose order is drawn by a hash, and for training documents
    those that copy most."""
    chosen: list[dict[str, Any]] = []
    held_out = [record for record in records if record["group"] == "held_out"]
    for lang in sorted({record["lang"] for record in held_out}):
        chosen += [record for record in held_out if record["lang"] == lang][:SHOWN_TEXTS]
    train = [record for record in records if record["group"] == "train"]
    chosen += sorted(train, key=lambda record: (-record["overlap"], record["id"]))[:SHOWN_TEXTS]
    return [{**record, **{key: _clipped(record[key]) for key in ("prompt", "text", "reference")}} for record in chosen]


def _clipped(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS].rstrip() + " …"
