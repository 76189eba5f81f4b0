"""OpenAI's `/v1/completions`: the request as a type, and the response."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from elek.generation import Beams, Sampling, Settings, TextModel, Token
from elek.generation.text import Chunk, characters

Json = dict[str, Any]
_DRAWING = ("temperature", "top_p", "top_k", "min_p", "logprobs")
"""Fields that have no meaning for a beam search."""


class CompletionRequest(BaseModel):
    """The body of a request.

    Fields beyond OpenAI's: `top_k`, `min_p` and `repetition_penalty`; `beams` and `length_penalty`, for a beam search
    instead of sampling; and `truncate_prompt`, which reads the end of a prompt that is longer than the context, where
    it would otherwise be refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None = None
    prompt: str | list[str] = ""
    truncate_prompt: bool = False
    max_tokens: int = Field(default=64, ge=0)
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0)
    beams: int | None = Field(default=None, ge=1)
    length_penalty: float = 1.0
    stop: str | list[str] = []
    n: int = Field(default=1, ge=1)
    seed: int | None = Field(default=None, ge=0, lt=2**62)
    logprobs: int | None = Field(default=None, ge=0, le=20)
    stream: bool = False
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, fields: Json) -> Json:
        # In JSON, 16.0 is an integer, and some languages write all numbers like this. null means the default.
        whole = {name: int(value) for name, value in fields.items() if isinstance(value, float) and value.is_integer()}
        return {name: value for name, value in (fields | whole).items() if value is not None}

    @field_validator("prompt", "stop")
    @classmethod
    def _limit_length(cls, value: str | list[str], told: ValidationInfo) -> str | list[str]:
        least = 1 if told.field_name == "prompt" else 0
        if isinstance(value, list) and not least <= len(value) <= 64:
            raise ValueError(f"give {least} to 64 of them")
        return value

    @model_validator(mode="after")
    def _check_beams(self) -> Self:
        if self.beams is None and "length_penalty" in self.model_fields_set:
            raise ValueError("`length_penalty` means nothing without `beams`")
        if self.beams is None:
            return self
        if drawing := [name for name in _DRAWING if name in self.model_fields_set]:
            raise ValueError(f"`beams` draws no tokens, so `{drawing[0]}` means nothing beside it")
        if self.stream:
            raise ValueError("with `beams` a text is known only at its end: leave out `stream`")
        return self

    @property
    def prompts(self) -> list[str]:
        """The prompts as a list, also where the request has a single one."""
        return [self.prompt] if isinstance(self.prompt, str) else list(self.prompt)

    def settings(self) -> Settings:
        """The settings for generation. Raises ParamsError for invalid ones."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop
        return Settings(
            max_new_tokens=self.max_tokens,
            sampling=Sampling(self.temperature, self.top_k, self.top_p, self.min_p, self.repetition_penalty),
            beams=None if self.beams is None else Beams(self.beams, self.length_penalty),
            stop=tuple(stop),
            samples=self.n,
            seed=secrets.randbits(48) if self.seed is None else self.seed,
            top=self.logprobs,
        )


class Answer:
    """The response to one request: its chunks as choices, with the offset of each token in its text."""

    def __init__(self, model: TextModel, name: str) -> None:
        self._model = model
        self._frame: Json = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": name,
        }
        self._readers: dict[int, _Offsets] = {}

    def event(self, chunk: Chunk) -> Json:
        """The event of a streamed response for one chunk."""
        return {**self._frame, "choices": [self._choice(chunk.index, chunk.text, chunk.tokens, chunk.finish)]}

    def whole(self, chunks: Iterable[Chunk], prompt_tokens: int) -> Json:
        """The response that is not streamed."""
        texts: dict[int, list[Chunk]] = {}
        for chunk in chunks:
            texts.setdefault(chunk.index, []).append(chunk)
        choices = [
            self._choice(
                index,
                "".join(chunk.text for chunk in parts),
                tuple(token for chunk in parts for token in chunk.tokens),
                parts[-1].finish,
            )
            for index, parts in sorted(texts.items())
        ]
        written = sum(len(chunk.tokens) for parts in texts.values() for chunk in parts)
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": written,
            "total_tokens": prompt_tokens + written,
        }
        return {**self._frame, "choices": choices, "usage": usage}

    def _choice(self, index: int, text: str, tokens: tuple[Token, ...], finish: str | None) -> Json:
        logprobs = None
        if any(token.logprob is not None for token in tokens):
            offsets = self._readers.setdefault(index, _Offsets(self._model))
            logprobs = {
                "tokens": [self._model.piece(token.id) for token in tokens],
                "token_logprobs": [token.logprob for token in tokens],
                "top_logprobs": [
                    {self._model.piece(other): logprob for other, logprob in token.top} for token in tokens
                ],
                "text_offset": [offsets.next(token.id) for token in tokens],
            }
        return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}


class _Offsets:
    """The offset of each token in its text, in characters."""

    def __init__(self, model: TextModel) -> None:
        self._model, self._length, self._decoder = model, 0, characters()

    def next(self, token: int) -> int:
        """Read `token` and return the offset where it begins."""
        begin = self._length
        self._length += len(self._decoder.decode(self._model.bytes_of(token)))
        return begin


def error(
    message: str, kind: str = "invalid_request_error", *, param: str | None = None, code: str | None = None
) -> Json:
    """An error in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
