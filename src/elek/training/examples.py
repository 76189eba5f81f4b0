"""Inputs and targets of a model from windows of tokens, for both objectives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from elek.model.config import ModelConfig
from elek.training.batches import Batches, Indices
from elek.training.loss import head_loss
from elek.training.masking import Masking


@dataclass(frozen=True)
class Examples:
    """Some windows, ready for the model: `examples.loss(model.states(examples.inputs, …), model.head_weight)`."""

    inputs: Tensor
    """Token ids, int64 [B, T]."""
    targets: Tensor
    """Token ids to predict, int64 [N]."""
    asked: Tensor | None = None
    """Positions [N] of the targets in the flattened [B · T]; None where every position has one."""
    shares: Tensor | None = None
    """What each target counts, float32 [N], 1 together; None for the same."""
    documents: Tensor | None = None
    """Which document each input belongs to, int64 [B, T], where none may see another."""

    def loss(self, states: Tensor, head_weight: Tensor, compute: torch.dtype) -> Tensor:
        """Mean cross-entropy, in nats, given the model's states [B, T, C]."""
        flat = states.flatten(0, 1)
        if self.asked is not None:
            flat = flat[self.asked]
        return head_loss(flat.to(compute), head_weight, self.targets, self.shares)


def make_examples(
    batches: Batches,
    windows: Indices,
    config: ModelConfig,
    device: torch.device,
    masking: Masking | None = None,
    step: int | None = None,
) -> Examples:
    """The examples of some windows: each next token, or with `masking` what it hides at `step`.

    Every window has the same weight, however many of its tokens are predicted. So the loss of a batch is the mean of
    the losses of its micro-batches, and likewise its gradient, whatever their size.
    """
    tokens = batches.tokens(windows)
    documents = None
    if config.document_masking:
        documents = torch.from_numpy(batches.document_numbers(windows)).to(device)
    if masking is None:
        whole = torch.from_numpy(tokens).to(device)
        return Examples(whole[:, :-1], whole[:, 1:].flatten(), documents=documents)
    inputs, targets = masking.hide(tokens[:, :-1], windows, step)
    counts = np.maximum(1, (targets >= 0).sum(axis=1))
    asked = np.flatnonzero(targets >= 0)
    shares = (1 / (counts * len(windows)))[asked // targets.shape[1]].astype(np.float32)
    return Examples(
        torch.from_numpy(inputs).to(device),
        torch.from_numpy(targets.flatten()[asked]).to(device),
        torch.from_numpy(asked).to(device),
        torch.from_numpy(shares).to(device),
        documents,
    )


def key_dropout(seed: int, step: int, windows: Indices) -> None:
    """Seed dropout by (seed, step, windows), so that a resumed run drops the same units as an uninterrupted one."""
    key = f"{seed}/dropout/{step}/{windows.tolist()}".encode()
    torch.manual_seed(int.from_bytes(hashlib.blake2b(key, digest_size=7).digest(), "little"))
