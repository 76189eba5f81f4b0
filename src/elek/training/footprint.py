"""The memory that a training step needs, measured by running one on tensors without data.

A formula would have to know what every kernel keeps and for how long. Instead the real code of a step (model, loss,
backward pass, clipping, optimizer, activation checkpointing) runs on fake tensors, which have shapes and types but no
data, and every storage is tracked from its creation to its release. So the count is right for every option, and for the
kernels that this machine's processor uses. It does not include scratch memory inside a kernel, gaps of the allocator,
PyTorch itself (some 300 MB), or the savings of `torch.compile`.

Under FSDP2 the step is that of the first of several processes, and the others are simulated: PyTorch's own code shards,
gathers and frees the weights. PyTorch allocates DDP's buckets where they cannot be tracked, so `_Buckets` stands in for
them: from the last micro-batch on, each gradient lies in one.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from elek.model.config import ModelConfig
from elek.model.transformer import Transformer
from elek.training import loss
from elek.training.examples import Examples
from elek.training.memory import checkpoint_activations
from elek.training.objective import Objective
from elek.training.optimizers import make_optimizers
from elek.training.parallel import shard, whole
from elek.training.params import TrainParams
from elek.training.runtime import Precision, Runtime

_PARTS = {
    "attention": "attention",
    "feed_forward": "feed_forward",
    "embedding": "embedding",
    "block": "residual stream",
}
"""Modules, by the last part of their path, whose tensors are counted under a name of their own."""

_EXCHANGES = frozenset(("fsdp", "c10d", "_c10d_functional"))
"""Namespaces of the operations that communicate between processes."""


@dataclass(frozen=True)
class Footprint:
    """Bytes by part."""

    most: dict[str, int]
    """The most that each part holds at any moment."""
    fullest: dict[str, int]
    """What each part holds at the moment of the highest total."""

    @property
    def peak(self) -> int:
        """The most that is held at once."""
        return sum(self.fullest.values())


def footprint(config: ModelConfig, params: TrainParams, precision: Precision, *, checkpoints: bool = True) -> Footprint:
    """The memory of one process that trains as `Trainer` does, in its second step, when the optimizer has its state.

    With `checkpoints`, one is being written meanwhile, from copies of weights and state. Of several processes, it is
    the first one, which writes the checkpoints.
    """
    size, kind = params.distributed.processes, params.distributed.kind
    mine = max(1, params.batch // size)
    windows = min(mine, params.micro_batch)
    share = 1.0 if config.causal else params.masking.share
    follower = _Follower()
    with simulated_mesh(size, kind) as mesh, FakeTensorMode(), follower, follower.resizes(), _few_groups():
        runtime = Runtime(torch.device("cpu"), precision)
        model = Transformer(config)
        follower.rename("weights", model.parameters())
        if params.activation_checkpointing:
            checkpoint_activations(model.blocks)
        follower.name_modules(model)
        objective: nn.Module = Objective(model, model.states, runtime)
        buckets = _Buckets(model if size > 1 and mesh is None else nn.Module())
        if mesh is not None:
            objective = shard(objective, model.blocks, mesh)
            follower.rename("weights", model.parameters())
        optimizers = make_optimizers(model, params.optimizer, runtime.products)
        kept: list[Tensor] = []
        for sizes in ([1], [windows] * min(2, -(-mine // windows))):  # a third micro-batch would be like the second
            for number, length in enumerate(sizes, 1):
                buckets.take = number == len(sizes)
                if mesh is not None:
                    cast(Any, objective).set_requires_gradient_sync(buckets.take)
                mean = objective(_examples(config, length, share)) * 0.5
                with follower.part("backward pass"):
                    mean.backward()
                del mean
                follower.rename("gradients", (parameter.grad for parameter in model.parameters()))
            with follower.part("step of the optimizer"):
                _step(model, optimizers, params.clip, follower)
            if not kept and params.validation.patience:
                with follower.part("best weights"):
                    kept += [parameter.detach().clone() for parameter in model.parameters()]
            with follower.part("checkpoint being written"):
                state = [leaf for one in optimizers for leaf in tree_leaves(list(one.state.values()))]
                if checkpoints:
                    kept += [whole(tensor).detach().clone() for tensor in (*model.parameters(), *state, *kept)]
            checkpoints = False  # one is enough
        with torch.no_grad():
            objective(_examples(config, min(params.validation.windows, params.micro_batch), share))
    return follower.footprint()


def _step(model: nn.Module, optimizers: Sequence[Optimizer], clip: float, follower: _Follower) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    for optimizer in optimizers:
        optimizer.step()
        follower.rename("optimizer", tree_leaves(list(optimizer.state.values())))
        optimizer.zero_grad(set_to_none=True)


@contextmanager
def simulated_mesh(size: int, kind: str) -> Iterator[DeviceMesh | None]:
    """A mesh of `size` simulated processes, seen from the first; None where the step needs no mesh."""
    if size == 1 or kind == "ddp":
        yield None
        return
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=size)
    try:
        yield init_device_mesh("cpu", (size,))
    finally:
        dist.destroy_process_group()


class _Buckets:
    """DDP's buckets: memory for all gradients from the start. While `take` is set, gradients are put into them."""

    def __init__(self, model: nn.Module) -> None:
        self.take = False
        self._room: dict[Tensor, Tensor] = {parameter: torch.zeros_like(parameter) for parameter in model.parameters()}
        for parameter in self._room:
            parameter.register_post_accumulate_grad_hook(self._take)  # type: ignore[no-untyped-call]

    def _take(self, parameter: Tensor) -> None:
        if self.take:
            parameter.grad = self._room[parameter]


@contextmanager
def _few_groups() -> Iterator[None]:
    """Count the first two groups of the loss's rows and the last: all between hold what the second one holds."""
    every = loss.groups
    loss.groups = lambda rows, size: sorted({*every(rows, size)[:2], *every(rows, size)[-1:]})
    try:
        yield
    finally:
        loss.groups = every


def _examples(config: ModelConfig, windows: int, share: float) -> Examples:
    places = windows * config.context
    asked = round(places * share)
    inputs = torch.zeros(windows, config.context, dtype=torch.int64)
    documents = torch.zeros_like(inputs) if config.document_masking else None
    if share == 1:
        return Examples(inputs, torch.zeros(asked, dtype=torch.int64), documents=documents)
    targets, where = torch.zeros(asked, dtype=torch.int64), torch.zeros(asked, dtype=torch.int64)
    return Examples(inputs, targets, where, torch.zeros(asked), documents)


def _local(tensor: Tensor) -> Tensor:
    """The shard of a tensor that this process holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


class _Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tracks the creation and release of every storage that an operation makes, under the current part."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._parts: list[str] = []
        self._alive: dict[int, int] = {}  # address of a storage → its number
        self._sizes: list[int] = []
        self._names: list[str] = []
        self._events: list[tuple[int, int]] = []  # number of a storage, and the bytes by which it grew
        self._watch: list[weakref.ref[Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        part = self._parts[-1] if self._parts else "head, loss and batch"
        if func.namespace in _EXCHANGES:
            part = "exchange between processes"
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._created(_local(tensor).untyped_storage(), part)
        return made

    def _created(self, storage: torch.UntypedStorage, part: str) -> None:
        address = storage._cdata
        if address in self._alive:
            return
        number = self._alive[address] = len(self._sizes)
        self._sizes.append(0)
        self._names.append(part)
        self._resized(number, storage.nbytes())
        self._watch.append(weakref.ref(storage, partial(self._released, address)))

    def _resized(self, number: int, size: int) -> None:
        self._events.append((number, size - self._sizes[number]))
        self._sizes[number] = size

    def _released(self, address: int, _: object) -> None:
        self._resized(self._alive.pop(address), 0)

    @contextmanager
    def resizes(self) -> Iterator[None]:
        """Track storages that are resized: FSDP2 does this to weights that it gathers and frees."""
        plain = torch.UntypedStorage.resize_

        def resize(storage: torch.UntypedStorage, size: int) -> torch.UntypedStorage:
            plain(storage, size)
            if (number := self._alive.get(storage._cdata)) is not None:
                self._resized(number, size)
                self._names[number] = "weights, gathered"
            return storage

        torch.UntypedStorage.resize_ = resize  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            torch.UntypedStorage.resize_ = plain  # type: ignore[method-assign]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is made during the block is counted under `name`."""
        self._parts.append(name)
        yield
        self._parts.pop()

    def name_modules(self, model: nn.Module) -> None:
        """What a module makes, in the forward pass or a recomputation, is counted under its part."""

        def enter(name: str, *_: object) -> None:
            self._parts.append(f"activations, {name}")

        def leave(*_: object) -> None:
            self._parts.pop()

        for path, module in model.named_modules():
            name = path.rpartition(".")[2]
            part = "norms" if name.endswith("norm") else _PARTS.get("block" if name.isdigit() else name)
            if part:
                module.register_forward_pre_hook(partial(enter, part))
                # `always_call`, because a recomputation ends early by an exception.
                module.register_forward_hook(leave, always_call=True)

    def rename(self, name: str, tensors: Iterable[object]) -> None:
        """Count these tensors, which were made under another part, under `name` from now on."""
        for tensor in tensors:
            if isinstance(tensor, Tensor):
                self._names[self._alive[_local(tensor).untyped_storage()._cdata]] = name

    def footprint(self) -> Footprint:
        now: Counter[str] = Counter()
        most: Counter[str] = Counter()
        fullest: dict[str, int] = {}
        together = highest = 0
        for number, size in self._events:
            name = self._names[number]
            now[name] += size
            together += size
            most[name] = max(most[name], now[name])
            if together > highest:
                highest, fullest = together, dict(now)
        return Footprint(dict(most), {name: size for name, size in fullest.items() if size})
