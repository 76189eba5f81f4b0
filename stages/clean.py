"""`clean`: repaired, normalised text with personal data masked, row for row as fetched."""

from __future__ import annotations

from elek.dataset import Dataset, write_manifest
from elek.pii import PII_TYPES
from elek.text.cleaning import CleanParams, CleanTask, clean_part
from stages._shell import Stage

ROLES = ("train", "evaluation")


def main() -> None:
    with Stage("clean", CleanParams) as stage:
        fetched = {role: Dataset(stage.data("fetch") / role) for role in ROLES}
        tasks = []
        for role, documents in fetched.items():
            (stage.out / role).mkdir()
            tasks += [
                CleanTask(documents.path(index), stage.out / role, index, stage.params)
                for index in range(len(documents.parts))
            ]
        digests = [part.sha256 for documents in fetched.values() for part in documents.parts]
        parts = stage.map_parts(clean_part, tasks, digests, stage.params.model_dump(mode="json"))

        cleaned = {}
        for role, documents in fetched.items():
            own = [part for task, part in zip(tasks, parts, strict=True) if task.out.name == role]
            cleaned[role] = write_manifest(stage.out / role, own, parents={"fetch": documents.digest})
        total = {name: sum(data.counts.get(name, 0) for data in cleaned.values()) for name in parts[0].counts}
        stage.metrics = {
            "documents": {role: len(data) for role, data in cleaned.items()},
            "bytes_in": total["bytes_in"],
            "bytes_out": total["bytes_out"],
            "changed": total["changed"],
            "changed_by": {name.partition(".")[2]: total[name] for name in total if name.startswith("changed.")},
            "pii": {kind: total[f"pii.{kind}"] for kind in PII_TYPES},
        }
        masked = ", ".join(f"{number} {kind}" for kind, number in stage.metrics["pii"].items() if number)
        stage.summary = [
            ("documents", " + ".join(f"{len(data):,} {role}" for role, data in cleaned.items())),
            ("text", f"{total['bytes_in'] / 1e6:.1f} MB in, {total['bytes_out'] / 1e6:.1f} MB out"),
            ("changed", f"{total['changed']:,} documents"),
            ("masked", masked or "nothing"),
        ]


if __name__ == "__main__":
    main()
