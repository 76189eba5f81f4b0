"""The server: OpenAI's shapes, refusals, limits, and a process that starts and stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from elek.errors import ParamsError
from elek.generation import Beams, Sampling, Settings
from elek.serving.app import build
from elek.serving.completions import _Offsets
from elek.serving.service import BusyError, LateError, Limits, Service
from tests.generation.models import CONTEXT, text_model
from tests.project import environment
from tests.registered import make_trained_project

BODY: dict[str, Any] = {"prompt": "The farmer", "max_tokens": 12, "temperature": 0, "seed": 1}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A server with a model that has learned a little."""
    service = Service(text_model(), "data/train", Limits(max_tokens=200, texts=4, body_bytes=4000))
    with TestClient(build(service), base_url="http://127.0.0.1:8000") as made:
        yield made


def post(client: TestClient, **changes: Any) -> httpx.Response:
    return client.post("/v1/completions", json={**BODY, **changes})


def test_health_models_and_page(client: TestClient) -> None:
    """What watches, what lists, and a page that loads nothing from elsewhere."""
    assert client.get("/health").json() == {"status": "ok", "model": "data/train", "waiting": 0}
    (model,) = client.get("/v1/models").json()["data"]
    assert (model["id"], model["object"], model["context"]) == ("data/train", "model", CONTEXT)
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("</", "")


def test_a_completion_is_the_models(client: TestClient) -> None:
    """The text that the library gives, its end, and the tokens counted."""
    expected = text_model().complete(["The farmer"], Settings(12, Sampling(temperature=0)))[0]
    answer = post(client).json()
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [
        {"text": expected.text, "index": 0, "logprobs": None, "finish_reason": expected.finish}
    ]
    written = len(expected.tokens)
    assert answer["usage"]["completion_tokens"] == written
    assert answer["usage"]["total_tokens"] == expected.prompt_tokens + written


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_a_stream_is_the_completion_in_pieces(client: TestClient) -> None:
    """Of several prompts and samples too: the pieces join to the texts, each ends once."""
    asked = {"prompt": ["The", "Köyün"], "n": 2, "temperature": 1.0, "max_tokens": 20}
    whole = post(client, **asked).json()["choices"]
    response = post(client, **asked, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    texts, ends = [""] * 4, [[] for _ in range(4)]  # type: ignore[var-annotated]
    for event in events(response):
        (choice,) = event["choices"]
        texts[choice["index"]] += choice["text"]
        ends[choice["index"]] += [choice["finish_reason"]] if choice["finish_reason"] else []
    assert texts == [choice["text"] for choice in whole]
    assert ends == [[choice["finish_reason"]] for choice in whole]


def test_seeds_stops_and_probabilities(client: TestClient) -> None:
    """The same seed, the same text; a stop string ends it; each token has its probability and its place."""
    drawn = {"temperature": 1.0, "max_tokens": 20}
    assert post(client, **drawn).json()["choices"] == post(client, **drawn).json()["choices"]
    free = post(client, max_tokens=20).json()["choices"][0]["text"]
    cut = post(client, max_tokens=20, stop=[free[4:7]]).json()["choices"][0]
    assert cut["text"] == free[: free.index(free[4:7])]
    assert cut["finish_reason"] == "stop"
    choice = post(client, logprobs=3).json()["choices"][0]
    told = choice["logprobs"]
    assert max(told["top_logprobs"][0].values()) == told["token_logprobs"][0] <= 0
    for token, offset in zip(told["tokens"], told["text_offset"], strict=True):
        assert "\\" in token or choice["text"][offset:].startswith(token)
    streamed = [event["choices"][0]["logprobs"] for event in events(post(client, logprobs=3, stream=True))]
    assert [offset for part in streamed if part for offset in part["text_offset"]] == told["text_offset"]


def test_offsets_count_characters_as_the_text_has_them() -> None:
    """Also behind bytes that form no character, each of which the text shows as one U+FFFD."""
    bytes_of = text_model().tokenizer.byte_ids
    offsets = _Offsets(text_model())
    ids = [bytes_of[0xE2], bytes_of[0x82], bytes_of[ord("a")], bytes_of[ord("b")]]
    assert [offsets.next(token) for token in ids][-1] == len(text_model().tokenizer.decode(ids[:-1])) == 3


def test_a_search_gives_the_best_texts(client: TestClient) -> None:
    """`beams` and `length_penalty` as the library has them, the best first."""
    asked = {"prompt": "The farmer", "max_tokens": 12, "beams": 3, "length_penalty": 0.5, "n": 2}
    answer = client.post("/v1/completions", json=asked).json()
    expected = text_model().complete(["The farmer"], Settings(12, beams=Beams(3, 0.5), samples=2))
    assert [choice["text"] for choice in answer["choices"]] == [found.text for found in expected]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"beams": 0}, "greater than or equal to 1"),
        ({"beams": 5}, "at most 4 `beams`"),
        ({"beams": 2, "temperature": 0}, "`temperature` means nothing beside it"),
        ({"beams": 2, "stream": True}, "known only at its end"),
        ({"beams": 2, "n": 3}, "3 texts of a search with 2 beams"),
        ({"beams": 2, "length_penalty": float("nan")}, "length_penalty"),
        ({"beams": 2, "max_tokens": CONTEXT + 1}, f"beam search for {CONTEXT + 1} new tokens"),
        ({"beams": 2, "max_tokens": CONTEXT}, f"the model sees {CONTEXT}, the {CONTEXT} of `max_tokens` among"),
        ({"length_penalty": 2}, "means nothing without `beams`"),
    ],
)
def test_a_search_that_cannot_be_is_refused(client: TestClient, changes: dict[str, Any], said: str) -> None:
    """Before it begins, in words."""
    body = json.dumps({"prompt": "The", "max_tokens": 4, **changes})
    response = client.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"temprature": 1}, 400, "did you mean `temperature`"),
        ({"prompt": [1, 2]}, 400, "prompt"),
        ({"prompt": []}, 400, "1 to 64"),
        ({"stop": ["a"] * 65}, 400, "0 to 64"),
        ({"n": True}, 400, "`n`"),
        ({"prompt": "word " * 200}, 400, f"the model sees {CONTEXT}"),
        ({"prompt": "a\ud800"}, 400, "lone surrogate"),
        ({"temperature": -1}, 400, "temperature"),
        ({"repetition_penalty": 1e-300}, 400, "repetition_penalty"),
        ({"max_tokens": 201}, 400, "at most 200"),
        ({"max_tokens": -1}, 400, "max_tokens"),
        ({"n": 5}, 400, "at most 4 texts"),
        ({"stop": ""}, 400, "empty stop string"),
        ({"model": "gpt-9"}, 404, "only `data/train`"),
        ({"prompt": "x" * 5000}, 413, "larger than 4,000"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    client: TestClient, changes: dict[str, Any], status: int, said: str
) -> None:
    """In OpenAI's shape of an error, naming what is wrong."""
    body = json.dumps({**BODY, **changes})
    response = client.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert said in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[" * 9999, "application/json", 413),
        ("[" * 3000, "application/json", 400),
        ("[1]", "application/json", 400),
        ("{}", "text/plain", 415),
    ],
)
def test_what_is_no_json_is_refused(client: TestClient, body: str, kind: str, status: int) -> None:
    """Broken, too deep, or sent as a form of another site could send it."""
    assert client.post("/v1/completions", content=body, headers={"Content-Type": kind}).status_code == status


def test_other_sites_are_refused(client: TestClient) -> None:
    """A foreign Host (DNS rebinding) or Origin gets nothing, on any path, and no answer allows another origin."""
    for path in ("/", "/health", "/v1/models"):
        for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
            assert client.get(path, headers={"Host": host}).status_code == 403
        assert client.get(path, headers={"Origin": "http://evil.example"}).status_code == 403
        answer = client.get(path, headers={"Host": "localhost:8000", "Origin": "http://localhost:8000"})
        assert answer.status_code == client.get(path, headers={"Host": "LOCALHOST"}).status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_an_address_that_is_none_is_told(client: TestClient) -> None:
    """In OpenAI's shape, with what there is: a chat program sees why it gets no answer."""
    for answer, status in ((client.post("/v1/chat/completions", json={}), 404), (client.get("/v1/completions"), 405)):
        assert answer.status_code == status
        assert "POST /v1/completions" in answer.json()["error"]["message"]


def test_a_long_prompt_is_cut_where_that_is_asked_for(client: TestClient) -> None:
    """The end is read, as the page needs it, where a text grows; otherwise it is refused."""
    asked = {"prompt": "word " * 100}
    assert post(client, **asked).status_code == 400
    expected = text_model().complete([asked["prompt"]], Settings(12, Sampling(temperature=0)))[0]
    assert post(client, **asked, truncate_prompt=True).json()["choices"][0]["text"] == expected.text
    assert "truncate_prompt: true" in client.get("/").text


def test_null_is_the_default(client: TestClient) -> None:
    """As OpenAI's own clients send what was not asked for."""
    nothing = {"max_tokens": None, "stop": None, "n": None, "stream": None, "suffix": None}
    assert post(client, max_tokens=64).json()["choices"] == post(client, **nothing, logprobs=None).json()["choices"]
    assert post(client, stop=[]).json()["choices"] == post(client).json()["choices"]


def test_no_tokens_and_no_prompt(client: TestClient) -> None:
    """max_tokens 0 gives an empty text; without a prompt a text begins."""
    assert post(client, max_tokens=0).json()["choices"][0]["text"] == ""
    assert post(client, prompt="").json()["usage"]["prompt_tokens"] == 1


def test_edges_are_those_of_the_library(client: TestClient) -> None:
    """Filters, penalty, special names, and prompts of different lengths: the texts of `TextModel`, also in a stream."""
    sampling = Sampling(1.5, 10**6, 0.9, 0.02, 1.3)
    prompts, stop = ["</s> <mask>", "", "The farmer went home"], ("e ", "zz")
    expected = text_model().complete(prompts, Settings(12, sampling, stop=stop, seed=4))
    asked = {"temperature": 1.5, "top_k": 10**6, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.3}
    asked |= {"prompt": prompts, "stop": list(stop), "seed": 4, "max_tokens": 12}
    choices = client.post("/v1/completions", json=asked).json()["choices"]
    assert [(one["text"], one["finish_reason"]) for one in choices] == [(one.text, one.finish) for one in expected]
    texts = [""] * 3
    for event in events(client.post("/v1/completions", json={**asked, "stream": True})):
        (choice,) = event["choices"]
        texts[choice["index"]] += choice["text"]
    assert texts == [one.text for one in expected]


@pytest.mark.parametrize(("arrives", "status"), [("never", 408), ("disconnected", 400)])
def test_a_request_that_does_not_arrive_ends(arrives: str, status: int) -> None:
    """A slow sender waits no longer than a request may take; one that leaves in the middle is no error of ours."""
    service = Service(text_model(), "m", Limits(seconds=0.05))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if arrives == "never":
            await asyncio.sleep(10)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "headers": headers, "query_string": b""}
    asyncio.run(build(service)({**scope, "http_version": "1.1", "scheme": "http"}, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == status


LONG = Settings(max_new_tokens=100_000, sampling=Sampling(temperature=1))
SEARCH = Settings(max_new_tokens=CONTEXT, beams=Beams(4))


def test_the_queue_is_bounded_and_nobody_leaks_a_turn() -> None:
    """One works, one waits, the third is told to come back; whoever leaves makes room, also before its turn."""

    async def scenario() -> None:
        service = Service(text_model(), "m", Limits(queue=1))
        first, second = service.submit(["a"], LONG), service.submit(["b"], LONG)
        with pytest.raises(BusyError):
            service.submit(["c"], LONG)
        assert service.waiting == 1
        second.cancelled.set()
        third = service.submit(["c"], replace(LONG, max_new_tokens=2))
        first.cancelled.set()
        assert [chunk async for chunk in second] == []
        assert len([chunk async for chunk in third]) >= 1
        await service.close()

    asyncio.run(scenario())


def test_a_late_request_ends() -> None:
    """While it is at work, and while it waits; also a search, which says nothing until its end."""

    async def scenario() -> None:
        service = Service(text_model(), "m", Limits(queue=2, seconds=0))
        for job in [service.submit(["a"], SEARCH), service.submit(["b"], LONG)]:
            with pytest.raises(LateError):
                _ = [chunk async for chunk in job]
        await service.close()

    asyncio.run(scenario())


def test_a_full_queue_is_429() -> None:
    """With a word when to come back."""
    service = Service(text_model(), "m", Limits(queue=0))
    with TestClient(build(service), base_url="http://localhost") as client:
        gate = threading.Event()
        free = service.model.stream

        def slow(*arguments: Any) -> Any:
            gate.wait(10)
            return free(*arguments)

        service.model = type(
            "Slow", (), {"stream": staticmethod(slow), "encode": text_model().encode, "unseen": text_model().unseen}
        )()  # type: ignore[assignment]
        waiting = threading.Thread(target=lambda: client.post("/v1/completions", json={**BODY, "max_tokens": 1}))
        waiting.start()
        while not service._jobs:
            pass
        answer = client.post("/v1/completions", json=BODY)
        gate.set()
        waiting.join()
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"


def test_a_masked_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, when the service is made."""
    config = text_model().model.config
    monkeypatch.setattr(
        text_model().model, "config", type("Masked", (), {"causal": False, "vocab_size": config.vocab_size})
    )
    with pytest.raises(ParamsError, match="a masked model cannot"):
        Service(text_model(), "m")


@pytest.mark.slow
def test_a_process_starts_answers_and_stops(tmp_path: Path) -> None:
    """`elek serve` says where it is, answers, logs no text, and ends by Ctrl-C even with a client at its stream."""
    folder = make_trained_project(tmp_path)
    started = subprocess.Popen(
        [sys.executable, "-m", "elek.cli", "serve", "--port", "0", "--max-tokens", "1000000", "--timeout", "600"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    assert started.stdout is not None
    try:
        said = started.stdout.readline()
        address = said.split(" at ")[1].split()[0]
        assert httpx.get(f"{address}/health", timeout=30).json()["status"] == "ok"
        answer = httpx.post(f"{address}/v1/completions", json={"prompt": "secret words", "max_tokens": 3}, timeout=30)
        assert answer.status_code == 200
        asked = {"prompt": "secret words", "max_tokens": 1_000_000, "stream": True}
        with httpx.stream("POST", f"{address}/v1/completions", json=asked, timeout=30) as stream:
            next(stream.iter_lines())
            started.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
            rest = started.communicate(timeout=30)[0]
    finally:
        started.kill()
    assert started.returncode is not None
    assert "secret" not in rest
    assert "Traceback" not in rest
