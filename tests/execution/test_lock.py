"""One run at a time, whoever starts it, and nobody is kept out by the dead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elek.errors import LockError
from elek.execution import lock

HOLD = """
import sys
from pathlib import Path
from elek.execution import lock
with getattr(lock, sys.argv[1])(Path.cwd()):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(project: Path, kind: str, token: str = "") -> subprocess.Popen[str]:
    """A process that holds a lock until its standard input is closed."""
    environment = {**os.environ, lock.TOKEN: token}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, kind],
        cwd=project,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def let_go(process: subprocess.Popen[str]) -> None:
    """End a holder in peace."""
    process.communicate(timeout=30)


def test_a_second_run_fails_and_names_the_first(tmp_path: Path) -> None:
    """A second run is refused at once, with the holder's process number and what to do."""
    holder = hold(tmp_path, "run_lock")
    with pytest.raises(LockError, match=f"process {holder.pid}, since") as refused, lock.run_lock(tmp_path):
        pass
    assert refused.value.fix
    let_go(holder)
    with lock.run_lock(tmp_path):
        pass


def test_a_bare_stage_fails_beside_a_run(tmp_path: Path) -> None:
    """A stage that no run started is refused while one lives, and the run is named."""
    holder = hold(tmp_path, "run_lock")
    with pytest.raises(LockError, match=f"process {holder.pid}"), lock.stage_lock(tmp_path):
        pass
    let_go(holder)


def test_a_run_fails_beside_a_bare_stage(tmp_path: Path) -> None:
    """A run is refused while a stage that was started by hand lives, and the stage is named."""
    holder = hold(tmp_path, "stage_lock")
    with pytest.raises(LockError, match=f"process {holder.pid}"), lock.run_lock(tmp_path):
        pass
    let_go(holder)


def test_a_run_lets_its_own_stages_in(tmp_path: Path) -> None:
    """The stages that a run starts pass its lock, one at a time."""
    with lock.run_lock(tmp_path):
        stage = hold(tmp_path, "stage_lock", os.environ[lock.TOKEN])
        with pytest.raises(LockError, match=f"process {stage.pid}"), lock.stage_lock(tmp_path):
            pass
        let_go(stage)
        with lock.stage_lock(tmp_path):
            pass
    assert lock.TOKEN not in os.environ


def test_a_killed_run_keeps_nobody_out(tmp_path: Path) -> None:
    """`kill -9` frees the lock, though the note of who held it stays behind."""
    holder = hold(tmp_path, "run_lock")
    holder.kill()
    holder.communicate()
    assert (tmp_path / ".cache" / "run.holder.json").exists()
    assert lock.holder(tmp_path) is None
    with lock.run_lock(tmp_path):
        pass


def test_a_stage_that_outlived_its_run_keeps_others_out(tmp_path: Path) -> None:
    """A stage whose run was killed still is the only writer, and it is named instead of the dead run."""
    script = HOLD.replace(
        "sys.stdin.read()",
        "import subprocess; subprocess.Popen([sys.executable, '-c', sys.argv[2], 'stage_lock']); sys.stdin.read()",
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script, "run_lock", HOLD],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdin is not None
    assert [run.stdout.readline() for _ in range(2)] == ["held\n", "held\n"]
    run.kill()
    run.wait()
    with pytest.raises(LockError) as refused, lock.run_lock(tmp_path):
        pass
    assert "process " in str(refused.value)
    assert f"process {run.pid}," not in str(refused.value)
    with pytest.raises(LockError), lock.stage_lock(tmp_path):
        pass
    run.stdin.close()  # the stage's standard input is the same one
    assert run.stdout.read() == ""
    with lock.run_lock(tmp_path):
        pass


def test_a_run_that_fails_lets_go(tmp_path: Path) -> None:
    """An exception inside of the lock frees it."""
    with pytest.raises(ZeroDivisionError), lock.run_lock(tmp_path):
        _ = 1 / 0
    assert lock.holder(tmp_path) is None
    assert not list((tmp_path / ".cache").glob("*.holder.json"))
