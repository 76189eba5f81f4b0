"""Head and cross-entropy in one, a few rows at a time.

The logits of a batch are by far its largest tensor: rows · V numbers, in a small model several times all the
rest together, and written and read again some five times on the way to a gradient. In chunks of a few hundred
rows they stay in the processor's cache, and only one chunk of them ever exists. The gradient is made in the
forward pass, while the chunk's probabilities are at hand. (The idea: Cut Cross-Entropy, Wijmans et al. 2024;
Liger Kernel, Hsu et al. 2024.) Exact: loss and gradients equal those of `F.cross_entropy` to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

CHUNK_NUMBERS = 1 << 21
"""Logits in a chunk: 8 MiB of float32."""

CHUNKS = 4
"""Chunks whose gradients are kept, in the products' type, for one product each: to add to the weight's gradient
costs as much as to read and write all of it."""


def groups(rows: int, size: int) -> Sequence[int]:
    """First rows of the groups of `size` whose gradients are kept for one product."""
    return range(0, rows, size)


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, shares: Tensor | None, training: bool
    ) -> Tensor:
        rows, vocabulary = states.shape[0], weight.shape[0]
        matrix = weight.to(states.dtype)
        grad_states = torch.empty_like(states) if training else states.new_empty(0)
        grad_weight = torch.zeros_like(weight) if training else weight.new_empty(0)
        total = torch.zeros((), dtype=torch.float32, device=states.device)
        step = max(1, CHUNK_NUMBERS // vocabulary)
        held = states.new_empty(min(CHUNKS * step, rows), vocabulary) if training else states.new_empty(0)
        for first in groups(rows, CHUNKS * step):
            last = min(first + CHUNKS * step, rows)
            for start in range(first, last, step):
                end = min(start + step, last)
                wanted = targets[start:end, None]
                scores = F.log_softmax(F.linear(states[start:end], matrix).float(), dim=-1)
                right = scores.gather(1, wanted)
                total -= right.sum() if shares is None else shares[start:end] @ right[:, 0]
                if not training:
                    continue
                gradient = scores.exp_()  # of the sum: each probability, less 1 where it is the target
                gradient = gradient.scatter_add_(1, wanted, gradient.new_full(wanted.shape, -1.0))
                if shares is not None:
                    gradient *= shares[start:end, None]
                held[start - first : end - first] = gradient
            if training:
                gradient = held[: last - first]
                torch.mm(gradient, matrix, out=grad_states[first:last])
                grad_weight += gradient.t() @ states[first:last]
        ctx.save_for_backward(grad_states, grad_weight)
        ctx.rows = rows if shares is None else 1
        mean: Tensor = total / ctx.rows
        return mean

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_states, grad_weight = ctx.saved_tensors
        scale = grad_outputs[0] / ctx.rows
        return grad_states * scale, grad_weight * scale, None, None, None


def head_loss(states: Tensor, weight: Tensor, targets: Tensor, shares: Tensor | None = None) -> Tensor:
    """Mean cross-entropy, in nats, of `targets` int64 [N] under the logits states [N, C] · weight [V, C]ᵀ.

    `shares`, float32 [N], weigh the targets; without them each has 1 / N.

    Products are made in the type of `states`; probabilities, the sum and the weight's gradient in float32.
    Peak memory: one chunk of logits, CHUNKS of their gradients, and the gradients of both inputs.
    """
    loss: Tensor = _HeadLoss.apply(states, weight, targets, shares, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss
