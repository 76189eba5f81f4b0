"""What each lever of the training loop is worth, beside a plain float32 loop on the same model and batches.

    python -m benchmarks.training_levers                        # 6 layers × 384, context 256, vocabulary 8000, batch 16
    python -m benchmarks.training_levers --layers 6 --width 192 --heads 3
    python -m benchmarks.training_levers --threads 1 --cpu      # on a busy machine: the process's own time, one thread

Variants take turns, one step each, and each variant's fastest step counts, so that a disturbance hits all alike.
The loss after equal steps is printed beside, and must agree. `flop/s` are those of the model's matrix products
(`ModelConfig.flops_per_token`), and their share of what a large product reaches here.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from elek.model import attention
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.training.loss import head_loss
from elek.training.optimizers import make_optimizers
from elek.training.params import OptimizerParams


@dataclass
class Variant:
    """One way to take the same step."""

    name: str
    bf16: bool = False
    chunked: bool = False
    halves: bool = False
    fused: bool = True
    muon: bool = False
    compiled: bool = False
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def prepare(self, config: ModelConfig) -> None:
        self.model = initialise(Transformer(config), seed=1)
        params = OptimizerParams(name="muon" if self.muon else "adamw", learning_rate=1e-3)
        compute = torch.bfloat16 if self.bf16 else torch.float32
        self.optimizers = make_optimizers(self.model, params, compute)
        if not self.fused:
            self.optimizers = [torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)]
        self.states = torch.compile(self.model.states) if self.compiled else self.model.states

    def step(self, tokens: Tensor, clock: Callable[[], float]) -> None:
        attention.HALVES_UP_TO = 512 if self.halves else 0
        start = clock()
        loss = self.loss(tokens[:, :-1], tokens[:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.seconds.append(clock() - start)
        self.losses.append(loss.item())

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        compute = torch.bfloat16 if self.bf16 else torch.float32
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            states = self.states(inputs)
            if not self.chunked:
                logits = F.linear(states, self.model.head_weight)
                return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        return head_loss(states.flatten(0, 1).to(compute), self.model.head_weight, targets.flatten())


VARIANTS = [
    Variant("plain float32, AdamW", fused=False),
    Variant("+ fused AdamW"),
    Variant("+ bf16 products", bf16=True),
    Variant("+ head and loss in chunks", bf16=True, chunked=True),
    Variant("+ attention in halves", bf16=True, chunked=True, halves=True),
    Variant("the same with Muon", bf16=True, chunked=True, halves=True, muon=True),
]


def zipfian(shape: tuple[int, int], vocab_size: int, rng: np.random.Generator) -> Tensor:
    """Tokens as frequent as those of text are, so that there is something to learn."""
    return torch.from_numpy(np.minimum(rng.zipf(1.2, shape) - 1, vocab_size - 1))


def peak(dtype: torch.dtype, clock: Callable[[], float], size: int = 1024) -> float:
    """Operations a second of a square matrix product."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    times = []
    for _ in range(12):
        start = clock()
        a @ b
        times.append(clock() - start)
    return 2 * size**3 / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--vocab", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="measure the process's own time instead of the wall's")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile (a minute to begin with)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu else time.perf_counter
    config = ModelConfig(
        vocab_size=options.vocab,
        context=options.context,
        layers=options.layers,
        width=options.width,
        heads=options.heads,
    )
    variants = list(VARIANTS)
    if options.compile:
        variants.append(Variant("AdamW, compiled", bf16=True, chunked=True, halves=True, compiled=True))
    for variant in variants:
        variant.prepare(config)
    rng = np.random.Generator(np.random.PCG64(1))
    for _ in range(options.steps):
        tokens = zipfian((options.batch, config.context + 1), config.vocab_size, rng)
        for variant in variants:
            variant.step(tokens, clock)
    best = peak(torch.bfloat16, clock)
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads, torch {torch.__version__}")
    print(f"{config.parameters:,} parameters, batch {options.batch} × {config.context}, {options.steps} steps each")
    print(f"peak: {best / 1e9:.0f} Gflop/s in bf16, {peak(torch.float32, clock) / 1e9:.0f} in float32\n")
    print(f"{'':28}{'tokens/s':>9}{'ratio':>7}{'Gflop/s':>9}{'of peak':>9}{'last loss':>11}")
    plain = min(variants[0].seconds)
    for variant in variants:
        fastest = min(variant.seconds)
        speed = options.batch * config.context / fastest
        flops = speed * config.flops_per_token
        print(
            f"{variant.name:28}{speed:>9,.0f}{plain / fastest:>7.2f}{flops / 1e9:>9.0f}{flops / best:>9.0%}"
            f"{variant.losses[-1]:>11.4f}"
        )


if __name__ == "__main__":
    main()
