"""`filter`: which documents fail which rule, from stored signals; no text is read."""

from __future__ import annotations

from elek.dataset import Dataset, write_manifest, write_part
from elek.decisions import Tally, metrics, summary, tally
from elek.filtering import FilterParams, columns_for, decide, releases, removing
from elek.removal import removed_counts
from stages._shell import Stage


def main() -> None:
    with Stage("filter", FilterParams) as stage:
        annotated = Dataset(stage.data("annotate"))
        removes = removing(stage.params)
        waiting = releases(stage.params)
        parts, counts, released = [], Tally(), set[str]()
        # One process: deciding on a million documents takes seconds, about as long as starting workers.
        for index in range(len(annotated.parts)):
            signals = annotated.read(index, [*columns_for(stage.params), "source"])
            decided = decide(signals, stage.params)
            if waiting:
                released.update(decided.filter(decided["released"].is_valid())["id"].to_pylist())
            parts.append(write_part(stage.out, index, decided, removed_counts(decided)))
            counts += tally(decided, signals["source"])
        extra = {"params": stage.params.plain()} | ({"removes": removes} if removes else {})
        written = write_manifest(stage.out, parts, parents={"annotate": annotated.digest}, extra=extra)
        stage.metrics = metrics(counts) | ({"removed": written.counts} if removes else {})
        stage.summary = summary(stage.metrics)
        if waiting:
            stage.metrics["released"] = len(released)
            stage.summary.append(("released", f"{len(released):,} documents that were on hold"))
            if idle := sorted(waiting.keys() - released):
                stage.summary.append(
                    ("not on hold", f"{', '.join(idle[:5])}{' …' * (len(idle) > 5)}: nothing to release")
                )


if __name__ == "__main__":
    main()
