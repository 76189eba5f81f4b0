"""Pictures in SVG, drawn here so that the page stays one file without a network. The same figures, the same bytes.

Colours are CSS variables of the page (`--c0`…), so that the pictures follow its light and dark themes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


def _svg(width: float, height: float, label: str, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label, quote=True)}">'
        + "".join(body)
        + "</svg>"
    )


def _text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


@dataclass(frozen=True)
class Node:
    """One block of a flow chart: its column, its colour's number, and `end` where nothing goes on from it."""

    name: str
    column: int
    colour: str
    note: str = ""


def sankey(nodes: Sequence[Node], links: Sequence[tuple[int, int, float]], headings: Sequence[str], label: str) -> str:
    """A flow chart: bands between blocks, as wide as what flows through them.

    `links` are (from, to, amount) with indices into `nodes`; a block is as high as the larger of what comes in
    and what goes out. Blocks stand in the order given, column by column.
    """
    width, height, gap, block, right = 1060.0, 460.0, 13.0, 12.0, 210.0
    names = [f"{node.name}  {node.note}" for node in nodes if node.column == 0]
    left = 14 + 7.0 * max(map(len, names), default=0)
    incoming, outgoing = [0.0] * len(nodes), [0.0] * len(nodes)
    for start, end, amount in links:
        outgoing[start] += amount
        incoming[end] += amount
    size = [max(a, b) for a, b in zip(incoming, outgoing, strict=True)]
    columns = max(node.column for node in nodes) + 1
    members = [[i for i, node in enumerate(nodes) if node.column == c and size[i]] for c in range(columns)]
    total = max(sum(size[i] for i in column) for column in members)
    room = height - 40 - gap * max(len(column) for column in members)
    scale = room / total if total else 0.0
    x = [left + c * (width - left - right - block) / max(columns - 1, 1) for c in range(columns)]
    top = [0.0] * len(nodes)
    for column in members:
        y = 34.0
        for i in column:
            top[i] = y
            y += max(size[i] * scale, 1.5) + gap
    body = [_text(x[c], 16, heading, "axis") for c, heading in enumerate(headings)]
    used_out, used_in = list(top), list(top)
    for start, end, amount in links:
        thick = amount * scale
        if not amount:
            continue
        x0, x1 = x[nodes[start].column] + block, x[nodes[end].column]
        y0, y1, middle = used_out[start], used_in[end], (x0 + x1) / 2
        used_out[start] += thick
        used_in[end] += thick
        body.append(
            f'<path class="band" style="fill:var({nodes[end].colour})" d="M{x0:.1f},{y0:.2f}'
            f"C{middle:.1f},{y0:.2f} {middle:.1f},{y1:.2f} {x1:.1f},{y1:.2f}V{y1 + max(thick, 0.7):.2f}"
            f'C{middle:.1f},{y1 + thick:.2f} {middle:.1f},{y0 + thick:.2f} {x0:.1f},{y0 + max(thick, 0.7):.2f}Z">'
            f"<title>{escape(nodes[start].name)} → {escape(nodes[end].name)}: {amount:,.0f}</title></path>"
        )
    for column in members:
        for i in column:
            node, high = nodes[i], max(size[i] * scale, 1.5)
            at = x[node.column]
            body.append(
                f'<rect x="{at:.1f}" y="{top[i]:.2f}" width="{block:g}" height="{high:.2f}" '
                f'style="fill:var({node.colour})"/>'
            )
            words = f"{node.name}  {node.note}".strip()
            middle = top[i] + high / 2 + 4
            if node.column == 0:
                body.append(_text(at - 6, middle, words, "label", "end"))
            else:
                body.append(_text(at + block + 6, middle, words, "label"))
    lowest = max((top[i] + max(size[i] * scale, 1.5) for column in members for i in column), default=height)
    return _svg(width, lowest + 12, label, body)


@dataclass(frozen=True)
class Line:
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
    width, height, left, right, top, bottom = 520.0, 260.0, 54.0, 12.0, 28.0, 40.0
    points = [
        [(a, b) for a, b in zip(line.x, line.y, strict=True) if math.isfinite(a) and math.isfinite(b)]
        for line in series
    ]
    flat = [point for line in points for point in line]
    if not flat:
        return _svg(width, 40, label, [_text(left, 24, "no figures", "axis")])
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
        body.append(_text(left - 6, y + 4, f"{tick:.4g}", "axis", "end"))
    for tick in _ticks(x0, x1):
        body.append(_text(place((tick, y0))[0], height - bottom + 18, f"{tick:,.10g}", "axis", "middle"))
    body.append(_text((left + width - right) / 2, height - 6, x_label, "axis", "middle"))
    at = left
    for line, kept in zip(series, points, strict=True):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, kept))
        body.append(f'<polyline class="line" style="stroke:var({line.colour})" points="{path}"/>')
        body.append(f'<rect x="{at:g}" y="8" width="10" height="10" style="fill:var({line.colour})"/>')
        body.append(_text(at + 15, 17, line.name, "axis"))
        at += 30 + 7.0 * len(line.name)
    return _svg(width, height, label, body)
