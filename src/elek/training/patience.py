"""Early stopping (Prechelt 1998): the best weights by validation loss, and the measurements since then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


class Patience:
    """Follows the validation loss. The best weights are kept in memory and stored in every checkpoint."""

    def __init__(self, measurements: int) -> None:
        self._limit = measurements
        self.step, self.loss, self._worse = 0, float("inf"), 0
        self.weights: Weights = {}

    def record(self, step: int, loss: float, model: nn.Module) -> None:
        """Record a measurement, and copy the weights if it is the best one so far."""
        if loss < self.loss:
            self.step, self.loss, self._worse = step, loss, 0
            self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        else:
            self._worse += 1

    @property
    def exhausted(self) -> bool:
        """Whether none of the last `measurements` measurements was an improvement."""
        return self._worse >= self._limit

    @torch.no_grad()
    def restore_best(self, model: nn.Module) -> None:
        """Load the best weights into the model, if any were recorded."""
        if self.weights:
            for name, parameter in model.named_parameters():
                parameter.copy_(self.weights[name])

    def state(self) -> dict[str, Any]:
        """What a checkpoint stores besides the weights. The loss is None before the first measurement."""
        return {"step": self.step, "loss": self.loss if self.weights else None, "worse": self._worse}

    def restore(self, state: Mapping[str, Any], weights: Weights) -> None:
        self.step, self._worse, self.weights = int(state["step"]), int(state["worse"]), weights
        self.loss = float("inf") if state["loss"] is None else float(state["loss"])
