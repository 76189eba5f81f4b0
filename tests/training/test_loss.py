"""The chunked head and cross-entropy beside PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, linear

from elek.training import loss as module
from elek.training.loss import head_loss


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(2, 30), st.integers(1, 400), st.integers(0, 99))
def test_loss_and_gradients_are_those_of_cross_entropy(
    rows: int, width: int, vocab: int, chunk: int, seed: int
) -> None:
    """To rounding, for every shape and size of chunk, also where the loss is scaled afterwards."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(rows, width, generator=generator)
    weight = torch.randn(vocab, width, generator=generator)
    targets = torch.randint(0, vocab, (rows,), generator=generator)
    before, module.CHUNK_NUMBERS = module.CHUNK_NUMBERS, chunk
    try:
        found = []
        for function in (head_loss, lambda s, w, t: cross_entropy(linear(s, w), t)):
            s, w = states.clone().requires_grad_(), weight.clone().requires_grad_()
            value = function(s, w, targets)
            (value * 0.25).backward()
            found.append((value.detach(), s.grad, w.grad))
    finally:
        module.CHUNK_NUMBERS = before
    for one, other in zip(*found, strict=True):
        assert one is not None
        assert other is not None
        assert torch.allclose(one, other, atol=2e-5)


def test_in_bf16_the_weights_gradient_is_summed_in_float32() -> None:
    """Its type is the weight's, and its error that of one rounding and not of many."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(512, 16, generator=generator).bfloat16()
    weight = torch.randn(64, 16, generator=generator)
    targets = torch.randint(0, 64, (512,), generator=generator)
    exact = weight.clone().requires_grad_()
    cross_entropy(linear(states.float(), exact.bfloat16().float()), targets).backward()
    mine = weight.clone().requires_grad_()
    head_loss(states, mine, targets).backward()
    assert mine.grad is not None
    assert exact.grad is not None
    assert mine.grad.dtype == torch.float32
    assert (mine.grad - exact.grad).norm() / exact.grad.norm() < 0.01


def test_without_gradients_none_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring a validation loss costs the forward products alone."""
    monkeypatch.setattr(torch, "mm", None)
    with torch.no_grad():
        value = head_loss(torch.ones(3, 4), torch.ones(5, 4, requires_grad=True), torch.tensor([0, 1, 2]))
    assert value.item() == pytest.approx(1.6094379)
