"""Spread a pure function over shards. The engine only starts work: the bytes of the outputs do not depend on it.

There are two engines: processes on this machine (`forking` says how they start), or a Dask cluster (`cluster`). The
task of a worker that is killed is run again. Dask's scheduler gives it to another worker; the process engine retries
once, in a new pool of half the size, because what kills workers is most often a lack of memory. A task's output file
is either complete or absent (`elek.dataset.whole_file`), so a second try finds nothing that the first one left.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import TypeVar

from elek.execution.forking import fork_server, restart_server, server_is_running, worker_context
from elek.execution.worker import begin_worker, killed_error
from elek.params import ExecutionParams
from elek.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 3
"""Tasks per worker that are drawn from an iterator ahead of time."""


def worker_count(execution: ExecutionParams, tasks: int) -> int:
    return max(1, min(execution.workers or os.cpu_count() or 1, tasks))


def for_small(tasks: int, execution: ExecutionParams) -> ExecutionParams:
    """For tasks of some 20 ms: a hundred are done alone before workers that are not there yet would have started."""
    return execution if server_is_running() or tasks > 100 else ExecutionParams(workers=1)


def prepare_workers(execution: ExecutionParams, *modules: str) -> AbstractContextManager[None]:
    """While the block runs, workers start at once with `modules` imported (see `elek.execution.forking`).

    Use it where the caller still has imports or reading to do meanwhile, or calls `map_shards` several times.
    """
    alone = execution.engine != "processes" or (execution.workers or os.cpu_count()) == 1
    return nullcontext() if alone else fork_server(*modules)


def modules_of(function: Callable[..., object]) -> tuple[str, str]:
    """The modules that a worker needs for `function`: its own module, and `warm` in the same package.

    A package has a module `warm` where models and compiled kernels can be loaded in advance.
    """
    module = function.__module__
    return module, f"{module.rpartition('.')[0]}.warm"


def map_shards(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    execution: ExecutionParams,
    label: str,
    unit: str = "parts",
) -> list[Result]:
    """`[function(task) for task in tasks]` in the order of `tasks`, spread over processes.

    `function` must be pure and importable by name; tasks and results are small and picklable (paths and counts,
    not text). An iterator is drawn from while workers work, at most `AHEAD` tasks per worker ahead of time. The first
    error stops the rest and is raised here. Raises WorkerError when workers are killed more often than the engine
    retries (see the module's docstring), and when Dask is wanted but missing.
    """
    coming = enumerate(tasks)
    first = list(islice(coming, worker_count(execution, sys.maxsize)))  # no more workers than tasks
    total = len(tasks) if isinstance(tasks, Sized) else len(first)
    results: dict[int, Result] = {}
    with Progress(label, total, unit) as progress:
        if not first:
            return []
        numbered = _with_total(chain(first, coming), progress)
        if execution.engine == "dask":
            from elek.execution.cluster import on_dask

            finished = on_dask(function, [task for _, task in numbered], len(first), label)
        elif len(first) == 1:
            finished = ((index, function(task)) for index, task in numbered)
        else:
            finished = _in_processes(function, numbered, len(first), progress)
        for index, result in finished:
            results[index] = result
            progress.advance()
    return [results[index] for index in range(len(results))]


def _with_total(numbered: Iterator[tuple[int, Task]], progress: Progress) -> Iterator[tuple[int, Task]]:
    """The same tasks (at least one), raising the progress bar's total by each: an iterator does not know its length."""
    this = next(numbered)
    for following in numbered:
        progress.total = max(progress.total, following[0] + 1)
        yield this
        this = following
    yield this


def _in_processes(
    function: Callable[[Task], Result], numbered: Iterator[tuple[int, Task]], workers: int, progress: Progress
) -> Iterator[tuple[int, Result]]:
    waiting: dict[int, Task] = {}
    with fork_server(*modules_of(function)):
        for last_try in (False, True):
            try:
                yield from _in_pool(function, numbered, waiting, workers)
            except BrokenProcessPool:
                # The death of one worker ends the pool, which cannot say whose it was: retry all unfinished tasks.
                if last_try:
                    raise killed_error(progress.label) from None
                workers = max(1, workers // 2)
                restart_server()
                progress.say(f"a worker process was killed; the rest is tried once more, with {workers} at a time")
            else:
                return


def _in_pool(
    function: Callable[[Task], Result], numbered: Iterator[tuple[int, Task]], waiting: dict[int, Task], workers: int
) -> Iterator[tuple[int, Result]]:
    """Results as they come. `waiting` holds the tasks that are drawn but not finished, and is kept up to date."""
    others = set(multiprocessing.active_children())

    def submit(task: Task) -> Future[Result]:
        try:
            return pool.submit(function, task)
        except (EOFError, ConnectionError):  # the fork server was killed while workers were asked of it
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()  # nothing would ever end it: its pool has not begun
            raise BrokenProcessPool from None

    with ProcessPoolExecutor(workers, mp_context=worker_context(), initializer=_begin_pool_worker) as pool:
        try:
            handed = {submit(task): index for index, task in waiting.items()}
            while True:
                for index, task in islice(numbered, max(0, AHEAD * workers - len(handed))):
                    waiting[index] = task
                    handed[submit(task)] = index
                if not handed:
                    return
                for future in wait(handed, return_when=FIRST_COMPLETED).done:
                    index = handed.pop(future)
                    result = future.result()
                    del waiting[index]
                    yield index, result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin_pool_worker() -> None:
    """Initialise a process of the pool."""
    begin_worker()
    # Ctrl-C reaches every process: workers end silently, and only the caller prints a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
