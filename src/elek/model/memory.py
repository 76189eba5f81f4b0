"""Bytes that training a model needs, by part: counted on tensors without content, so that nothing is allocated.

Activations are what autograd keeps for the backward pass. A formula for them would have to know every kernel's
habits; instead the model's own forward pass runs on fake tensors, which have shapes and types and no numbers, and
what it saves is added up, each storage once. So the count holds for every option of the model, and for this
machine's choice of kernels.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Literal

from elek.model.config import ModelConfig

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]


def weight_bytes(config: ModelConfig, optimizer: str) -> dict[str, int]:
    """What the parameters cost: themselves and their gradients in float32, and the optimizer's memory of each.

    AdamW remembers two numbers per weight, Muon, which has the matrices inside the blocks, one.
    """
    inner = sum(columns * rows * number for columns, rows, number in matrices(config)) if optimizer == "muon" else 0
    return {
        "weights": 4 * config.parameters,
        "gradients": 4 * config.parameters,
        "optimizer": 4 * (2 * (config.parameters - inner) + inner),
    }


def matrices(config: ModelConfig) -> list[tuple[int, int, int]]:
    """Shapes of the matrices inside the blocks, and how many there are of each: (rows, columns, number)."""
    query, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    inward = 2 if config.mlp == "swiglu" else 1
    found: Counter[tuple[int, int]] = Counter()
    for rows, columns, number in (
        (query, config.width, 1),
        (keys, config.width, 2),
        (config.width, query, 1),
        (config.ffn, config.width, inward),
        (config.width, config.ffn, 1),
    ):
        found[rows, columns] += number * config.layers
    return [(rows, columns, number) for (rows, columns), number in found.items()]


def activation_bytes(config: ModelConfig, windows: int, precision: Precision, checkpointing: bool) -> dict[str, int]:
    """What autograd keeps of a forward pass over `windows` windows, by part of the model.

    With `checkpointing` only each block's input is kept, and one block's own at a time (Chen et al. 2016).
    """
    saved = _count(config.model_copy(update={"layers": 1}) if checkpointing else config, windows, precision)
    if checkpointing:
        saved["block inputs"] = config.layers * windows * config.context * config.width * 4
    return dict(saved)


def _count(config: ModelConfig, windows: int, precision: Precision) -> Counter[str]:
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from elek.model.transformer import Transformer

    saved: Counter[str] = Counter()
    part = ["embedding"]
    with FakeTensorMode():
        model = Transformer(config)
        known = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers())}
        kept = []  # alive, so that no storage takes the place of another

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if _storage(tensor) not in known:
                known.add(_storage(tensor))
                kept.append(tensor)
                saved[part[-1]] += tensor.untyped_storage().nbytes()
            return tensor

        def enter(name: str, *_: object) -> None:
            part.append(name)

        def leave(*_: object) -> None:
            part.pop()

        for name, module in model.named_modules():
            last = name.rpartition(".")[2]
            if last in ("attention", "feed_forward") or last.endswith("norm"):
                module.register_forward_pre_hook(partial(enter, "norms" if last.endswith("norm") else last))
                module.register_forward_hook(leave)
        tokens = torch.zeros(windows, config.context, dtype=torch.int64)
        documents = tokens if config.document_masking else None
        compute = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", dtype=compute, enabled=compute != torch.float32),
        ):
            model.states(tokens, documents=documents)
    return saved


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def loss_bytes(config: ModelConfig, targets: int, precision: Precision) -> int:
    """What head and loss need beside the states: two gradients, a chunk of logits, and some of theirs
    (see `elek.training.loss`)."""
    number = 4 if precision == "fp32" else 2
    states, weight = targets * config.width * number, config.vocab_size * config.width * 4
    chunk = min(1 << 21, targets * config.vocab_size) * (4 + 4)
    held = min(4 << 21, targets * config.vocab_size) * number
    return 2 * states + weight + max(chunk + held, states + weight)


def optimizer_bytes(config: ModelConfig, optimizer: str, precision: Precision) -> int:
    """What a step of the optimizer needs for a moment: for Muon some copies of all matrices of one shape."""
    if optimizer != "muon":
        return 0
    copies = 4 if precision == "fp32" else 3.5  # directions, stacked, scaled; and in the type of the products
    return int(max(4 * copies * rows * columns * number for rows, columns, number in matrices(config)))


def cache_bytes_per_token(config: ModelConfig, number: int = 4) -> int:
    """Of the KV cache, for numbers of `number` bytes: a key and a value of every layer and head."""
    return 2 * config.layers * config.kv_heads * config.head_dim * number
