"""Spread a pure function over shards. The engine only launches: the bytes do not depend on it.

Two engines: processes of this machine, or a Dask cluster (`elek.cluster`). A function that is killed half-way, with
the process that runs it, is run again: under Dask on another worker, as its scheduler sees to; in processes once, in
a new pool of half the size, because what kills workers is most often that memory ran out. What a shard's function
writes is whole or not there (`elek.dataset.whole_file`), so that a second try finds nothing of the first.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
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
    """`[function(task) for task in tasks]` in the order of `tasks`, spread over processes.

    `function` must be importable by name and pure; tasks and results are small and picklable (paths and counts,
    not text). The first error stops the rest and is raised here. Raises WorkerError when processes are killed more
    often than the engine tries again (see the module's text), and where there is no Dask to go by.
    """
    workers = worker_count(execution, len(tasks))
    results: dict[int, Result] = {}
    with Progress(label, len(tasks), unit) as progress:
        if not tasks:
            return []
        if execution.engine == "dask":
            from elek.cluster import on_dask

            finished = on_dask(function, tasks, workers, label)
        elif workers == 1:
            finished = ((index, function(task)) for index, task in enumerate(tasks))
        else:
            finished = _in_processes(function, tasks, workers, progress)
        for index, result in finished:
            results[index] = result
            progress.advance()
    return [results[index] for index in range(len(tasks))]


_standing: list[ProcessPoolExecutor] = []
"""The workers of the innermost `standing_workers`, and nothing once one of them was killed."""


@contextmanager
def standing_workers(execution: ExecutionParams, module: str) -> Iterator[None]:
    """Workers that start now, import `module`, and serve every `map_shards` in the block.

    A new process takes more than a second before it can work: here it starts while the caller still imports and
    reads, and once for several maps in a row. One worker, or another engine, is as without the block.
    """
    workers = execution.workers or os.cpu_count() or 1
    if workers == 1 or execution.engine != "processes":
        yield
        return
    with _pool(workers) as pool:
        for _ in range(workers):
            pool.submit(importlib.import_module, module)
        _standing.append(pool)
        try:
            yield
        finally:
            _standing.clear()
            pool.shutdown(wait=False, cancel_futures=True)


def standing() -> bool:
    """Whether workers stand ready, so that even small work is worth sharing."""
    return bool(_standing)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=begin_worker)


def killed(label: str) -> WorkerError:
    return WorkerError(
        f"worker processes of `{label}` were killed again and again",
        fix="most often memory ran out: lower execution.workers or fetch.part_megabytes in params.yaml",
    )


def _in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, progress: Progress
) -> Iterator[tuple[int, Result]]:
    waiting = dict(enumerate(tasks))
    for last_try in (False, True):
        try:
            for index, result in _in_pool(function, waiting, workers):
                del waiting[index]
                yield index, result
        except BrokenProcessPool:
            # One death ends the pool: nobody knows who it was, so that all that is not finished is done again.
            if last_try:
                raise killed(progress.label) from None
            workers = max(1, workers // 2)
            progress.say(f"a worker process was killed; the rest is tried once more, with {workers} at a time")
        else:
            return


def _in_pool(function: Callable[[Task], Result], tasks: dict[int, Task], workers: int) -> Iterator[tuple[int, Result]]:
    with nullcontext(_standing[0]) if _standing else _pool(workers) as pool:
        futures = {pool.submit(function, task): index for index, task in tasks.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            _standing.clear()
            raise
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def begin_worker() -> None:
    """What every worker process does first, whoever started it."""
    # One process per core is the parallelism; threads inside each would only fight over the same cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Workers hold both ends of their queue's pipe, so that the death of a killed parent never reaches them there.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
