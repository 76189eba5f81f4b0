"""Positions: how the model gets to know where a token is in its text."""

from __future__ import annotations

import torch
from torch import Tensor

from elek.model.config import ModelConfig

SINUSOID_SCALE = 0.02 * 2**0.5
"""Gives sines and cosines the root mean square of the first embeddings, 0.02, to which they are added."""


def rotary_tables(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosine and sine, [context, D], of each position's angle at each of D/2 frequencies, the two halves alike."""
    frequencies = config.rope_theta ** -(torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim)
    angles = torch.outer(torch.arange(config.context, dtype=torch.float32), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn components (i, i + D/2) of x [B, H, T, D] as pairs by their position's angle."""
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * sin.to(x.dtype)


def sinusoids(config: ModelConfig) -> Tensor:
    """A vector for each place, [context, C]: sine and cosine in turn, wavelengths from 2π to 20,000π (Vaswani 2017)."""
    steps = torch.arange(0, config.width, 2, dtype=torch.float32) / config.width
    angles = torch.outer(torch.arange(config.context, dtype=torch.float32), 10_000.0**-steps)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1) * SINUSOID_SCALE


def places(documents: Tensor) -> Tensor:
    """Each token's place [B, T] within what the window holds of its document; `documents` are numbers [B, T]."""
    index = torch.arange(documents.shape[1], device=documents.device)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - torch.where(begins, index, 0).cummax(dim=1).values
