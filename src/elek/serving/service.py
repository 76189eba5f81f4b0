"""One generation at a time, in a thread of its own so that the server keeps answering, behind a bounded queue."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from elek.generation.decoder import require_causal
from elek.generation.text import Chunk, Settings, TextModel


class BusyError(Exception):
    """The queue is full."""


class LateError(Exception):
    """A request took longer than it may."""


class _LeftError(Exception):
    """The client has left."""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for."""

    max_tokens: int = 1024
    texts: int = 16
    """Prompts times samples."""
    body_bytes: int = 256 * 1024
    queue: int = 8
    """Requests that may wait for the one at work."""
    seconds: float = 60.0
    """From the request's arrival to its last token."""


@dataclass(eq=False)
class Job:
    """A request that waits or is at work. Setting `cancelled` ends it."""

    deadline: float
    chunks: asyncio.Queue[Chunk | Exception | None] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raises where the work is to end."""
        if self.cancelled.is_set():
            raise _LeftError
        if time.monotonic() > self.deadline:
            raise LateError

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as they come. Raises what went wrong: LateError, or the error of the generation."""
        while (chunk := await self.chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


class Service:
    """A model that answers. Raises ParamsError for a model that does not write from left to right."""

    def __init__(self, model: TextModel, name: str, limits: Limits | None = None) -> None:
        require_causal(model.model)
        self.model, self.name, self.limits = model, name, limits or Limits()
        self.started = int(time.time())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generation")
        self._turn = asyncio.Lock()
        self._jobs: dict[Job, asyncio.Task[None]] = {}
        model.complete([""], Settings(max_new_tokens=2))  # compiled before the first request

    @property
    def waiting(self) -> int:
        """Requests behind the one at work."""
        return max(0, self._present - 1)

    @property
    def _present(self) -> int:
        """Requests whose client is still there: one that has left takes up no place in the queue."""
        return sum(not job.cancelled.is_set() for job in self._jobs)

    def submit(self, prompts: Sequence[str], settings: Settings) -> Job:
        """Begin, or wait for a turn. Raises BusyError where as many wait as may."""
        if self._present > self.limits.queue:
            raise BusyError
        job = Job(time.monotonic() + self.limits.seconds)
        # A task of its own: the turn ends whatever becomes of the connection.
        self._jobs[job] = asyncio.create_task(self._work(job, prompts, settings))
        return job

    def stop(self) -> None:
        """Let what is at work end after its next token."""
        for job in list(self._jobs):
            job.cancelled.set()

    async def close(self) -> None:
        self.stop()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        self._thread.shutdown()

    async def _work(self, job: Job, prompts: Sequence[str], settings: Settings) -> None:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + job.deadline - time.monotonic()):
                await self._turn.acquire()
        except TimeoutError:
            job.chunks.put_nowait(LateError())
            self._jobs.pop(job)
            return
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._generate, loop, job, prompts, settings)
        except Exception as error:  # noqa: BLE001 - raised again where the chunks are read
            job.chunks.put_nowait(error)
        finally:
            self._turn.release()
            self._jobs.pop(job)
            job.chunks.put_nowait(None)

    def _generate(self, loop: asyncio.AbstractEventLoop, job: Job, prompts: Sequence[str], settings: Settings) -> None:
        with suppress(_LeftError):
            job.check()
            for chunk in self.model.stream(prompts, settings, job.check):
                loop.call_soon_threadsafe(job.chunks.put_nowait, chunk)
                job.check()
