"""The norms: `elek.model.norms`."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

from elek.model.norms import RMSNorm, for_products


def norm(dtype: torch.dtype = torch.float32) -> RMSNorm:
    made = RMSNorm(24, eps=1e-5, dtype=dtype)
    torch.nn.init.normal_(made.weight, generator=torch.Generator().manual_seed(1))
    return made


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=dtype).requires_grad_()


def test_value_and_gradients_are_those_of_pytorch() -> None:
    """Also where nearly nothing but eps is in the root, and for an input that is not contiguous."""
    ours = norm()
    for x in (numbers(2, 3, 24), numbers(2, 24, 3).mT, numbers(2, 24) * 1e-4, numbers(1, 24) * 1e4):
        upstream = torch.linspace(-1, 1, x.numel()).view(x.shape)
        for_x, for_weight = torch.autograd.grad(ours(x), (x, ours.weight), upstream)
        theirs = F.rms_norm(x, (24,), ours.weight, 1e-5)
        expected = torch.autograd.grad(theirs, (x, ours.weight), upstream)
        torch.testing.assert_close(ours(x), theirs)
        torch.testing.assert_close(for_x, expected[0])
        torch.testing.assert_close(for_weight, expected[1])


def test_gradients_are_those_of_small_differences() -> None:
    """In float64, where differences of 1e-6 tell."""
    ours = norm(torch.float64)
    assert torch.autograd.gradcheck(ours, numbers(3, 24, dtype=torch.float64))


def test_states_are_converted_once_where_products_are_in_bf16() -> None:
    """Outside of autocast nothing is converted."""
    x = torch.ones(2, 24)
    assert for_products(x) is x
    with torch.autocast("cpu", torch.bfloat16):
        assert for_products(x).dtype is torch.bfloat16
