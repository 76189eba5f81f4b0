"""Work spread over processes gives what one process gives, and a death is told."""

from __future__ import annotations

import os
import signal

import pytest

from elek.errors import SourceError, WorkerError
from elek.execution import map_shards, worker_count
from elek.params import ExecutionParams


def square(number: int) -> int:
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise SourceError("three", where="here", fix="another")
    return number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    """Whichever worker ends first."""
    tasks = list(range(9))
    assert map_shards(square, tasks, execution=ExecutionParams(workers=workers), label="t") == [n * n for n in tasks]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_arrives_whole(workers: int) -> None:
    """What, where and fix come through the process boundary."""
    with pytest.raises(SourceError, match=r"(?s)three.*here.*another"):
        map_shards(fail_at_three, range(9), execution=ExecutionParams(workers=workers), label="t")


def test_a_killed_worker_is_an_error() -> None:
    """Not a hang, and not a result with a hole in it."""
    with pytest.raises(WorkerError, match="killed"):
        map_shards(die, range(9), execution=ExecutionParams(workers=2), label="t")


def test_no_more_workers_than_tasks() -> None:
    """One task needs no pool; none is no error."""
    assert worker_count(ExecutionParams(workers=8), 1) == 1
    assert map_shards(square, [], execution=ExecutionParams(), label="t") == []
