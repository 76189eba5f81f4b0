"""`elek generate`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elek.cli import console
from elek.cli.loading import load_text_model
from elek.errors import DataError, ParamsError, SourceError
from elek.progress import Progress

if TYPE_CHECKING:
    from elek.generation import Completion, Settings, TextModel

DRAWN = {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "min_p": 0.0}
"""What is drawn from unless options say otherwise."""
TOGETHER = 32
"""Texts that are generated beside each other: each needs a cache of its own."""
BAR = 24


def generate(
    prompt: str | None,
    file: Path | None,
    version: str | None,
    asked: dict[str, Any],
    drawing: dict[str, Any],
    *,
    repetition_penalty: float,
    beams: int | None,
    length_penalty: float | None,
    explain: int,
    stream: bool,
    as_json: bool,
) -> None:
    """`elek generate`. Raises ParamsError for options that do not go together, before the model is loaded."""
    console.project()
    if prompt is not None and file is not None:
        raise ParamsError("a prompt and a file of prompts", where="elek generate", fix="give one of them")
    _check_search(beams, length_penalty, drawing)
    from elek.generation import Beams, Sampling, Settings

    settings = Settings(
        **asked,
        sampling=Sampling(**{**DRAWN, **drawing}, repetition_penalty=repetition_penalty),
        beams=None if beams is None else Beams(beams, 1.0 if length_penalty is None else length_penalty),
        top=explain or None,
    )
    prompts = _from_file(file) if file else [_one(prompt)]
    model, name = load_text_model(version)
    for number, text in enumerate(prompts, 1):
        _warn(model, text, settings, f"prompt {number}" if file else "the prompt")
    if stream and not (as_json or file or explain or settings.samples > 1):
        _stream(model, prompts[0], settings)
        return
    completions = _complete(model, prompts, settings)
    if as_json:
        rows = [_row(model, completion) for completion in completions]
        console.print_json({"model": name, "settings": _plain(settings), "completions": rows})
        return
    texts = [_explained(model, one) if explain else one.prompt + one.text for one in completions]
    if len(texts) > 1:  # texts hold blank lines themselves, so that each is told apart by a head
        texts = [f"--- {number} of {len(texts)} ---\n{text}" for number, text in enumerate(texts, 1)]
    console.say("\n\n".join(texts))


def _check_search(beams: int | None, length_penalty: float | None, drawing: dict[str, Any]) -> None:
    if beams is not None and drawing:
        raise ParamsError(
            f"--beams draws no tokens, so --{next(iter(drawing)).replace('_', '-')} means nothing beside it",
            where="elek generate",
            fix="leave one of them out",
        )
    if beams is None and length_penalty is not None:
        raise ParamsError("--length-penalty means nothing without --beams", where="elek generate", fix="add --beams 4")


def _complete(model: TextModel, prompts: list[str], settings: Settings) -> list[Completion]:
    """The texts of all prompts, as many at a time as there is room for; a file of many tells how far it is."""
    per = max(1, TOGETHER // settings.samples)
    if len(prompts) <= per:
        return model.complete(prompts, settings)
    found: list[Completion] = []
    with Progress("generate", len(prompts), "prompts") as progress:
        for start in range(0, len(prompts), per):
            some = prompts[start : start + per]
            found += model.complete(some, settings)
            progress.advance(len(some))
    return found


def _one(prompt: str | None) -> str:
    if prompt is not None and prompt != "-":
        return prompt
    if prompt is None and sys.stdin.isatty():
        raise ParamsError("no prompt", where="elek generate", fix='elek generate "Bir varmış", or pipe a text into it')
    # Bytes, so that a text that is no UTF-8 is told and not repaired; a line's end is not part of the prompt.
    return _utf8(sys.stdin.buffer.read(), "stdin").removesuffix("\n").removesuffix("\r")


def _from_file(file: Path) -> list[str]:
    """The prompts of a file. Raises SourceError with the line where one is wrong."""
    try:
        text = _utf8(file.read_bytes(), str(file)).removesuffix("\n")
    except OSError as error:
        fix = "name a file with one prompt a line"
        raise SourceError(f"the file cannot be read: {error.strerror}", where=str(file), fix=fix) from None
    lines = [line.removesuffix("\r") for line in text.split("\n")] if text else []
    if file.suffix == ".jsonl":
        lines = [_prompt_of(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not lines:
        raise SourceError("the file holds no prompt", where=str(file), fix="write one prompt a line")
    return lines


def _prompt_of(line: str, where: str) -> str:
    try:
        prompt = json.loads(line)["prompt"]
    except (ValueError, KeyError, TypeError):
        prompt = None
    if not isinstance(prompt, str):
        raise SourceError("no JSON object with a text under `prompt`", where=where, fix='{"prompt": "Bir varmış"}')
    return prompt


def _utf8(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            "the prompt is not UTF-8", where=f"{where}, byte {error.start}", fix="save it as UTF-8"
        ) from None


def _warn(model: TextModel, prompt: str, settings: Settings, what: str) -> None:
    size = len(model.encode(prompt))
    if unseen := model.unseen(size, settings):
        sys.stderr.write(
            f"{what} has {size} tokens, and the model sees {size - unseen} of them: the first {unseen} are left out\n"
        )


def _stream(model: TextModel, prompt: str, settings: Settings) -> None:
    sys.stdout.write(prompt)
    for chunk in model.stream([prompt], settings):
        sys.stdout.write(chunk.text)
        sys.stdout.flush()
    console.say()


def _row(model: TextModel, completion: Completion) -> dict[str, Any]:
    row: dict[str, Any] = {
        "prompt": completion.prompt,
        "completion": completion.text,
        "text": completion.prompt + completion.text,
        "finish": completion.finish,
        "ids": [token.id for token in completion.tokens],
        "prompt_tokens": completion.prompt_tokens,
        "unseen_prompt_tokens": completion.unseen,
    }
    if any(token.logprob is not None for token in completion.tokens):
        row["tokens"] = [
            {
                "token": model.piece(token.id),
                "logprob": token.logprob,
                "top": [{"token": model.piece(index), "logprob": logprob} for index, logprob in token.top],
            }
            for token in completion.tokens
        ]
    return row


def _plain(settings: Settings) -> dict[str, Any]:
    from dataclasses import asdict

    plain = asdict(settings)
    return {**plain.pop("sampling"), **plain}


def _explained(model: TextModel, completion: Completion) -> str:
    """The text, then a line per token: its probability as a bar, and the candidates beside it."""
    lines = [completion.prompt + completion.text, ""]
    for token in completion.tokens:
        share = math.exp(token.logprob or 0.0)
        bar = "█" * round(share * BAR)
        others = "  ".join(f"{model.piece(index)!r} {math.exp(logprob):.0%}" for index, logprob in token.top)
        lines.append(f"{model.piece(token.id)!r:<18}{share:>6.1%} {bar:<{BAR}}  {others}")
    return "\n".join(lines)
