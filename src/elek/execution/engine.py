"""Spread a pure function over shards. The engine only launches: the bytes do not depend on it.

Two engines: processes of this machine (`forking` says how they start), or a Dask cluster (`cluster`). A function that
is killed half-way, with the process that runs it, is run again: under Dask on another worker, as its scheduler sees
to; in processes once, in a new pool of half the size, because what kills workers is most often that memory ran out.
What a shard's function writes is whole or not there (`elek.dataset.whole_file`), so that a second try finds nothing of
the first.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import TypeVar

from elek.errors import WorkerError
from elek.execution.forking import context, fork_server, renew, standing
from elek.params import ExecutionParams
from elek.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 3
"""Tasks per worker that are taken from an iterator before their turn."""


def worker_count(execution: ExecutionParams, tasks: int) -> int:
    return max(1, min(execution.workers or os.cpu_count() or 1, tasks))


def for_small(tasks: int, execution: ExecutionParams) -> ExecutionParams:
    """For tasks of some 20 ms: a hundred are done alone before workers that are not there yet would have started."""
    return execution if standing() or tasks > 100 else ExecutionParams(workers=1)


def ready(execution: ExecutionParams, *modules: str) -> AbstractContextManager[None]:
    """While the block runs, worker processes can begin at once, with `modules` imported (see `elek.execution.forking`).

    For a caller that still imports and reads while they are, and for several `map_shards` in a row.
    """
    alone = execution.engine != "processes" or (execution.workers or os.cpu_count()) == 1
    return nullcontext() if alone else fork_server(*modules)


def needs(function: Callable[..., object]) -> tuple[str, str]:
    """What a process imports that is to run `function`: its module, and the module `warm` beside it where there is
    one, which is there to read models and compiled kernels from disk."""
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

    `function` must be importable by name and pure; tasks and results are small and picklable (paths and counts,
    not text). An iterator is drawn from while workers work, and never more than `AHEAD` tasks a worker before their
    turn. The first error stops the rest and is raised here. Raises WorkerError when processes are killed more often
    than the engine tries again (see the module's text), and where there is no Dask to go by.
    """
    coming = enumerate(tasks)
    first = list(islice(coming, worker_count(execution, sys.maxsize)))  # no more workers than tasks
    total = len(tasks) if isinstance(tasks, Sized) else len(first)
    results: dict[int, Result] = {}
    with Progress(label, total, unit) as progress:
        if not first:
            return []
        numbered = _told(chain(first, coming), progress)
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


def _told(numbered: Iterator[tuple[int, Task]], progress: Progress) -> Iterator[tuple[int, Task]]:
    """The same tasks, one at least, with the progress knowing of the next: nobody can say how many are to come."""
    this = next(numbered)
    for following in numbered:
        progress.total = max(progress.total, following[0] + 1)
        yield this
        this = following
    yield this


def killed(label: str) -> WorkerError:
    return WorkerError(
        f"worker processes of `{label}` were killed again and again",
        fix="most often memory ran out: lower execution.workers or fetch.part_megabytes in params.yaml",
    )


def _in_processes(
    function: Callable[[Task], Result], numbered: Iterator[tuple[int, Task]], workers: int, progress: Progress
) -> Iterator[tuple[int, Result]]:
    waiting: dict[int, Task] = {}
    with fork_server(*needs(function)):
        for last_try in (False, True):
            try:
                yield from _in_pool(function, numbered, waiting, workers)
            except BrokenProcessPool:
                # One death ends the pool: nobody knows who it was, so that all that is not finished is done again.
                if last_try:
                    raise killed(progress.label) from None
                workers = max(1, workers // 2)
                renew()
                progress.say(f"a worker process was killed; the rest is tried once more, with {workers} at a time")
            else:
                return


def _in_pool(
    function: Callable[[Task], Result], numbered: Iterator[tuple[int, Task]], waiting: dict[int, Task], workers: int
) -> Iterator[tuple[int, Result]]:
    """Results as they come. `waiting` are the tasks that were drawn and are not finished, before and after."""
    others = set(multiprocessing.active_children())

    def submit(task: Task) -> Future[Result]:
        try:
            return pool.submit(function, task)
        except (EOFError, ConnectionError):  # the fork server was killed while workers were asked of it
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()  # nothing would ever end it: its pool has not begun
            raise BrokenProcessPool from None

    with ProcessPoolExecutor(workers, mp_context=context(), initializer=_begin) as pool:
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


def _begin() -> None:
    """Every process of a pool begins with this."""
    begin_worker()
    # Ctrl-C reaches all of us: workers end without a word, and the traceback is the caller's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
