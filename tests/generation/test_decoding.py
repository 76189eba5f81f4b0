"""Generation: what follows a prompt, with a cache and without."""

from __future__ import annotations

import pytest
import torch

from elek.errors import DataError
from elek.generation import generate
from elek.generation.decoding import stream
from elek.generation.sampling import Sampling
from elek.model.transformer import Transformer
from tests.model.test_transformer import CONFIG, model_of


@pytest.fixture(scope="module")
def model() -> Transformer:
    """Larger weights than the first ones and a head of its own, so that what is likeliest depends on the text."""
    made = model_of(CONFIG.model_copy(update={"tie_embeddings": False}))
    for parameter in made.parameters():
        parameter.data.mul_(5 if parameter.dim() > 1 else 1)
    return made


def without_cache(model: Transformer, prompt: list[int], new: int, context: int) -> list[int]:
    """Greedy decoding by the definition: all that the model may see, read anew for every token."""
    text, seen = list(prompt), list(prompt)[-context:]
    for _ in range(new):
        if len(seen) > context:
            seen = text[-(context // 2) :]
        with torch.no_grad():
            token = int(model(torch.tensor([seen]))[0, -1].argmax())
        text.append(token)
        seen.append(token)
    return text[len(prompt) :]


@pytest.mark.parametrize("length", [1, 5, 23, 24, 25, 60])
def test_greedy_with_a_cache_is_greedy_without(model: Transformer, length: int) -> None:
    """Also for prompts longer than the context, and for texts that outgrow it twice."""
    prompt = torch.randint(0, CONFIG.vocab_size, (length,), generator=torch.Generator().manual_seed(length)).tolist()
    found = generate(model, prompt, max_new_tokens=40, temperature=0)
    assert found == without_cache(model, prompt, 40, CONFIG.context)
    assert len(set(found)) > 3


def test_of_a_long_prompt_only_the_end_counts(model: Transformer) -> None:
    """The last `context` tokens."""
    end = list(range(24))
    first = generate(model, [40, 41, *end], max_new_tokens=5, seed=1)
    assert first == generate(model, end, max_new_tokens=5, seed=1)


def test_the_seed_decides(model: Transformer) -> None:
    """Same seed, same text; other seed, other text; and nobody else's random numbers matter."""
    first = generate(model, [1, 2], max_new_tokens=20, seed=1)
    torch.rand(5)
    assert generate(model, [1, 2], max_new_tokens=20, seed=1) == first
    assert generate(model, [1, 2], max_new_tokens=20, seed=2) != first


def test_top_k_of_one_is_greedy(model: Transformer) -> None:
    """At any temperature."""
    greedy = generate(model, [3], max_new_tokens=10, temperature=0)
    assert generate(model, [3], max_new_tokens=10, temperature=2.0, top_k=1) == greedy
    assert generate(model, [3], max_new_tokens=10, top_p=1e-9) == greedy
    assert generate(model, [3], max_new_tokens=10, min_p=1.0) == greedy


def test_top_k_above_the_vocabulary_leaves_all(model: Transformer) -> None:
    """As if it were not given."""
    assert generate(model, [3], max_new_tokens=10, top_k=10_000) == generate(model, [3], max_new_tokens=10)


def test_a_penalty_breaks_repetition(model: Transformer) -> None:
    """With a strong one, greedy decoding says nothing twice."""
    found = generate(model, [3], max_new_tokens=20, temperature=0, repetition_penalty=1e4)
    assert len(set(found)) == 20


def test_it_stops_at_a_stop_id_and_at_the_limit(model: Transformer) -> None:
    """The stop id itself is not returned, and no more than was asked for."""
    found = generate(model, [3], max_new_tokens=20, temperature=0)
    stop = found[7]
    assert generate(model, [3], max_new_tokens=20, temperature=0, stop_ids={stop}) == found[: found.index(stop)]
    assert generate(model, [3], max_new_tokens=0) == []


def test_tokens_come_one_by_one(model: Transformer) -> None:
    """A stream gives what `generate` gives, and its consumer may still compute gradients in between."""
    found = []
    for token in stream(model, [3], 5, Sampling(), seed=4):
        assert torch.ones(1, requires_grad=True).mul(2).requires_grad
        found.append(token)
    assert found == generate(model, [3], max_new_tokens=5, seed=4)


@pytest.mark.parametrize(
    ("prompt", "said"), [([], "the prompt is empty"), ([50], "token id 50"), ([-1], "token id -1")]
)
def test_a_prompt_that_is_none_is_refused(model: Transformer, prompt: list[int], said: str) -> None:
    """Empty, or with ids that the vocabulary does not have."""
    with pytest.raises(DataError, match=said):
        generate(model, prompt, max_new_tokens=1)
