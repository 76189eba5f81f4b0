"""The flow chart of the report: from the sources, through what each stage dropped and why, to the splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from elek.filtering import HELD
from elek.report.fates import KEPT, STAGES, Flow
from elek.report.sankey import Link, Node, flow_chart
from elek.report.wording import count, megabytes

LARGEST = 7
"""Reasons of a stage that have a block of their own; where there are more, the smaller ones share the last."""


def funnel(flows: Sequence[Flow], unit: Literal["documents", "bytes"]) -> str:
    """Where the documents, or the bytes, of every source went."""
    flows = [flow for flow in flows if getattr(flow, unit)]  # empty documents are no bytes, removed lines no documents
    by_stage = {stage: [flow for flow in flows if flow.stage == stage] for stage in (*STAGES, "kept")}
    past_filter = [flow for flow in flows if flow.stage != "filter"]
    past_dedup = [*by_stage["split"], *by_stage["kept"]]
    by_source = {name: [flow for flow in flows if flow.source == name] for name in sorted({f.source for f in flows})}

    chart = _Chart(unit)
    sources = {name: chart.block(name, 0, f"--c{i % 8}", own) for i, (name, own) in enumerate(by_source.items())}
    filtered = chart.block("pass every filter", 1, "--keep", past_filter)
    filter_reasons = chart.reasons(1, by_stage["filter"])
    unique = chart.block("unique", 2, "--keep", past_dedup)
    dedup_reasons = chart.reasons(2, by_stage["dedup"])
    splits = {name: chart.block(name, 3, "--keep", [f for f in by_stage["kept"] if f.fate == name]) for name in KEPT}
    split_reasons = chart.reasons(3, by_stage["split"])

    for name, own in by_source.items():
        chart.link(sources[name], [flow for flow in own if flow.stage != "filter"], lambda flow: filtered)
        chart.link(sources[name], [flow for flow in own if flow.stage == "filter"], lambda f: filter_reasons[f.fate])
    chart.link(filtered, past_dedup, lambda flow: unique)
    chart.link(filtered, by_stage["dedup"], lambda flow: dedup_reasons[flow.fate])
    chart.link(unique, by_stage["kept"], lambda flow: splits[flow.fate])
    chart.link(unique, by_stage["split"], lambda flow: split_reasons[flow.fate])
    return flow_chart(chart.nodes, chart.links, ["sources", *STAGES], f"Where the {unit} of every source went")


class _Chart:
    """The blocks and bands of the chart, which are added one after the other."""

    def __init__(self, unit: Literal["documents", "bytes"]) -> None:
        self._unit = unit
        self.nodes: list[Node] = []
        self.links: list[Link] = []

    def _amount(self, flows: Sequence[Flow]) -> float:
        return float(sum(getattr(flow, self._unit) for flow in flows))

    def block(self, name: str, column: int, colour: str, flows: Sequence[Flow]) -> int:
        """Add a block for `flows`; its index."""
        amount = self._amount(flows)
        self.nodes.append(Node(name, column, colour, megabytes(amount) if self._unit == "bytes" else count(amount)))
        return len(self.nodes) - 1

    def reasons(self, column: int, dropped: Sequence[Flow]) -> Mapping[str, int]:
        """Add a block for each of the largest reasons, one for all others, and one for what is held for review.

        Returns the index of the block of each reason.
        """
        by_reason: dict[str, list[Flow]] = {}
        for flow in dropped:
            by_reason.setdefault(flow.fate, []).append(flow)
        held = by_reason.pop(HELD, [])
        order = sorted(by_reason, key=lambda reason: (-self._amount(by_reason[reason]), reason))
        large = order if len(order) <= LARGEST else order[: LARGEST - 1]
        rest = order[len(large) :]
        blocks = {reason: self.block(reason, column, "--drop", by_reason[reason]) for reason in large}
        if rest:
            others = [flow for reason in rest for flow in by_reason[reason]]
            blocks |= dict.fromkeys(rest, self.block(f"{len(rest)} other rules", column, "--drop", others))
        if held:
            blocks[HELD] = self.block("held for review", column, "--hold", held)
        return blocks

    def link(self, start: int, flows: Sequence[Flow], target: Callable[[Flow], int]) -> None:
        """Add a band from the block `start` to each block to which `target` sends some of `flows`."""
        by_block: dict[int, list[Flow]] = {}
        for flow in flows:
            by_block.setdefault(target(flow), []).append(flow)
        self.links += [(start, block, self._amount(own)) for block, own in sorted(by_block.items())]
