"""The Dask engine: the same function on a cluster, local or at the address in DASK_SCHEDULER_ADDRESS.

A cluster elsewhere must see the project's folder under the same path and run the same code: each worker compares
its own files of this package with ours before it takes a task. Without an address a cluster of processes is started
for the stage, on loopback, encrypted with a certificate that lives as long as it does, and without a dashboard.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from elek.errors import WorkerError
from elek.execution.engine import begin_worker, killed

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


class Beginning(WorkerPlugin):
    """`begin_worker` on every worker, those that are started in place of killed ones too."""

    name = "elek"
    idempotent = True

    def __init__(self, code: str) -> None:
        self.code = code

    def setup(self, worker: Any) -> None:
        if code() != self.code:
            raise WorkerError(
                "this Dask worker runs another version of Elek",
                where=str(worker.address),
                fix="install the same one on every machine, and start the workers again",
            )
        begin_worker()


@cache
def code() -> str:
    """SHA-256 over every file of this package."""
    root = Path(__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in {".py", ".tsv", ".yaml"})
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def on_dask(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, label: str
) -> Iterator[tuple[int, Result]]:
    """Indexes and results of `function` over `tasks`, as they come. The first error cancels the rest.

    A task whose worker dies is given to another one, until it has seen three of them die: then WorkerError.
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
        client.register_plugin(Beginning(code()))
        futures = {
            client.submit(function, task, pure=False, key=f"{label}-{index}"): index for index, task in enumerate(tasks)
        }
        try:
            for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]
                yield futures[future], future.result()
        except KilledWorker:
            raise killed(label) from None
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
        memory_limit=0,  # as for processes: the system's affair
        silence_logs=logging.ERROR,
    )
