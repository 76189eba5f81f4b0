"""Loss, document by document."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import SCORED, by_document, summarise
from elek.evaluation.scoring import plan_windows, score, windows
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.shards import TokenShards, write_shard, write_shards_manifest
from tests.vocabulary import documents, prose, tokenizer

CONTEXT = 16


def model(vocab_size: int = 700) -> Transformer:
    """Small, with weights large enough that what stands before a token matters."""
    config = ModelConfig(vocab_size=vocab_size, context=CONTEXT, layers=2, width=16, heads=2)
    made = initialise(Transformer(config), seed=3).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8)
    return made


def shards(folder: Path) -> TokenShards:
    """Documents of no piece, of a few, of about one context and of several."""
    turkish = prose("tr", 1)["text"][0].as_py()
    tables = [
        documents(["", "a", "the farmer walked slowly along the river", "İ 🙂\n\n"], "short"),
        documents([]),
        documents([turkish[:90], turkish[:200]], "tr", "tr"),
    ]
    folder.mkdir(exist_ok=True)
    parts = [
        write_shard(folder, index, table, tokenizer().encode_documents(table["text"]))
        for index, table in enumerate(tables)
    ]
    write_shards_manifest(folder, parts, tokenizer(), parent="0" * 64)
    return TokenShards(folder)


def evaluate(
    network: Transformer,
    stream: TokenShards,
    advance: Callable[[int], object] = bool,
    max_tokens: int = 10**6,
    workers: int = 1,
) -> pa.Table:
    plan = plan_windows(stream.documents, CONTEXT, EvaluateParams(max_tokens=max_tokens))
    predictions = score(network, stream, plan, batch_tokens=64, workers=workers, advance=advance)  # type: ignore[arg-type]
    return by_document(predictions, stream.documents, tokenizer())


@given(
    length=st.integers(2, 200),
    context=st.integers(2, 40),
    stride=st.floats(0.01, 1.0),
)
@settings(deadline=None, max_examples=60)
def test_every_token_is_predicted_once(length: int, context: int, stride: float) -> None:
    """The windows of a document make each prediction once, fit the context, and keep the past that was promised."""
    plan = list(windows(0, length, context, stride))
    scored = [position for window in plan for position in range(window.first, window.end)]
    assert scored == list(range(length - 1))
    assert all(0 <= window.start <= window.first < window.end <= window.start + context for window in plan)
    step = max(1, round(stride * context))
    assert all(window.first - window.start >= min(window.first, context - step) for window in plan)


def _one_by_one(model: Transformer, tokens: list[int], stride: float) -> tuple[float, int]:
    """The same sum without batches and windows: the past of each prediction is cut out by hand."""
    nats, correct = 0.0, 0
    step = max(1, round(stride * CONTEXT))
    for position in range(1, len(tokens)):
        end = CONTEXT
        while end < position:
            end = min(end + step, len(tokens) - 1)
        past = tokens[max(0, end - CONTEXT) : position]
        with torch.inference_mode():
            logits = model(torch.tensor([past]))[0, -1].log_softmax(-1)
        nats -= float(logits[tokens[position]])
        correct += int(logits.argmax()) == tokens[position]
    return nats, correct


@pytest.mark.parametrize(("stride", "batch_tokens"), [(0.5, 1024), (0.5, 1), (1.0, 64), (0.1, 100)])
def test_scores_are_those_of_one_token_at_a_time(tmp_path: Path, stride: float, batch_tokens: int) -> None:
    """Batching, padding and windows change nothing, whatever their sizes."""
    stream, network = shards(tmp_path / "shards"), model()
    params = EvaluateParams(max_tokens=10**6, stride=stride)
    plan = plan_windows(stream.documents, CONTEXT, params)
    predictions = score(network, stream, plan, batch_tokens=batch_tokens)
    scored = by_document(predictions, stream.documents, tokenizer())
    assert scored.schema == SCORED
    assert scored["id"].to_pylist() == stream.documents["id"].to_pylist()
    assert scored["bytes"].to_pylist() == scored["document_bytes"].to_pylist() == stream.documents["bytes"].to_pylist()
    texts = [tokenizer().decode(stream.document(row)) for row in range(len(stream.documents))]
    assert scored["characters"].to_pylist() == [len(text) for text in texts]
    for index, row in enumerate(scored.to_pylist()):
        tokens = stream.document(index).tolist()
        nats, correct = _one_by_one(network, tokens, stride)
        assert row["tokens"] == len(tokens) - 1
        assert row["nats"] == pytest.approx(nats, rel=1e-4)
        assert row["correct"] == correct


def test_a_model_that_knows_nothing_needs_log_v(tmp_path: Path) -> None:
    """Weights of zero: ln V nats for every token, and bits per byte from exactly these nats and bytes."""
    stream, network = shards(tmp_path / "shards"), model()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    figures = summarise(evaluate(network, stream))
    tokens = len(stream) - len(stream.documents)
    text_bytes = sum(stream.documents["bytes"].to_pylist())
    assert (figures["tokens"], figures["bytes"]) == (tokens, text_bytes)
    assert figures["loss"] == pytest.approx(math.log(700), abs=1e-5)
    assert figures["perplexity"] == pytest.approx(700, abs=0.01)
    assert figures["bits_per_byte"] == pytest.approx(math.log2(700) * tokens / text_bytes, abs=1e-4)


def test_languages_and_sources_add_up(tmp_path: Path) -> None:
    """The parts have all tokens and bytes of the whole, and progress counts each prediction once."""
    stream, done = shards(tmp_path / "shards"), []
    figures = summarise(evaluate(model(), stream, done.append))
    assert sum(done) == figures["tokens"]
    for kind, names in (("by_lang", ["en", "tr"]), ("by_source", ["book-en", "book-tr"])):
        assert sorted(figures[kind]) == names
        for key in ("documents", "tokens", "bytes"):
            assert sum(part[key] for part in figures[kind].values()) == figures[key]


def test_an_empty_split_has_no_figures() -> None:
    """No documents: counts of zero, and null where a number would be made up."""
    figures = summarise(SCORED.empty_table())
    assert (figures["documents"], figures["tokens"], figures["loss"], figures["bits_per_byte"]) == (0, 0, None, None)
    assert figures["by_lang"] == {}


@given(lengths=st.lists(st.integers(2, 90), min_size=1, max_size=30), limit=st.integers(1, 400))
@settings(deadline=None, max_examples=60)
def test_a_sample_keeps_to_its_limit(lengths: list[int], limit: int) -> None:
    """Within the limit, or a single window; a larger limit adds windows; the documents' order does not matter."""
    table = pa.table({"id": [f"d{index}" for index in range(len(lengths))], "length": lengths})
    plan = plan_windows(table, CONTEXT, EvaluateParams(max_tokens=limit))
    assert sum(window.scored for window in plan) <= limit or len(plan) == 1
    assert set(plan) <= set(plan_windows(table, CONTEXT, EvaluateParams(max_tokens=2 * limit)))
    turned = table.take(list(reversed(range(len(lengths)))))
    mirrored = plan_windows(turned, CONTEXT, EvaluateParams(max_tokens=limit))
    assert {(len(lengths) - 1 - window.row, window.first) for window in mirrored} == {
        (window.row, window.first) for window in plan
    }


def test_the_numbers_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    """One thread or three: the same bits, and torch's own setting is as before."""
    stream, network = shards(tmp_path / "shards"), model()
    torch.set_num_threads(2)
    assert evaluate(network, stream, workers=3).equals(evaluate(network, stream))
    assert torch.get_num_threads() == 2


def test_a_sample_scores_its_windows_as_the_whole_does(tmp_path: Path) -> None:
    """Tokens, bytes and nats of a sample are sums over a part of the windows."""
    stream, network = shards(tmp_path / "shards"), model()
    whole, some = evaluate(network, stream), evaluate(network, stream, max_tokens=60)
    by_id = {row["id"]: row for row in whole.to_pylist()}
    assert 0 < sum(some["tokens"].to_pylist()) <= 60
    for row in some.to_pylist():
        assert all(row[key] <= by_id[row["id"]][key] for key in ("bytes", "tokens", "nats", "correct"))


def test_shards_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    """A model of another size is told apart before any wrong number is made."""
    with pytest.raises(DataError, match="knows 800 tokens"):
        evaluate(model(800), shards(tmp_path / "shards"))
