"""The column `licence.evidence`: findings as JSON, and what is read of them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from elek.licences.categories import category
from elek.licences.finding import CONVINCING, Finding, family


def summary(findings: Sequence[Finding]) -> str:
    """Findings as compact JSON for the column `licence.evidence`, the document's own first: by them it is judged, and
    some number is all that is kept. Empty where there are none. No text is quoted."""
    if not findings:
        return ""
    items = [
        {
            "licence": item.licence,
            "family": family(item.licence),
            "category": category(item.licence),
            "kind": item.kind,
            "span": [item.start, item.end],
            "confidence": item.confidence,
            "own": item.own,
        }
        for item in sorted(findings, key=lambda item: not item.own)[:8]
    ]
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


def in_words(evidence: str) -> str:
    """What a document says of itself, and where."""
    own = [item for item in json.loads(evidence) if item["own"] and item["confidence"] >= CONVINCING]
    return "; ".join(
        f"says of itself: {'no text and data mining' if item['kind'] == 'opt-out' else item['licence']} "
        f"({item['kind']} {_where(item)}, confidence {item['confidence']})"
        for item in own
    )


def _where(item: dict[str, Any]) -> str:
    start, end = item["span"]
    if end:
        return f"at characters {start:,} to {end:,}"
    return "in the page's head, HTTP headers or robots.txt" if item["kind"] == "opt-out" else "in its markup or headers"


def own_licences(evidence: str) -> list[str]:
    """The licences that a document names as its own, from the signal `evidence`."""
    found = json.loads(evidence) if evidence else []
    return [
        item["licence"]
        for item in found
        if item["own"] and item["kind"] != "opt-out" and item["confidence"] >= CONVINCING
    ]
