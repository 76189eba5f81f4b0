"""Optimizers: AdamW, and Muon for the matrices inside the blocks.

Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019) and touches matrices only: pulling the
norms' gains towards 0 would fight what they are for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from elek.training.parallel import shard_like, whole
from elek.training.params import OptimizerParams


def make_optimizers(model: nn.Module, params: OptimizerParams, compute: torch.dtype) -> list[Optimizer]:
    """One or two optimizers that cover the model's parameters. `compute` is the type of Muon's matrix products."""
    matrices, inner, gains = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            gains.append(parameter)
        elif params.name == "muon" and name.startswith("blocks."):
            inner.append(parameter)
        else:
            matrices.append(parameter)
    adamw = AdamW(
        [{"params": matrices, "weight_decay": params.weight_decay}, {"params": gains, "weight_decay": 0.0}],
        lr=params.learning_rate,
        betas=(params.beta1, params.beta2),
        eps=params.epsilon,
        fused=True,
    )
    if not inner:
        return [adamw]
    muon = Muon(
        inner,
        learning_rate=params.matrix_learning_rate,
        weight_decay=params.weight_decay,
        momentum=params.momentum,
        compute=compute,
    )
    return [adamw, muon]


class Rates:
    """The learning rates of several optimizers, which rise and fall together."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = optimizers
        self._highest: list[float] = [group["lr"] for group in self._groups()]

    def set(self, share: float) -> float:
        """Set each rate to `share` of its initial value; returns the first one, AdamW's."""
        for group, highest in zip(self._groups(), self._highest, strict=True):
            group["lr"] = highest * share
        return self._highest[0] * share

    def _groups(self) -> list[dict[str, Any]]:
        # Not stored, because restoring the state of an optimizer replaces its groups.
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]


class Muon(Optimizer):
    """Momentum whose step is made orthogonal (Jordan et al. 2024): every direction of a matrix moves alike.

    A step of shape [m, n] is scaled by 0.2 · √max(m, n), which gives it the size of a usual step of AdamW
    (Liu et al. 2025, §2.2). Costs 5 · (4 m² n + 2 m³) operations a step for m ≤ n, independent of the batch, and one
    number of state per weight where AdamW has two. Matrices of one shape are computed together.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        learning_rate: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        compute: torch.dtype = torch.float32,
    ) -> None:
        self.compute = compute
        super().__init__(parameters, {"lr": learning_rate, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                self._step_together(parameters, group, scale=0.2 * max(shape) ** 0.5)

    def _step_together(self, parameters: list[Tensor], group: dict[str, Any], scale: float) -> None:
        directions = []
        for parameter in parameters:
            gradient = parameter.grad
            assert gradient is not None  # noqa: S101 - for the type checker: `step` left those out
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(gradient, 1 - group["momentum"])
            directions.append(gradient.lerp(state["momentum"], group["momentum"]))  # Nesterov's look ahead
        # Under FSDP each process holds some rows, but only a whole matrix can be made orthogonal. So every process
        # gathers all rows, computes the same result, and keeps its own rows of it.
        together = torch.stack([whole(direction) for direction in directions])
        for parameter, update in zip(parameters, orthogonalise(together, self.compute), strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(shard_like(update, parameter), alpha=-group["lr"] * scale)


def orthogonalise(matrices: Tensor, compute: torch.dtype, iterations: int = 5) -> Tensor:
    """Matrices [N, m, n] with their singular values brought near 1 (0.7 to 1.2), in float32.

    Newton–Schulz iteration with the quintic that rises fastest at 0 (Jordan et al. 2024), which reaches any
    singular value above a thousandth of the largest in five rounds.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).float()
    x = (x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)).to(compute)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).float()
