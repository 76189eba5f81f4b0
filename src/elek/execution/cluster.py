"""The Dask engine: the same function on a cluster, local or at the address in DASK_SCHEDULER_ADDRESS.

A cluster on other machines must see the project's folder under the same path and run the same code: before it takes a
task, each worker compares its files of this package with ours. Without an address, a cluster of processes is started
for the stage: on loopback, encrypted with a temporary certificate, and without a dashboard.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import elek
from elek.errors import WorkerError
from elek.execution.cache import code_digest
from elek.execution.worker import begin_worker, killed_error

try:
    from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed
except ModuleNotFoundError:
    raise WorkerError(
        "execution.engine is `dask`, which is not installed",
        where="params.yaml",
        fix='`pip install -e ".[dask]"`, or set execution.engine to `processes`',
    ) from None

ADDRESS = "DASK_SCHEDULER_ADDRESS"
CONNECT_SECONDS = 30

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerSetup(WorkerPlugin):
    """Checks the code of every worker and runs `begin_worker` there, also on those that replace killed ones."""

    name = "elek"
    idempotent = True

    def __init__(self, code: str) -> None:
        self.code = code

    def setup(self, worker: Any) -> None:
        if package_digest() != self.code:
            raise WorkerError(
                "this Dask worker runs another version of Elek",
                where=str(worker.address),
                fix="install the same one on every machine, and start the workers again",
            )
        begin_worker()


@cache
def package_digest() -> str:
    """SHA-256 over the names and contents of all source files of Elek, and of the data files that stages read."""
    root = Path(elek.__file__).parent
    files = (path for path in root.rglob("*") if path.suffix in {".py", ".tsv", ".txt", ".yaml"})
    return code_digest(files, root)


def on_dask(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, label: str
) -> Iterator[tuple[int, Result]]:
    """Indexes and results of `function` over `tasks`, as they come. The first error cancels the rest.

    A task whose worker dies is given to another one. Raises WorkerError where three have died with the same task.
    """
    with ExitStack() as stack:
        address = os.environ.get(ADDRESS)
        try:
            where = address or stack.enter_context(_local(workers))
            client = stack.enter_context(_connect(where))
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"no Dask scheduler answers: {error}",
                where=f"{ADDRESS}={address}",
                fix="start one, or unset the variable",
            ) from None
        client.register_plugin(WorkerSetup(package_digest()))
        futures = {
            client.submit(function, task, pure=False, key=f"{label}-{index}"): index for index, task in enumerate(tasks)
        }
        try:
            for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]
                yield futures[future], future.result()
        except KilledWorker:
            raise killed_error(label) from None
        finally:
            client.cancel(list(futures), force=True)


def _connect(where: object) -> Any:
    return Client(where, set_as_default=False, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]


def _local(workers: int) -> LocalCluster:
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        worker_dashboard_address=None,
        security=True,
        memory_limit=0,  # none, as in the process engine
        silence_logs=logging.ERROR,
    )
