"""The loss as one module, whose call is what DDP and FSDP hook into."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from elek.model.transformer import Transformer
from elek.training.loss import head_loss
from elek.training.runtime import Runtime


class Objective(nn.Module):
    """`objective(inputs, targets)`: int64 [B, T] each → mean cross-entropy in nats.

    `states` is `model.states` or its compiled form. The head is inside, so that its gradient, with a tied embedding
    the sum of two, is complete when it is exchanged.
    """

    def __init__(self, model: Transformer, states: Callable[[Tensor], Tensor], runtime: Runtime) -> None:
        super().__init__()
        self.model, self.states, self.runtime = model, states, runtime

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with self.runtime.mixed():
            states = self.states(inputs)
        return head_loss(states.flatten(0, 1).to(self.runtime.compute), self.model.head_weight, targets.flatten())
