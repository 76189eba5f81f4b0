"""The frame of every stage: its params section, the lock, complete outputs, metrics, and a summary.

A stage module reads:

    with Stage("clean", CleanParams) as stage:
        documents = Dataset(stage.data("fetch") / "train")
        parts = stage.map_parts(clean_part, tasks, [part.sha256 for part in documents.parts], params)
        write_manifest(stage.out / "train", parts, parents={"fetch": documents.digest})
        stage.metrics = {...}

`stage.out` is a temporary folder that becomes `data/<name>` when the block ends without an error; then
`reports/<name>.json` is written. Neither contains anything that differs between two equal runs: time and memory go to
`.cache/timings/<name>.json`, which is not tracked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import psutil
from pydantic import BaseModel

from elek.dataset import Part, atomic_folder, part_name, write_json
from elek.errors import ElekError, of_system
from elek.execution.cache import CachedTask, PartTask, cached_part, code_digest, key, tidy
from elek.execution.engine import map_shards, modules_of, prepare_workers
from elek.execution.lock import stage_lock
from elek.params import ExecutionParams, load
from stages._deps import PROJECT, closure

P = TypeVar("P", bound=BaseModel)
Task = TypeVar("Task")
OnePart = TypeVar("OnePart", bound=PartTask)
Result = TypeVar("Result")


class Stage(Generic[P]):
    """Context of one stage; see the module's docstring. Runs in the project's folder."""

    def __init__(self, name: str, params_class: type[P]) -> None:
        self.name = name
        self.project = Path.cwd()
        self.metrics: dict[str, Any] = {}
        """Content of `reports/<name>.json`: counts and measures, possibly nested, without times and paths."""
        self.summary: list[tuple[str, str]] = []
        """Rows of the table that is printed at the end."""
        self.timing: dict[str, Any] = {}
        """Further content of `.cache/timings/<name>.json` besides seconds and memory, such as speeds."""
        self._cached = ""
        self._params_class = params_class
        self._stack = ExitStack()

    def __enter__(self) -> Stage[P]:
        try:
            self.params = load(self.project / "params.yaml", self.name, self._params_class)
            self.execution = load(self.project / "params.yaml", "execution", ExecutionParams)
            self._stack.enter_context(stage_lock(self.project))
            self.out = self._stack.enter_context(atomic_folder(self.data(self.name)))
        except (ElekError, OSError) as error:
            self._stack.close()
            self._leave(error)
            raise
        self._start = time.monotonic()
        return self

    def data(self, stage: str) -> Path:
        """The output folder of a stage."""
        return self.project / "data" / stage

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task], unit: str = "parts") -> list[Result]:
        """`map_shards` with this project's workers."""
        return map_shards(function, tasks, execution=self.execution, label=self.name, unit=unit)

    def map_parts(
        self,
        function: Callable[[OnePart], Part],
        tasks: Sequence[OnePart],
        digests: Sequence[str],
        params: object,
        name: Callable[[int], str] = part_name,
    ) -> list[Part]:
        """`map` for a function that makes one file of one part, with the shard cache (`elek.execution.cache`).

        `digests` are the SHA-256 of the parts to read, which are checked; `params` is everything else that the result
        depends on, as JSON data; `name` gives the name of a file by its index.
        """
        root, limit = self.project / ".cache" / "shards", int(self.execution.cache_gigabytes * 1e9)
        folder = root / self.name if limit else None
        code = code_digest(closure(f"stages.{self.name}"), PROJECT)
        jobs = [
            CachedTask(function, task, name(task.index), digest, key(function, digest, code, params), folder, limit)
            for task, digest in zip(tasks, digests, strict=True)
        ]
        with prepare_workers(self.execution, *modules_of(function)) if len(jobs) > 1 else nullcontext():
            outcomes = self.map(cached_part, jobs)
        for warning in dict.fromkeys(outcome.warning for outcome in outcomes if outcome.warning):
            sys.stderr.write(f"{self.name}: {warning}\n")
        tidy(root, limit)
        hits = sum(outcome.hit for outcome in outcomes)
        self.timing |= {"parts": len(jobs), "parts_from_cache": hits}
        self._cached = f"{hits} of {len(jobs)} parts"
        return [outcome.part for outcome in outcomes]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # There must be no report without its data, or the other way round: the folder is renamed first, and DVC uses
        # neither unless this process exits with 0.
        try:
            self._stack.__exit__(kind, error, tb)
            if error is None:
                write_json(self.project / "reports" / f"{self.name}.json", self.metrics)
                self._write_timing()
        except OSError as failure:
            self._leave(failure)
            raise
        if error is not None:
            self._leave(error)
        else:
            self._print_summary()

    def _leave(self, error: BaseException) -> None:
        """Exit with a readable message if the error is an ElekError or the system's refusal; otherwise do nothing."""
        error = of_system(error, self.data(self.name).parent) or error
        if isinstance(error, ElekError):
            sys.stderr.write(f"{self.name}: {error}\n")
            raise SystemExit(error.exit_code)

    def _write_timing(self) -> None:
        seconds = time.monotonic() - self._start
        write_json(
            self.project / ".cache" / "timings" / f"{self.name}.json",
            {"seconds": round(seconds, 2), "peak_mib": round(_peak_memory() / 2**20), **self.timing},
        )
        if self._cached:
            self.summary.append(("from cache", self._cached))
        self.summary.append(("time", f"{seconds:.1f} s"))

    def _print_summary(self) -> None:
        width = max(len(label) for label, _ in self.summary)
        for label, value in self.summary:
            sys.stdout.write(f"{self.name:>9} │ {label:<{width}}  {value}\n")
        sys.stdout.flush()


def _peak_memory() -> int:
    """Peak resident bytes of this process, plus those of its largest worker where the system reports them."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * unit
