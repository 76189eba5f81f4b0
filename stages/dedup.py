"""`dedup`: one survivor among equal and nearly equal documents, and clusters of related ones."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from elek.dataset import Dataset, write_manifest, write_part
from elek.decisions import Tally, metrics, summary, tally
from elek.dedup.decisions import decide, deduplicate, shingle_of
from elek.dedup.known import Memory
from elek.dedup.params import DedupParams
from elek.removal import removed_counts
from stages._shell import Stage


def main() -> None:
    with Stage("dedup", DedupParams) as stage:
        clean = Dataset(stage.data("clean") / "train")
        annotate, filtered = Dataset(stage.data("annotate")), Dataset(stage.data("filter"))
        with tempfile.TemporaryDirectory(dir=stage.project / ".cache", ignore_cleanup_errors=True) as scratch:
            everything = np.ones(len(annotate), dtype=bool)
            memory = Memory(stage.project / ".cache" / "dedup", shingle_of(annotate))
            pairs_alone = stage.params.model_copy(update={"boilerplate": None})
            known = decide(clean, annotate, everything, pairs_alone, Path(scratch), memory.read()).measured
            outcome = deduplicate(clean, annotate, filtered, stage.params, Path(scratch), known)
        # Of all documents, not of those alone that entered: `elek whatif` lets others enter, and reads no text.
        known = known.merged(outcome.measured)
        memory.write(known)
        (stage.out / "pairs").mkdir()
        write_manifest(stage.out / "pairs", [write_part(stage.out / "pairs", 0, known.table())])

        parts, counts, clusters, start = [], Tally(), set(), 0
        for index, part in enumerate(annotate.parts):
            columns = annotate.read(index, ["id", "source"])
            table = outcome.part(columns["id"], start, stage.params)
            parts.append(write_part(stage.out, index, table, removed_counts(table)))
            counts += tally(table, columns["source"])
            clusters.update(pc.unique(table["cluster"].drop_null()).to_pylist())
            start += part.rows
        parents = {"clean": clean.digest, "annotate": annotate.digest, "filter": filtered.digest}
        extra: dict[str, Any] = {"params": stage.params.model_dump(mode="json")}
        if outcome.remove is not None:
            extra["removes"] = ["boilerplate"]
        written = write_manifest(stage.out, parts, parents=parents, extra=extra)
        stage.metrics = {**metrics(counts), "clusters": len(clusters)}
        if outcome.remove is not None:
            stage.metrics["removed"] = written.counts
        stage.summary = [*summary(stage.metrics), ("clusters", f"{len(clusters):,}")]


if __name__ == "__main__":
    main()
