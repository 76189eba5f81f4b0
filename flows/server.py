"""Which Prefect server a run reports to, and a private one where there is none.

In this order: the server that `PREFECT_API_URL` names; the one that `elek ui` started in this project, if it
answers; a server of the run's own on a free loopback port, on the same database, so that the run is there to
look at when `elek ui` is started later. Prefect has such an ephemeral server too; ours takes no part in Ctrl-C,
keeps its messages in a log file, starts while Prefect is being imported, and ends when we end, however we end.

    python -m flows.server PORT     serves until its standard input is closed
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elek import servers
from elek.errors import ElekError
from elek.execution.processes import start, stop

START_SECONDS = 120.0


@contextmanager
def api(project: Path) -> Iterator[Callable[[], str]]:
    """Choose the server and set PREFECT_API_URL; yields a function that waits until it answers, then names it.

    Enter this before Prefect is imported: it reads the variable at import, and the server needs the time.
    """
    chosen = os.environ.get("PREFECT_API_URL") or running(project)
    if chosen:
        os.environ["PREFECT_API_URL"] = chosen
        yield lambda: _answering(chosen)
        return
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    os.environ["PREFECT_API_URL"] = url
    log = project / ".cache" / "logs" / "prefect-private.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        server = start(
            [sys.executable, "-m", "flows.server", str(port)], cwd=project, stdin=subprocess.PIPE, stdout=out
        )
    try:
        yield lambda: _wait(url, server, log)
    finally:
        del os.environ["PREFECT_API_URL"]
        if server.stdin:
            server.stdin.close()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            stop(server)


def running(project: Path) -> str | None:
    """Address of the Prefect API that `elek ui` serves for this project now."""
    url = servers.addresses(project).get("prefect")
    return f"{url}/api" if url and healthy(f"{url}/api/health") else None


def healthy(url: str) -> bool:
    # Never through a proxy: these are loopback addresses.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answering(url: str) -> str:
    if not healthy(url + "/health"):
        raise ElekError(
            "the Prefect server does not answer",
            where=url,
            fix="start it, or unset PREFECT_API_URL: a run needs no server",
        )
    return url


def _wait(url: str, server: subprocess.Popen[str], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while not healthy(url + "/health"):
        if server.poll() is not None or time.monotonic() > end:
            tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise ElekError(
                f"Prefect's server did not start: {' '.join(tail) or 'it said nothing'}",
                where=str(log),
                fix="`dvc repro` runs the same stages without Prefect; `elek doctor` may tell why",
            )
        time.sleep(0.05)
    return url


def serve(port: int) -> None:
    """Prefect's API without its scheduler and pages, until standard input is closed."""
    os.environ.update(PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1", PREFECT_UI_ENABLED="0")
    os.environ.pop("PREFECT_API_URL", None)
    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(
        uvicorn.Config(create_app(), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=5)
    )

    def watch() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
