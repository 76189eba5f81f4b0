"""A Sankey diagram in SVG: bands between blocks, as wide as what flows through them; and its figures as a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from elek.report.charts import svg, text

WIDTH, HEIGHT, TOP = 1060.0, 460.0, 34.0
RIGHT = 210.0
"""Room for the names of the blocks in the last column."""
BLOCK, GAP = 12.0, 13.0
"""Width of a block, and the distance between two in a column."""
THINNEST_BLOCK, THINNEST_BAND = 1.5, 0.7


@dataclass(frozen=True)
class Node:
    """One block: its name, its column from 0, the CSS variable of its colour, and a note behind its name."""

    name: str
    column: int
    colour: str
    note: str = ""


Link = tuple[int, int, float]
"""A band: the index of the node where it begins, that of the node where it ends, and the amount."""


@dataclass(frozen=True)
class _Layout:
    """Where everything stands. Nodes through which nothing flows are not drawn."""

    columns: list[list[int]]
    """Indices of the nodes that are drawn, by column, from top to bottom."""
    x: list[float]
    """Left edge of each column."""
    top: list[float]
    """Upper edge of each node."""
    height: list[float]
    """Height of each node."""
    scale: float
    """Height of one unit."""


def flow_chart(nodes: Sequence[Node], links: Sequence[Link], headings: Sequence[str], label: str) -> str:
    """The diagram and, for pages too narrow for it, the same figures as a list; the style sheet shows one of them."""
    diagram = sankey(nodes, links, headings, label)
    return f'<div class="chart">{diagram}</div><dl class="list">{"".join(_list(nodes, links, headings))}</dl>'


def sankey(nodes: Sequence[Node], links: Sequence[Link], headings: Sequence[str], label: str) -> str:
    """Draw `nodes`, column by column in the order given, and `links` between them, under a heading for each column.

    A block is as high as the larger of what comes in and what goes out.
    """
    layout = _layout(nodes, links)
    body = [text(x, 16, heading, "axis") for x, heading in zip(layout.x, headings, strict=True)]
    body += _bands(nodes, links, layout)
    body += _blocks(nodes, layout)
    bottoms = (layout.top[i] + layout.height[i] for column in layout.columns for i in column)
    return svg(WIDTH, max(bottoms, default=HEIGHT) + 12, label, body)


def _sizes(nodes: Sequence[Node], links: Sequence[Link]) -> list[float]:
    """What flows through each node: the larger of what comes in and what goes out."""
    incoming, outgoing = [0.0] * len(nodes), [0.0] * len(nodes)
    for start, end, amount in links:
        outgoing[start] += amount
        incoming[end] += amount
    return [max(a, b) for a, b in zip(incoming, outgoing, strict=True)]


def _list(nodes: Sequence[Node], links: Sequence[Link], headings: Sequence[str]) -> Iterator[str]:
    """The nodes of each column below its heading: name, note, and a bar on one scale for all."""
    size = _sizes(nodes, links)
    largest = max(size, default=0.0) or 1.0
    for column, heading in enumerate(headings):
        yield f"<dt>{escape(heading)}</dt>"
        for node, amount in zip(nodes, size, strict=True):
            if node.column == column and amount:
                name = escape(node.name).replace("_", "_<wbr>")
                bar = f'<i class="bar" style="width:{100 * amount / largest:.2f}%;background:var({node.colour})"></i>'
                yield f"<dd><span>{name}</span><span>{escape(node.note)}</span>{bar}</dd>"


def _layout(nodes: Sequence[Node], links: Sequence[Link]) -> _Layout:
    size = _sizes(nodes, links)
    count = max(node.column for node in nodes) + 1
    columns = [[i for i, node in enumerate(nodes) if node.column == c and size[i]] for c in range(count)]
    names = [_words(node) for node in nodes if node.column == 0]
    left = 14 + 7.0 * max(map(len, names), default=0)
    x = [left + c * (WIDTH - left - RIGHT - BLOCK) / max(count - 1, 1) for c in range(count)]
    total = max(sum(size[i] for i in column) for column in columns)
    room = HEIGHT - 40 - GAP * max(len(column) for column in columns)
    scale = room / total if total else 0.0
    height = [max(one * scale, THINNEST_BLOCK) for one in size]
    top = [0.0] * len(nodes)
    for column in columns:
        y = TOP
        for i in column:
            top[i] = y
            y += height[i] + GAP
    return _Layout(columns, x, top, height, scale)


def _bands(nodes: Sequence[Node], links: Sequence[Link], layout: _Layout) -> Iterator[str]:
    """The links, those of one block below each other in the order given."""
    next_out, next_in = list(layout.top), list(layout.top)
    for start, end, amount in links:
        if not amount:
            continue
        thick = amount * layout.scale
        x0, x1 = layout.x[nodes[start].column] + BLOCK, layout.x[nodes[end].column]
        y0, y1, middle = next_out[start], next_in[end], (x0 + x1) / 2
        next_out[start] += thick
        next_in[end] += thick
        yield (
            f'<path class="band" style="fill:var({nodes[end].colour})" d="M{x0:.1f},{y0:.2f}'
            f"C{middle:.1f},{y0:.2f} {middle:.1f},{y1:.2f} {x1:.1f},{y1:.2f}V{y1 + max(thick, THINNEST_BAND):.2f}"
            f"C{middle:.1f},{y1 + thick:.2f} {middle:.1f},{y0 + thick:.2f} "
            f'{x0:.1f},{y0 + max(thick, THINNEST_BAND):.2f}Z">'
            f"<title>{escape(nodes[start].name)} → {escape(nodes[end].name)}: {amount:,.0f}</title></path>"
        )


def _blocks(nodes: Sequence[Node], layout: _Layout) -> Iterator[str]:
    """The blocks with their names: of the first column on the left, of all others on the right."""
    for i in (i for column in layout.columns for i in column):
        node, x, height = nodes[i], layout.x[nodes[i].column], layout.height[i]
        yield (
            f'<rect x="{x:.1f}" y="{layout.top[i]:.2f}" width="{BLOCK:g}" height="{height:.2f}" '
            f'style="fill:var({node.colour})"/>'
        )
        middle = layout.top[i] + height / 2 + 4
        if node.column == 0:
            yield text(x - 6, middle, _words(node).strip(), "label", "end")
        else:
            yield text(x + BLOCK + 6, middle, _words(node).strip(), "label")


def _words(node: Node) -> str:
    return f"{node.name}  {node.note}"
