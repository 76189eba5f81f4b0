"""The model's mathematics, beside a plain reference that is written from the formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from elek.model import attention
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise

CONFIG = ModelConfig(vocab_size=50, context=24, layers=2, width=32, heads=4, kv_heads=2)


def model_of(config: ModelConfig = CONFIG, seed: int = 1) -> Transformer:
    return initialise(Transformer(config), seed).eval()


def tokens_of(batch: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, CONFIG.vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


def reference(model: Transformer, tokens: list[int]) -> Tensor:
    """Logits [T, V] in float64, one position, one head and one pair of components at a time."""
    config = model.config
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}

    def norm(x: Tensor, gain: Tensor) -> Tensor:
        return x / (x.pow(2).mean() + config.norm_eps).sqrt() * gain

    def turned(x: Tensor, position: int) -> Tensor:
        result, half = x.clone(), config.head_dim // 2
        for i in range(half):
            angle = torch.tensor(position * config.rope_theta ** (-2 * i / config.head_dim), dtype=torch.float64)
            result[i] = x[i] * angle.cos() - x[i + half] * angle.sin()
            result[i + half] = x[i + half] * angle.cos() + x[i] * angle.sin()
        return result

    stream = [weights["embedding.weight"][token] for token in tokens]
    for layer in range(config.layers):
        name = f"blocks.{layer}."
        keys: list[list[Tensor]] = []
        values: list[list[Tensor]] = []
        for position, x in enumerate(stream):
            inner = norm(x, weights[name + "attention_norm.weight"])
            query = (weights[name + "attention.query.weight"] @ inner).split(config.head_dim)
            key = (weights[name + "attention.key.weight"] @ inner).split(config.head_dim)
            keys.append([turned(head, position) for head in key])
            values.append(list((weights[name + "attention.value.weight"] @ inner).split(config.head_dim)))
            heads = []
            for head in range(config.heads):
                shared = head // (config.heads // config.kv_heads)
                seen = range(position + 1)
                scores = torch.stack([turned(query[head], position) @ keys[past][shared] for past in seen])
                share = (scores / config.head_dim**0.5).softmax(0)
                heads.append(sum((share[past] * values[past][shared] for past in seen), torch.zeros(())))
            x = x + weights[name + "attention.output.weight"] @ torch.cat(heads)
            inner = norm(x, weights[name + "feed_forward_norm.weight"])
            gate = weights[name + "feed_forward.gate.weight"] @ inner
            up = weights[name + "feed_forward.up.weight"] @ inner
            stream[position] = x + weights[name + "feed_forward.down.weight"] @ (gate * gate.sigmoid() * up)
    head_weight = weights["embedding.weight" if config.tie_embeddings else "head.weight"]
    return torch.stack([head_weight @ norm(x, weights["norm.weight"]) for x in stream])


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_logits_are_those_of_the_formulas(kv_heads: int, tie: bool) -> None:
    """Within 1e-5 of a float64 reference, for every grouping of heads, tied and untied."""
    model = model_of(CONFIG.model_copy(update={"kv_heads": kv_heads, "tie_embeddings": tie}))
    for parameter in model.parameters():
        parameter.data.mul_(4 if parameter.dim() > 1 else 0.5)  # so that attention is not flat, and gains are not 1
    tokens = tokens_of(1, 9)
    logits = model(tokens)
    assert logits.dtype == torch.float32
    assert (logits[0].double() - reference(model, tokens[0].tolist())).abs().max() < 1e-5


def test_no_token_sees_the_future() -> None:
    """Changing a token changes no logits before it."""
    model, tokens = model_of(), tokens_of(1, 12)
    changed = tokens.clone()
    changed[0, 7] = (changed[0, 7] + 1) % CONFIG.vocab_size
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.equal(before[:, 7:], after[:, 7:])


@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 1, 1, 5], [4, 4, 4]])
def test_a_cache_changes_no_logits(pieces: list[int]) -> None:
    """Token by token or in pieces, the logits are those of the whole sequence at once."""
    model, tokens = model_of(), tokens_of(2, 12)
    cache = model.new_cache(batch=2)
    found = torch.cat([model(piece, cache) for piece in tokens.split(pieces, dim=1)], dim=1)
    assert (found - model(tokens)).abs().max() < 1e-6
    assert cache.length == 12


def test_more_tokens_than_the_context_are_refused() -> None:
    """With a cache or without: nothing is silently cut off."""
    model = model_of()
    with pytest.raises(ValueError, match="25 tokens do not fit the model's context of 24"):
        model(tokens_of(1, 25))
    cache = model.new_cache()
    model(tokens_of(1, 24), cache)
    with pytest.raises(ValueError, match="25 tokens"):
        model(tokens_of(1, 1), cache)


def test_the_first_weights_are_the_seeds_alone() -> None:
    """Whatever random numbers others drew before."""
    first = model_of(seed=3).state_dict()
    torch.manual_seed(99)
    torch.rand(7)
    second, third = model_of(seed=3).state_dict(), model_of(seed=4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["embedding.weight"], third["embedding.weight"])


@pytest.mark.parametrize("length", [2, 7, 16])
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_both_attention_kernels_are_equal(length: int, kv_heads: int) -> None:
    """The halves kernel and PyTorch's: the same values and gradients to rounding."""
    generator = torch.Generator().manual_seed(length)
    inputs = [torch.randn(2, heads, length, 8, generator=generator) for heads in (4, kv_heads, kv_heads)]
    found = []
    for kernel in (attention.causal_halves, attention.attend):
        leaves = [x.clone().requires_grad_() for x in inputs]
        result = kernel(*leaves)
        result.square().sum().backward()
        found.append([result, *[leaf.grad for leaf in leaves]])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
