"""`elek serve`."""

from __future__ import annotations

import os
import socket
from types import FrameType

import uvicorn

from elek.cli import console
from elek.cli.loading import load_text_model
from elek.errors import ElekError
from elek.serving.app import HOSTS, build
from elek.serving.service import Limits, Service


def serve(version: str | None, *, port: int, max_tokens: int, queue: int, timeout: float) -> None:
    """Serve until Ctrl-C. Raises ElekError for a port that is taken, ParamsError for a model that cannot write."""
    console.project()
    with _listen(port) as listening:
        model, name = load_text_model(version)
        service = Service(model, name, Limits(max_tokens=max_tokens, queue=queue, seconds=timeout))
        config = uvicorn.Config(
            build(service),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=128,
            timeout_graceful_shutdown=5,
        )
        address = f"http://{HOSTS[0]}:{listening.getsockname()[1]}"
        _Server(config, service, f"{name} at {address} - try it there, or POST {address}/v1/completions").run(
            [listening]
        )


def _listen(port: int) -> socket.socket:
    """A socket on loopback, taken before the model is loaded. 0 is any free port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows the option would let two servers share a port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOSTS[0], port))
    except OSError as error:
        listening.close()
        raise ElekError(
            f"port {port} cannot be used: {error.strerror}",
            where=HOSTS[0],
            fix="end what uses it, or give another --port; --port 0 takes a free one",
        ) from None
    return listening


class _Server(uvicorn.Server):
    """Says where it is when it is, and ends what it is generating when asked to stop."""

    def __init__(self, config: uvicorn.Config, service: Service, greeting: str) -> None:
        super().__init__(config)
        self._service, self._greeting = service, greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            console.say(self._greeting)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.stop()
        super().handle_exit(sig, frame)
