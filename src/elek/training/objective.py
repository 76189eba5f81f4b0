"""The loss as one module, whose call is what DDP and FSDP hook into."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from elek.model.transformer import Transformer
from elek.training.examples import Examples
from elek.training.runtime import Runtime


class Objective(nn.Module):
    """`objective(examples)` is their mean cross-entropy in nats.

    `states` is `model.states` or its compiled form. The head is part of the module, so that the gradient of a tied
    embedding, which is the sum of two, is complete when processes exchange it.
    """

    def __init__(self, model: Transformer, states: Callable[..., Tensor], runtime: Runtime) -> None:
        super().__init__()
        self.model, self.states, self.runtime = model, states, runtime

    def forward(self, examples: Examples) -> Tensor:
        with self.runtime.autocast():
            states = self.states(examples.inputs, documents=examples.documents)
        return examples.loss(states, self.model.head_weight, self.runtime.compute)
