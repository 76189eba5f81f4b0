"""Work spread over processes gives what one process gives, and a death is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Literal
from unittest.mock import patch

import psutil
import pytest

from elek.dataset import DOCUMENT, Dataset, Part, write_manifest, write_part
from elek.errors import SourceError, WorkerError
from elek.execution import engine as engines
from elek.execution import forking
from elek.execution.engine import AHEAD, map_shards, prepare_workers, worker_count
from elek.params import ExecutionParams
from elek.progress import Progress
from elek.text.cleaning import CleanParams, CleanTask, clean_part
from tests.corpus import document

Engine = Literal["processes", "dask"]
ENGINES = [(1, "processes"), (2, "processes"), pytest.param(2, "dask", marks=pytest.mark.slow)]


def square(number: int) -> int:
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise SourceError("three", where="here", fix="another")
    return number


def kill_me() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def die(number: int) -> int:
    if number == 2:
        kill_me()
    return number


def one_dies(task: CleanTask) -> Part:
    """Clean a part; the first to come to part 2 leaves half a file, and is killed."""
    died = task.out.parent / "died"
    if task.index == 2 and not died.exists():
        died.touch()
        (task.out / ".part-00002.parquet.0badc0de.tmp").write_bytes(b"PAR1 and no more")
        kill_me()
    time.sleep(0.05)  # so that there is work left when it happens
    return clean_part(task)


def environment(number: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def threads_of_parent(number: int) -> int:
    return len(list(Path(f"/proc/{os.getppid()}/task").iterdir()))


def kill_server(task: tuple[int, Path]) -> int:
    """As a system does that has no memory left, and finds the process that has most of it."""
    number, died = task
    if number == 3 and not died.exists():
        died.touch()
        os.kill(os.getppid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        time.sleep(60)
    return number


def sleep(folder: str) -> None:
    """Say who we are, and who forked us."""
    for pid in (os.getpid(), os.getppid()):
        Path(folder, str(pid)).touch()
    time.sleep(60)


def clean(folder: Path, engine: Engine, function: object = clean_part) -> dict[str, bytes]:
    """Eight parts of documents, cleaned by two workers: the files."""
    fetched, out = folder / "fetched", folder / "clean"
    fetched.mkdir(parents=True)
    out.mkdir()
    empty = dict.fromkeys(DOCUMENT.names, "") | {"license": "MIT", "meta": "{}"}
    tables = [
        DOCUMENT.empty_table().from_pylist(
            [empty | {"id": f"{part}-{n}", "text": document("tr", 10 * part + n)} for n in range(10)], schema=DOCUMENT
        )
        for part in range(8)
    ]
    dataset = write_manifest(fetched, [write_part(fetched, index, table) for index, table in enumerate(tables)])
    tasks = [CleanTask(dataset.path(index), out, index, CleanParams()) for index in range(8)]
    parts = map_shards(function, tasks, execution=ExecutionParams(workers=2, engine=engine), label="clean")  # type: ignore[arg-type]
    write_manifest(out, parts)
    assert len(Dataset(out)) == 80
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize(("workers", "engine"), ENGINES)
def test_results_come_in_the_order_of_the_tasks(workers: int, engine: Engine) -> None:
    """Whichever worker ends first."""
    tasks = list(range(9))
    execution = ExecutionParams(workers=workers, engine=engine)
    assert map_shards(square, tasks, execution=execution, label="t") == [n * n for n in tasks]


@pytest.mark.parametrize(("workers", "engine"), ENGINES)
def test_an_error_of_a_worker_arrives_whole(workers: int, engine: Engine) -> None:
    """What, where and fix come through the process boundary."""
    with pytest.raises(SourceError, match=r"(?s)three.*here.*another"):
        map_shards(fail_at_three, range(9), execution=ExecutionParams(workers=workers, engine=engine), label="t")


def test_a_part_that_kills_every_worker_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Not a hang, and not a result with a hole in it: it is tried twice, which is told."""
    with pytest.raises(WorkerError, match="killed"):
        map_shards(die, range(9), execution=ExecutionParams(workers=2), label="t")
    assert capfd.readouterr().err.count("[t] a worker process was killed") == 1


@pytest.mark.parametrize("engine", ["processes", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_killed_worker_changes_no_byte(tmp_path: Path, engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    """One of two workers gets SIGKILL midway, under either engine: the same files as when nobody dies, and nothing of
    what the dead one was about."""
    assert clean(tmp_path / "dead", engine, one_dies) == clean(tmp_path / "alive", "processes")
    assert (tmp_path / "dead" / "died").exists()
    assert ("tried once more" in capfd.readouterr().err) == (engine == "processes")


@pytest.mark.parametrize("engine", ["processes", pytest.param("dask", marks=pytest.mark.slow)])
def test_workers_begin_alike_under_either_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread a process, which parallelism over shards stands on."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    execution = ExecutionParams(workers=2, engine=engine)
    assert map_shards(environment, range(4), execution=execution, label="t") == ["1"] * 4


def test_dask_that_is_not_installed_is_told_with_the_remedy() -> None:
    """The name of the extra, before anything is computed."""
    program = (
        "import sys; sys.modules['distributed'] = None\n"
        "from elek.execution.engine import map_shards\nfrom elek.params import ExecutionParams\n"
        "map_shards(abs, [1], execution=ExecutionParams(engine='dask'), label='t')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "WorkerError" in done.stderr
    assert 'pip install -e ".[dask]"' in done.stderr


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that named it."""
    from elek.execution import cluster

    monkeypatch.setenv(cluster.ADDRESS, "tcp://127.0.0.1:9")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(WorkerError, match=r"(?s)no Dask scheduler answers.*tcp://127.0.0.1:9"):
        map_shards(square, [1], execution=ExecutionParams(engine="dask"), label="t")


@pytest.mark.slow
def test_a_worker_with_other_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that runs another version would make other bytes."""
    from elek.execution import cluster

    monkeypatch.setattr(cluster, "package_digest", lambda: "ours")
    with pytest.raises(WorkerError, match="another version"):
        map_shards(square, [1, 2], execution=ExecutionParams(workers=1, engine="dask"), label="t")


def test_the_digest_of_the_code_covers_the_whole_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose rules or word lists differ is another version, not only one whose engine does."""
    from elek.execution import cluster

    (tmp_path / "filters").mkdir()
    monkeypatch.setattr(cluster.elek, "__file__", str(tmp_path / "__init__.py"))
    digests = set()
    for name in ("__init__.py", "filters/c4.py", "filters/words.tsv"):
        (tmp_path / name).write_text("", encoding="utf-8")
        digests.add(cluster.package_digest.__wrapped__())
    assert len(digests) == 3


def test_no_more_workers_than_tasks() -> None:
    """One task needs no pool; none is no error."""
    assert worker_count(ExecutionParams(workers=8), 1) == 1
    assert map_shards(square, [], execution=ExecutionParams(), label="t") == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_an_iterator_is_drawn_from_as_workers_come_free(workers: int) -> None:
    """In order and to its end, and never far ahead of what is done: what it makes may be large."""
    drawn = done = 0
    most = 0

    def tasks() -> Iterator[int]:
        nonlocal drawn, most
        for number in range(40):
            drawn += 1
            most = max(most, drawn - done)
            yield number

    class Counting(Progress):
        def advance(self, steps: int = 1, note: str = "") -> None:
            nonlocal done
            done += steps

    with patch.object(engines, "Progress", Counting):
        found = map_shards(square, tasks(), execution=ExecutionParams(workers=workers), label="t")
    assert found == [number * number for number in range(40)]
    assert most <= AHEAD * workers + 2


def test_progress_of_an_iterator_ends_with_its_number(capfd: pytest.CaptureFixture[str]) -> None:
    """Though nobody knew it before; and not every step is a line."""
    map_shards(square, iter(range(30)), execution=ExecutionParams(workers=1), label="t")
    said = capfd.readouterr().err.splitlines()
    assert said[-1] == "[t] 30/30 parts"
    assert len(said) <= 3


ONLY_FORKED = pytest.mark.skipif(not forking.FORKS, reason="workers are spawned here")


@ONLY_FORKED
def test_the_process_that_is_forked_has_one_thread() -> None:
    """Which is what makes it safe, with all that shards need in it; and it ends with the block."""
    two = ExecutionParams(workers=2)
    with prepare_workers(two, "elek.curation.warm"):
        assert map_shards(threads_of_parent, range(4), execution=two, label="t") == [1] * 4
        (server,) = (child for child in psutil.Process().children() if "elek.curation.warm" in str(child.cmdline()))
    assert not server.is_running()


@ONLY_FORKED
def test_ctrl_c_leaves_the_imports_of_the_fork_server_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A terminal sends it to the whole group: the one that was started is silent, and its starter ends it."""
    begun = tmp_path / "begun"
    source = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(0.5)\n"
    (tmp_path / "slow_to_import.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with prepare_workers(ExecutionParams(workers=2), "slow_to_import"):
        server = psutil.Process(forking._server()._forkserver_pid)
        while not begun.exists():
            time.sleep(0.01)
        server.send_signal(signal.SIGINT)
        assert map_shards(square, range(4), execution=ExecutionParams(workers=2), label="t") == [0, 1, 4, 9]
    assert "Traceback" not in capfd.readouterr().err


@ONLY_FORKED
def test_where_no_socket_can_be_workers_are_spawned(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in a folder for temporary files whose name is too long for one: the same results, and a line why."""
    from multiprocessing import connection

    forking._warn_of_spawning.cache_clear()
    monkeypatch.setattr(connection, "arbitrary_address", lambda family: "/tmp/" + "x" * 200)
    assert map_shards(square, range(4), execution=ExecutionParams(workers=2), label="t") == [0, 1, 4, 9]
    assert capfd.readouterr().err.startswith("workers are spawned, which takes them a second each: no fork server")


@ONLY_FORKED
@pytest.mark.parametrize("lost", [None, *forking.PRIVATE_API])
def test_a_python_with_another_fork_server_spawns_and_says_so_once(
    lost: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whichever part of its inside is not there, or where it starts and has no process: never a guess."""
    from multiprocessing import forkserver

    inside: dict[str, object] = {"_preload_modules": [], "_forkserver_pid": None}
    calls = {name: lambda *arguments: None for name in forking.PRIVATE_API if name not in inside}
    other = SimpleNamespace(**{name: what for name, what in (inside | calls).items() if name != lost})
    monkeypatch.setattr(forkserver, "_forkserver", other)
    forking._warn_of_spawning.cache_clear()
    for _ in range(2):
        with prepare_workers(ExecutionParams(workers=2), "json"):
            assert not forking.server_is_running()
            assert forking.worker_context().get_start_method() == "spawn"
    said = capfd.readouterr().err
    assert said.count("workers are spawned") == 1
    assert (lost or "it has no process") in said


@ONLY_FORKED
def test_the_death_of_the_process_that_is_forked_changes_no_result(tmp_path: Path) -> None:
    """Its children are gone with it, or ended; another one is started."""
    tasks = [(number, tmp_path / "died") for number in range(8)]
    assert map_shards(kill_server, tasks, execution=ExecutionParams(workers=2), label="t") == list(range(8))
    assert (tmp_path / "died").exists()


@ONLY_FORKED
def test_the_death_of_that_process_while_it_starts_changes_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    """As long as it imports, nobody has been forked, and the pool waits for its first worker."""
    two = ExecutionParams(workers=2)
    with prepare_workers(two, "json"):
        (server,) = (child for child in psutil.Process().children() if "forkserver" in str(child.cmdline()))
        server.suspend()
        threading.Timer(0.3, server.kill).start()
        assert map_shards(square, range(4), execution=two, label="t") == [0, 1, 4, 9]
    assert "a worker process was killed" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(("number", "to_all"), [("SIGKILL", False), ("SIGINT", True)])
def test_nobody_is_left_behind(tmp_path: Path, number: str, to_all: bool) -> None:
    """A killed caller, or Ctrl-C at a terminal: every process that it started ends, and workers say nothing."""
    program = (
        "import sys\nfrom elek.execution.engine import map_shards\nfrom elek.params import ExecutionParams\n"
        "from tests.execution.test_execution import sleep\n"
        "if __name__ == '__main__':\n"
        "    map_shards(sleep, sys.argv[1:] * 2, execution=ExecutionParams(workers=2), label='t')\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    told = tmp_path / "told"
    told.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    caller = subprocess.Popen(
        [sys.executable, str(script), str(told)], stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    while len(list(told.iterdir())) < 3:
        assert caller.poll() is None
        time.sleep(0.02)
    others = [psutil.Process(int(path.name)) for path in told.iterdir() if path.name != str(caller.pid)]
    (os.killpg if to_all else os.kill)(caller.pid, getattr(signal, number))
    _, said = caller.communicate(timeout=20)
    gone, alive = psutil.wait_procs(others, timeout=20)
    assert not alive
    assert len(gone) == 2 + forking.FORKS
    assert said.count("Traceback") == (1 if to_all else 0)
