"""AdamW and Muon."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from elek.training.optimizers import Muon, make_optimizers, orthogonalise
from elek.training.params import OptimizerParams
from tests.model.test_transformer import model_of


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 16, 4), (1, 4, 16)])
def test_an_orthogonalised_matrix_moves_every_direction_alike(shape: tuple[int, int, int]) -> None:
    """All singular values come near 1, and the singular vectors stay."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalise(matrices, torch.float32)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = left.mT @ found @ right.mT
    assert (turned - torch.diag_embed(torch.diagonal(turned, dim1=1, dim2=2))).abs().max() < 1e-3


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_each_parameter_has_one_optimizer_and_gains_never_decay(name: str) -> None:
    """With both optimizers together, nothing is left out or taken twice."""
    model = model_of()
    params = OptimizerParams.model_validate({"name": name, "weight_decay": 0.5})
    optimizers = make_optimizers(model, params, torch.float32)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    taken = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(taken) == sorted(id(parameter) for parameter in model.parameters())
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.5 if parameter.dim() == 2 else 0.0)
    embedding = model.embedding.weight
    assert any(parameter is embedding for parameter in optimizers[0].param_groups[0]["params"])


def test_a_step_of_muon_has_the_size_it_promises() -> None:
    """0.2 · √max(m, n) times the rate in every direction, and decay taken off first."""
    weight = nn.Parameter(torch.ones(6, 3))
    optimizer = Muon([weight], learning_rate=0.1, weight_decay=0.5)
    weight.grad = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    update = (torch.ones(6, 3) * (1 - 0.1 * 0.5) - weight.detach()) / (0.1 * 0.2 * 6**0.5)
    values = torch.linalg.svdvals(update)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_muon_does_not_depend_on_what_is_computed_together() -> None:
    """Matrices of one shape are stacked for speed: alone, they take the same step."""
    generator = torch.Generator().manual_seed(0)
    first = [torch.randn(4, 6, generator=generator) for _ in range(3)]
    gradients = [torch.randn(4, 6, generator=generator) for _ in range(3)]

    def stepped(chosen: list[int]) -> list[torch.Tensor]:
        weights = [nn.Parameter(first[index].clone()) for index in chosen]
        optimizer = Muon(weights, learning_rate=0.1)
        for weight, index in zip(weights, chosen, strict=True):
            weight.grad = gradients[index].clone()
        optimizer.step()
        return [weight.detach() for weight in weights]

    for index, together in enumerate(stepped([0, 1, 2])):
        assert torch.allclose(stepped([index])[0], together, atol=1e-6)
