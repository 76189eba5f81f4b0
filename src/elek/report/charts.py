"""Charts in SVG, drawn here so that the page is one file that loads nothing. The same figures give the same bytes.

Colours are CSS variables of the page (`--c0`…), so that the pictures follow its light and dark themes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


def svg(width: float, height: float, label: str, body: Sequence[str]) -> str:
    """A picture of `body`, its elements; `label` says to a screen reader what it shows."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label, quote=True)}">'
        + "".join(body)
        + "</svg>"
    )


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """One line of text; `kind` is its CSS class."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


@dataclass(frozen=True)
class Line:
    """One line of a line chart."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers between two values."""
    if high <= low:
        return [low]
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


def lines(series: Sequence[Line], x_label: str, label: str) -> str:
    """A line chart with both axes from the data's range; a point that is not finite is left out."""
    width, height, left, right, top, bottom = 360.0, 220.0, 48.0, 12.0, 28.0, 40.0
    points = [
        [(a, b) for a, b in zip(line.x, line.y, strict=True) if math.isfinite(a) and math.isfinite(b)]
        for line in series
    ]
    flat = [point for line in points for point in line]
    if not flat:
        return svg(width, 40, label, [text(left, 24, "no figures", "axis")])
    x0, x1 = min(p[0] for p in flat), max(p[0] for p in flat)
    y0, y1 = min(p[1] for p in flat), max(p[1] for p in flat)
    if y1 == y0:  # a flat line stands in the middle
        y0, y1 = y0 - 0.5, y1 + 0.5

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (
            left + (point[0] - x0) / ((x1 - x0) or 1) * (width - left - right),
            height - bottom - (point[1] - y0) / ((y1 - y0) or 1) * (height - top - bottom),
        )

    body = []
    for tick in _ticks(y0, y1):
        y = place((x0, tick))[1]
        body.append(f'<line x1="{left:g}" x2="{width - right:g}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        body.append(text(left - 6, y + 4, f"{tick:.4g}", "axis", "end"))
    for tick in _ticks(x0, x1):
        body.append(text(place((tick, y0))[0], height - bottom + 18, f"{tick:,.10g}", "axis", "middle"))
    body.append(text((left + width - right) / 2, height - 6, x_label, "axis", "middle"))
    for line, kept in zip(series, points, strict=True):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, kept))
        body.append(f'<polyline class="line" style="stroke:var({line.colour})" points="{path}"/>')
    return svg(width, height, label, [*body, *_legend(left, [(line.name, line.colour) for line in series])])


@dataclass(frozen=True)
class Dots:
    """One row of a dot plot: by series a value and, where there is one, its interval."""

    name: str
    values: Sequence[tuple[float | None, Sequence[float] | None]]
    indent: bool = False


def dots(rows: Sequence[Dots], series: Sequence[tuple[str, str]], x_label: str, label: str) -> str:
    """A dot plot with intervals, a row for each of `rows` and in it a line for each of `series` (name, colour)."""
    width, right, top, thick, apart = 520.0, 16.0, 30.0, 13.0, 9.0
    names = [_shortened(row.name) for row in rows]
    left = 16 + 6.6 * max(map(len, names), default=0)
    shown = [v for row in rows for value, span in row.values if _finite(value) for v in (value, *(span or ()))]
    known = [float(value) for value in shown if value is not None]
    if not known:
        return svg(width, 40, label, [text(14, 24, "no figures", "axis")])
    low, high = min(known), max(known)
    pad = 0.04 * (high - low) or 0.5
    low, high = (0.0 if 0 <= low < pad else low - pad), high + pad
    each = thick * len(series) + apart
    bottom = top + each * len(rows)

    def place(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - right)

    body = []
    for tick in _ticks(low, high):
        x = place(tick)
        body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:g}" y2="{bottom:.1f}" class="grid"/>')
        body.append(text(x, bottom + 16, f"{tick:.4g}", "axis", "middle"))
    body.append(text((left + width - right) / 2, bottom + 34, x_label, "axis", "middle"))
    for at, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + at * each + apart / 2
        body.append(text(left - 8, y + thick * len(series) / 2 + 4, name, "axis" if row.indent else "", "end"))
        for (value, span), (what, colour) in zip(row.values, series, strict=False):
            y += thick
            if value is None or not math.isfinite(value):
                continue
            middle, told = y - thick / 2, f"{row.name}, {what}: {value:.4g}"
            if span is not None:
                told += f" ({span[0]:.4g} to {span[1]:.4g})"
                body.append(
                    f'<line class="span" style="stroke:var({colour})" x1="{place(span[0]):.1f}" '
                    f'x2="{place(span[1]):.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
                )
            body.append(
                f'<circle cx="{place(value):.1f}" cy="{middle:.1f}" r="4.5" style="fill:var({colour})">'
                f"<title>{escape(told)}</title></circle>"
            )
    return svg(width, bottom + 42, label, [*body, *_legend(14, series)])


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram's points of one model: confidence, accuracy, number of predictions."""

    name: str
    colour: str
    points: Sequence[tuple[float, float, int]]


def reliability(series: Sequence[Reliability], label: str) -> str:
    """Accuracy over confidence, with the diagonal on which the two are equal.

    The area of a point grows with the logarithm of its number of predictions, most of which have low confidence.
    """
    width, height, left, right, top, bottom = 520.0, 380.0, 54.0, 16.0, 30.0, 42.0

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * (width - left - right), height - bottom - y * (height - top - bottom)

    body = []
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x, y = place(tick, tick)
        body.append(f'<line x1="{left:g}" x2="{width - right:g}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        body.append(text(left - 6, y + 4, f"{tick:.0%}", "axis", "end"))
        body.append(text(x, height - bottom + 17, f"{tick:.0%}", "axis", "middle"))
    (x0, y0), (x1, y1) = place(0, 0), place(1, 1)
    body.append(f'<line class="even" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>')
    body.append(text((left + width - right) / 2, height - 6, "how sure it is of its likeliest token", "axis", "middle"))
    for model in series:
        marks = []
        for confidence, accuracy, count in model.points:
            x, y = place(confidence, accuracy)
            radius = 2 + math.sqrt(math.log10(max(count, 1)) * 6)
            told = f"{model.name}: sure to {confidence:.1%}, right {accuracy:.1%}, of {count:,}"
            marks.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="mark" style="fill:var({model.colour})">'
                f"<title>{escape(told)}</title></circle>"
            )
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y, _ in model.points)
        body.append(f'<polyline class="line thin" style="stroke:var({model.colour})" points="{path}"/>')
        body += marks
    body.append(text(left + 6, top + 14, "how often that is right", "axis"))
    return svg(width, height, label, [*body, *_legend(left, [(model.name, model.colour) for model in series])])


def _legend(left: float, series: Sequence[tuple[str, str]]) -> list[str]:
    """Names and colours of the series; empty for a single one, which the title of the chart names."""
    if len(series) == 1:
        return []
    body, at = [], left
    for name, colour in series:
        body.append(f'<rect x="{at:g}" y="6" width="10" height="10" style="fill:var({colour})"/>')
        body.append(text(at + 15, 15, name, "axis"))
        at += 32 + 7.0 * len(name)
    return body


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _shortened(name: str, characters: int = 24) -> str:
    return name if len(name) <= characters else name[: characters - 1] + "…"
