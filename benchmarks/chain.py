"""Where the time of `elek curate` goes, step by step, on one core: used by `benchmarks.curation`.

The chain itself runs, in this process, with a clock around each of its parts; what no clock is around (starting,
the report, the manifest) is `everything else`. Seconds are of processor time.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from benchmarks.corpora import write_jsonl
from elek.curation import chain, output, page, running
from elek.curation.settings import settings
from elek.execution.engine import prepare_workers
from elek.filtering import Filter, annotation, discover
from elek.params import ExecutionParams


class Clocks:
    """Seconds of processor time by name; a clock within a clock is taken out of the outer one."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.process_time()
            self._inside.append(0.0)
            try:
                return function(*arguments, **keywords)
            finally:
                spent = time.process_time() - start
                self.seconds[name] += spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        return timed


@contextmanager
def clocked(clocks: Clocks) -> Iterator[None]:
    """Clocks around the parts of the chain while the block runs."""
    places: list[tuple[Any, str, str]] = [
        (chain, "read_shard", "read: parse"),
        (chain, "clean_table", "clean and mask"),
        (chain, "annotate", "annotate: everything else"),
        (chain, "decide", "filter: decide"),
        (chain, "write_part", "write: signals, scratch"),
        (running, "decide", "dedup, signatures made"),
        (running, "write_output", "write: documents, decisions"),
        (output, "_samples", "report"),
        (page, "write", "report"),
    ]
    with ExitStack() as stack:
        for owner, name, label in places:
            stack.enter_context(patch.object(owner, name, clocks.around(label, getattr(owner, name))))
        for found in discover().values():
            kind: type[Filter] = type(found)
            clock = clocks.around(f"annotate: {found.name}", kind.measure)
            stack.enter_context(patch.object(kind, "measure", clock))
        from elek.dedup import signatures

        clock = clocks.around("annotate: signatures", signatures.signatures)
        stack.enter_context(patch.object(signatures, "signatures", clock))
        yield


def measure(table: pa.Table, show: Callable[[str, float], None]) -> None:
    """Print the table of the chain, by way of `show(label, seconds)`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        corpus = folder / "corpus.jsonl"
        write_jsonl(table, corpus)
        annotation.warm_up(annotation.AnnotateParams())
        clocks = Clocks()
        with clocked(clocks):
            start = time.process_time()
            running.curate([str(corpus)], folder / "out", settings(), ExecutionParams(workers=1))
            seconds = time.process_time() - start
        for label, spent in sorted(clocks.seconds.items()):
            show(f"  {label}", spent)
        show("  everything else", seconds - sum(clocks.seconds.values()))
        show("elek curate, whole chain", seconds)


def workers(table: pa.Table) -> None:
    """Print wall time, processor time and the largest process of the command with one worker and with two."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        corpus = Path(name) / "corpus.jsonl"
        write_jsonl(table, corpus)
        took = {}
        for number in (1, 2):
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "elek.cli", "curate", str(corpus), "--workers", str(number)]
            subprocess.run([*command, "--out", str(Path(name) / "out")], check=True, capture_output=True)
            took[number] = time.perf_counter() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            peak = after.ru_maxrss / 1024
            size = corpus.stat().st_size / 1e6
            speed = f"{spent:.1f} s of processor time, {took[number]:.1f} s wall, {size / took[number]:.1f} MB/s"
            print(f"elek curate --workers {number}: {speed}; {peak:.0f} MiB in the largest process")
        print(f"two workers are {took[1] / took[2]:.2f}x one (of a machine that does nothing else)")
        _loaded(corpus, Path(name) / "out")


def _loaded(corpus: Path, out: Path) -> None:
    """Print the same for the chain alone: what begins when Python, models and compiled kernels have been loaded."""
    annotation.warm_up(annotation.AnnotateParams())
    took: defaultdict[int, list[float]] = defaultdict(list)
    for _ in range(3):
        for number in (1, 2):
            execution = ExecutionParams(workers=number)
            with prepare_workers(execution, "elek.cli", "elek.curation.warm"):
                time.sleep(4 * (number - 1))  # the process that workers are forked from loads meanwhile
                start = time.perf_counter()
                running.curate([str(corpus)], out, settings(), execution)
                took[number].append(time.perf_counter() - start)
    one, two = (statistics.median(took[number]) for number in (1, 2))
    print(f"from the first read to the last write: {one:.1f} s and {two:.1f} s, {one / two:.2f}x (medians of three)")
