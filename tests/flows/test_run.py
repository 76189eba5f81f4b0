"""`elek run` for real: states, failures, deaths, locks; with no server, and with the one that `elek ui` serves."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from elek.execution import lock
from tests.flows.toy import Toy, alive, family, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prefect's database as its server makes it, which takes the server ten seconds."""
    toy = Toy(tmp_path_factory.mktemp("database") / "toy")
    script = (
        "from pathlib import Path; from flows import environment, server; environment.apply(Path.cwd())\n"
        "with server.api(Path.cwd()) as wait: wait()"
    )
    subprocess.run([sys.executable, "-c", script], cwd=toy.folder, env=toy.environment(), check=True)
    return toy.folder / ".prefect"


@pytest.fixture
def toy(tmp_path: Path, database: Path) -> Toy:
    """A project that has never run."""
    toy = Toy(tmp_path / "toy")
    shutil.copytree(database, toy.folder / ".prefect")
    return toy


def wait_until_at_work(toy: Toy, stage: str) -> None:
    wait_for(lambda: f"[{stage}] 2/" in toy.output("run"), f"stage {stage}")


def test_states_without_a_server(toy: Toy) -> None:
    """No server needed: Ran, then Skipped and Cached as params go and come back; the lines are all told."""
    code, output = toy.elek("run")
    assert code == 0, output
    assert "zero says merhaba, ğüşiöç" in output
    assert "this pipeline trains no model" in output
    assert toy.task_states() == {"zero": "Ran", "one": "Ran", "apart": "Ran", "register": "Skipped"}
    for noise in ("Traceback", "CancelledError", "ERROR", "prefect.", "git add"):
        assert noise not in output
    toy.settings(zero={"ticks": 3})
    assert toy.elek("run")[0] == 0
    assert toy.task_states() == {"zero": "Ran", "one": "Ran", "apart": "Skipped", "register": "Skipped"}
    toy.settings(zero={"ticks": 2})
    assert toy.elek("run")[0] == 0
    # What `one` writes was the same all the time, so there never was anything new for `apart`.
    assert toy.task_states() == {"zero": "Cached", "one": "Cached", "apart": "Skipped", "register": "Skipped"}
    progress = toy.query("select description from artifact where key = 'progress-zero'")
    assert progress[0][0] == "zero: done"
    messages = [row[0] for row in toy.query("select message from log")]
    assert any("zero says merhaba, ğüşiöç" in message for message in messages)


def test_a_stage_that_fails_or_is_killed_ends_the_run(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill -9` of a stage is told, under a plain sh too, and leaves nothing that looks whole. A stage that fails ends
    the run with its own exit code and last lines; later stages do not start. The next run goes on from there."""
    monkeypatch.setenv("SHELL", "/bin/sh")
    toy.settings(zero={"ticks": 2000}, one={"ticks": 1, "fail": 1})
    running = toy.start("run")
    wait_until_at_work(toy, "zero")
    (stage,) = [process for process in family(running) if "stage.py" in process.cmdline()]
    stage.kill()
    assert running.wait(timeout=90) == 1
    assert "stage `zero` was killed by signal 9" in toy.output("run")
    assert not (toy.folder / "data" / "zero").exists()
    toy.settings(zero={"ticks": 1})
    code, output = toy.elek("run")
    assert code == 4  # DataError
    assert sorted(path.name for path in (toy.folder / "data" / "zero").iterdir()) == ["0.txt"]
    assert "stage `one` failed" in output
    assert "the data is torn" in output
    assert "Traceback" not in output
    assert toy.task_states() == {"zero": "Ran", "one": "Failed"}
    ends = "select s.name, s.message from flow_run r join flow_run_state s on s.id = r.state_id order by r.start_time"
    assert toy.query(ends)[-1][0] == "Failed"
    assert toy.query(ends)[-1][1].startswith("stage `one` failed"), "Prefect's pages say what and not how many"
    assert not (toy.folder / "data" / "one").exists()
    toy.settings(one={"ticks": 1})
    code, output = toy.elek("run")
    assert code == 0, output
    assert toy.task_states() == {"zero": "Skipped", "one": "Ran", "apart": "Ran", "register": "Skipped"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])  # SIGHUP has SIGTERM's handler
def test_a_stopped_run_leaves_no_process(toy: Toy, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end DVC, the stage and the server; nothing that looks whole is left."""
    toy.settings(zero={"ticks": 2000})
    running = toy.start("run")
    wait_until_at_work(toy, "zero")
    processes = family(running)
    assert len(processes) >= 4  # elek, the private server, dvc, the stage
    running.send_signal(number)
    assert running.wait(timeout=90) == 128 + number
    wait_for(lambda: not alive(processes), "the end of all that it started", 10)
    assert not (toy.folder / "data" / "zero").exists()
    assert toy.query("select state_name from flow_run")[0][0] in ("Crashed", "Cancelled")
    json.loads((toy.folder / ".dvc" / "tmp" / "rwlock").read_text(encoding="utf-8"))  # DVC could tidy up


def test_nobody_else_runs_beside_a_run(toy: Toy) -> None:
    """A second `elek run` and a bare `dvc repro` fail at once, naming the holder, and do the living run no harm."""
    toy.settings(zero={"ticks": 2000})
    running = toy.start("run")
    wait_until_at_work(toy, "zero")

    def beside(*command: str) -> subprocess.CompletedProcess[str]:
        environment = toy.environment()
        return subprocess.run(
            [sys.executable, *command], cwd=toy.folder, env=environment, capture_output=True, text=True, check=False
        )

    for command in (["-m", "elek.cli", "run"], ["stage.py", "one"]):
        refused = beside(*command)
        assert refused.returncode == 5
        assert f"process {running.pid}" in refused.stderr
    bare = beside("-m", "dvc", "repro")
    assert bare.returncode != 0
    assert "PID" in bare.stderr or f"process {running.pid}" in bare.stderr
    (toy.folder / "enough").touch()
    assert running.wait(timeout=120) == 0, toy.output("run")


def test_a_stage_that_outlived_its_run_keeps_a_second_writer_out(toy: Toy) -> None:
    """After `kill -9` of `elek run` its stage may live on: the next run is refused and names it, until it is gone."""
    toy.settings(zero={"ticks": 2000})
    running = toy.start("run")
    wait_until_at_work(toy, "zero")
    (stage,) = [process for process in family(running) if "stage.py" in process.cmdline()]
    others = [process for process in family(running) if process != stage]
    stage.suspend()  # or it would end at its next line, which nobody reads any more
    for process in others:
        process.kill()
    psutil.wait_procs(others, timeout=30)
    running.wait(timeout=30)
    code, output = toy.elek("run")
    assert code == 5
    assert f"process {stage.pid}" in output
    stage.kill()
    # Its threads end one after the other: a moment passes between its death and the lock's release.
    wait_for(lambda: lock.holder(toy.folder) is None, "the lock's release")


def test_bad_input_is_told_before_anything_starts(toy: Toy) -> None:
    """Wrong params, a broken pipeline and a wrong folder are errors with their exit codes; no server is started."""
    (toy.folder / "params.yaml").write_text("regsiter: {}\n", encoding="utf-8")
    code, output = toy.elek("run")
    assert code == 2
    assert "did you mean `register`?" in output
    assert not (toy.folder / ".cache").exists()
    (toy.folder / "params.yaml").write_text("register: {}\n", encoding="utf-8")
    (toy.folder / "dvc.yaml").write_text("stages: {a: {outs: 3}}\n", encoding="utf-8")
    code, output = toy.elek("run")
    assert code == 1
    assert "DVC cannot read the pipeline" in output
    (toy.folder / "dvc.yaml").unlink()
    code, output = toy.elek("run")
    assert code == 2
    assert "no Elek project: dvc.yaml not found" in output


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports: list[int] = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def test_ui_and_schedule(toy: Toy) -> None:
    """`elek ui` serves both; runs report there; a schedule's runs stand as SCHEDULED and one is executed; all end."""
    prefect_port, mlflow_port = free_ports(2)
    ui = toy.start("ui", "--prefect-port", str(prefect_port), "--mlflow-port", str(mlflow_port))
    schedule = None
    try:
        wait_for(lambda: "Ctrl-C" in toy.output("ui") or ui.poll() is not None, "the servers' start", 300)
        assert f"http://127.0.0.1:{mlflow_port}/#/models/" in toy.output("ui")
        assert get(f"http://127.0.0.1:{mlflow_port}/health") == "OK"

        code, output = toy.elek("run")
        assert code == 0, output
        assert f"http://127.0.0.1:{prefect_port}/runs" in output
        assert not (toy.folder / ".cache" / "logs" / "prefect-private.log").exists()
        assert post(prefect_port, "flow_runs/count") == 1

        schedule = toy.start("schedule", "--every", "0.1")
        scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        wait_for(lambda: post(prefect_port, "flow_runs/count", scheduled) > 0, "a SCHEDULED run")
        done = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}, "deployment_id": {"is_null_": False}}}
        wait_for(lambda: post(prefect_port, "flow_runs/count", done) > 0, "an executed run", 180)
        toy.settings(zero={"ticks": 2000})
        wait_for(lambda: "[zero] 2/" in toy.output("schedule"), "a scheduled run at work")
        processes = family(schedule)
        assert any("stage.py" in process.cmdline() for process in processes)
        schedule.send_signal(signal.SIGINT)
        schedule.wait(timeout=90)
        wait_for(lambda: not alive(processes), "the end of all that it started", 10)
    finally:
        if schedule is not None and schedule.poll() is None:
            schedule.kill()
        processes = family(ui)
        ui.send_signal(signal.SIGINT)
        ui.wait(timeout=90)
    wait_for(lambda: not alive(processes), "the end of all that it started", 10)


def test_schedule_needs_a_server_and_a_time(toy: Toy) -> None:
    """Without `elek ui` a schedule says what to start; without a time, or with two, what to give."""
    code, output = toy.elek("schedule", "--cron", "0 3 * * *")
    assert code == 1
    assert "start `elek ui`" in output
    assert toy.elek("schedule")[0] == 2


def test_a_taken_port_is_told_with_its_holder(toy: Toy) -> None:
    """`elek ui` on a port that somebody listens on names that process and another port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        code, output = toy.elek("ui", "--prefect-port", str(port))
    assert code == 1
    assert f"port {port} is taken by process" in output
    assert f"--prefect-port {port + 1}" in output


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> str:
    with OPENER.open(url, timeout=30) as response:
        return str(response.read().decode())


def post(port: int, path: str, body: object = None) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{path}",
        data=json.dumps(body or {}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with OPENER.open(request, timeout=30) as response:
        return int(json.loads(response.read()))
