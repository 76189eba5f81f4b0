"""Several processes that train one model: DDP (Li et al. 2020) or FSDP2 (Zhao et al. 2023) under `torchrun`.

The batch of a step is the same for any number of processes: each takes an equal, consecutive share of its windows,
and every loss is weighted by its share of the tokens of the whole batch. So losses agree up to rounding for any number
of processes. The last bits differ, so the number of processes is part of a run's identity, and a checkpoint is resumed
by as many processes as wrote it.

A process that dies ends the job: the next collective of the others fails, `torchrun` ends them, and the last checkpoint
remains. A process that hangs does the same after `TIMEOUT`. Where the launcher itself is killed, its processes notice
before the first step or after the current one, save a checkpoint and exit.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from elek.errors import DataError, ParamsError, TrainingError
from elek.training.checkpoint import differences

TIMEOUT = timedelta(minutes=5)
"""The longest that a process waits for the others in one collective."""
LAUNCHER_TIMEOUT = 30.0
"""Seconds that a process waits for an answer of the launcher's, which listens before it starts any process."""


class LostError(TrainingError):
    """Another process of the job has ended. That process has the cause."""


@dataclass(frozen=True)
class World:
    """The processes of a run, seen from one of them: `rank` of `size`. Alone, every method is the identity."""

    rank: int = 0
    size: int = 1
    kind: Literal["ddp", "fsdp"] = "ddp"
    launcher: int | None = None
    """Process id of the launcher that started this one, if one did."""

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def orphaned(self) -> bool:
        """Whether the launcher, which would have ended this process, is dead. Always false on Windows."""
        return self.launcher is not None and os.getppid() != self.launcher

    def share(self, windows: Any) -> Any:
        """This process's part of a batch's windows."""
        length = len(windows) // self.size
        return windows[self.rank * length : (self.rank + 1) * length]

    def check(self, batch: int) -> None:
        """Raises ParamsError where the batch cannot be divided evenly among the processes."""
        if batch % self.size:
            raise ParamsError(
                f"a batch of {batch} windows does not divide among {self.size} processes",
                where="train.batch",
                fix=f"take {(batch // self.size + 1) * self.size}, or another number of processes",
            )

    def spread(self, objective: nn.Module, blocks: nn.ModuleList, device: torch.device) -> nn.Module:
        """`objective`, whose call gives a loss, made parallel; its parameters are sharded in place under FSDP."""
        if self.size == 1:
            return objective
        if self.kind == "ddp":
            return DistributedDataParallel(
                objective,
                device_ids=[device] if device.type == "cuda" else None,
                forward_sync_buffers=False,  # tables of positions, which never change
                gradient_as_bucket_view=True,  # else every gradient would be held twice
            )
        return shard(objective, blocks, init_device_mesh(device.type, (self.size,)))

    @contextlib.contextmanager
    def accumulating(self, objective: nn.Module, last: bool) -> Iterator[None]:
        """Exchange gradients only after the `last` micro-batch of a step."""
        if self.size == 1:
            yield
        elif isinstance(objective, DistributedDataParallel):
            with contextlib.nullcontext() if last else objective.no_sync():
                yield
        else:
            cast(Any, objective).set_requires_gradient_sync(last)
            yield

    def sum(self, value: float, device: torch.device) -> float:
        """The sum over all processes, the same number in each."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        return float(total)

    def require_same(self, what: Mapping[str, Any]) -> None:
        """Raises DataError where `what` differs between processes. A collective: all processes must call it."""
        if self.size == 1:
            return
        every: list[Any] = [None] * self.size
        dist.all_gather_object(every, what)
        for rank, other in enumerate(every):
            if names := differences(every[0], other):
                raise DataError(
                    f"process {rank} would train something else than process 0: {', '.join(names[:5])}",
                    where="the machines of one training",
                    fix="give all of them the same project: code, params.yaml, data, and one folder for .ckpt",
                )


def shard(objective: nn.Module, blocks: nn.ModuleList, mesh: DeviceMesh) -> nn.Module:
    """`objective` with its parameters shared out in place over the processes of `mesh`.

    Blocks are gathered one at a time, so that no process ever holds all weights at once.
    """
    from torch.distributed.fsdp import fully_shard

    for block in blocks:
        fully_shard(block, mesh=mesh)
    return cast(nn.Module, fully_shard(objective, mesh=mesh))


def outer_world() -> tuple[int, int]:
    """Rank and number of processes as `torchrun` (or srun with the same variables) tells them; 0 of 1 otherwise."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def joined(kind: Literal["ddp", "fsdp"]) -> Iterator[World]:
    """Join the process group of an outer `torchrun` for the duration of the block; without one, a world of one."""
    rank, size = outer_world()
    launcher = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None  # torchrun sets it
    if size > 1:
        _require_launcher(rank, size)
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    try:
        yield World(rank, size, kind, launcher)
    finally:
        if size > 1:
            dist.destroy_process_group()


def _require_launcher(rank: int, size: int) -> None:
    """Raises LostError where the launcher, through which the processes meet, died before they did.

    PyTorch would try for all of `TIMEOUT` to reach it.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":  # the first process listens instead
        return
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        socket.create_connection(address, LAUNCHER_TIMEOUT).close()
    except OSError as error:
        raise LostError(
            f"process {rank} of {size} lost its launcher: {error}",
            where=":".join(map(str, address)),
            fix="run it again: training goes on from the last checkpoint, if there is one",
        ) from None


@contextlib.contextmanager
def naming_losses(where: Path) -> Iterator[None]:
    """Raise LostError where a collective fails, which is how a process learns that another one died."""
    rank, size = outer_world()
    try:
        yield
    except RuntimeError as error:
        if size > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error)):  # gloo's have no type of their own
            raise LostError(
                f"process {rank} of {size} lost the others: {str(error).splitlines()[0]}",
                where=str(where),
                fix="run it again: training goes on from the last checkpoint there, if there is one",
            ) from None
        raise


def whole(tensor: Tensor) -> Tensor:
    """The full tensor of a sharded one (a collective: all processes must call it); any other tensor as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shard_like(tensor: Tensor, like: Tensor) -> Tensor:
    """This process's shard of a full tensor, cut as `like` is; the tensor itself where `like` is whole."""
    if not isinstance(like, DTensor) or isinstance(tensor, DTensor):
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
