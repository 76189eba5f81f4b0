"""`annotate`: what every rule measures of every document, without deciding anything."""

from __future__ import annotations

from elek.dataset import Dataset, write_manifest
from elek.filtering.annotation import AnnotateParams, AnnotateTask, annotate_part, warm_up
from stages._shell import Stage


def main() -> None:
    with Stage("annotate", AnnotateParams) as stage:
        clean = Dataset(stage.data("clean") / "train")
        params = stage.params.model_dump(mode="json")
        warm_up(stage.params)
        tasks = [AnnotateTask(clean.path(index), stage.out, index, params) for index in range(len(clean.parts))]
        annotated = write_manifest(
            stage.out,
            stage.map_parts(annotate_part, tasks, [part.sha256 for part in clean.parts], params),
            parents={"clean": clean.digest},
            extra={"minhash": params["minhash"]},  # signatures compare only with those made in the same way
        )

        languages = {name.removeprefix("lang."): count for name, count in sorted(annotated.counts.items())}
        stage.metrics = {"documents": len(annotated), "languages": languages}
        most = sorted(languages, key=lambda name: (-languages[name], name))[:5]
        stage.summary = [
            ("documents", f"{len(annotated):,}"),
            ("languages", ", ".join(f"{languages[name]:,} {name}" for name in most) or "none"),
        ]


if __name__ == "__main__":
    main()
