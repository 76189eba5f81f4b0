"""A small project of three stages with our locks and progress lines, driven by `elek` as users drive it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.project import environment, git, run

STAGE = '''\
"""python stage.py NAME: waits for as many ticks as settings.json says, or for a file `enough`; writes data/<NAME>."""
import json, sys, time
from pathlib import Path
from elek.dataset import atomic_folder
from elek.errors import DataError, ElekError
from elek.execution.lock import stage_lock

name = sys.argv[1]
settings = json.loads(Path("settings.json").read_text())[name]
try:
    with stage_lock(Path.cwd()), atomic_folder(Path("data", name)) as out:
        for tick in range(settings["ticks"]):
            (out / f"{tick}.txt").write_text(name)
            sys.stderr.write(f"[{name}] {tick + 1}/{settings['ticks']} parts\\n")
            sys.stderr.flush()
            if Path("enough").exists():
                break
            time.sleep(0.2)
        if settings.get("fail"):
            raise DataError("the data is torn", where="part 3", fix="sew it")
except ElekError as error:
    sys.stderr.write(f"{name}: {error}\\n")
    raise SystemExit(error.exit_code)
print(f"{name} says merhaba, ğüşiöç")
'''

DVC = """\
stages:
  zero:
    cmd: python stage.py zero
    deps: [stage.py]
    params: [settings.json: [zero]]
    outs: [data/zero]
  one:
    cmd: python stage.py one
    deps: [stage.py, data/zero]
    params: [settings.json: [one]]
    outs: [data/one]
  apart:
    cmd: python stage.py apart
    deps: [stage.py, data/one]
    params: [settings.json: [apart]]
    outs: [data/apart]
"""


class Toy:
    """The project and what one does with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "stage.py").write_text(STAGE, encoding="utf-8")
        (folder / "dvc.yaml").write_text(DVC, encoding="utf-8")
        (folder / "params.yaml").write_text("register: {model: toy}\n", encoding="utf-8")
        (folder / ".gitignore").write_text("/data/\n/.cache/\n/.prefect/\n", encoding="utf-8")
        self.settings(zero={"ticks": 2}, one={"ticks": 1}, apart={"ticks": 1})
        git(folder, "init", "--quiet")
        run(folder, sys.executable, "-m", "dvc", "init", "--quiet")

    def settings(self, **changes: dict[str, int]) -> None:
        """Change settings of stages: ticks of a fifth of a second, and whether to fail."""
        path = self.folder / "settings.json"
        now = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps(now | changes), encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Nobody's servers, and a PATH without our interpreter: `elek` must find it."""
        names = ("PREFECT_API_URL", "PREFECT_HOME", "MLFLOW_TRACKING_URI", "PYTHONPATH")
        plain = {name: value for name, value in environment().items() if name not in names}
        return plain | {"PATH": os.environ["PATH"]}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`elek …` in the background, its output in `<first argument>.out`."""
        with (self.folder / f"{arguments[0]}.out").open("w", encoding="utf-8") as out:
            return subprocess.Popen(
                [sys.executable, "-c", "from elek.cli import main; main()", *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def output(self, command: str) -> str:
        return (self.folder / f"{command}.out").read_text(encoding="utf-8")

    def elek(self, *arguments: str) -> tuple[int, str]:
        """`elek …` to its end: exit code and output."""
        code = self.start(*arguments).wait(timeout=180)
        return code, self.output(arguments[0])

    def task_states(self, run: int = -1) -> dict[str, str]:
        """State by task of a flow run, the latest by default, from Prefect's database."""
        flow_id = self.query("select id from flow_run where start_time is not null order by start_time")[run][0]
        return dict(self.query("select name, state_name from task_run where flow_run_id = ?", flow_id))  # type: ignore[arg-type]

    def query(self, statement: str, *values: object) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.folder / ".prefect" / "prefect.db", timeout=30) as database:
            return database.execute(statement, values).fetchall()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait until something is true, patiently: the machine may be busy."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} seconds"
        time.sleep(0.1)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A process and everything that it has started."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
