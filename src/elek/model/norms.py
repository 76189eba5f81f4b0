"""The norms of the residual stream, and the type in which their output goes to the matrix products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from elek.model.config import ModelConfig


class _Normed(torch.autograd.Function):
    """x / rms(x) · weight in as few passes over memory as there can be: PyTorch has one kernel for this on a GPU, and
    a dozen small steps on a processor, which a small model spends a tenth of its time in.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = size.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        normed: Tensor = (x * scale).mul_(weight)
        return normed

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        (grad,) = grad_outputs
        both = (grad * x).reshape(-1, x.shape[-1])
        along = (both @ weight).reshape(scale.shape).mul_(scale**3).div_(x.shape[-1])
        return (grad * weight).mul_(scale).addcmul_(x, along, value=-1), scale.reshape(-1) @ both, None


class RMSNorm(nn.RMSNorm):
    """x / √(mean(x²) + eps) · weight over the last dimension (Zhang & Sennrich 2019, eq. 4)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(x)
        normed: Tensor = _Normed.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return normed


def make_norm(config: ModelConfig) -> nn.Module:
    """The norm of the residual stream."""
    if config.norm == "layernorm":
        return nn.LayerNorm(config.width, eps=config.norm_eps, bias=config.bias)
    return RMSNorm(config.width, eps=config.norm_eps)


def for_products(x: Tensor) -> Tensor:
    """x in the type of the matrix products, converted once instead of by each matrix that reads it."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
