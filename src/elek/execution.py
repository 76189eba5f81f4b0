"""Spread a pure function over shards. The engine only launches: the bytes do not depend on it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from elek.errors import WorkerError
from elek.params import ExecutionParams
from elek.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")


def worker_count(execution: ExecutionParams, tasks: int) -> int:
    return max(1, min(execution.workers or os.cpu_count() or 1, tasks))


def map_shards(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    execution: ExecutionParams,
    label: str,
    unit: str = "parts",
) -> list[Result]:
    """`[function(task) for task in tasks]` in the order of `tasks`, spread over spawned processes.

    `function` must be importable by name and pure; tasks and results are small and picklable (paths and counts,
    not text). The first error stops the rest and is raised here. Raises WorkerError when a process dies.
    """
    workers = worker_count(execution, len(tasks))
    results: list[Result | None] = [None] * len(tasks)
    with Progress(label, len(tasks), unit) as progress:
        if workers == 1:
            for index, task in enumerate(tasks):
                results[index] = function(task)
                progress.advance()
            return results  # type: ignore[return-value]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
            futures = {pool.submit(function, task): index for index, task in enumerate(tasks)}
            try:
                for future in as_completed(futures):
                    results[futures[future]] = future.result()
                    progress.advance()
            except BrokenProcessPool:
                raise WorkerError(
                    f"a worker process of `{label}` was killed",
                    fix="most often memory ran out: lower execution.workers or fetch.part_megabytes in params.yaml",
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return results  # type: ignore[return-value]


def _begin_worker() -> None:
    # One process per core is the parallelism; threads inside each would only fight over the same cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Workers hold both ends of their queue's pipe, so that the death of a killed parent never reaches them there.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
