"""Rules that take text out of documents and drop none: how much each takes, and which take nothing.

From stored signals and the thresholds in params.yaml, as in `survey`; what `dedup` took out as boilerplate is read
from its decisions. A rule is counted over all documents that were measured, its bytes over those that the filters keep:
of the others nothing is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elek.dataset import Dataset
from elek.explaining.dead import Dead
from elek.filtering import FilterParams, columns_for, removals, removing, verdicts
from elek.removal import REMOVE, removed_bytes


@dataclass
class Cut:
    """What one rule takes out."""

    rule: str
    documents: int = 0
    """Those in which it takes something out, or would if they stayed."""
    staying: int = 0
    """Those of them that stay."""
    bytes: int = 0
    """Of documents that stay."""
    alone: int = 0
    """Of these, what no other rule takes out."""
    off: bool = False


def cuts(project: Path, params: FilterParams) -> list[Cut]:
    """Every rule that removes text, in the order in which they are asked; those that are off too."""
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
    """What `dedup.boilerplate` took out, where it was on; it is asked of documents that stay alone."""
    if not (project / "data" / "dedup").is_dir():
        return []
    dedup = Dataset(project / "data" / "dedup")
    if not dedup.manifest.get("removes"):
        return []
    lost = [removed_bytes(dedup.read(index, [REMOVE.name])[REMOVE.name]) for index in range(len(dedup.parts))]
    documents, taken = sum(int((part > 0).sum()) for part in lost), sum(int(part.sum()) for part in lost)
    return [Cut("dedup.boilerplate", documents, documents, taken, taken)]


def idle(found: list[Cut], documents: int) -> list[Dead]:
    """Those that are off or never took anything out."""
    never = f"it takes nothing out of any of {documents:,} documents"
    return [
        Dead(cut.rule, "off", "switched off") if cut.off else Dead(cut.rule, "never", never)
        for cut in found
        if cut.off or not cut.documents
    ]
