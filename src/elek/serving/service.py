"""A queue of requests: one generation at a time, in a thread of its own, so that the server can keep answering."""

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
    """A request took longer than allowed."""


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
    """Requests that may wait for the running one."""
    seconds: float = 60.0
    """From the request's arrival to its last token."""


@dataclass(eq=False)
class Job:
    """A request that waits or runs. Setting `cancelled` ends it."""

    deadline: float
    chunks: asyncio.Queue[Chunk | Exception | None] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise an exception if the job was cancelled or is too late."""
        if self.cancelled.is_set():
            raise _LeftError
        if time.monotonic() > self.deadline:
            raise LateError

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as they come. Raises LateError, or the error of the generation."""
        while (chunk := await self.chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


class Service:
    """A model that answers requests in turn. Raises ParamsError for a masked model."""

    def __init__(self, model: TextModel, name: str, limits: Limits | None = None) -> None:
        require_causal(model.model)
        self.model, self.name, self.limits = model, name, limits or Limits()
        self.started = int(time.time())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generation")
        self._turn = asyncio.Lock()
        self._jobs: dict[Job, asyncio.Task[None]] = {}
        model.complete([""], Settings(max_new_tokens=2))  # compiles the kernels before the first request

    @property
    def waiting(self) -> int:
        """The number of requests that wait for the running one."""
        return max(0, self._present - 1)

    @property
    def _present(self) -> int:
        """The number of requests whose client is still connected; others take no place in the queue."""
        return sum(not job.cancelled.is_set() for job in self._jobs)

    def submit(self, prompts: Sequence[str], settings: Settings) -> Job:
        """Queue a request. Raises BusyError where the queue is full."""
        if self._present > self.limits.queue:
            raise BusyError
        job = Job(time.monotonic() + self.limits.seconds)
        # A task of its own, so that it finishes even if the connection breaks.
        self._jobs[job] = asyncio.create_task(self._work(job, prompts, settings))
        return job

    def stop(self) -> None:
        """Cancel all jobs; the running one ends after its next token."""
        for job in list(self._jobs):
            job.cancelled.set()

    async def close(self) -> None:
        """Cancel all jobs and wait for their end."""
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
