"""The shape of a model. Nothing here imports torch: params.yaml is checked in milliseconds."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from elek.params import Section


def _default_ffn(shape: dict[str, Any]) -> int:
    width: int = shape["width"]
    return -(-width * 8 // 3 // 32) * 32


class ModelShape(Section):
    """What one chooses of a Llama-shaped Transformer (Touvron et al. 2023, §2.2): `train.model` in params.yaml.

    The vocabulary's size is not chosen here but follows from the token shards; see `ModelConfig`.
    """

    context: int = Field(default=256, ge=2)
    """Tokens that the model sees at once."""
    layers: int = Field(default=6, ge=1)
    """Blocks of attention and feed-forward network."""
    width: int = Field(default=192, ge=2)
    """Components of the residual stream."""
    heads: int = Field(default=3, ge=1)
    """Query heads; `width / heads` is the size of a head, best 64 or 32."""
    kv_heads: int = Field(default_factory=lambda shape: int(shape["heads"]), ge=1)
    """Key and value heads, each shared by `heads / kv_heads` query heads (Ainslie et al. 2023). By default `heads`."""
    ffn: int = Field(default_factory=_default_ffn, ge=1)
    """Inner width of the feed-forward network. By default 8/3 of `width`, rounded up to a multiple of 32."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary positions' wavelengths (Su et al. 2021, §3.2.2)."""
    norm_eps: float = Field(default=1e-5, gt=0)
    """What RMSNorm adds to the mean square before the root."""
    tie_embeddings: bool = True
    """The output head is the input embedding's matrix (Press and Wolf 2017): half the parameters of a small model."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads")
        if self.head_dim % 2:
            raise ValueError(f"a head of {self.head_dim} components is odd, and rotary positions turn them in pairs")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        return self

    @property
    def head_dim(self) -> int:
        """Components of one head."""
        return self.width // self.heads


class ModelConfig(ModelShape):
    """A shape with its vocabulary: all that is needed to build the model, and what config.json holds."""

    vocab_size: int = Field(ge=2)
    """Token ids run from 0 to `vocab_size - 1`."""

    @property
    def parameters(self) -> int:
        """Trained numbers, tied ones counted once."""
        embeddings = self.vocab_size * self.width * (1 if self.tie_embeddings else 2)
        norms = (2 * self.layers + 1) * self.width
        return embeddings + self.layers * self._matrices_per_block + norms

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of one training step per token, forward and backward, at full context.

        6 for each weight that is multiplied with (the head, not the embedding that is looked up), and
        12 · layers · width · context for attention, halved because it is causal (Chowdhery et al. 2022, app. B).
        """
        weights = self.layers * self._matrices_per_block + self.vocab_size * self.width
        return 6 * weights + 6 * self.layers * self.width * self.context

    @property
    def _matrices_per_block(self) -> int:
        attention = 2 * self.width * self.head_dim * (self.heads + self.kv_heads)
        return attention + 3 * self.width * self.ffn
