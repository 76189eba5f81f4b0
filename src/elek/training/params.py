"""`train:` of params.yaml. Nothing here imports torch."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from elek.model.config import ModelConfig, ModelShape
from elek.params import Section
from elek.training.rates import advised_batch, advised_steps, learning_rates


class OptimizerParams(Section):
    """What turns gradients into steps; see `elek.training.optimizers`."""

    name: Literal["muon", "adamw"] = "muon"
    """`adamw` (Loshchilov and Hutter 2019) for everything, or `muon` (Jordan 2024) for the matrices inside the
    blocks and `adamw` for the rest."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """The highest learning rate of AdamW."""
    matrix_learning_rate: float = Field(default=1e-2, gt=0)
    """The highest learning rate of Muon, whose steps are scaled to AdamW's usual size (Liu et al. 2025, §2.2)."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled, and of matrices only: each step takes this share, times the learning rate, off their weights."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """AdamW's memory of the gradient."""
    beta2: float = Field(default=0.95, ge=0, lt=1)
    """AdamW's memory of the squared gradient."""
    epsilon: float = Field(default=1e-8, gt=0)
    """What AdamW adds to the divisor."""
    momentum: float = Field(default=0.95, ge=0, lt=1)
    """Muon's memory of the gradient."""

    @property
    def rates(self) -> dict[str, float]:
        """The highest learning rates that this optimizer has, by their names here."""
        rates = {"learning_rate": self.learning_rate, "matrix_learning_rate": self.matrix_learning_rate}
        return rates if self.name == "muon" else {"learning_rate": self.learning_rate}


class ScheduleParams(Section):
    """Share of the highest learning rate over the steps; see `elek.training.schedule`."""

    kind: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """What comes after the warm-up: half a cosine wave, a straight line, nothing, or `wsd`: constant, then a
    straight line over the last `decay` of the steps (warmup-stable-decay, Hu et al. 2024)."""
    warmup: float = Field(default=0.05, ge=0, le=1)
    """Share of the steps over which the rate rises in a straight line."""
    decay: float = Field(default=0.2, ge=0, le=1)
    """Share of the steps over which `wsd` falls."""
    floor: float = Field(default=0.05, ge=0, le=1)
    """Where it ends, as a share of the highest rate."""


class ValidationParams(Section):
    """How the loss on unseen text is followed while training."""

    every: int = Field(default=100, ge=1)
    """Steps from one measurement to the next; the last step is always measured."""
    windows: int = Field(default=48, ge=1)
    """Windows of `context` tokens that are measured, spread evenly over the validation text, always the same."""
    patience: int | None = Field(default=None, ge=1)
    """Measurements in a row without a better loss after which training ends, with the best weights of all that were
    measured; null goes through all steps and keeps the last weights."""


class DistributedParams(Section):
    """Training by several processes, which share every batch among them; see `elek.training.parallel`."""

    processes: int = Field(default=1, ge=1)
    """Processes on this machine, each with `threads` threads, or on a GPU of its own. `train.batch` stays that of all
    of them together and must divide by their number. Under an outer `torchrun` (several machines, Slurm), the number
    that it started counts instead."""
    kind: Literal["ddp", "fsdp"] = "ddp"
    """`ddp` gives each process the whole model (Li et al. 2020); `fsdp` shares out weights, gradients and optimizer
    state too (Zhao et al. 2023; PyTorch's `fully_shard`), for models that are too large for one."""


class MaskingParams(Section):
    """What `objective: masked` hides; see `elek.training.masking`. The defaults are those of BERT."""

    share: float = Field(default=0.15, gt=0, lt=1)
    """Share of a window's tokens that the model is asked for, none of them special."""
    masked: float = Field(default=0.8, ge=0, le=1)
    """Of those, the share that is replaced by `<mask>`."""
    random: float = Field(default=0.1, ge=0, le=1)
    """And the share that is replaced by any other token. The rest stands as it was, and is asked for all the same."""
    whole_words: bool = False
    """All pieces of a word are asked for together (Cui et al. 2021), a word reaching from one piece that begins with
    a space to the next: harder, for no piece gives away its neighbour."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.masked + self.random > 1:
            raise ValueError(f"masked {self.masked} and random {self.random} are more than 1 together")
        return self


class TrainParams(Section):
    """How a model is trained: its shape, the text it sees and in which steps."""

    seed: int = Field(default=1, ge=0)
    """Of the first weights and of the order of the windows."""
    objective: Literal["causal", "masked"] = "causal"
    """What is learned: each next token from those before it, or hidden ones from both sides, which cannot write text
    but knows more of each place in it."""
    masking: MaskingParams = MaskingParams()
    """What `masked` hides."""
    model: ModelShape = ModelShape()
    """Its shape, except for the vocabulary's size, which the shards know."""
    steps: int = Field(default=800, ge=1)
    """Updates of the weights. A number and never a time, so that a slow machine trains the same model. Where the dial
    `model.depth` is set and this is not: as many as see 20 tokens per parameter."""
    batch: int = Field(default=8, ge=1)
    """Windows of `context` tokens in one step. Where the dial `model.depth` is set and this is not, it follows from the
    number of tokens."""
    micro_batch: int = Field(default=16, ge=1)
    """Windows computed at once. Where it is smaller than `batch`, gradients add up to those of the whole batch:
    less memory, the same step."""
    optimizer: OptimizerParams = OptimizerParams()
    schedule: ScheduleParams = ScheduleParams()
    clip: float = Field(default=1.0, gt=0)
    """The gradient's longest norm; a longer one is scaled down to it (Pascanu et al. 2013)."""
    validation: ValidationParams = ValidationParams()
    history_every: int = Field(default=10, ge=1)
    """Steps from one row of history.csv to the next."""
    checkpoint_every: int = Field(default=100, ge=1)
    """Steps from one checkpoint to the next; the last two are kept."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Type of the matrix products: `auto` takes bf16 where the processor has instructions for it, fp16 on a GPU that
    has none, and fp32 elsewhere. fp16 comes with loss scaling. Weights, sums, norms and the optimizer are float32
    always."""
    activation_checkpointing: bool = False
    """Keep only each block's input for the backward pass and compute the rest again (Chen et al. 2016): a third more
    work for a fraction of the memory, and the same gradients."""
    on_spike: Literal["stop", "skip", "ignore"] = "stop"
    """What to do with a batch whose loss is a spike: `stop` with the ids of its documents, `skip` the batch, or
    `ignore` it and train on. Skipped and ignored ones are named in reports/train.json. A loss or gradient that is no
    number is a spike too, which `ignore` cannot train on: there it stops."""
    spike_window: int = Field(default=50, ge=8)
    """Losses, the last accepted ones, whose median and median absolute deviation (MAD) say what is usual."""
    spike_factor: float = Field(default=20.0, gt=0)
    """A spike is a loss above median + max(factor · 1.4826 · MAD, 0.5 nats); 1.4826 · MAD estimates the standard
    deviation and is not moved by the spikes themselves."""
    threads: int = Field(default=2, ge=1)
    """Threads of the processor. The order in which they add changes the last bits, so that this is a number and
    never `all cores`: the same number gives the same model. Raise it to train faster on a larger machine."""
    compile: bool = False
    """Compile the model with torch.compile: pays from about ten minutes of training, and needs a C++ compiler."""
    distributed: DistributedParams = DistributedParams()

    def config(self, vocab_size: int) -> ModelConfig:
        """The model that is trained on tokens of a vocabulary."""
        return ModelConfig(**self.model.model_dump(), vocab_size=vocab_size, objective=self.objective)

    @model_validator(mode="before")
    @classmethod
    def _follow_depth(cls, given: Any) -> Any:
        """Where the dial `model.depth` is set, learning rates, batch and steps that nobody gave follow it."""
        if not isinstance(given, dict) or not isinstance(given.get("model"), dict) or not given["model"].get("depth"):
            return given
        optimizer = given.get("optimizer") or {}
        if not isinstance(optimizer, dict):
            return given
        try:
            shape = ModelShape.model_validate(given["model"])
        except ValidationError:
            return given  # told with its place, when `model` itself is validated
        rates = learning_rates(shape, str(optimizer.get("name", "muon")))
        batch = given.get("batch", advised_batch(shape))
        steps = advised_steps(shape, batch) if isinstance(batch, int) and batch > 0 else 1  # a wrong one is told later
        return {"steps": steps, "batch": batch, **given, "optimizer": {**rates, **optimizer}}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.objective == "masked" and self.model.positions == "none":
            raise ValueError("a masked model without positions sees a bag of words: choose other `model.positions`")
        if self.batch % self.distributed.processes:
            shared = f"{self.batch} windows do not divide among {self.distributed.processes} processes"
            raise ValueError(f"{shared}: choose another `batch`, or another `distributed.processes`")
        return self
