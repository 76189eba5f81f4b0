"""`elek curate`: the data half alone, on anybody's files."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elek.cli import console
from elek.execution.engine import prepare_workers
from elek.execution.optional_modules import probe_optional_modules
from elek.params import ExecutionParams

if TYPE_CHECKING:
    from elek.curation.settings import Settings

SHOWN_REASONS = 10
COMPILED = Path(__file__).parents[1] / "kernels" / "__pycache__"
"""Where `elek.kernels` keeps what it compiled."""
LARGE = 8_000_000
"""Bytes of input from which on there will be workers, so that what they need is loaded beside our own imports."""


def curate(
    files: Sequence[str],
    *,
    out: Path,
    preset: str | None,
    words: str | None,
    skip: Sequence[str],
    workers: int,
    license: str | None,
    lang: str | None,
    encodings: Sequence[str],
    params: Path | None,
    against: Sequence[Path],
    as_json: bool,
) -> None:
    """Run, and say what came of it."""
    start = time.monotonic()
    # At its end Python looks through all that was ever imported for cycles to take apart: a third of a second.
    atexit.register(gc.freeze)
    if not (os.environ.get("NUMBA_CACHE_DIR") or any(COMPILED.glob("elek-*"))):
        sys.stderr.write("[curate] compiling, once after an installation: half a minute\n")
    execution = ExecutionParams(workers=workers)
    size = sum(path.stat().st_size for path in map(Path, files) if path.is_file())
    with prepare_workers(execution, "elek.cli", "elek.curation.warm") if size >= LARGE else nullcontext():
        from elek.curation.running import curate as run
        from elek.curation.settings import settings

        asked = settings(
            preset=preset, params=params, words=words, skip=skip, license=license, lang=lang, encodings=encodings
        )
        probe_optional_modules()
        manifest = run(files, out, asked, execution, against)
    if as_json:
        console.print_json({name: value for name, value in manifest.items() if name != "packages"})
    else:
        for line in lines(manifest, asked, out, time.monotonic() - start):
            console.say(line)


def lines(manifest: dict[str, Any], asked: Settings, out: Path, seconds: float) -> list[str]:
    """What a person wants to know of it."""
    bytes_in = manifest["clean"]["bytes_in"]
    rows = [
        ("in", f"{manifest['in']:,} documents, {bytes_in / 1e6:,.1f} MB"),
        ("kept", f"{manifest['kept']:,}, {manifest['kept_bytes'] / 1e6:,.1f} MB"),
        ("dropped", f"{manifest['dropped']:,}"),
    ]
    ranked = sorted(manifest["reasons"].items(), key=lambda item: (-item[1], item[0]))
    rows += [("", f"{count:>9,}  {rule}") for rule, count in ranked[:SHOWN_REASONS]]
    if rest := ranked[SHOWN_REASONS:]:
        rows.append(("", f"{sum(count for _, count in rest):>9,}  by {len(rest)} other rules"))
    if manifest["against"]:
        rows.append(("earlier", f"{manifest['repeated']:,} repeat what was kept in {', '.join(manifest['against'])}"))
    if manifest["skipped"]:
        rows.append(("not read", f"{manifest['skipped']:,} records: see {out / 'skipped.jsonl'}"))
    if manifest["duplicate_ids"]:
        rows.append(("ids", f"{manifest['duplicate_ids']:,} documents have an id that an earlier one has"))
    if (held := manifest["ids_with_email"])["documents"]:
        said = f"ids are never masked, and {held['documents']:,} hold an e-mail address, the first {held['first']}"
        rows.append(("warning", f"{said}: give the documents another column `id`, or rename the files"))
    if note := _licence_note(manifest, asked):
        rows.append(("licence", note))
    found = manifest["clean"]["pii"]
    if personal := ", ".join(f"{number:,} {kind}" for kind, number in sorted(found.items()) if number):
        left = "" if manifest["clean"]["masked"] else " found, and left as they are: clean was skipped"
        rows.append(("personal", f"{personal}{left or ' masked'}"))
    rows.append(("time", f"{seconds:.1f} s, {bytes_in / 1e6 / seconds:.1f} MB/s"))
    rows.append(("report", str(out / "report.html")))
    return [f"{label:>9} │ {value}" for label, value in rows]


def _licence_note(manifest: dict[str, Any], asked: Settings) -> str:
    """What became of documents that declare no licence, where anybody asked."""
    number, rules = manifest["undeclared_licences"], asked.filter.root.get("licence")
    if not number or rules is None:
        return ""
    if asked.license != "NOASSERTION":
        return f"{number:,} documents declare none and are taken as {asked.license}"
    if rules.undeclared == "evidence":
        said = "dropped only where their text names one that the policy refuses"
        return f"{number:,} documents declare none: {said} (--license SPDX declares one)"
    return f"{number:,} documents declare none, which the rule licence.unknown drops (--license SPDX declares one)"
