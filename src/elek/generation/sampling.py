"""From logits to a distribution over the next token: the usual filters, in transformers' order and meaning.

Repetition penalty, then temperature, top-k, top-p, min-p. Each takes and returns logits [V]; what is left out
is at minus infinity.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elek.errors import ParamsError


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Raises ParamsError for a value that means nothing."""

    temperature: float = 1.0
    """Divides the logits: below 1 bolder for the likely ones, above 1 flatter; 0 is greedy, the likeliest always."""
    top_k: int | None = None
    """Only the k likeliest; None, 0 or more than the vocabulary leaves all."""
    top_p: float = 1.0
    """Only the likeliest that together reach this probability, the one that crosses it included (Holtzman 2020)."""
    min_p: float = 0.0
    """Only those at least this share of the likeliest one's probability (Nguyen et al. 2024)."""
    repetition_penalty: float = 1.0
    """Logits of tokens already in the text are divided by it, or multiplied if negative (Keskar et al. 2019)."""

    def __post_init__(self) -> None:
        checks = {
            "temperature": (self.temperature >= 0, "at least 0"),
            "top_k": (self.top_k is None or self.top_k >= 0, "at least 0"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
            # Beyond that products of logits are no float32 any more.
            "repetition_penalty": (1e-4 <= self.repetition_penalty <= 1e4, "from 0.0001 to 10000, usually 1 to 1.5"),
        }
        for name, (valid, rule) in checks.items():
            if not valid:  # NaN fails every comparison, and so is refused too
                raise ParamsError(f"{name} is {getattr(self, name)}", where="generation", fix=f"give {rule}")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the tokens in `seen` (int64 ids, repeats allowed) less likely."""
    scores = logits[seen]
    return logits.index_put((seen,), torch.where(scores < 0, scores * penalty, scores / penalty))


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """The k largest; all that tie with the k-th stay."""
    if k >= logits.numel():
        return logits
    return logits.masked_fill(logits < logits.topk(k).values[-1], -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """The smallest set of likeliest tokens whose probability reaches `p`; never none."""
    ascending, order = logits.sort()
    dropped = ascending.softmax(-1).cumsum(-1) <= 1 - p
    dropped[-1] = False
    return logits.masked_fill(torch.zeros_like(dropped).index_put((order,), dropped), -torch.inf)


def keep_min_p(logits: Tensor, share: float) -> Tensor:
    """Those whose probability is at least `share` of the largest."""
    probabilities = logits.softmax(-1)
    return logits.masked_fill(probabilities < share * probabilities.max(), -torch.inf)


def filtered(logits: Tensor, seen: Tensor, sampling: Sampling) -> Tensor:
    """The logits [V] after every filter that is switched on; for greedy decoding the penalty alone."""
    if sampling.repetition_penalty != 1:
        logits = penalise_repetition(logits, seen, sampling.repetition_penalty)
    if sampling.greedy:
        return logits
    # At most 0: no temperature is so low that it overflows. The floor is float32's, below which 0 / 0 is no number.
    logits = (logits - logits.max()) / max(sampling.temperature, 1e-37)
    if sampling.top_k:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p < 1:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p > 0:
        logits = keep_min_p(logits, sampling.min_p)
    return logits


def choose(logits: Tensor, seen: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """The next token's id. Greedy takes the first of equals and leaves the generator alone."""
    logits = filtered(logits, seen, sampling)
    if sampling.greedy:
        return int(logits.argmax())
    return int(torch.multinomial(logits.softmax(-1), 1, generator=generator))
