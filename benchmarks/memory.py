"""What `elek curate` holds in memory as its input grows: used by `benchmarks.curation --part memory`.

A corpus is repeated with salt, so that no copy is a duplicate of another, and half of its documents are given a
licence that stays, so that there is something to deduplicate. The command runs over it with two workers, and the
peak of every process is read from Linux (`VmHWM`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

STEP = 5
"""Every fifth word changes places, so that no shingle of five words stays as it was."""
PAUSE = 0.1


def salted(text: str, copy: int) -> str:
    """The text with words moved within their lines, in another way for each `copy` from 1 to 19; 0 leaves it."""
    first, far = copy % STEP, copy // STEP + 1
    if copy == 0:
        return text
    lines = text.split("\n")
    for at, line in enumerate(lines):
        words = line.split(" ")
        if len(words) <= first + far:
            words.insert(0, f"{copy}.{at}")
        else:
            left, right = words[first : len(words) - far : STEP], words[first + far :: STEP]
            words[first : len(words) - far : STEP], words[first + far :: STEP] = right, left
        lines[at] = " ".join(words)
    return "\n".join(lines)


def write_salted(table: pa.Table, target: Path, copies: int) -> None:
    """JSON lines: the documents `copies` times (20 at most), every second one in the public domain."""
    with target.open("w", encoding="utf-8", newline="\n") as file:
        for copy in range(copies):
            for batch in table.to_batches(max_chunksize=512):
                for at, row in enumerate(batch.to_pylist()):
                    row |= {"id": f"{row['id']}-{copy}", "text": salted(row["text"], copy)}
                    row["license"] = row["license"] if at % 2 else "CC0-1.0"
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def peaks(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """The peak of the process and of the largest that it or its children started, in MiB, once it is through."""
    own = largest = 0.0
    while process.poll() is None:
        own = max(own, _peak(process.pid))
        for child in _children(process.pid):
            largest = max(largest, _peak(child))
        time.sleep(PAUSE)
    return own, largest


def _peak(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # it has ended since
        return 0.0
    kilobytes = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    return max(kilobytes, default=0) / 1024


def _children(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = list(map(int, path.read_text(encoding="utf-8").split()))
        except OSError:
            continue
        yield from children
        for child in children:
            yield from _children(child)


def measure(table: pa.Table, sizes: tuple[int, ...] = (1, 12)) -> None:
    """Print peaks for the corpus so many times over."""
    for copies in sizes:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            corpus = Path(name) / "corpus.jsonl"
            write_salted(table, corpus, copies)
            command = [sys.executable, "-m", "elek.cli", "curate", str(corpus), "--workers", "2", "--json"]
            with (Path(name) / "said").open("wb") as said:
                command += ["--out", str(Path(name) / "out")]
                process = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL)
                own, largest = peaks(process)
            if process.returncode:
                raise SystemExit(f"elek curate failed with {process.returncode}")
            manifest = json.loads((Path(name) / "said").read_text(encoding="utf-8"))
            filtered = manifest["in"] - sum(
                number for rule, number in manifest["reasons"].items() if not rule.startswith("dedup")
            )
            print(
                f"{corpus.stat().st_size / 1e6:,.0f} MB, {manifest['in']:,} documents, {filtered:,} deduplicated, "
                f"{manifest['kept']:,} kept: {own:.0f} MiB in the main process, {largest:.0f} MiB in a worker",
                flush=True,
            )
