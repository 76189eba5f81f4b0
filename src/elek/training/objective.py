"""The loss as one module, whose call is what DDP and FSDP hook into."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from elek.model.transformer import Transformer
from elek.training.examples import Examples
from elek.training.runtime import Runtime


class Objective(nn.Module):
    """`objective(examples)`: mean cross-entropy in nats of what they ask for.

    `states` is `model.states` or its compiled form. The head is inside, so that its gradient, with a tied embedding
    the sum of two, is complete when it is exchanged.
    """

    def __init__(self, model: Transformer, states: Callable[..., Tensor], runtime: Runtime) -> None:
        super().__init__()
        self.model, self.states, self.runtime = model, states, runtime

    def forward(self, examples: Examples) -> Tensor:
        with self.runtime.mixed():
            states = self.states(examples.inputs, documents=examples.documents)
        return examples.loss(states, self.model.head_weight, self.runtime.compute)
