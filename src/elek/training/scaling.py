"""Loss scaling, without which small gradients vanish in float16 (Micikevicius et al. 2018, §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

FIRST, HIGHEST, LOWEST = 2.0**16, 2.0**24, 1.0
PATIENCE = 2000


class LossScaler:
    """The loss is multiplied by `scale` before the backward pass, its gradients are divided by it after.

    Where a scaled gradient overflows, the scale is halved and the **same batch is computed again**: unlike
    PyTorch's GradScaler, which drops such a batch, no batch of the epoch is lost. After `PATIENCE` steps without
    an overflow the scale doubles. Every scale is a power of two, so that scaling itself costs no bit of precision.
    """

    def __init__(self) -> None:
        self.scale, self._calm = FIRST, 0

    def unscale(self, gradients: Iterable[Tensor]) -> None:
        """Divide gradients by the scale, in place."""
        with torch.no_grad():
            for gradient in gradients:
                gradient.mul_(1.0 / self.scale)

    def lower(self) -> bool:
        """After an overflow: halve the scale and return True, or return False where it is at its lowest."""
        self._calm = 0
        if self.scale <= LOWEST:
            return False
        self.scale /= 2
        return True

    def passed(self) -> None:
        """After a step whose gradient was finite."""
        self._calm += 1
        if self._calm >= PATIENCE:
            self._calm, self.scale = 0, min(HIGHEST, self.scale * 2)

    def state(self) -> dict[str, Any]:
        return {"scale": self.scale, "calm": self._calm}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.scale, self._calm = float(state["scale"]), int(state["calm"])
