"""Pseudo-log-likelihood."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from elek.errors import DataError
from elek.evaluation import names
from elek.evaluation.masked import evaluate_masked, plan_masks, score_masked
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import by_document
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.shards import TokenShards
from elek.vocab.tokenizer import Tokenizer
from stages import tokenize, vocab
from tests.generation.test_filling import model
from tests.vocabulary import tokenizer, write_project


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> TokenShards:
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        vocab.main()
        tokenize.main()
    return TokenShards(folder / "data" / "tokenize" / "validation")


def test_each_token_is_asked_for_alone(shards: TokenShards) -> None:
    """The sum is that of Salazar et al., taken token by token, in windows of the context; bos and eos do not count."""
    network, pieces = model(), Tokenizer.load(shards.folder.parent.parent / "vocab")
    plan = plan_masks(shards, 10**9)
    predictions = score_masked(network, shards, plan[plan[:, 0] == 2], batch_tokens=500)
    scored = by_document(predictions, shards.documents, pieces).to_pylist()
    tokens, total, context = shards.document(2).astype(int).tolist(), 0.0, network.config.context
    assert len(tokens) > 2 * context
    for place in range(1, len(tokens) - 1):
        begin = place // context * context
        window = tokens[begin : begin + context]
        window[place - begin] = 4
        with torch.inference_mode():
            total -= network(torch.tensor([window]))[0, place - begin].log_softmax(-1)[tokens[place]].item()
    row = shards.documents.slice(2, 1).to_pylist()[0]
    assert [found["id"] for found in scored] == [row["id"]]
    assert scored[0]["nats"] == pytest.approx(total, rel=1e-5)
    assert (scored[0]["tokens"], scored[0]["bytes"]) == (len(tokens) - 2, row["bytes"])


def test_the_share_that_is_asked_for_is_spread_and_nested(shards: TokenShards) -> None:
    """More tokens are the same ones and others; every document has its part; the order is the shards'."""
    few, many = (list(map(tuple, plan_masks(shards, number).tolist())) for number in (300, 900))
    assert len(few) == 300
    assert set(few) < set(many)
    assert many == sorted(many)
    assert {row for row, _ in few} == set(range(len(shards.documents)))


def test_figures_and_samples(shards: TokenShards, tmp_path: Path) -> None:
    """Pseudo-perplexity is exp of the loss; the same for any number of workers; prompts are filled."""
    params = EvaluateParams.model_validate({"max_masked_tokens": 200, "prompts": {"tr": ["Köyün [MASK] var", "Bu"]}})
    found = []
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        found.append(
            evaluate_masked(tmp_path / str(workers), model(), tokenizer(), {"validation": shards}, params, workers)
        )
    assert found[0] == found[1]
    for name in ("samples.json", "validation.parquet"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    row = found[0]["validation"]
    assert row["tokens"] == 200
    assert row["pseudo_perplexity"] == pytest.approx(math.exp(row["pseudo_loss"]), rel=1e-3)
    assert not {"loss", "perplexity", "bits_per_byte", "bits_per_byte_interval"} & set(row)
    assert names.as_pseudo(names.plain(row)) == row
    assert row["pseudo_bits_per_byte"] == pytest.approx(row["pseudo_loss"] * 200 / math.log(2) / row["bytes"], rel=1e-3)
    samples = json.loads((tmp_path / "1" / "samples.json").read_text(encoding="utf-8"))
    assert [sample["prompt"] for sample in samples] == ["Köyün [MASK] var", "Bu [MASK]"]
    assert all("%" in sample["text"] and "[MASK]" not in sample["filled"] for sample in samples)


def test_another_vocabulary_is_refused(shards: TokenShards) -> None:
    """Its ids would mean other pieces."""
    config = ModelConfig(vocab_size=9, context=8, layers=1, width=8, heads=1, objective="masked")
    other = initialise(Transformer(config), 1)
    with pytest.raises(DataError, match="the model knows 9 tokens, the shards 700"):
        score_masked(other, shards, plan_masks(shards, 5), batch_tokens=100)
