"""Children end with everything that they started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from elek import servers
from elek.execution.processes import signals_raise, start, stop

CHILD = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN);"
PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(600)"
ORPHANING = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"


def family_of(code: str, child: str, tmp_path: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    process = start([sys.executable, "-c", code, child], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    if code == ORPHANING:
        process.wait()
        members = [found for found in psutil.process_iter(["cmdline"]) if child in (found.info["cmdline"] or [])]
        return process, [
            found for found in members if "-c" in found.info["cmdline"] and len(found.info["cmdline"]) == 3
        ]
    return process, [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [found for found in processes if found.is_running() and found.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("leaves_first", [False, True])
@pytest.mark.parametrize("child", [CHILD, STUBBORN + CHILD], ids=["polite", "stubborn"])
def test_stop_ends_the_tree(child: str, leaves_first: bool, tmp_path: Path) -> None:
    """Parent and child end, also where they do not listen."""
    process, members = family_of(PARENT, child, tmp_path)
    assert len(living(members)) == 2
    stop(process, grace=0.5, leaves_first=leaves_first)
    assert living(members) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
def test_stop_ends_orphans(tmp_path: Path) -> None:
    """A child whose parent has died belongs to the session still, and ends."""
    process, members = family_of(ORPHANING, CHILD + f"  # {tmp_path}", tmp_path)
    assert len(living(members)) == 1
    stop(process, grace=2)
    assert living(members) == []


def test_servers_are_known_while_their_owner_lives(tmp_path: Path) -> None:
    """What a living process announced is found; a note of a dead one with the same number is not believed."""
    assert servers.addresses(tmp_path) == {}
    servers.announce(tmp_path, {"prefect": "http://127.0.0.1:1"})
    assert servers.addresses(tmp_path) == {"prefect": "http://127.0.0.1:1"}
    note = tmp_path / ".cache" / "servers.json"
    started = psutil.Process().create_time()
    note.write_text(note.read_text(encoding="utf-8").replace(f"{started}", f"{started - 100}"), encoding="utf-8")
    assert servers.addresses(tmp_path) == {}
    servers.forget(tmp_path)
    assert servers.addresses(tmp_path) == {}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGBREAK" if sys.platform == "win32" else "SIGHUP"])
def test_a_signal_that_asks_us_to_end_is_an_exception(name: str) -> None:
    """`finally` blocks run, the exit code tells the signal, and the former handler comes back."""
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as left, signals_raise():
        signal.raise_signal(number)
    assert left.value.code == 128 + number
    assert signal.getsignal(number) == before
