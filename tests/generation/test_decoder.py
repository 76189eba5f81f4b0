"""The compiled decoder beside the model itself: the same numbers, whatever stands beside them."""

from __future__ import annotations

import pytest
import torch

from elek.errors import DataError, ParamsError
from elek.generation import Beams, Sampling, beam_search, decode, generate, generate_batch
from elek.generation.decoder import CompiledDecoder, ModelDecoder, decoder_for, is_llama
from tests.generation.models import CONTEXT, MODELS, prompts, random_model, trained_model


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_models(name: str) -> None:
    """After a prompt and after each token more, within rounding of the model's own forward pass."""
    model = MODELS[name]()
    ids = prompts(name)[5]
    decoder = decoder_for(model)
    assert isinstance(decoder, CompiledDecoder)
    with torch.no_grad():
        expected = model(torch.tensor([ids]))[0]
    found = [decoder.read(0, ids[:3]), *(decoder.step([0], [token])[0] for token in ids[3:])]
    assert (torch.stack(found) - expected[2:]).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("name", MODELS)
def test_bits_do_not_depend_on_the_company(name: str) -> None:
    """A token's logits are equal to the bit as part of a prompt, alone, and in a batch of texts of other lengths."""
    model = MODELS[name]()
    ids = prompts(name)[5]
    whole = CompiledDecoder(model, 1).read(0, ids)
    alone = CompiledDecoder(model, 1)
    alone.read(0, ids[:1])
    for token in ids[1:]:
        last = alone.step([0], [token])[0]
    assert torch.equal(whole, last)
    beside = CompiledDecoder(model, 3)
    beside.read(0, ids[:4])
    beside.read(2, ids[:-1])
    beside.read(1, ids[:2])
    assert torch.equal(beside.step([1, 2, 0], [ids[2], ids[-1], ids[4]])[1], whole)


@pytest.mark.parametrize("kind", [CompiledDecoder, ModelDecoder])
def test_a_fork_goes_on_from_its_parent(kind: type[CompiledDecoder] | type[ModelDecoder]) -> None:
    """Children share the past and part from there, also where parents change places."""
    model, ids = random_model(), prompts("random")[5]
    decoder = kind(model, 3)
    decoder.read(0, ids)
    decoder.fork([0, 0, 0])
    decoder.step([0, 1, 2], [7, 8, 9])
    decoder.fork([2, 0, 2])
    found = decoder.step([0, 1, 2], [10, 11, 12])
    for row, text in enumerate(([*ids, 9, 10], [*ids, 7, 11], [*ids, 9, 12])):
        assert decoder.length(row) == len(text)
        torch.testing.assert_close(found[row], kind(model, 1).read(0, text), atol=1e-4, rtol=1e-5)


def test_a_full_row_takes_no_more() -> None:
    """Neither a prompt nor a token beyond the context."""
    decoder = decoder_for(random_model())
    decoder.read(0, [5] * CONTEXT)
    with pytest.raises(ValueError, match="context"):
        decoder.step([0], [5])
    with pytest.raises(ValueError, match="context"):
        decoder.read(0, [5] * (CONTEXT + 1))
    with pytest.raises(ValueError, match="context"):
        decoder.read(0, [])


def test_other_models_go_through_their_own_forward_pass() -> None:
    """Another number format is not computed by the kernels, and gives the text that the model gives."""
    model = trained_model()
    half = type(model)(model.config).to(torch.bfloat16).eval()
    assert not is_llama(half)
    assert isinstance(decoder_for(half), ModelDecoder)
    half.load_state_dict(model.state_dict())
    found = generate(half, prompts("trained")[3], max_new_tokens=CONTEXT + 10, temperature=0)
    assert len(found) == CONTEXT + 10
    assert found[:2] == generate(model, prompts("trained")[3], max_new_tokens=2, temperature=0)


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_its_texts_one_by_one(name: str) -> None:
    """Drawn with a seed of their own each, of unlike lengths, past the context, some ending before others."""
    model, sampling = MODELS[name](), Sampling(temperature=0.9, top_k=30, repetition_penalty=1.1)
    begin = prompts(name)
    alone = [
        generate(
            model,
            prompt,
            max_new_tokens=CONTEXT + 30,
            temperature=0.9,
            top_k=30,
            repetition_penalty=1.1,
            seed=n,
            stop_ids=[2],
        )
        for n, prompt in enumerate(begin)
    ]
    assert generate_batch(model, begin, CONTEXT + 30, sampling, seeds=range(6), stop_ids=[2]) == alone
    assert len({len(text) for text in alone}) > 1 or name == "random"


def test_samples_of_one_prompt_share_its_reading() -> None:
    """Several texts from the same prompt are each what they would be alone, past the context too."""
    model, prompt = random_model(), prompts("random")[4]
    together = generate_batch(model, [prompt] * 4, CONTEXT + 20, Sampling(), seeds=range(4), stop_ids=[2])
    alone = [generate(model, prompt, max_new_tokens=CONTEXT + 20, seed=seed, stop_ids=[2]) for seed in range(4)]
    assert together == alone
    assert len(set(map(tuple, together))) == 4


def test_probabilities_are_the_models_own() -> None:
    """Before any filter, of the chosen token and of the likeliest."""
    model, prompt = trained_model(), prompts("trained")[2]
    tokens = list(decode(model, [prompt], 5, Sampling(temperature=0.2, top_k=2), seeds=[0], top=3))
    text = list(prompt)
    for token in tokens:
        with torch.no_grad():
            logprobs = model(torch.tensor([text]))[0, -1].log_softmax(-1)
        assert token.logprob == pytest.approx(logprobs[token.id].item(), abs=1e-4)
        assert [index for index, _ in token.top] == logprobs.topk(3).indices.tolist()
        text.append(token.id)


def test_what_cannot_be_is_refused() -> None:
    """A negative length by name; no tokens at all are none."""
    with pytest.raises(ParamsError, match="max_new_tokens is -1"):
        generate(random_model(), [5], max_new_tokens=-1)
    assert generate_batch(random_model(), [], 5, Sampling(), seeds=[]) == []
    assert generate_batch(random_model(), [[5], [6]], 0, Sampling(), seeds=[0, 0]) == [[], []]
    with pytest.raises(DataError, match="empty"):
        generate_batch(random_model(), [[5], []], 5, Sampling(), seeds=[0, 0])


def test_a_search_finds_as_many_texts_as_asked_for() -> None:
    """Also where length is punished so strongly that scores are very low."""
    assert len(beam_search(random_model(), [5], 50, Beams(3, -5.0))) == 3
