"""A run's tensors by name, for checkpoints: weights, optimizer state, best weights, random states.

    model.<parameter>    optimizer.<index>.<number>.<key>    best.<parameter>    random.cpu, random.cuda

All are full tensors. Sharded ones (FSDP) are gathered, which is a collective: every process must call it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from elek.training.parallel import shard_like, whole


def collect(model: nn.Module, optimizers: Sequence[Optimizer], best: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies, on the processor, of everything that training changes; later steps do not alter them."""
    tensors = {f"model.{name}": parameter.detach() for name, parameter in model.named_parameters()}
    for index, optimizer in enumerate(optimizers):
        for number, values in optimizer.state_dict()["state"].items():
            for key, tensor in values.items():
                tensors[f"optimizer.{index}.{number}.{key}"] = tensor
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    copies = {name: whole(tensor).detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    # Nothing here draws random numbers after the first weights; a model with dropout would.
    copies["random.cpu"] = torch.get_rng_state()
    device = next(model.parameters()).device
    if device.type == "cuda":
        copies["random.cuda"] = torch.cuda.get_rng_state(device)
    return copies


@torch.no_grad()
def restore(model: nn.Module, optimizers: Sequence[Optimizer], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load everything that `collect` stored; returns the best weights, which have no owner here."""
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        parameter.copy_(shard_like(tensors[f"model.{name}"], parameter))
    for index, optimizer in enumerate(optimizers):
        owners = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optimizer.{index}."):
                _, _, number, key = name.split(".", 3)
                owner = owners[int(number)]
                shaped = shard_like(tensor, owner) if tensor.shape == owner.shape else tensor
                state.setdefault(int(number), {})[key] = shaped
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random.cpu"])
    device = next(model.parameters()).device
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
    best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
    return {name: shard_like(tensor.to(device), parameters[name]) for name, tensor in best.items()}
