"""A Llama-shaped causal Transformer (Touvron et al. 2023): what transformers calls `LlamaForCausalLM`.

Pre-norm blocks with RMSNorm (Zhang and Sennrich 2019), rotary positions (Su et al. 2021) turned in half-split
pairs, grouped-query attention (Ainslie et al. 2023), SwiGLU (Shazeer 2020), no bias anywhere, and by default one
matrix for the embedding and the head.

Shapes: B sequences, T tokens, C = width, H query heads, K key/value heads, D = head_dim, V = vocab_size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from elek.model.attention import attend
from elek.model.config import ModelConfig


class KVCache:
    """Keys and values of the tokens seen so far, so that each new token costs one pass over itself alone.

    Room for `context` tokens is taken at once: 2 · layers · B · K · context · D numbers.
    """

    def __init__(self, config: ModelConfig, batch: int, dtype: torch.dtype, device: torch.device) -> None:
        shape = (config.layers, batch, config.kv_heads, config.context, config.head_dim)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new tokens' [B, K, T, D] and return all of the layer's, [B, K, length + T, D]."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


def rotary_tables(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosine and sine, [context, D], of each position's angle at each of D/2 frequencies, the two halves alike."""
    frequencies = config.rope_theta ** -(torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim)
    angles = torch.outer(torch.arange(config.context, dtype=torch.float32), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn components (i, i + D/2) of x [B, H, T, D] as pairs by their position's angle."""
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * sin.to(x.dtype)


class Attention(nn.Module):
    """Causal self-attention: every token takes up what it needs from itself and the ones before."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads, self.kv_heads, self.head_dim = layer, config.heads, config.kv_heads, config.head_dim
        self.query = nn.Linear(config.width, config.heads * config.head_dim, bias=False)
        self.key = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.value = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.output = nn.Linear(config.heads * config.head_dim, config.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None = None) -> Tensor:
        B, T, _ = x.shape
        query = self.query(x).view(B, T, self.heads, self.head_dim).transpose(1, 2)  # [B, H, T, D]
        key = self.key(x).view(B, T, self.kv_heads, self.head_dim).transpose(1, 2)  # [B, K, T, D]
        value = self.value(x).view(B, T, self.kv_heads, self.head_dim).transpose(1, 2)
        query, key = rotate(query, cos, sin), rotate(key, cos, sin)
        if cache is not None:
            key, value = cache.extend(self.layer, key, value)
        mixed = attend(query, key, value)
        return self.output(mixed.transpose(1, 2).reshape(B, T, -1))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate(x)) · up(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.ffn, bias=False)
        self.up = nn.Linear(config.width, config.ffn, bias=False)
        self.down = nn.Linear(config.ffn, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """`model(tokens)`: int64 [B, T] → logits of each next token, float32 [B, T, V].

    With a `KVCache`, `tokens` are those that follow the ones already in it. Raises ValueError where a sequence
    would be longer than the context.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        if not config.tie_embeddings:
            self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        cos, sin = rotary_tables(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    @property
    def head_weight(self) -> Tensor:
        """The matrix [V, C] that turns a final state into logits."""
        return self.embedding.weight if self.config.tie_embeddings else self.head.weight

    def states(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """The final, normalised states [B, T, C] that the head reads."""
        start = cache.length if cache is not None else 0
        end = start + tokens.shape[1]
        if end > self.config.context:
            raise ValueError(f"{end} tokens do not fit the model's context of {self.config.context}")
        x = self.embedding(tokens)
        cos, sin = self.get_buffer("cos")[start:end], self.get_buffer("sin")[start:end]
        for block in self.blocks:
            x = block(x, cos, sin, cache)
        if cache is not None:
            cache.length = end
        return self.norm(x)  # type: ignore[no-any-return]

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        return F.linear(self.states(tokens, cache), self.head_weight).float()

    def new_cache(self, batch: int = 1) -> KVCache:
        weight = self.embedding.weight
        return KVCache(self.config, batch, weight.dtype, weight.device)


@torch.no_grad()
def initialise(model: Transformer, seed: int) -> Transformer:
    """Fill the weights from a generator of their own, so that nobody else's random numbers change them.

    Normal with deviation 0.02; matrices that write into the residual stream are divided by √(2 · layers), for
    that many of them add up there (Radford et al. 2019, §2.3). Norms begin at 1.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            parameter.fill_(1.0)
            continue
        writes_residual = name.endswith(("attention.output.weight", "feed_forward.down.weight"))
        deviation = 0.02 / math.sqrt(2 * model.config.layers) if writes_residual else 0.02
        parameter.copy_(torch.empty(parameter.shape).normal_(0.0, deviation, generator=generator))
    return model
