"""Training, side by side with what people use: a plain float32 loop, the Hugging Face Trainer in bf16, and Elek.

    python -m benchmarks.training --quick              # two minutes: do the numbers look right
    python -m benchmarks.training                      # speed and loss after equal tokens: a quarter of an hour
    python -m benchmarks.training --equal-time 300     # then also: best loss in equal time, 300 s a run
    python -m benchmarks.training --gpu                # GPT-2-small's shape in bf16, compiled, on a CUDA device: Elek's
                                                       # attention adds in a fixed order there, which costs some speed

On `--tokens`, a folder with `train` and `validation` shards (`data/tokenize` of a project). All three train one
model, from the same first weights, on the same batches, with the same AdamW, rates and clipping. They take turns, a
step each, so that a disturbance hits all alike; the median step counts, and so do medians of ratios within a turn.

- plain: float32, eager, logits whole, `AdamW`, as nanoGPT runs on a processor
- Trainer: `transformers.Trainer` on `LlamaForCausalLM` with `bf16=True` and fused AdamW, its own loop and all
- Elek: `elek.training.Trainer`, `precision: auto`
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch

from benchmarks.contestants import Contestant, Elek, HuggingFace, Plain, Run, take_turns
from elek.model.config import ModelConfig
from elek.shards import TokenShards
from elek.training.params import TrainParams
from elek.training.trainer import Trainer
from elek.training.watching import matmul_speed

GPU_MODEL = {"context": 1024, "layers": 12, "width": 768, "heads": 12, "ffn": 2048}
RATES: dict[type[Contestant], tuple[float, ...]] = {Plain: (1e-3, 2e-3, 4e-3), Elek: (1.5e-3, 3e-3, 6e-3)}
MATRIX_RATIO = 10 / 3  # of Muon's rate to AdamW's, as params.yaml ships them


@dataclass
class Setting:
    """What all runs have in common."""

    tokens: Path
    model: dict[str, Any]
    batch: int
    threads: int
    peak: float
    """Operations a second to which MFU refers."""

    def __post_init__(self) -> None:
        vocab_size = TokenShards(self.tokens / "train", verify=False).vocab_size
        self.config = ModelConfig(vocab_size=vocab_size, **self.model)

    def params(self, steps: int, windows: int, optimizer: dict[str, Any], **more: Any) -> TrainParams:
        """A run of so many steps that is validated on so many windows, and by nobody but us."""
        never = 10**6
        values = {
            "model": self.model,
            "batch": self.batch,
            "micro_batch": self.batch,
            "threads": self.threads,
            "steps": steps,
            "optimizer": optimizer,
            "validation": {"every": never, "windows": windows},
            "history_every": never,
        }
        return TrainParams.model_validate({**values, **more})


def equal_tokens(setting: Setting, steps: int, *, compile_ours: bool, gpu: bool) -> None:
    """Speed, MFU and validation loss after equal tokens."""
    adamw = {"name": "adamw", "learning_rate": 1e-3}
    config, tokens = setting.config, setting.tokens
    kinds: list[tuple[type[Contestant], dict[str, Any]]] = [] if gpu else [(Plain, {})]
    kinds += [(HuggingFace, {"compile": gpu}), (Elek, {"compile": compile_ours or gpu})]
    runs = [Run(kind, setting.params(steps, 64, adamw, **more), config, tokens) for kind, more in kinds]
    take_turns(runs)
    ours, warm = runs[-1], min(10, steps // 4)
    print(f"\n{'':34}{'tokens/s':>10}{'Elek is':>9}{'MFU':>6}{'validation loss':>17}{'against Elek':>14}")
    for one in runs:
        ratio = statistics.median(a / b for a, b in zip(one.seconds[warm:], ours.seconds[warm:], strict=True))
        speed = setting.batch * config.context / statistics.median(one.seconds[warm:])
        mfu, more = speed * config.flops_per_token / setting.peak, one.loss / ours.loss - 1
        print(f"{one.name:34}{speed:>10,.0f}{ratio:>8.2f}×{mfu:>6.0%}{one.loss:>17.4f}{more:>+14.2%}")


def equal_time(setting: Setting, limit: float) -> None:
    """Each at its best of three rates for as many steps as take `limit` seconds: validation bits per byte.

    How many those are is measured first, with a step of each in turn: what disturbs the machine later changes nothing.
    """
    shards = TokenShards(setting.tokens / "validation")
    bytes_per_token = pc.sum(shards.documents["bytes"]).as_py() / len(shards)
    kinds: tuple[type[Contestant], ...] = (Plain, Elek)

    def made(kind: type[Contestant], steps: int, rate: float) -> Run:
        return Run(kind, setting.params(steps, 256, _optimizer(kind, rate)), setting.config, setting.tokens)

    probes = [made(kind, 16, RATES[kind][1]) for kind in kinds]
    take_turns(probes)
    print(f"\nEqual time, {limit:.0f} s of each:")
    best = []
    for kind, probe in zip(kinds, probes, strict=True):
        seconds = statistics.median(probe.seconds[4:])
        steps = max(20, round(limit / seconds))
        bits = []
        for rate in RATES[kind]:
            run = made(kind, steps, rate)
            take_turns([run])
            bits.append(run.loss / math.log(2) / bytes_per_token)
            print(f"  {run.name:34} rate {rate:.1e}  {steps:5} steps of {seconds:.2f} s  {bits[-1]:.4f} bits/byte")
        best.append(min(bits))
    print(f"  Elek's best is {1 - best[1] / best[0]:.1%} below the plain loop's best")


def _optimizer(kind: type[Contestant], rate: float) -> dict[str, Any]:
    if kind is Plain:
        return {"name": "adamw", "learning_rate": rate}
    return {"name": "muon", "learning_rate": rate, "matrix_learning_rate": rate * MATRIX_RATIO}


def checkpoint_overhead(setting: Setting, number: int) -> None:
    """What a checkpoint costs a run that writes one every `checkpoint_every` steps, as shipped: every hundred."""
    values = {"model": setting.model, "batch": setting.batch, "threads": setting.threads}
    params = TrainParams.model_validate(values)
    with tempfile.TemporaryDirectory() as folder:
        train, validation = (TokenShards(setting.tokens / name) for name in ("train", "validation"))
        trainer = Trainer(params, train, validation, Path(folder))
        assert trainer.checkpoints is not None
        taken: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(2 * number + 1):
            start = time.perf_counter()
            for step in range(8):
                if turn % 2 and step == 0:
                    trainer._save()
                trainer._step()
            trainer.checkpoints.wait()
            if turn:
                taken[bool(turn % 2)].append(time.perf_counter() - start)
        size = sum(p.stat().st_size for p in next(trainer.checkpoints.folder.glob("step-*")).iterdir())
    extra = statistics.median(a - b for a, b in zip(taken[True], taken[False], strict=True))
    whole = params.checkpoint_every * statistics.median(taken[False]) / 8
    print(f"\nCheckpoint: {size / 2**20:.0f} MiB every {params.checkpoint_every} steps of {whole:.0f} s together")
    print(f"  costs {extra:.2f} s each, {extra / whole:.2%} of training time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, default=Path("data/tokenize"))
    parser.add_argument(
        "--steps", type=int, default=120, help="of each, for speed and loss after equal tokens; 0 for none"
    )
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384, help="heads are 64 wide")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="let Elek compile the model (a minute to begin with)")
    parser.add_argument("--equal-time", type=float, default=0, metavar="SECONDS", help="of each run of the second part")
    parser.add_argument("--checkpoints", type=int, default=5, help="measured for the overhead; 0 for none")
    parser.add_argument("--quick", action="store_true", help="12 steps, one checkpoint")
    parser.add_argument("--gpu", action="store_true", help="GPT-2-small's shape on a CUDA device, equal tokens alone")
    options = parser.parse_args()
    if options.quick:
        options.steps, options.checkpoints = 12, 1
    if options.gpu and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here")
    torch.set_num_threads(options.threads)
    model = {"context": 256, "layers": options.layers, "width": options.width, "heads": options.width // 64}
    peak = matmul_speed(torch.device("cuda" if options.gpu else "cpu"), torch.bfloat16, options.threads)
    setting = Setting(options.tokens, GPU_MODEL if options.gpu else model, options.batch, options.threads, peak)
    config = setting.config
    name = torch.cuda.get_device_name() if options.gpu else platform.processor() or platform.machine()
    print(f"{name}, {options.threads} threads, torch {torch.__version__}, numpy {np.__version__}")
    shape = f"vocabulary {config.vocab_size}, {options.batch} × {config.context} tokens"
    print(f"{config.parameters:,} parameters, {shape}")
    print(f"peak {peak / 1e9:,.0f} Gflop/s in bf16, to which MFU refers")
    if options.steps:
        equal_tokens(setting, options.steps, compile_ours=options.compile, gpu=options.gpu)
    if options.checkpoints and not options.gpu:
        checkpoint_overhead(setting, options.checkpoints)
    if options.equal_time and not options.gpu:
        equal_time(setting, options.equal_time)


if __name__ == "__main__":
    main()
