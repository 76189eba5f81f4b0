"""A pre-norm Transformer (Vaswani et al. 2017; Xiong et al. 2020), by default in the shape of Llama.

Each block adds two things to a residual stream: the output of attention to other tokens, then that of a feed-forward
network on each token. `ModelConfig` chooses among the parts that the field has used: RMSNorm or LayerNorm, four kinds
of positions, SwiGLU or GELU, grouped-query attention, biases; and by its objective whether attention looks only
back (causal) or to both sides (masked).

Shapes: B sequences, T tokens, C = width, H query heads, K key/value heads, D = head_dim, V = vocab_size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from elek.model.attention import attend, visible
from elek.model.config import ModelConfig
from elek.model.norms import RMSNorm, for_products, make_norm
from elek.model.positions import places, rotary_tables, rotate, sinusoids


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


class Attention(nn.Module):
    """Self-attention of every token to itself and the other tokens that it may see."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.heads, self.kv_heads, self.head_dim = layer, config.heads, config.kv_heads, config.head_dim
        self.causal = config.causal
        self.query = nn.Linear(config.width, config.heads * config.head_dim, bias=config.bias)
        self.key = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=config.bias)
        self.value = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=config.bias)
        self.output = nn.Linear(config.heads * config.head_dim, config.width, bias=config.bias)
        if config.qk_norm:
            self.query_norm = RMSNorm(config.head_dim, eps=config.norm_eps)
            self.key_norm = RMSNorm(config.head_dim, eps=config.norm_eps)
        self.qk_norm, self.rope = config.qk_norm, config.positions == "rope"

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None = None, seen: Tensor | None = None
    ) -> Tensor:
        B, T, _ = x.shape
        query = self.query(x).view(B, T, self.heads, self.head_dim).transpose(1, 2)  # [B, H, T, D]
        key = self.key(x).view(B, T, self.kv_heads, self.head_dim).transpose(1, 2)  # [B, K, T, D]
        value = self.value(x).view(B, T, self.kv_heads, self.head_dim).transpose(1, 2)
        if self.qk_norm:  # in float32, as every norm
            query, key = self.query_norm(query.float()).to(query.dtype), self.key_norm(key.float()).to(key.dtype)
        if self.rope:
            query, key = rotate(query, cos, sin), rotate(key, cos, sin)
        if cache is not None:
            key, value = cache.extend(self.layer, key, value)
        mixed = attend(query, key, value, self.causal, seen)
        return self.output(mixed.transpose(1, 2).reshape(B, T, -1))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """SwiGLU, down(silu(gate(x)) · up(x)), or down(gelu(up(x)))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gated = config.mlp == "swiglu"
        if self.gated:
            self.gate = nn.Linear(config.width, config.ffn, bias=config.bias)
        self.up = nn.Linear(config.width, config.ffn, bias=config.bias)
        self.down = nn.Linear(config.ffn, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.silu(self.gate(x)) * self.up(x) if self.gated else F.gelu(self.up(x), approximate="tanh")
        return self.down(inner)  # type: ignore[no-any-return]


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, cache: KVCache | None = None, seen: Tensor | None = None
    ) -> Tensor:
        normed = for_products(self.attention_norm(x))
        x = x + self.dropout(self.attention(normed, cos, sin, cache, seen))
        return x + self.dropout(self.feed_forward(for_products(self.feed_forward_norm(x))))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """`model(tokens)`: int64 [B, T] → logits, float32 [B, T, V]: of each next token, or of each one if masked.

    With a `KVCache`, `tokens` are those that follow the ones already in it. `documents`, numbers [B, T], keep the
    tokens of one document from seeing those of another, whatever the objective.

    Raises ValueError where a sequence would be longer than the context, and where a cache is given to a masked
    model, whose every state depends on every token.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.context, config.width)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = make_norm(config)
        if not config.tie_embeddings:
            self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        # Only rotary positions have tables worth keeping; the others' are empty, so that no block must ask.
        cos, sin = rotary_tables(config) if config.positions == "rope" else (torch.empty(config.context, 0),) * 2
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        if config.positions == "sinusoidal":
            self.register_buffer("sinusoids", sinusoids(config), persistent=False)

    @property
    def head_weight(self) -> Tensor:
        """The matrix [V, C] that turns a final state into logits."""
        return self.embedding.weight if self.config.tie_embeddings else self.head.weight

    def states(self, tokens: Tensor, cache: KVCache | None = None, documents: Tensor | None = None) -> Tensor:
        """The final, normalised states [B, T, C] that the head reads."""
        start = cache.length if cache is not None else 0
        end = start + tokens.shape[1]
        if end > self.config.context:
            raise ValueError(f"{end} tokens do not fit the model's context of {self.config.context}")
        if cache is not None and not self.config.causal:
            raise ValueError("a masked model has no cache: every new token changes the states of all others")
        x = self.dropout(self._placed(self.embedding(tokens), start, documents))
        seen = visible(documents, self.config.causal) if documents is not None else None
        cos, sin = self.get_buffer("cos")[start:end], self.get_buffer("sin")[start:end]
        for block in self.blocks:
            x = block(x, cos, sin, cache, seen)
        if cache is not None:
            cache.length = end
        return self.norm(x)  # type: ignore[no-any-return]

    def _placed(self, x: Tensor, start: int, documents: Tensor | None) -> Tensor:
        """Embeddings [B, T, C], plus a vector for each position where positions are learned or sinusoidal."""
        if self.config.positions not in ("learned", "sinusoidal"):
            return x
        table = self.positions.weight if self.config.positions == "learned" else self.get_buffer("sinusoids")
        if documents is not None:
            return x + F.embedding(places(documents), table)
        return x + table[start : start + x.shape[1]]

    def forward(self, tokens: Tensor, cache: KVCache | None = None, documents: Tensor | None = None) -> Tensor:
        return F.linear(self.states(tokens, cache, documents), self.head_weight).float()

    def new_cache(self, batch: int = 1) -> KVCache:
        weight = self.embedding.weight
        return KVCache(self.config, batch, weight.dtype, weight.device)


@torch.no_grad()
def initialise(model: Transformer, seed: int) -> Transformer:
    """Initialise the weights from a generator of their own, so that other random numbers do not affect them.

    Normal with deviation 0.02; matrices that write into the residual stream are divided by √(2 · layers), for
    that many of them add up there (Radford et al. 2019, §2.3). Norms begin at 1, biases at 0.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            parameter.fill_(0.0 if name.endswith(".bias") else 1.0)
            continue
        writes_residual = name.endswith(("attention.output.weight", "feed_forward.down.weight"))
        deviation = 0.02 / math.sqrt(2 * model.config.layers) if writes_residual else 0.02
        parameter.copy_(torch.empty(parameter.shape).normal_(0.0, deviation, generator=generator))
    return model
