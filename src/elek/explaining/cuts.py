"""Rules that remove text from documents instead of dropping them: how much each removes, and which remove nothing.

Computed from stored signals and the thresholds in params.yaml, as in `survey`; what `dedup` removed as boilerplate is
read from its decisions. Documents are counted among all that were measured, bytes only in those that the filters keep:
nothing is removed from a document that is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elek.dataset import Dataset
from elek.explaining.dead_rules import DeadRule
from elek.filtering import FilterParams, columns_for, removals, removing, verdicts
from elek.removal import REMOVE, removed_bytes


@dataclass
class Cut:
    """What one rule removes."""

    rule: str
    documents: int = 0
    """Those from which it removes text, or would if they were kept."""
    staying: int = 0
    """Those of them that are kept."""
    bytes: int = 0
    """Removed from the documents that are kept."""
    alone: int = 0
    """Those of the bytes that no other rule removes."""
    off: bool = False


def cuts(project: Path, params: FilterParams) -> list[Cut]:
    """Every rule that removes text, in the order in which the rules are applied, including those that are off."""
    found: dict[str, Cut] = {}
    if removing(params):
        annotate = Dataset(project / "data" / "annotate")
        for index in range(len(annotate.parts)):
            table = annotate.read(index, columns_for(params))
            stays = ~np.any([verdict.failed for verdict in verdicts(table, params)], axis=0)
            for removal in removals(table, params):
                cut = found.setdefault(removal.rule, Cut(removal.rule, off=removal.bytes is None))
                if removal.bytes is not None and removal.alone is not None:
                    cut.documents += int((removal.bytes > 0).sum())
                    cut.staying += int((removal.bytes[stays] > 0).sum())
                    cut.bytes += int(removal.bytes[stays].sum())
                    cut.alone += int(removal.alone[stays].sum())
    return [*found.values(), *_boilerplate(project)]


def _boilerplate(project: Path) -> list[Cut]:
    """What `dedup.boilerplate` removed, where it was on. It only looks at documents that are kept."""
    if not (project / "data" / "dedup").is_dir():
        return []
    dedup = Dataset(project / "data" / "dedup")
    if not dedup.manifest.get("removes"):
        return []
    lost = [removed_bytes(dedup.read(index, [REMOVE.name])[REMOVE.name]) for index in range(len(dedup.parts))]
    documents, taken = sum(int((part > 0).sum()) for part in lost), sum(int(part.sum()) for part in lost)
    return [Cut("dedup.boilerplate", documents, documents, taken, taken)]


def dead_cuts(found: list[Cut], documents: int) -> list[DeadRule]:
    """The rules among `found` that are off or never removed anything."""
    never = f"it takes nothing out of any of {documents:,} documents"
    return [
        DeadRule(cut.rule, "off", "switched off") if cut.off else DeadRule(cut.rule, "never", never)
        for cut in found
        if cut.off or not cut.documents
    ]
