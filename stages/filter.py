"""`filter`: which documents fail which rule, from stored signals; no text is read."""

from __future__ import annotations

from elek.dataset import Dataset, write_manifest, write_part
from elek.decisions import Tally, metrics, tally
from elek.filtering import FilterParams, columns_for, decide
from stages._shell import Stage


def main() -> None:
    with Stage("filter", FilterParams) as stage:
        annotated = Dataset(stage.data("annotate"))
        parts, counts = [], Tally()
        # One process: deciding on a million documents takes seconds, about as long as starting workers.
        for index in range(len(annotated.parts)):
            signals = annotated.read(index, [*columns_for(stage.params), "source"])
            decided = decide(signals, stage.params)
            parts.append(write_part(stage.out, index, decided))
            counts += tally(decided, signals["source"])
        write_manifest(stage.out, parts, parents={"annotate": annotated.digest})
        stage.metrics = metrics(counts)
        stage.summary = [
            ("documents", f"{stage.metrics['in']:,} in, {stage.metrics['kept']:,} kept"),
            *((rule, f"{number:,} dropped") for rule, number in stage.metrics["reasons"].items()),
        ]


if __name__ == "__main__":
    main()
