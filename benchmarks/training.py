"""Training, side by side with what people use: a plain float32 loop, the Hugging Face Trainer in bf16, and Elek.

    python -m benchmarks.training --quick              # two minutes: do the numbers look right
    python -m benchmarks.training                      # speed and loss after equal tokens: a quarter of an hour
    python -m benchmarks.training --equal-time 300     # then also: best loss in equal time, 300 s a run
    python -m benchmarks.training --gpu                # GPT-2-small's shape in bf16, compiled, on a CUDA device

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
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from elek.export.classes import hub_class
from elek.export.weights import hub_state
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.shards import TokenShards
from elek.training.batches import Batches
from elek.training.examples import Examples
from elek.training.params import TrainParams
from elek.training.schedule import learning_rate_share
from elek.training.trainer import Trainer
from elek.training.watching import matmul_speed

Loss = Callable[[Tensor], Tensor]
MODEL: dict[str, int] = {"context": 256, "layers": 6, "width": 384, "heads": 6}
GPU_MODEL = {"context": 1024, "layers": 12, "width": 768, "heads": 12, "ffn": 2048}
RATES = {"plain": (1e-3, 2e-3, 4e-3), "elek": (1.5e-3, 3e-3, 6e-3)}
MATRIX_RATIO = 10 / 3  # of Muon's rate to AdamW's, as params.yaml ships them


class Contestant:
    """One way to train: `steps()` yields after every step; `validation(sample)` is the mean loss in nats."""

    name = ""

    def __init__(self, params: TrainParams, config: ModelConfig, tokens: Path) -> None:
        self.params, self.config = params, config
        self.train, self.held_out = TokenShards(tokens / "train"), TokenShards(tokens / "validation")
        self.batches = Batches(self.train, config.context, params.batch, params.seed)
        self.sample = Batches(self.held_out, config.context, params.batch, params.seed)
        self.seconds: list[float] = []

    def steps(self) -> Iterator[None]:
        raise NotImplementedError

    def loss(self, tokens: Tensor) -> Tensor:
        raise NotImplementedError

    def batch(self, step: int) -> Tensor:
        return torch.from_numpy(self.batches.tokens(self.batches.windows(step)))

    @torch.no_grad()
    def validation(self) -> float:
        windows = self.sample.spread(self.params.validation.windows)
        losses = [
            float(self.loss(torch.from_numpy(self.sample.tokens(windows[i : i + 1])))) for i in range(len(windows))
        ]
        return sum(losses) / len(losses)


class Plain(Contestant):
    """float32 and PyTorch, as it comes."""

    name = "plain float32 loop, AdamW"

    def steps(self) -> Iterator[None]:
        self.model = initialise(Transformer(self.config), self.params.seed)
        matrices = [p for p in self.model.parameters() if p.dim() >= 2]
        gains = [p for p in self.model.parameters() if p.dim() < 2]
        o = self.params.optimizer
        groups = [{"params": matrices, "weight_decay": o.weight_decay}, {"params": gains, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=o.learning_rate, betas=(o.beta1, o.beta2), eps=o.epsilon)
        for step in range(self.params.steps):
            for group in optimizer.param_groups:
                group["lr"] = o.learning_rate * learning_rate_share(self.params.schedule, step, self.params.steps)
            self.loss(self.batch(step)).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.params.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            yield

    def loss(self, tokens: Tensor) -> Tensor:
        return F.cross_entropy(self.model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


class Elek(Contestant):
    """Elek's own trainer."""

    name = "Elek"

    def steps(self) -> Iterator[None]:
        self.trainer = Trainer(self.params, self.config, self.train, self.held_out)
        self.name = f"Elek, {self.trainer.runtime.precision}, {self.params.optimizer.name}"
        self.name += ", compiled" if self.trainer.compiled else ""
        for _ in range(self.params.steps):
            self.trainer._step()
            yield

    def loss(self, tokens: Tensor) -> Tensor:
        tokens = tokens.to(self.trainer.runtime.device)
        return self.trainer.objective(Examples(tokens[:, :-1], tokens[:, 1:].flatten()))


class HuggingFace(Contestant):
    """transformers.Trainer, on a thread of its own, which waits for its turn between any two steps."""

    name = "Hugging Face Trainer, bf16"

    def steps(self) -> Iterator[None]:
        from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback, TrainingArguments
        from transformers import Trainer as Theirs

        hub = hub_class(self.config)
        self.model = LlamaForCausalLM(LlamaConfig(**hub.config_json(self.config)))
        ours = initialise(Transformer(self.config), self.params.seed)
        named = self.model.load_state_dict(hub_state(ours, hub), strict=False)
        assert not named.unexpected_keys, named
        assert set(named.missing_keys) <= {"lm_head.weight"}, named  # tied: once
        self.model.tie_weights()
        go, done = threading.Semaphore(0), threading.Semaphore(0)
        failed: list[BaseException] = []

        class Turns(TrainerCallback):
            def on_step_begin(self, *_: Any, **__: Any) -> None:
                go.acquire()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                done.release()

        contestant, o = self, self.params.optimizer

        class Windows(torch.utils.data.Dataset[dict[str, Tensor]]):
            """Every window in the order of the batches."""

            def __len__(self) -> int:
                return contestant.params.steps * contestant.params.batch

            def __getitem__(self, index: int) -> dict[str, Tensor]:
                step, place = divmod(index, contestant.params.batch)
                window = contestant.batches.windows(step)[place : place + 1]
                row = torch.from_numpy(contestant.batches.tokens(window))[0]
                # Theirs shifts labels inside: the last target comes in as one more token, whose own prediction goes.
                return {"input_ids": row[:-1], "shift_labels": row[1:], "labels": row[1:]}

        class InOrder(Theirs):
            def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
                return torch.utils.data.SequentialSampler(Windows())

        arguments = TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            use_cpu=not torch.cuda.is_available(),
            bf16=True,
            per_device_train_batch_size=self.params.batch,
            max_steps=self.params.steps,
            learning_rate=o.learning_rate,
            weight_decay=o.weight_decay,
            adam_beta1=o.beta1,
            adam_beta2=o.beta2,
            adam_epsilon=o.epsilon,
            max_grad_norm=self.params.clip,
            optim="adamw_torch_fused",
            torch_compile=self.params.compile,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = InOrder(model=self.model, args=arguments, train_dataset=Windows(), callbacks=[Turns()])
        trainer.create_optimizer()
        share = lambda step: learning_rate_share(self.params.schedule, step, self.params.steps)  # noqa: E731
        trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(trainer.optimizer, share)

        def work() -> None:
            try:
                torch.set_num_threads(self.params.threads)
                trainer.train()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread
                failed.append(error)
                done.release()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        for _ in range(self.params.steps):
            go.release()
            done.acquire()
            if failed:
                raise failed[0]
            yield
        thread.join()

    def loss(self, tokens: Tensor) -> Tensor:
        device = self.model.device
        with torch.autocast(device.type, torch.bfloat16):
            logits = self.model(input_ids=tokens[:, :-1].to(device)).logits
        return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten().to(device))


def take_turns(contestants: list[Contestant], rounds: int, warm: int) -> None:
    """One step each, `rounds` times over; the first `warm` ones are not timed."""
    running = [contestant.steps() for contestant in contestants]
    for turn in range(rounds):
        for contestant, steps in zip(contestants, running, strict=True):
            start = time.perf_counter()
            next(steps)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn >= warm:
                contestant.seconds.append(time.perf_counter() - start)
    for steps in running:
        for _ in steps:  # lets a thread end
            pass


def compare(options: argparse.Namespace, config: ModelConfig, peak: float) -> dict[str, float]:
    """Speed, MFU and validation loss after equal tokens. Returns seconds per step of the plain loop and of Elek."""
    common: dict[str, Any] = {
        "model": MODEL,
        "steps": options.steps,
        "batch": options.batch,
        "micro_batch": options.batch,
        "threads": options.threads,
        "validation": {"every": 10**6, "windows": 64},
        "history_every": 10**6,
    }
    adamw = {"optimizer": {"name": "adamw", "learning_rate": 1e-3}}
    made = lambda **more: TrainParams.model_validate({**common, **adamw, **more})  # noqa: E731
    contestants: list[Contestant] = []
    if not options.gpu:
        contestants.append(Plain(made(), config, options.tokens))
    contestants.append(HuggingFace(made(compile=options.gpu), config, options.tokens))
    contestants.append(Elek(made(compile=options.compile or options.gpu), config, options.tokens))
    take_turns(contestants, options.steps, warm=min(10, options.steps // 4))
    ours = contestants[-1]
    tokens = options.batch * config.context
    print(f"\n{'':34}{'tokens/s':>10}{'Elek is':>9}{'MFU':>6}{'validation loss':>17}{'against Elek':>14}")
    final = ours.validation()
    for one in contestants:
        ratio = statistics.median(a / b for a, b in zip(one.seconds, ours.seconds, strict=True))
        speed = tokens / statistics.median(one.seconds)
        loss = one.validation()
        print(
            f"{one.name:34}{speed:>10,.0f}{ratio:>8.2f}×{speed * config.flops_per_token / peak:>6.0%}{loss:>17.4f}"
            f"{loss / final - 1:>+14.2%}"
        )
    return {one.name.split()[0].lower(): statistics.median(one.seconds) for one in contestants}


def equal_time(options: argparse.Namespace, config: ModelConfig) -> None:
    """Each at its best of three rates for `options.equal_time` seconds: validation bits per byte."""
    shards = TokenShards(options.tokens / "validation")
    per_token = pc.sum(shards.documents["bytes"]).as_py() / len(shards) * math.log(2)
    best: dict[str, float] = {}
    kinds: dict[str, type[Contestant]] = {"plain": Plain, "elek": Elek}
    print(f"\nEqual time, {options.equal_time} s a run:")
    for kind, make in kinds.items():
        seconds = None
        for rate in RATES[kind]:
            optimizer = {"name": "adamw", "learning_rate": rate}
            if kind == "elek":
                optimizer = {"name": "muon", "learning_rate": rate, "matrix_learning_rate": rate * MATRIX_RATIO}
            values: dict[str, Any] = {
                "model": MODEL,
                "batch": options.batch,
                "micro_batch": options.batch,
                "threads": options.threads,
                "validation": {"every": 10**6, "windows": 256},
                "history_every": 10**6,
                "optimizer": optimizer,
            }
            if seconds is None:  # the schedule must know the number of steps: a short run tells their time
                probe = make(TrainParams.model_validate({**values, "steps": 12}), config, options.tokens)
                take_turns([probe], 12, warm=3)
                seconds = statistics.median(probe.seconds)
            steps = max(20, round(options.equal_time / seconds))
            run = make(TrainParams.model_validate({**values, "steps": steps}), config, options.tokens)
            take_turns([run], steps, warm=0)
            bits = run.validation() / per_token
            best[kind] = min(best.get(kind, math.inf), bits)
            print(
                f"  {run.name:34} rate {rate:.1e}  {steps:5} steps in {sum(run.seconds):5.0f} s  {bits:.4f} bits/byte"
            )
    print(f"  Elek's best is {1 - best['elek'] / best['plain']:.1%} below the plain loop's best")


def checkpoint_overhead(options: argparse.Namespace, config: ModelConfig) -> None:
    """What a checkpoint costs a run that writes one every `checkpoint_every` steps, as shipped: every hundred."""
    params = TrainParams.model_validate({"model": MODEL, "batch": options.batch, "threads": options.threads})
    with tempfile.TemporaryDirectory() as folder:
        tokens = (TokenShards(options.tokens / name) for name in ("train", "validation"))
        trainer = Trainer(params, config, *tokens, Path(folder))
        assert trainer.checkpoints is not None
        taken: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(2 * options.checkpoints + 1):
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
    parser.add_argument("--steps", type=int, default=120, help="of each, for speed and loss after equal tokens")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384, help="heads are 64 wide")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="let Elek compile the model (a minute to begin with)")
    parser.add_argument("--equal-time", type=float, default=0, metavar="SECONDS", help="of each run of the second part")
    parser.add_argument("--checkpoints", type=int, default=5, help="measured for the overhead; 0 for none")
    parser.add_argument("--quick", action="store_true", help="12 steps, one checkpoint")
    parser.add_argument("--gpu", action="store_true", help="GPT-2-small's shape on a CUDA device")
    options = parser.parse_args()
    if options.quick:
        options.steps, options.checkpoints = 12, 1
    if options.gpu and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here")
    torch.set_num_threads(options.threads)
    shards = TokenShards(options.tokens / "train")
    MODEL.update(GPU_MODEL if options.gpu else {"layers": options.layers, "width": options.width})
    MODEL["heads"] = MODEL["width"] // 64
    config = ModelConfig(vocab_size=shards.vocab_size, **MODEL)
    device = torch.device("cuda" if options.gpu else "cpu")
    peak = matmul_speed(device, torch.bfloat16, options.threads)
    name = torch.cuda.get_device_name() if options.gpu else platform.processor() or platform.machine()
    print(f"{name}, {options.threads} threads, torch {torch.__version__}, numpy {np.__version__}")
    print(
        f"{config.parameters:,} parameters, vocabulary {config.vocab_size}, {options.batch} × {config.context} tokens"
    )
    print(f"peak {peak / 1e9:,.0f} Gflop/s in bf16, to which MFU refers")
    compare(options, config, peak)
    if options.checkpoints and not options.gpu:
        checkpoint_overhead(options, config)
    if options.equal_time and not options.gpu:
        equal_time(options, config)


if __name__ == "__main__":
    main()
