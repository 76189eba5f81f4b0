"""The shape of a model. Nothing here imports torch: params.yaml is checked in milliseconds.

Every option exists in some class of transformers, so that a model can be exported. The table lists the class that
computes the same numbers as each shape. `any` allows every value; a combination that is not in the table cannot be
exported and is refused:

    objective  norm       positions            mlp     qk_norm  bias   class, and what is special there
    causal     rmsnorm    rope                 swiglu  false    any    LlamaForCausalLM; bias: attention_bias, mlp_bias
    causal     rmsnorm    none                 swiglu  false    any    SmolLM3ForCausalLM, no_rope_layers all 0;
                                                                       bias as in Llama
    causal     rmsnorm    rope                 swiglu  true     false  Qwen3ForCausalLM
    causal     rmsnorm    rope                 gelu    false    any    ArceeForCausalLM, hidden_act gelu_pytorch_tanh
    causal     layernorm  rope                 gelu    false    any    Starcoder2ForCausalLM, sliding_window null, norms
                                                                       always with bias (0 where we have none)
    causal     layernorm  rope                 swiglu  false    false  StableLmForCausalLM, partial_rotary_factor 1,
                                                                       use_parallel_residual false, norms' biases 0
    causal     layernorm  learned, sinusoidal, gelu    false    any    GPT2LMHeadModel, activation gelu_new; only where
                          none                                         kv_heads = heads; query, key and value fused and
                                                                       every matrix transposed; the positions' table as
                                                                       wpe (zeros for none); biases 0 where none
    masked     rmsnorm    rope                 swiglu  false    any    EuroBertForMaskedLM (with a bias of its head: 0);
                                                                       bias: attention_bias and mlp_bias

`document_masking`, `dropout` and `depth` only matter in training and do not change a finished model. BERT and RoBERTa
normalise after the block, and ESM and ModernBERT have another network before the head, so they are not available.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from elek.params import Section

MOST_CONTEXT, MOST_LAYERS, MOST_WIDTH = 2**20, 256, 2**16
"""Bounds far above what this program can train: a mistyped number is refused, where `elek explain` would not end."""
HEAD_SIZE = 64
"""Components of a head where the shape is derived: what the fastest attention kernels are made for."""


def default_heads(shape: dict[str, Any]) -> int:
    """Heads of 64 for a derived shape, of 32 where 64 does not divide the width; without a dial what is shipped."""
    width: int = shape["width"]
    if not shape["depth"]:
        return 3
    return max(1, width // (HEAD_SIZE if width % HEAD_SIZE == 0 else HEAD_SIZE // 2))


def default_ffn(shape: dict[str, Any]) -> int:
    """What makes a block's feed-forward network as large as that of 4 · width with two matrices."""
    width: int = shape["width"]
    return 4 * width if shape["mlp"] == "gelu" else -(-width * 8 // 3 // 32) * 32


class ModelShape(Section):
    """What one chooses of a pre-norm Transformer: `train.model` in params.yaml.

    By default the shape of Llama (Touvron et al. 2023, §2.2); with `norm: layernorm, positions: learned, mlp: gelu,
    bias: true` that of GPT-2 (Radford et al. 2019, §2.3). The vocabulary's size is not chosen here but follows from
    the token shards; see `ModelConfig`.
    """

    depth: int | None = Field(default=None, ge=1, le=MOST_LAYERS)
    """One dial instead of many numbers: `depth` layers, 64 · depth wide (Kaplan et al. 2020, §3.1: the loss hardly
    depends on the ratio of the two between 30 and 200), heads of 64, learning rates that follow the width, 20 tokens
    of training per parameter, and a batch that follows the tokens (see `elek.training.rates`). Whatever is given beside
    it stays as given; `elek explain` shows what follows and by which law."""
    context: int = Field(default=256, ge=2, le=MOST_CONTEXT)
    """Tokens that the model sees at once."""
    layers: int = Field(default_factory=lambda shape: shape["depth"] or 6, ge=1, le=MOST_LAYERS)
    """Blocks of attention and feed-forward network."""
    width: int = Field(default_factory=lambda shape: HEAD_SIZE * (shape["depth"] or 3), ge=2, le=MOST_WIDTH)
    """Components of the residual stream."""
    heads: int = Field(default_factory=default_heads, ge=1)
    """Query heads; `width / heads` is the size of a head, best 64 or 32."""
    kv_heads: int = Field(default_factory=lambda shape: int(shape["heads"]), ge=1)
    """Key and value heads, each shared by `heads / kv_heads` query heads (Ainslie et al. 2023). By default `heads`."""
    mlp: Literal["swiglu", "gelu"] = "swiglu"
    """The feed-forward network: gated (Shazeer 2020), or two matrices with a GELU between them (Hendrycks and Gimpel
    2016, the tanh form of GPT-2)."""
    ffn: int = Field(default_factory=default_ffn, ge=1, le=4 * MOST_WIDTH)
    """Inner width of the feed-forward network. By default 8/3 of `width`, rounded up to a multiple of 32, and with
    `gelu`, which has two matrices instead of three, 4 times `width`."""
    positions: Literal["rope", "learned", "sinusoidal", "none"] = "rope"
    """How a token's place is told: turned queries and keys (Su et al. 2021), a learned vector for each place, fixed
    sines and cosines (Vaswani et al. 2017, §3.5), or not at all, which a causal model can make up for (Haviv 2022)."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary positions' wavelengths (Su et al. 2021, §3.2.2)."""
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    """RMSNorm (Zhang and Sennrich 2019) or LayerNorm (Ba et al. 2016), before each half of a block and at the end."""
    norm_eps: float = Field(default=1e-5, gt=0)
    """What the norm adds to the mean square, or the variance, before the root."""
    bias: bool = False
    """Whether every matrix of a block and every LayerNorm has a bias, as in GPT-2. RMSNorm and the head have none."""
    qk_norm: bool = False
    """RMSNorm of each query and key over its head, before positions (Henry et al. 2020; placed as in Qwen3): keeps
    attention's logits from growing, so that higher learning rates are safe."""
    tie_embeddings: bool = True
    """The output head is the input embedding's matrix (Press and Wolf 2017): half the parameters of a small model."""
    document_masking: bool = False
    """In training, no token sees another document of its window, and places given as vectors count from the
    document's begin. False lets them see it, as GPT-3 did (Brown et al. 2020, app. B); ids tell the border then."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the numbers that each block's two halves, and the embedding, lose in training (Srivastava et al.
    2014): against overfitting, where many epochs go over little text."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads")
        if self.head_dim % 2 and self.positions == "rope":
            raise ValueError(f"a head of {self.head_dim} components is odd, and rotary positions turn them in pairs")
        if self.width % 2 and self.positions == "sinusoidal":
            raise ValueError(f"a width of {self.width} is odd, and sinusoidal positions fill it in pairs")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        return self

    @property
    def head_dim(self) -> int:
        """Components of one head."""
        return self.width // self.heads


class ModelConfig(ModelShape):
    """A shape with its vocabulary and objective: all that is needed to build the model, and what config.json holds."""

    vocab_size: int = Field(ge=2)
    """Token ids run from 0 to `vocab_size - 1`."""
    objective: Literal["causal", "masked"] = "causal"
    """What the model was made to predict: the next token from those before it, or hidden ones from both sides."""

    @property
    def causal(self) -> bool:
        """Whether a token sees only itself and those before it."""
        return self.objective == "causal"

    def file(self) -> dict[str, Any]:
        """The content of config.json: every size, and each option that differs from its default in older files."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in self.model_dump().items()
            if name not in OPTIONS or value != fields[name].default
        }

    @property
    def parts(self) -> dict[str, int]:
        """Trained numbers by part, all layers together; a tied head has none of its own."""
        query, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = self.width * (2 * query + 2 * keys)
        matrices = 3 if self.mlp == "swiglu" else 2
        feed_forward = matrices * self.width * self.ffn
        norm = self.width
        if self.bias:
            attention += query + 2 * keys + self.width
            feed_forward += (matrices - 1) * self.ffn + self.width
            norm *= 2 if self.norm == "layernorm" else 1
        if self.qk_norm:
            attention += 2 * self.head_dim
        return {
            "embedding": self.vocab_size * self.width,
            "positions": self.context * self.width if self.positions == "learned" else 0,
            "attention": self.layers * attention,
            "feed_forward": self.layers * feed_forward,
            "norms": (2 * self.layers + 1) * norm,
            "head": 0 if self.tie_embeddings else self.vocab_size * self.width,
        }

    @property
    def parameters(self) -> int:
        """Trained numbers, tied ones counted once."""
        return sum(self.parts.values())

    @property
    def products(self) -> dict[str, int]:
        """Multiplications of a weight with a token's number, by part: half of the operations forward, per token."""
        matrices = 3 if self.mlp == "swiglu" else 2
        return {
            "attention": self.layers * 2 * self.width * self.head_dim * (self.heads + self.kv_heads),
            "feed_forward": self.layers * matrices * self.width * self.ffn,
            "head": self.vocab_size * self.width,
        }

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of one training step per token, forward and backward, at full context.

        6 for each weight that is multiplied with (the head, not the embedding that is looked up), and
        12 · layers · width · context for attention, halved where it is causal (Chowdhery et al. 2022, app. B).
        """
        seen = 6 if self.causal else 12
        return 6 * sum(self.products.values()) + seen * self.layers * self.width * self.context


OPTIONS = frozenset("depth mlp positions norm bias qk_norm document_masking dropout objective".split())  # noqa: SIM905
"""Fields that a config.json may leave out, for their default is what the first config.json files meant."""
