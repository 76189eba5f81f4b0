"""A model with a cache of what it has read: rows of text that grow by one token at a time.

`decoder_for` takes the compiled loops of `elek.generation.kernels` for a model of the Llama shape in float32 on a
processor, and the model's own cached forward pass for all others. The choice never depends on a timing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from elek.errors import ParamsError
from elek.generation import kernels
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer

_ANY_VALUE = frozenset(
    {"context", "layers", "width", "heads", "kv_heads", "ffn", "rope_theta", "norm_eps", "tie_embeddings", "vocab_size"}
    | {"depth", "document_masking", "dropout"}  # these only matter in training
)
"""Fields of ModelConfig that may have any value; all others must have their default, which is Llama's."""

_BLOCK = (
    "attention_norm.weight",
    "attention.query.weight",
    "attention.key.weight",
    "attention.value.weight",
    "attention.output.weight",
    "feed_forward_norm.weight",
    "feed_forward.gate.weight",
    "feed_forward.up.weight",
    "feed_forward.down.weight",
)
"""Weights of a block in the order of the arguments of `kernels.block`."""


class Decoder(Protocol):
    """R rows of text that a model has read. Logits are float32 on the processor."""

    context: int

    def read(self, row: int, ids: Sequence[int]) -> Tensor:
        """Empty the row and read `ids` (1 to `context` of them); returns logits [V] of the next token."""
        ...

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Append a token to each of `rows`, which must have room; returns logits [len(rows), V] of the next tokens."""
        ...

    def fork(self, parents: Sequence[int]) -> None:
        """Replace each row i by a copy of row `parents[i]`."""
        ...

    def length(self, row: int) -> int:
        """The number of tokens in the row."""
        ...


def decoder_for(model: Transformer, rows: int = 1) -> Decoder:
    """A decoder for `rows` texts. Raises ParamsError for a masked language model."""
    require_causal(model)
    return CompiledDecoder(model, rows) if is_llama(model) else ModelDecoder(model, rows)


def require_causal(model: Transformer) -> None:
    """Raises ParamsError for a masked language model."""
    if not model.config.causal:
        raise ParamsError(
            "a masked model cannot continue a text: it was made to fill in what is missing",
            where="generation",
            fix="`elek fill` does that; `train.objective: causal` trains a model that writes",
        )


def is_llama(model: Transformer) -> bool:
    """Whether the kernels can compute this model, by its shape, number format and device."""
    weights = model.state_dict()
    per_block = {f"blocks.{layer}.{name}" for layer in range(model.config.layers) for name in _BLOCK}
    known = {"embedding.weight", "norm.weight", *per_block} | ({"head.weight"} & weights.keys())
    return (
        weights.keys() == known
        and all(weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in weights.values())
        and all(
            getattr(model.config, name) == field.get_default()
            for name, field in ModelConfig.model_fields.items()
            if name not in _ANY_VALUE
        )
    )


class CompiledDecoder:
    """The compiled kernels on the model's own weights, without a copy of them.

    Memory: a cache of 2 · layers · R · K · context · D float32 numbers. The past of a row may be stored in other rows:
    `_where` [R, context] says in which, token by token. So forking copies a line of `_where`, and no keys or values.
    """

    def __init__(self, model: Transformer, rows: int) -> None:
        config = model.config
        self.context = config.context
        weights = {name: tensor.detach().contiguous().numpy() for name, tensor in model.state_dict().items()}
        self._embedding, self._norm = weights["embedding.weight"], weights["norm.weight"]
        self._head = model.head_weight.detach().contiguous().numpy()
        self._eps = config.norm_eps
        tables = [model.get_buffer(name).detach().float().contiguous().numpy() for name in ("cos", "sin")]
        shape = (rows, config.kv_heads, config.context, config.head_dim)
        self._blocks: list[tuple[Any, ...]] = [
            (
                np.empty(shape, np.float32),
                np.empty(shape, np.float32),
                *tables,
                config.norm_eps,
                *(weights[f"blocks.{layer}.{name}"] for name in _BLOCK),
            )
            for layer in range(config.layers)
        ]
        self._where = np.repeat(np.arange(rows)[:, None], config.context, axis=1)
        self._lengths = np.zeros(rows, np.int64)

    def read(self, row: int, ids: Sequence[int]) -> Tensor:
        if not 0 < len(ids) <= self.context:
            raise ValueError(f"{len(ids)} tokens do not fit the model's context of {self.context}")
        self._where[row] = row
        states = self._states(np.full(len(ids), row), np.arange(len(ids)), ids)
        self._lengths[row] = len(ids)
        return self._logits(states[-1:])[0]

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        which = np.asarray(rows, np.int64)
        if (self._lengths[which] >= self.context).any():
            raise ValueError(f"a row is as long as the model's context of {self.context}")
        self._where[which, self._lengths[which]] = which
        states = self._states(which, self._lengths[which], tokens)
        self._lengths[which] += 1
        return self._logits(states)

    def fork(self, parents: Sequence[int]) -> None:
        which = np.asarray(parents, np.int64)
        self._where, self._lengths = self._where[which], self._lengths[which]

    def length(self, row: int) -> int:
        return int(self._lengths[row])

    def _states(self, rows: Any, positions: Any, tokens: Sequence[int]) -> Any:
        x = self._embedding[np.asarray(tokens, np.int64)]
        for weights in self._blocks:
            kernels.block(x, rows, positions, self._where, *weights)
        return x

    def _logits(self, states: Any) -> Tensor:
        return torch.from_numpy(kernels.logits(states, self._norm, self._eps, self._head))


class ModelDecoder:
    """The model's own forward pass with its KV cache, a row at a time: for every shape, number format and device."""

    def __init__(self, model: Transformer, rows: int) -> None:
        self.context = model.config.context
        self._model = model
        self._caches = [model.new_cache() for _ in range(rows)]

    def read(self, row: int, ids: Sequence[int]) -> Tensor:
        self._caches[row] = self._model.new_cache()
        return self._next(row, ids)

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        return torch.stack([self._next(row, [token]) for row, token in zip(rows, tokens, strict=True)])

    def fork(self, parents: Sequence[int]) -> None:
        # The first child of a parent takes its cache over, the others get copies.
        self._caches = [
            copy.deepcopy(self._caches[parent]) if parent in parents[:row] else self._caches[parent]
            for row, parent in enumerate(parents)
        ]

    def length(self, row: int) -> int:
        return self._caches[row].length

    @torch.inference_mode()
    def _next(self, row: int, ids: Sequence[int]) -> Tensor:
        device = self._model.embedding.weight.device
        states = self._model.states(torch.tensor([list(ids)], device=device), self._caches[row])
        return torch.nn.functional.linear(states[0, -1], self._model.head_weight).float().cpu()
