"""`elek generate` and `elek attention`: every option, prompts from everywhere, and pages that stand alone."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from elek.cli import app
from elek.errors import ElekError
from elek.generation import Beams, Sampling, Settings
from elek.generation.attention import page, read
from elek.model.files import save_model
from tests.generation.models import CONTEXT, text_model, trained_model
from tests.registered import make_trained_project
from tests.vocabulary import tokenizer


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a model that has learned a little, which is the current folder."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    save_model(tmp_path / "data" / "train", trained_model())
    (tmp_path / "data" / "vocab").mkdir()
    (tmp_path / "data" / "vocab" / "tokenizer.model").write_bytes(tokenizer().model)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def elek(*arguments: str, stdin: bytes | None = None) -> str:
    """What the command prints. Its ElekError is raised here."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    if isinstance(result.exception, ElekError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def completions(*arguments: str, stdin: bytes | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(elek("generate", *arguments, "--json", stdin=stdin))["completions"]
    return found


def test_the_text_is_streamed_and_the_same_at_once(project: Path) -> None:
    """By default piece by piece; the characters are those of --no-stream and of the library."""
    arguments = ("generate", "Köyün", "--max-new-tokens", "20", "--seed", "3")
    expected = text_model().complete(["Köyün"], Settings(20, Sampling(0.8, 50, 0.95), seed=3))[0]
    assert elek(*arguments) == elek(*arguments, "--no-stream") == f"Köyün{expected.text}\n"


def test_every_option_reaches_the_model(project: Path) -> None:
    """Strategies, stop strings and several samples give what the library gives with the same settings."""
    asked = [
        "The",
        "--max-new-tokens",
        "12",
        "--temperature",
        "0.7",
        "--top-k",
        "9",
        "--top-p",
        "0.8",
        "--min-p",
        "0.01",
    ]
    asked += ["--repetition-penalty", "1.3", "--num", "3", "--seed", "5", "--stop", "\n", "--stop", "zz"]
    settings = Settings(12, Sampling(0.7, 9, 0.8, 0.01, 1.3), stop=("\n", "zz"), samples=3, seed=5)
    found = [row["completion"] for row in completions(*asked)]
    assert found == [row.text for row in text_model().complete(["The"], settings)]
    searched = completions("The", "--beams", "3", "--length-penalty", "0.5", "--num", "2", "--max-new-tokens", "12")
    expected = text_model().complete(["The"], Settings(12, beams=Beams(3, 0.5), samples=2))
    assert [row["completion"] for row in searched] == [row.text for row in expected]


def test_prompts_come_from_stdin_and_files(project: Path) -> None:
    """One from a pipe, its last line end left out; one a line; and those of a JSON Lines file."""
    greedy = ("--temperature", "0", "--max-new-tokens", "5")
    expected = completions("Köyün", *greedy)
    assert (
        completions(*greedy, stdin="Köyün\n".encode()) == completions("-", *greedy, stdin="Köyün".encode()) == expected
    )
    (project / "a.txt").write_text("The\r\nKöyün\n", encoding="utf-8")
    (project / "a.jsonl").write_text('{"prompt": "The"}\n\n{"prompt": "Köyün", "id": 7}\n', encoding="utf-8")
    both = completions(*greedy, "--file", "a.txt")
    assert [row["prompt"] for row in both] == ["The", "Köyün"]
    assert both[1] == expected[0]
    assert completions(*greedy, "--file", "a.jsonl") == both
    printed = f"--- 1 of 2 ---\n{both[0]['text']}\n\n--- 2 of 2 ---\n{both[1]['text']}\n"
    assert elek("generate", *greedy, "--file", "a.txt") == printed


def test_candidates_are_shown(project: Path) -> None:
    """--explain: a line per token with its probability and others; with --json the logprobs."""
    (row,) = completions("The", "--explain", "2", "--temperature", "0", "--max-new-tokens", "3")
    assert [len(token["top"]) for token in row["tokens"]] == [2] * len(row["tokens"])
    assert all(token["logprob"] == token["top"][0]["logprob"] for token in row["tokens"])
    shown = elek("generate", "The", "--explain", "2", "--temperature", "0", "--max-new-tokens", "3")
    assert len(re.findall(r"\d+\.\d% ", shown)) == len(row["ids"])


def test_a_long_prompt_is_told(project: Path) -> None:
    """What the model does not see is said beside the text, and counted."""
    result = CliRunner().invoke(app, ["generate", "The farmer " * CONTEXT, "--max-new-tokens", "2"])
    assert f"the model sees {CONTEXT} of them" in result.stderr
    assert completions("The farmer " * CONTEXT, "--max-new-tokens", "0")[0]["unseen_prompt_tokens"] > 0


def test_edges_have_a_defined_behaviour(project: Path) -> None:
    """No prompt begins a text; names of special tokens are text; no seed moves the likeliest; too large a k is all."""
    (begun,) = completions("", "--temperature", "0", "--max-new-tokens", "5")
    assert (begun["prompt_tokens"], begun["text"]) == (1, begun["completion"])
    (special,) = completions("</s><mask>", "--temperature", "0", "--max-new-tokens", "3")
    assert special["text"].startswith("</s><mask>")
    assert special["prompt_tokens"] > 3
    short = ("The", "--max-new-tokens", "8")
    greedy = completions(*short, "--temperature", "0")
    assert completions(*short, "--temperature", "0", "--seed", "9", "--top-k", "3", "--top-p", "0.1") == greedy
    assert completions(*short, "--temperature", "5", "--min-p", "1") == greedy
    assert completions(*short, "--top-k", "1") == greedy
    assert completions(*short, "--top-k", "1000000") == completions(*short, "--top-k", "0")
    (whole,) = completions(*short, "--temperature", "0")
    stop = whole["completion"][3:6]
    streamed = elek("generate", *short, "--temperature", "0", "--stop", stop)
    assert streamed == "The" + whole["completion"].partition(stop)[0] + "\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["x", "--beams", "2", "--top-k", "5"], b"", "--top-k means nothing"),
        (["x", "--file", "a.txt"], b"", "a prompt and a file"),
        (["--file", "none.txt"], b"", "cannot be read"),
        (["--file", "empty.txt"], b"", "holds no prompt"),
        (["--file", "bad.jsonl"], b"", "line 2"),
        (["-"], b"\xff", "not UTF-8"),
        (["x", "--top-p", "0"], b"", "top_p is 0"),
        (["x", "--top-k", "-1"], b"", "top_k is -1"),
        (["x", "--stop", ""], b"", "empty stop string"),
        (["x", "--num", "3", "--beams", "2"], b"", "3 texts"),
        (["x", "--length-penalty", "2"], b"", "means nothing without --beams"),
        (["x", "--beams", "2", "--max-new-tokens", str(CONTEXT + 1)], b"", "beam search for"),
        (["x", "--repetition-penalty", "0"], b"", "repetition_penalty is 0"),
    ],
)
def test_what_cannot_be_is_refused(project: Path, arguments: list[str], stdin: bytes, said: str) -> None:
    """With what, where and how to mend it, before anything is printed."""
    (project / "empty.txt").write_text("", encoding="utf-8")
    (project / "bad.jsonl").write_text('{"prompt": "a"}\n{"text": "b"}\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", *arguments], input=stdin)
    assert isinstance(result.exception, ElekError)
    assert said in str(result.exception)
    assert result.output == ""


@pytest.mark.slow
def test_a_registered_model_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By alias and by number, with every option, the text of data/train; an unknown name is told with the nearest."""
    from elek.tracking.registry import register

    monkeypatch.chdir(make_trained_project(tmp_path))
    register(tmp_path)
    arguments = ("The", "--max-new-tokens", "6", "--min-p", "0.01")
    here = completions(*arguments)
    assert completions(*arguments, "--model", "champion") == completions(*arguments, "--model", "1") == here
    with pytest.raises(ElekError, match="no version or alias"):
        elek("generate", "The", "--model", "champoin")


TEXT = "Köyün </script><b> farmer"


def test_attention_is_what_the_model_computes() -> None:
    """The weights times the values are what PyTorch's kernel gives: rows sum to 1, nobody looks ahead, and the
    model's own output follows from them."""
    reading = read(text_model(), "The farmer went home.")
    layers, heads, size, _ = reading.weights.shape
    assert (layers, heads, size) == (2, 2, len(reading.ids))
    torch.testing.assert_close(reading.weights.sum(-1), torch.ones(layers, heads, size))
    assert not reading.weights.triu(1).any()
    first = trained_model().blocks[0]
    with torch.no_grad():
        x = first.attention_norm(trained_model().embedding(torch.tensor([reading.ids])))
        value = first.attention.value(x).view(size, heads, -1).transpose(0, 1)
        mixed = (reading.weights[0] @ value).transpose(0, 1).reshape(1, size, -1)
        cos, sin = (trained_model().get_buffer(name)[:size] for name in ("cos", "sin"))
        torch.testing.assert_close(first.attention.output(mixed), first.attention(x, cos, sin), atol=1e-5, rtol=1e-4)


def test_the_page_stands_alone(project: Path) -> None:
    """No address of elsewhere, no text that ends the script; every weight and every token's surprise is in it."""
    said = elek("attention", TEXT, "--out", "page.html")
    assert "page.html" in said
    made = (project / "page.html").read_text(encoding="utf-8")
    assert made == page(text_model(), TEXT, "data/train")
    assert not re.search(r"(src|href)=|https?:|@import|url\(", made)
    (raw,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', made, re.DOTALL)
    data = json.loads(raw)
    assert "".join(data["tokens"][1:]) == TEXT
    assert len(base64.b64decode(data["weights"])) == 2 * 2 * len(data["tokens"]) ** 2
    assert len(data["surprise"]) == len(data["tokens"]) - 1
    assert all(row["bits"] > 0 and row["rank"] >= 1 and len(row["top"]) == 5 for row in data["surprise"])


def test_a_page_of_what_cannot_be_read_is_refused(project: Path) -> None:
    """A text longer than the context, and a folder instead of a file; before anything is written."""
    with pytest.raises(ElekError, match=f"the model sees {CONTEXT}"):
        elek("attention", "The farmer " * CONTEXT)
    for command in (["attention", "x"], ["vocab", "compare"]):
        with pytest.raises(ElekError, match="this is a folder"):
            elek(*command, "--out", "data")
    assert not list(project.glob("*.html"))
