"""Beam search: a bounded search for the likeliest whole continuation.

Its results are those of transformers' `generate(num_beams=…)`, with the same candidates, ties and stopping rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from elek.errors import ParamsError
from elek.generation.decoder import decoder_for
from elek.generation.decoding import check_length, check_prompt
from elek.generation.sampling import penalise_repetition
from elek.model.transformer import Transformer

_NEVER = -math.inf
"""The score of a text that must not be chosen."""


@dataclass(frozen=True)
class Beams:
    """How wide the search is and when it ends. Raises ParamsError for an invalid value."""

    width: int = 4
    """Unfinished texts that are kept at each step."""
    length_penalty: float = 1.0
    """A finished text's score is its log-probability divided by its length to this power (Wu et al. 2016, §7
    without their constant): above 0 longer texts gain, below 0 shorter ones. The end counts as a token."""
    early_stopping: bool | Literal["never"] = False
    """True: stop when `width` texts are finished. False: stop when the best unfinished text, scored at its present
    length, is worse than the worst finished one. "never": stop only when no unfinished text can become better."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ParamsError(f"beams is {self.width}", where="generation", fix="give at least 1")
        if not -5 <= self.length_penalty <= 5:  # beyond that a score may be no float32
            said = f"length_penalty is {self.length_penalty}"
            raise ParamsError(said, where="generation", fix="give -5 to 5, usually 0 to 2")
        if self.early_stopping not in (True, False, "never"):
            raise ParamsError(
                f"early_stopping is {self.early_stopping!r}", where="generation", fix='give True, False or "never"'
            )


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished text: its ids without the stop id, the score it was ranked by, and whether a stop id ended it."""

    ids: tuple[int, ...]
    score: float
    ended: bool


@torch.inference_mode()
def beam_search(
    model: Transformer,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    beams: Beams,
    *,
    stop_ids: Collection[int] = (),
    repetition_penalty: float = 1.0,
    check: Callable[[], None] = lambda: None,
) -> list[Hypothesis]:
    """At most `beams.width` finished texts, the best first.

    The compared texts all begin with the same prompt, so prompt and continuation must fit the context together. Of a
    longer prompt, the last `context - max_new_tokens + 1` tokens are read (the last new token is never read). `check`
    is called before each step and may raise to end the search.
    Raises ParamsError where no token of the prompt would fit, and what `decode` raises for prompts.
    """
    check_length(max_new_tokens)
    check_prompt(prompt_ids, model.config.vocab_size)
    if max_new_tokens == 0:
        return [Hypothesis((), 0.0, False)]
    prompt, width = list(prompt_ids)[-prompt_room(model.config.context, max_new_tokens) :], beams.width
    decoder = decoder_for(model, width)
    logits = decoder.read(0, prompt).expand(width, -1)
    decoder.fork([0] * width)
    running: list[tuple[int, ...]] = [()] * width
    scores = torch.full((width,), _NEVER)
    scores[0] = 0  # all beams are still equal, so only the first may propose continuations
    best: list[Hypothesis] = []
    for length in range(1, max_new_tokens + 1):
        check()
        logprobs = _logprobs(logits, [[*prompt, *text] for text in running], repetition_penalty)
        top, index = _propose(logprobs + scores[:, None], len(stop_ids))
        parents = (index // logits.shape[1]).tolist()
        tokens = (index % logits.shape[1]).tolist()
        texts = [(*running[parent], token) for parent, token in zip(parents, tokens, strict=True)]
        stopped = [token in stop_ids for token in tokens]
        ends = [stop or length == max_new_tokens for stop in stopped]
        # Only texts among the first `width` may finish; the others replace those that finish.
        final = (top / length**beams.length_penalty).tolist()[:width]
        best = _with_finished(best, texts[:width], stopped[:width], ends[:width], final)
        alive = top.masked_fill(torch.tensor(ends), _NEVER)
        chosen = alive.topk(width).indices
        running, scores = [texts[place] for place in chosen.tolist()], alive[chosen]
        hopeless = not _can_improve(beams, scores[0], best, length, max_new_tokens)
        if hopeless or all(ends) or (beams.early_stopping is True and len(best) == width):
            break
        decoder.fork([parents[place] for place in chosen.tolist()])
        logits = decoder.step(range(width), [tokens[place] for place in chosen.tolist()])
    return best


def prompt_room(context: int, max_new_tokens: int) -> int:
    """The number of prompt tokens that a search can read. Raises ParamsError where it is zero."""
    if max_new_tokens > context:
        raise ParamsError(
            f"beam search for {max_new_tokens} new tokens in a context of {context}",
            where="max_new_tokens",
            fix=f"ask for at most {context} tokens",
        )
    return context - max(0, max_new_tokens - 1)


def _with_finished(
    best: list[Hypothesis],
    texts: Sequence[tuple[int, ...]],
    stopped: Sequence[bool],
    ends: Sequence[bool],
    scores: Sequence[float],
) -> list[Hypothesis]:
    """The best hypotheses so far and those of `texts` that end now, as many as there are beams."""
    made = [
        Hypothesis(text[:-1] if stop else text, score, stop)
        for text, stop, end, score in zip(texts, stopped, ends, scores, strict=True)
        if end and score > _NEVER
    ]
    return sorted([*best, *made], key=lambda text: text.score, reverse=True)[: len(texts)]


def _logprobs(logits: Tensor, texts: list[list[int]], penalty: float) -> Tensor:
    """Log-probabilities of the next token of each text, [beams, V]. Unlike in sampling, the penalty comes last."""
    logprobs = logits.log_softmax(-1)
    if penalty == 1:
        return logprobs
    rows = zip(logprobs, texts, strict=True)
    return torch.stack([penalise_repetition(row, torch.tensor(text), penalty) for row, text in rows])


def _propose(totals: Tensor, stops: int) -> tuple[Tensor, Tensor]:
    """The best continuations [beams, V], enough that some remain unfinished even if the best ones all finish."""
    values, index = totals.flatten().topk(min(max(2, 1 + stops) * totals.shape[0], totals.numel()))
    return values, index


def _can_improve(beams: Beams, leader: Tensor, best: list[Hypothesis], length: int, max_new_tokens: int) -> bool:
    """Whether the best unfinished text may still become one of the best finished ones."""
    hopeful = max_new_tokens if beams.early_stopping == "never" and beams.length_penalty > 0 else length
    possible = float(leader / hopeful**beams.length_penalty)
    return possible > (best[-1].score if len(best) == beams.width else _NEVER)
