"""The same tokens, texts and distributions as transformers' `generate` on the exported folder."""

from __future__ import annotations

import sys
from itertools import product, takewhile
from typing import Any

import pytest
import torch

from elek.generation import Beams, Sampling, beam_search, generate, generate_batch
from elek.generation.sampling import filtered
from tests.generation.models import CONTEXT, MODELS, exported, prompts

pytest.importorskip("transformers")
NEW = 32
EOS = 2


def theirs(name: str, prompt: list[int], **settings: Any) -> list[int]:
    """What transformers adds to a prompt, without the end and the filling after it."""
    found = (
        exported(name)
        .generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            **{"do_sample": False, "max_new_tokens": NEW, "eos_token_id": EOS, "pad_token_id": 3, **settings},
        )[0]
        .tolist()[len(prompt) :]
    )
    return found[: found.index(EOS)] if EOS in found else found


def tell(counted: str) -> None:
    """What was compared; `pytest -s` shows it."""
    sys.stdout.write(f"\n{counted}\n")


@pytest.mark.parametrize("penalty", [1.0, 1.3])
@pytest.mark.parametrize("name", MODELS)
def test_greedy_is_theirs(name: str, penalty: float) -> None:
    """Token for token, with and without a repetition penalty, one by one and in one ragged batch."""
    expected = [theirs(name, prompt, repetition_penalty=penalty) for prompt in prompts(name)]
    settings: dict[str, Any] = {"temperature": 0.0, "repetition_penalty": penalty}
    model = MODELS[name]()
    found = [generate(model, prompt, max_new_tokens=NEW, stop_ids=[EOS], **settings) for prompt in prompts(name)]
    assert found == expected
    together = generate_batch(model, prompts(name), NEW, Sampling(**settings), seeds=[0] * 6, stop_ids=[EOS])
    assert together == expected
    tell(f"greedy, {name}, penalty {penalty}: {sum(map(len, expected))} tokens of {len(expected)} texts equal")


GRID = list(product([2, 3, 5], [-1.0, 0.0, 1.0, 2.0], [False, True, "never"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_beams_are_theirs(name: str) -> None:
    """Every returned text, in order: 3 widths × 4 length penalties × 3 stopping rules, and a repetition penalty."""
    texts = tokens = ended = 0
    # Of the random model twelve ids end a text; the end alone is hardly ever likely there.
    stops = [EOS] if name == "trained" else list(range(40, 52))
    for number, (width, length_penalty, early) in enumerate(GRID):
        prompt = prompts(name)[number % 6]
        penalty = 1.2 if number % 5 == 0 else 1.0
        made = exported(name).generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=20,
            num_beams=width,
            num_return_sequences=width,
            length_penalty=length_penalty,
            early_stopping=early,
            repetition_penalty=penalty,
            eos_token_id=stops,
            pad_token_id=3,
            return_dict_in_generate=True,
            output_scores=True,
        )
        ours = beam_search(
            MODELS[name](), prompt, 20, Beams(width, length_penalty, early), stop_ids=stops, repetition_penalty=penalty
        )
        assert ours
        for sequence, score, mine in zip(made.sequences.tolist(), made.sequences_scores.tolist(), ours, strict=False):
            expected = sequence[len(prompt) :]
            expected = list(takewhile(lambda token: token not in stops, expected))[:20]
            assert list(mine.ids) == expected, (width, length_penalty, early)
            assert mine.score == pytest.approx(score, rel=1e-5, abs=1e-4)
            texts, tokens, ended = texts + 1, tokens + len(expected), ended + mine.ended
    assert ended > 5
    tell(f"beams, {name}: {texts} texts of {len(GRID)} searches equal, {tokens} tokens, {ended} ended by themselves")


def test_filtered_distributions_are_theirs() -> None:
    """After temperature, top-k, top-p and min-p in transformers' own order, with a repetition penalty before them:
    the same tokens are left, with the same probabilities."""
    from transformers import GenerationConfig

    hub = exported("trained")
    inputs = torch.tensor([prompts("trained")[4]])
    with torch.no_grad():
        logits = torch.cat([hub(inputs).logits[0], 4 * torch.randn(20, hub.config.vocab_size)])
    seen = inputs[0].repeat(2)
    compared = 0
    for temperature, top_k, top_p, min_p, penalty in product(
        [0.3, 1.0, 1.7], [0, 1, 40, 5000], [0.5, 0.9, 1.0], [0.0, 0.05, 0.4], [1.0, 1.4]
    ):
        config = GenerationConfig(
            do_sample=True,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p or None,
            repetition_penalty=penalty,
        )
        processors = hub._get_logits_processor(config, input_ids_seq_length=len(seen), device="cpu")
        expected = processors(seen.expand(len(logits), -1), logits.clone()).softmax(-1)
        sampling = Sampling(temperature, top_k, top_p, min_p, penalty)
        found = torch.stack([filtered(row, seen, sampling) for row in logits]).softmax(-1)
        unlike = (found > 0) != (expected > 0)
        # A probability that lies on the threshold to the last bit may fall on either side; there is none here.
        assert not unlike.any(), (temperature, top_k, top_p, min_p, penalty)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
        compared += found.numel()
    tell(f"distributions: {compared:,} probabilities of 216 settings equal")


def test_the_whole_context_is_used() -> None:
    """Up to the last token that the context has room for, transformers agrees."""
    prompt = prompts("random")[2]
    room = CONTEXT - len(prompt) + 1
    expected = theirs("random", prompt, max_new_tokens=room, eos_token_id=None)
    assert generate(MODELS["random"](), prompt, max_new_tokens=room, temperature=0) == expected
