"""`split`: train, validation and test by cluster, training text decontaminated; the evaluation role passes through."""

from __future__ import annotations

import tempfile
from pathlib import Path

from elek.dataset import Dataset, write_manifest, write_part
from elek.decisions import Tally, metrics, tally
from elek.removal import text_parts
from elek.splitting import SIDES, SplitParams, writing
from elek.splitting import decisions as splitting
from stages._shell import Stage


def main() -> None:
    with Stage("split", SplitParams) as stage:
        clean, evaluation = (Dataset(stage.data("clean") / role) for role in ("train", "evaluation"))
        filtered, dedup = Dataset(stage.data("filter")), Dataset(stage.data("dedup"))
        with tempfile.TemporaryDirectory(dir=stage.project / ".cache", ignore_cleanup_errors=True) as scratch:
            table, passages = splitting.split(
                clean, filtered, evaluation, dedup, stage.params, Path(scratch), stage.map
            )
        if passages is not None:  # for `elek whatif`, which reads no text
            passages.write(stage.out / "passages")

        for name in ("decisions", *SIDES, "evaluation"):
            (stage.out / name).mkdir()
        decided, tasks, counts, start = [], [], Tally(), 0
        for index, part in enumerate(text_parts(clean, filtered, dedup)):
            rows = table.slice(start, part.rows)
            decided.append(write_part(stage.out / "decisions", index, rows))
            counts += tally(rows, clean.read(index, ["source"])["source"])
            decisions = stage.out / "decisions" / decided[-1].name
            tasks.append(writing.WriteTask(part, decisions, stage.out, index))
            start += part.rows
        parents = {"clean": clean.digest, "filter": filtered.digest, "dedup": dedup.digest}
        extra = {"params": stage.params.model_dump(mode="json")}
        write_manifest(stage.out / "decisions", decided, parents=parents, extra=extra)

        tasks += [writing.WriteTask(part, None, stage.out, i) for i, part in enumerate(text_parts(evaluation))]
        written = stage.map(writing.write_sides, tasks)
        stage.metrics = metrics(counts)
        for name in (*SIDES, "evaluation"):
            parts = [sides[name] for sides in written if name in sides]
            own = {"clean": evaluation.digest} if name == "evaluation" else parents
            write_manifest(stage.out / name, [part for part, _ in parts], parents=own)
            stage.metrics[name] = writing.metrics(volume for _, volume in parts)
            stage.summary.append((name, "{documents:,} documents, {bytes:,} bytes".format(**stage.metrics[name])))
        stage.summary += [(rule, f"{number:,} dropped") for rule, number in stage.metrics["reasons"].items()]


if __name__ == "__main__":
    main()
