"""From logits to a distribution over the next token: the usual filters, as defined and ordered by transformers.

Repetition penalty, then temperature, top-k, top-p, min-p. Each takes and returns logits [V]; excluded tokens are at
minus infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from elek.errors import ParamsError


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Raises ParamsError for an invalid value."""

    temperature: float = 1.0
    """Divides the logits: below 1 the distribution is sharper, above 1 flatter; 0 is greedy (always the likeliest)."""
    top_k: int | None = None
    """Keep the k likeliest; None, 0 or more than the size of the vocabulary keeps all."""
    top_p: float = 1.0
    """Keep the likeliest whose probabilities together reach this, including the one that crosses it (Holtzman 2020)."""
    min_p: float = 0.0
    """Keep those with at least this share of the highest probability (Nguyen et al. 2024)."""
    repetition_penalty: float = 1.0
    """Logits of tokens already in the text are divided by it, or multiplied if negative (Keskar et al. 2019)."""

    def __post_init__(self) -> None:
        checks = {
            "temperature": (0 <= self.temperature < math.inf, "a finite number of at least 0"),
            "top_k": (self.top_k is None or self.top_k >= 0, "at least 0"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
            # Beyond these limits, products with logits would overflow float32.
            "repetition_penalty": (1e-4 <= self.repetition_penalty <= 1e4, "from 0.0001 to 10000, usually 1 to 1.5"),
        }
        for name, (valid, rule) in checks.items():
            if not valid:  # NaN fails every comparison, so it is refused as well
                raise ParamsError(f"{name} is {getattr(self, name)}", where="generation", fix=f"give {rule}")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always chosen."""
        return self.temperature == 0


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the tokens in `seen` (int64 ids, repeats allowed) less likely."""
    scores = logits[seen]
    return logits.index_put((seen,), torch.where(scores < 0, scores * penalty, scores / penalty))


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest, and all that are equal to the k-th."""
    if k >= logits.numel():
        return logits
    return logits.masked_fill(logits < logits.topk(k).values[-1], -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the smallest set of likeliest tokens whose probability reaches `p`, at least one."""
    ascending, order = logits.sort()
    dropped = ascending.softmax(-1).cumsum(-1) <= 1 - p
    dropped[-1] = False
    return logits.masked_fill(torch.zeros_like(dropped).index_put((order,), dropped), -torch.inf)


def keep_min_p(logits: Tensor, share: float) -> Tensor:
    """Keep those whose probability is at least `share` of the largest."""
    probabilities = logits.softmax(-1)
    return logits.masked_fill(probabilities < share * probabilities.max(), -torch.inf)


def filtered(logits: Tensor, seen: Tensor, sampling: Sampling) -> Tensor:
    """The logits [V] after all filters that are on. For greedy decoding, this is the repetition penalty only."""
    if sampling.repetition_penalty != 1:
        logits = penalise_repetition(logits, seen, sampling.repetition_penalty)
    if sampling.greedy:
        return logits
    # The maximum becomes 0, so a low temperature cannot overflow. 1e-37 is nonzero in float32, which avoids 0 / 0.
    logits = (logits - logits.max()) / max(sampling.temperature, 1e-37)
    if sampling.top_k:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p < 1:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p > 0:
        logits = keep_min_p(logits, sampling.min_p)
    return logits


def choose(logits: Tensor, seen: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """The id of the next token. Greedy takes the first of equals and does not use the generator."""
    logits = filtered(logits, seen, sampling)
    if sampling.greedy:
        return int(logits.argmax())
    return int(torch.multinomial(logits.softmax(-1), 1, generator=generator))
