"""The HTTP application: OpenAI's completions API and a page to try it, for programs and browsers on this machine.

Other websites must not use the model through a visitor's browser: requests with a foreign `Host` (DNS rebinding) or
`Origin` are refused, responses carry no CORS headers, and only JSON is accepted. The text of requests and responses is
never logged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from elek.errors import ElekError, did_you_mean
from elek.generation.text import Chunk, Settings
from elek.serving.completions import Answer, CompletionRequest, error
from elek.serving.service import BusyError, Job, LateError, Limits, Service

HOSTS = ("127.0.0.1", "localhost")
_PAGE_RULES = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


class RefusalError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", **more: str | None) -> None:
        self.response = JSONResponse(error(message, kind, **more), status)
        super().__init__(message)


class Guard:
    """Middleware that refuses requests which another website may have sent through a browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers({"host": HOSTS[0]})
        host = headers.get("host", "").lower()
        if host not in HOSTS and host.rpartition(":")[0] not in HOSTS:
            refusal = JSONResponse(error("this server answers to 127.0.0.1 and localhost only"), 403)
            await refusal(scope, receive, send)
        elif headers.get("origin", f"http://{host}") != f"http://{host}":
            await JSONResponse(error("this server answers to its own pages only"), 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def build(service: Service) -> FastAPI:
    """The application for a service, which it closes on shutdown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await service.close()

    # FastAPI's pages of documentation load scripts from other hosts, so they are off.
    app = FastAPI(title="Elek", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    app.add_middleware(Guard)

    @app.exception_handler(RefusalError)
    async def refused(_: Request, refusal: RefusalError) -> Response:
        return refusal.response

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, problem: HTTPException) -> Response:
        said = (
            f"no {request.method} {request.url.path} here; there are POST /v1/completions, GET /v1/models and /health"
        )
        return JSONResponse(error(said), problem.status_code, headers=problem.headers)

    @app.get("/")
    async def page() -> Response:
        text = files("elek.serving").joinpath("page.html").read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": _PAGE_RULES, "X-Frame-Options": "DENY"})

    @app.get("/health")
    async def health() -> dict[str, object]:
        return {"status": "ok", "model": service.name, "waiting": service.waiting}

    @app.get("/v1/models")
    async def models() -> dict[str, object]:
        context = service.model.model.config.context
        row = {"id": service.name, "object": "model", "created": service.started, "owned_by": "elek"}
        return {"object": "list", "data": [{**row, "context": context, "max_tokens": service.limits.max_tokens}]}

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        return await _complete(service, request)

    return app


async def _complete(service: Service, request: Request) -> Response:
    asked = _parse(await _body(request, service.limits))
    settings, prompt_tokens = _check(service, asked)
    try:
        job = service.submit(asked.prompts, settings)
    except BusyError:
        answer = error("other requests are waiting already", "server_error", code="busy")
        return JSONResponse(answer, 429, headers={"Retry-After": "1"})
    answer_of = Answer(service.model, service.name)
    if asked.stream:
        return StreamingResponse(_events(job, answer_of), media_type="text/event-stream")
    return JSONResponse(answer_of.whole(await _all(request, job), prompt_tokens))


async def _body(request: Request, limits: Limits) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusalError(415, "send JSON, with `Content-Type: application/json`")
    body = b""
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body_bytes:
                    raise RefusalError(413, f"the request is larger than {limits.body_bytes:,} bytes")
    except TimeoutError:
        raise RefusalError(408, f"the request did not arrive within {limits.seconds:g} s") from None
    except ClientDisconnect:
        raise RefusalError(400, "the request was not sent to its end") from None  # the client is gone
    return body


def _parse(body: bytes) -> CompletionRequest:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "the body is no JSON") from None
    if not isinstance(fields, dict):
        raise RefusalError(400, "the body is no JSON object")
    try:
        return CompletionRequest.model_validate(fields)
    except ValidationError as errors:
        first = errors.errors(include_url=False, include_input=False, include_context=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # of several fields together
            raise RefusalError(400, said) from None
        name = _printable(str(first["loc"][0]))
        if first["type"] == "extra_forbidden":
            said = f"unknown field; {did_you_mean(name, CompletionRequest.model_fields)}"
        raise RefusalError(400, f"`{name}`: {said}", param=name) from None


def _printable(text: str) -> str:
    """The text with `?` for each lone surrogate, which cannot be encoded in a response."""
    return text.encode(errors="replace").decode()


def _check(service: Service, asked: CompletionRequest) -> tuple[Settings, int]:
    """The settings, and the number of tokens in all prompts. Raises RefusalError for an impossible request."""
    limits = service.limits
    if asked.model not in (None, service.name):
        raise RefusalError(404, f"there is only `{service.name}` here", param="model", code="model_not_found")
    if asked.max_tokens > limits.max_tokens:
        raise RefusalError(400, f"`max_tokens` is at most {limits.max_tokens} here", param="max_tokens")
    if len(asked.prompts) * asked.n > limits.texts:
        raise RefusalError(400, f"at most {limits.texts} texts in one request", param="n")
    if asked.beams is not None and asked.beams > limits.texts:
        raise RefusalError(400, f"at most {limits.texts} `beams`", param="beams")
    try:
        settings = asked.settings()
        sizes = [len(service.model.encode(prompt)) for prompt in asked.prompts]
        unseen = [size for size in sizes if service.model.unseen(size, settings)]
    except ElekError as wrong:
        raise RefusalError(400, _printable(str(wrong))) from None
    if unseen and not asked.truncate_prompt:
        said = f"a prompt has {max(unseen)} tokens, and the model sees {service.model.model.config.context}"
        raise RefusalError(
            400,
            f"{said}, the {asked.max_tokens} of `max_tokens` among them" if asked.beams else said,
            param="prompt",
            code="context_length_exceeded",
        )
    return settings, sum(sizes)


async def _all(request: Request, job: Job) -> list[Chunk]:
    """All chunks of a job. The job is cancelled when the client disconnects."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        job.cancelled.set()

    watcher = asyncio.create_task(watch())
    try:
        return [chunk async for chunk in job]
    except LateError:
        raise RefusalError(503, "the request took too long", "server_error", code="timeout") from None
    finally:
        watcher.cancel()


async def _events(job: Job, answer: Answer) -> AsyncIterator[str]:
    try:
        async for chunk in job:
            event = answer.event(chunk)
            choice = event["choices"][0]
            if choice["text"] or choice["finish_reason"] or choice["logprobs"]:
                yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        yield "data: [DONE]\n\n"
    except LateError:
        yield f"data: {json.dumps(error('the request took too long', 'server_error', code='timeout'))}\n\n"
    finally:
        job.cancelled.set()
