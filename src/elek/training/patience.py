"""Early stop: the best weights by validation loss, and how long ago they were (Prechelt 1998)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


class Patience:
    """Follows the validation loss. The best weights are kept in memory, and go into every checkpoint."""

    def __init__(self, measurements: int) -> None:
        self._limit = measurements
        self.step, self.loss, self._worse = 0, float("inf"), 0
        self.weights: Weights = {}

    def measured(self, step: int, loss: float, model: nn.Module) -> None:
        """Take note of a measurement, and of the weights where it is the best one."""
        if loss < self.loss:
            self.step, self.loss, self._worse = step, loss, 0
            self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        else:
            self._worse += 1

    @property
    def over(self) -> bool:
        """Whether the last `measurements` measurements brought nothing better."""
        return self._worse >= self._limit

    @torch.no_grad()
    def bring_back(self, model: nn.Module) -> None:
        """Give the model its best weights, where it was ever measured."""
        if self.weights:
            for name, parameter in model.named_parameters():
                parameter.copy_(self.weights[name])

    def state(self) -> dict[str, Any]:
        """All but the weights. Before the first measurement there is no best loss, and JSON knows no infinity."""
        return {"step": self.step, "loss": self.loss if self.weights else None, "worse": self._worse}

    def restore(self, state: Mapping[str, Any], weights: Weights) -> None:
        self.step, self._worse, self.weights = int(state["step"]), int(state["worse"]), weights
        self.loss = float("inf") if state["loss"] is None else float(state["loss"])
