"""The baseline that a network must beat: an n-gram model with interpolated modified Kneser-Ney smoothing.

Chen and Goodman 1999, section 3: the highest order counts n-grams, and every lower order counts the contexts in which
an n-gram was seen, because that predicts how likely a token is in a new context. n-grams that begin with bos keep their
own counts, since nothing precedes them (Heafield et al. 2013, section 3.2). The unigrams are interpolated with the
uniform distribution over all tokens that can be predicted. So no probability is zero, and the probabilities after any
context sum to one.

The n-grams of each order are sorted numbers: the index of the first n-1 tokens in the order below, times the size of
the vocabulary, plus the last token. So there are no hash collisions, and the n-grams of one context are adjacent.
Memory: about 60 bytes per training token at order 5 during training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from elek.errors import DataError
from elek.evaluation.predictions import Predictions, collect
from elek.evaluation.scoring import Window
from elek.kernels import Array, kernel
from elek.shards import TokenShards
from elek.vocab.tokenizer import Tokenizer

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where a corpus is too small or too regular to estimate them from."""


@dataclass(frozen=True)
class Order:
    """The n-grams of one order n."""

    keys: npt.NDArray[np.int64]
    """Sorted; see the module's docstring. For n = 1, the token itself."""
    counts: npt.NDArray[np.int64]
    """The count of each n-gram: occurrences in the highest order, distinct contexts in the others."""
    starts: npt.NDArray[np.int64]
    """Where the n-grams of each context (an index into the order below) begin; one more than there are contexts."""
    discounts: tuple[float, float, float]
    """Subtracted from counts of 1, of 2, and of 3 or more."""
    totals: npt.NDArray[np.float64]
    """For each context, the sum of the counts of its n-grams."""
    backoff: npt.NDArray[np.float64]
    """For each context, the share of the probability that goes to the order below."""


class KneserNey:
    """An n-gram model: make it with `train`; `score` measures it like the network."""

    def __init__(self, orders: Sequence[Order], vocab_size: int, predicted: int, first: int) -> None:
        self.orders = list(orders)
        self.vocab_size = vocab_size
        self._predicted, self._first = predicted, first

    @classmethod
    def train(
        cls, shards: TokenShards, tokenizer: Tokenizer, order: int = 5, max_tokens: int | None = None
    ) -> KneserNey:
        """Count the documents of `shards`, the first ones up to `max_tokens` of them.

        Raises DataError where there is nothing to count.
        """
        limit = len(shards) if max_tokens is None else min(max_tokens, len(shards))
        if not limit:
            raise DataError("there are no training tokens to count", where=str(shards.folder), fix="run `dvc repro`")
        stream = shards.window(0, limit).astype(np.int64)
        starts = np.zeros(limit, np.bool_)
        begin = shards.documents["start"].to_numpy()
        starts[begin[begin < limit]] = True
        return cls(_count(stream, starts, shards.vocab_size, order), shards.vocab_size, *_predictable(tokenizer))

    @property
    def ngrams(self) -> list[int]:
        """The number of distinct n-grams of each order."""
        return [len(order.keys) for order in self.orders]

    def distribution(self, past: Sequence[int]) -> npt.NDArray[np.float64]:
        """Probabilities [V] of what follows `past`, whose first token is a document's bos."""
        document = np.array([*past, 0], np.int64)
        into = np.empty(self.vocab_size)
        _distribution(document, len(past), *self._arrays(), self._uniform, into)
        return into

    @property
    def _uniform(self) -> npt.NDArray[np.float64]:
        """Equal shares for eos and every piece that is no control piece."""
        shares = np.zeros(self.vocab_size)
        shares[self._first :] = 1 / self._predicted
        shares[Tokenizer.eos] = 1 / self._predicted
        return shares

    def _arrays(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """All orders end to end, for the kernel: `at[n]` is where the arrays of order n + 1 begin."""
        orders = self.orders
        keys = np.concatenate([order.keys for order in orders])
        mass = np.concatenate([_discounted(order) for order in orders])
        key_at = np.cumsum([0, *(len(order.keys) for order in orders)])
        context_at = np.cumsum([0, *(len(order.totals) for order in orders)])
        starts = np.concatenate([order.starts[:-1] + at for order, at in zip(orders, key_at, strict=False)])
        starts = np.append(starts, len(keys))
        backoff = np.concatenate([order.backoff for order in orders])
        return keys, mass, starts, backoff, key_at, context_at

    def score(
        self,
        shards: TokenShards,
        plan: Sequence[Window],
        *,
        workers: int = 1,
        advance: Callable[[int], None] = lambda tokens: None,
    ) -> Predictions:
        """Predictions of what `plan` scores, as `elek.evaluation.scoring.score` makes them of a network."""
        arrays, uniform = self._arrays(), self._uniform

        def one(window: Window) -> Predictions:
            document = np.ascontiguousarray(shards.document(window.row), dtype=np.int64)
            first, last = window.first + 1, window.end + 1
            nats, confidence = np.empty(last - first), np.empty(last - first, np.float32)
            rank = np.empty(last - first, np.int8)
            _score(document, first, last, *arrays, uniform, nats, rank, confidence)
            positions = np.arange(first, last)
            return Predictions(np.full(len(nats), window.row), positions, document[first:last], nats, rank, confidence)

        return collect(one, plan, workers, advance)


def _predictable(tokenizer: Tokenizer) -> tuple[int, int]:
    """How many tokens can follow something (eos and what is no control piece), and the first that is none."""
    return tokenizer.size - tokenizer.controls + 1, tokenizer.controls


def _count(stream: Array, starts: Array, vocab_size: int, order: int) -> list[Order]:
    position = np.arange(len(stream))
    since = position - np.maximum.accumulate(np.where(starts, position, 0))  # tokens of the document before this one
    keys, indices = _numbered(np.where(since >= 1, stream, -1))  # bos is never predicted
    all_keys = [keys]
    ngram = [indices]  # of each order, the number of the n-gram that ends at each position, -1 where there is none
    context = stream  # of order 1 as a context, bos is one like any other token
    for _ in range(1, order):
        before = np.concatenate([[-1], context[:-1]])
        whole = (since >= len(ngram)) & (before >= 0)
        keys, context = _numbered(np.where(whole, before * vocab_size + stream, -1))
        all_keys.append(keys)
        ngram.append(context)
    orders = []
    contexts = 1
    for n, keys in enumerate(all_keys, start=1):
        if n == order:
            counts = np.bincount(ngram[n - 1][ngram[n - 1] >= 0], minlength=len(keys))
        else:
            counts = _contexts(ngram[n - 1], ngram[n], len(all_keys[n]), since, n, len(keys))
        orders.append(_order(keys, counts, contexts, vocab_size if n > 1 else 0))
        contexts = vocab_size if n == 1 else len(keys)
    return orders


def _numbered(keys: Array) -> tuple[Array, Array]:
    """The different keys, sorted, and of each position the number of its own; -1 stays out and stays -1."""
    unique, inverse = np.unique(keys, return_inverse=True)
    if len(unique) and unique[0] == -1:
        return unique[1:], inverse - 1
    return unique, inverse


def _contexts(ngram: Array, longer: Array, longer_count: int, since: Array, n: int, count: int) -> Array:
    """In how many n+1-grams each n-gram is the end, and for those at a document's start how often they were seen."""
    some_position = np.zeros(longer_count, np.int64)
    whole = longer >= 0
    some_position[longer[whole]] = np.flatnonzero(whole)
    counts = np.bincount(ngram[some_position], minlength=count)
    opening = (since == n - 1) & (ngram >= 0) if n > 1 else np.zeros(len(ngram), bool)
    return counts + np.bincount(ngram[opening], minlength=count)


def _order(keys: Array, counts: Array, contexts: int, vocab_size: int) -> Order:
    owner = keys // vocab_size if vocab_size else np.zeros(len(keys), np.int64)
    starts = np.searchsorted(owner, np.arange(contexts + 1))
    discounts = _discounts(counts)
    totals = np.bincount(owner, counts, contexts).astype(np.float64)
    taken = np.bincount(owner, np.take([0.0, *discounts], np.minimum(counts, 3)), contexts)
    backoff = np.divide(taken, totals, out=np.ones(contexts), where=totals > 0)
    return Order(keys, counts, starts, discounts, totals, backoff)


def _discounts(counts: Array) -> tuple[float, float, float]:
    """Chen and Goodman 1999, equation 26, from how many n-grams count for one, two, three and four."""
    n1, n2, n3, n4 = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 < discount < at for at, discount in enumerate(found, start=1)) else FALLBACK


def _discounted(order: Order) -> npt.NDArray[np.float64]:
    """Each n-gram's own share of its context's probability, before what the lower orders add."""
    lost = np.take([0.0, *order.discounts], np.minimum(order.counts, 3))
    totals = np.repeat(order.totals, np.diff(order.starts))
    shares: npt.NDArray[np.float64] = np.zeros(len(totals))
    np.divide(order.counts - lost, totals, out=shares, where=totals > 0)
    return shares


@kernel
def _find(keys: Array, low: int, high: int, key: int) -> Any:
    """Where `key` stands in the sorted `keys[low:high]`, or -1."""
    at = low + np.searchsorted(keys[low:high], key)
    return at if at < high and keys[at] == key else -1


@kernel
def _distribution(
    document: Array,
    position: int,
    keys: Array,
    mass: Array,
    starts: Array,
    backoff: Array,
    key_at: Array,
    context_at: Array,
    uniform: Array,
    into: Array,
) -> None:
    """Probabilities of the token at `position` of a document, from the tokens before it."""
    size = len(into)
    for token in range(size):
        into[token] = uniform[token] * backoff[0]
    for at in range(key_at[0], key_at[1]):
        into[keys[at]] += mass[at]
    for order in range(1, len(key_at) - 1):
        if position < order:
            break
        # The context's number, grown token by token from its first one.
        context = document[position - order]
        for step in range(1, order):
            key = context * size + document[position - order + step]
            context = _find(keys, key_at[step], key_at[step + 1], key)
            if context < 0:
                break
            context -= key_at[step]
        if context < 0:
            break  # a longer context is new as well
        number = context_at[order] + context
        begin, end = starts[number], starts[number + 1]
        if begin == end:
            continue
        for token in range(size):
            into[token] *= backoff[number]
        for at in range(begin, end):
            into[keys[at] - context * size] += mass[at]


@kernel
def _score(
    document: Array,
    first: int,
    last: int,
    keys: Array,
    mass: Array,
    starts: Array,
    backoff: Array,
    key_at: Array,
    context_at: Array,
    uniform: Array,
    nats: Array,
    rank: Array,
    confidence: Array,
) -> None:
    """Score tokens `first` to `last` of a document; of equally likely tokens the smallest id comes first."""
    into = np.empty(len(uniform))
    for position in range(first, last):
        _distribution(document, position, keys, mass, starts, backoff, key_at, context_at, uniform, into)
        own = into[document[position]]
        likelier, best = 0, 0.0
        for token in range(len(into)):
            best = max(best, into[token])
            likelier += into[token] > own or (into[token] == own and token < document[position])
        nats[position - first] = -np.log(own)
        rank[position - first] = min(likelier, 5)
        confidence[position - first] = best
