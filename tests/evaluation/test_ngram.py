"""The Kneser-Ney baseline against a slow one that follows the paper's formulas."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from elek.errors import DataError
from elek.evaluation import ngram
from elek.evaluation.ngram import KneserNey
from elek.evaluation.params import EvaluateParams
from elek.evaluation.predictions import by_document, summarise
from elek.evaluation.scoring import plan_windows
from elek.shards import TokenShards, write_shard, write_shards_manifest
from tests.vocabulary import documents, prose, tokenizer


def shards(folder: Path, texts: list[str]) -> TokenShards:
    folder.mkdir(parents=True)
    table = documents(texts)
    part = write_shard(folder, 0, table, tokenizer().encode_documents(table["text"]))
    write_shards_manifest(folder, [part], tokenizer(), parent="0" * 64)
    return TokenShards(folder)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> TokenShards:
    texts = prose("en", 12)["text"].to_pylist() + prose("tr", 6)["text"].to_pylist() + ["", "a", "aaaaaaaaaa"]
    return shards(tmp_path_factory.mktemp("ngram") / "train", texts)


class Slow:
    """Chen and Goodman 1999, equation 21, with dictionaries and recursion."""

    def __init__(self, stream: TokenShards, order: int) -> None:
        raw: Counter[tuple[int, ...]] = Counter()
        for row in range(len(stream.documents)):
            tokens = stream.document(row).tolist()
            for n in range(1, order + 1):
                raw.update(tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))
        left: Counter[tuple[int, ...]] = Counter(gram[1:] for gram in raw if len(gram) > 1)
        self.counts: list[dict[tuple[int, ...], int]] = [{}]
        for n in range(1, order + 1):
            own = [gram for gram in raw if len(gram) == n and gram != (1,)]
            self.counts.append(
                {gram: raw[gram] if n == order or (gram[0] == 1 and n > 1) else left[gram] for gram in own}
            )
        self.discounts = [None, *map(self._discount, self.counts[1:])]
        self.uniform = 1 / (tokenizer().size - 5 + 1)

    @staticmethod
    def _discount(counts: dict[tuple[int, ...], int]) -> tuple[float, ...]:
        return (0.0, *ngram._discounts(np.array(list(counts.values()))))

    def probability(self, token: int, past: tuple[int, ...]) -> float:
        order = len(past) + 1
        below = self.probability(token, past[1:]) if past else (0.0 if token in (0, 1, 3, 4) else self.uniform)
        following = {gram[-1]: count for gram, count in self.counts[order].items() if gram[:-1] == past}
        total = sum(following.values())
        if not total:
            return below
        discount = self.discounts[order]
        assert discount is not None
        taken = sum(discount[min(count, 3)] for count in following.values())
        own = following.get(token, 0)
        return (own - discount[min(own, 3)]) / total + taken / total * below


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_the_papers(train: TokenShards, order: int) -> None:
    """After bos, after seen, new and half-seen pasts, for every token of a handful; and they sum to one."""
    fast, slow = KneserNey.train(train, tokenizer(), order), Slow(train, order)
    seen = train.document(0).tolist()
    for past in ([1], seen[:3], seen[:9], [1, 300], [1, *seen[4:6], 300], seen[2:5]):
        told = fast.distribution(past)
        assert told.sum() == pytest.approx(1, abs=1e-9)
        context = tuple(past[max(0, len(past) - order + 1) :])
        for token in [2, 5, 261, 300, *seen[1:12]]:
            assert told[token] == pytest.approx(slow.probability(token, context), rel=1e-9), (past, token)
        assert told[[0, 1, 3, 4]].tolist() == [0, 0, 0, 0]


def test_scores_are_those_of_the_distributions(train: TokenShards, tmp_path: Path) -> None:
    """Loss, rank and confidence of every token of held-out text, however many workers there are."""
    held_out = shards(tmp_path / "held_out", [*prose("en", 2, 70)["text"].to_pylist(), "zzz 🙂", ""])
    model = KneserNey.train(train, tokenizer(), 3)
    plan = plan_windows(held_out.documents, 16, EvaluateParams())
    predictions = model.score(held_out, plan, workers=1)
    again = model.score(held_out, plan, workers=3)
    assert all(np.array_equal(getattr(predictions, name), getattr(again, name)) for name in ("nats", "rank", "row"))
    assert len(predictions) == len(held_out) - len(held_out.documents)
    for at in range(0, len(predictions), 7):
        tokens = held_out.document(int(predictions.row[at])).tolist()
        told = model.distribution(tokens[: predictions.position[at]])
        right = tokens[predictions.position[at]]
        assert predictions.nats[at] == pytest.approx(-math.log(told[right]))
        assert predictions.confidence[at] == pytest.approx(told.max(), rel=1e-6)
        order = np.lexsort((np.arange(len(told)), -told)).tolist()
        assert predictions.rank[at] == min(order.index(right), 5)


def test_longer_contexts_help_on_text_like_the_training_text(train: TokenShards, tmp_path: Path) -> None:
    """Each order beats the one below, and all of them beat knowing nothing."""
    held_out = shards(tmp_path / "held_out", prose("en", 4, 70)["text"].to_pylist())
    plan = plan_windows(held_out.documents, 16, EvaluateParams())
    losses = []
    for order in (1, 2, 3):
        scored = KneserNey.train(train, tokenizer(), order).score(held_out, plan)
        losses.append(summarise(by_document(scored, held_out.documents, tokenizer()))["loss"])
    assert losses[2] < losses[1] < losses[0] < math.log(tokenizer().size - 4)


def test_a_part_of_the_tokens_is_the_first_part(train: TokenShards) -> None:
    """A bound on the tokens is kept, and nothing to count is an error."""
    some = KneserNey.train(train, tokenizer(), 2, max_tokens=50)
    assert some.ngrams[1] <= 50
    assert some.distribution([1, 300]).sum() == pytest.approx(1, abs=1e-9)


def test_no_training_tokens_is_an_error(tmp_path: Path) -> None:
    """There is nothing to learn from."""
    with pytest.raises(DataError, match="no training tokens"):
        KneserNey.train(shards(tmp_path / "none", []), tokenizer())
