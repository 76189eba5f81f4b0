"""Activation checkpointing: memory for work (Chen et al. 2016)."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_activations(blocks: nn.ModuleList) -> None:
    """Let each block keep only its input and compute everything inside again in the backward pass.

    The second computation is that of the first, operation by operation, so that the gradients are the same bits.
    Only `forward` is replaced: names of parameters, and so checkpoints and exports, stay what they are.
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
