"""`elek ui`: Prefect's server and MLflow's together, on loopback only, until Ctrl-C."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from elek import servers
from elek.cli import console
from elek.errors import ElekError, ParamsError
from elek.execution.processes import signals_raise, start, stop
from elek.tracking import registry

HOST = "127.0.0.1"
START_SECONDS = 180.0


@dataclass(frozen=True)
class Server:
    """One server: how it is started, and where it says that it is well."""

    name: str
    port: int
    command: tuple[str, ...]
    health: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def serve(*, prefect_port: int, mlflow_port: int) -> None:
    """Start both, wait until both answer, print the links; stop both with all they started when asked to.

    Raises ElekError for a port that is taken, saying by whom, and for a server that does not come up or dies.
    """
    project = console.project()
    if prefect_port == mlflow_port:
        fix = f"elek ui --prefect-port {prefect_port} --mlflow-port {mlflow_port % 65535 + 1}"
        raise ParamsError(f"both cannot listen on port {prefect_port}", where="elek ui", fix=fix)
    from flows import environment
    from flows.server import healthy

    environment.apply(project)
    already = servers.addresses(project)
    if already:
        raise ElekError(
            f"`elek ui` is at work in this project: {', '.join(sorted(already.values()))}",
            where=str(project),
            fix="open these pages, or stop that one first with Ctrl-C",
        )
    both = _servers(project, prefect_port, mlflow_port)
    for server in both:
        _require_free(server)
    logs = project / ".cache" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    running: dict[str, subprocess.Popen[str]] = {}
    with signals_raise():
        try:
            # The variable would make Prefect's own services ask another server.
            environ = {**_QUIET, "PREFECT_API_URL": f"{both[0].url}/api"}
            for server in both:
                with (logs / f"{server.name}.log").open("w", encoding="utf-8") as out:
                    running[server.name] = start(server.command, cwd=project, stdout=out, environment=environ)
            console.say("starting Prefect and MLflow …")
            for server in both:
                end = time.monotonic() + START_SECONDS
                while not healthy(server.url + server.health):
                    _require_alive(server, running[server.name], logs, late=time.monotonic() > end)
                    time.sleep(0.2)
            _announce(project, both)
            while True:
                for server in both:
                    _require_alive(server, running[server.name], logs, late=False)
                time.sleep(0.5)
        except KeyboardInterrupt:
            console.say("stopping both …")
        finally:
            servers.forget(project)
            for process in running.values():
                stop(process)


# Two processes instead of fifteen, and no telemetry.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def _servers(project: Path, prefect_port: int, mlflow_port: int) -> tuple[Server, Server]:
    python = (sys.executable, "-m")
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    own = f"sqlite:///{(project / 'mlflow.db').resolve().as_posix()}"
    store = given if given and not given.startswith("http") else own
    artifacts = (project / "mlartifacts").resolve().as_uri()
    mlflow = ("mlflow", "server", "--backend-store-uri", store, "--artifacts-destination", artifacts)
    return (
        Server(
            "prefect",
            prefect_port,
            (*python, "prefect", "server", "start", "--host", HOST, "--port", str(prefect_port)),
            "/api/health",
        ),
        Server(
            "mlflow",
            mlflow_port,
            (*python, *mlflow, "--host", HOST, "--port", str(mlflow_port), "--workers", "1"),
            "/health",
        ),
    )


def _require_free(server: Server) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, server.port)) != 0:
            return
    raise ElekError(
        f"port {server.port} is taken by {_listener(server.port)}",
        where=f"{server.name} on {HOST}",
        fix=f"stop that, or choose another: elek ui --{server.name}-port {server.port % 65535 + 1}",
    )


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
            if listens and connection.pid:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} (`{' '.join(process.cmdline())[:80]}`)"
    except psutil.Error:
        return "a process that this user may not see"
    return "a process that this user may not see"


def _require_alive(server: Server, process: subprocess.Popen[str], logs: Path, *, late: bool) -> None:
    if process.poll() is None and not late:
        return
    log = logs / f"{server.name}.log"
    tail = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-3:]
    what = "does not answer" if late else f"ended with {process.returncode}"
    raise ElekError(f"{server.name} {what}: {' / '.join(tail)}", where=str(log), fix="`elek doctor` may tell why")


def _announce(project: Path, both: tuple[Server, Server]) -> None:
    prefect, mlflow = both
    servers.announce(project, {server.name: server.url for server in both})
    outcome = registry.last_outcome(project)
    model = outcome.model if outcome else "elek"
    lines = [
        ("flow runs", f"{prefect.url}/runs"),
        ("schedules", f"{prefect.url}/deployments"),
        ("model", f"{mlflow.url}/#/models/{model}?{servers.TRAINING_VIEW}"),
        ("experiments", f"{mlflow.url}/#/experiments?{servers.TRAINING_VIEW}"),
        ("logs", str(project / ".cache" / "logs")),
    ]
    console.say("\n".join(f"{label:>12}  {value}" for label, value in lines))
    console.say("Runs started now report here. Ctrl-C stops both.")
