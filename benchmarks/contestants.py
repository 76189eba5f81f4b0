"""Ways to train one model, step by step in turn: used by `benchmarks.training`.

All begin with the same weights, read the same batches, and have the same AdamW, rates and clipping. Each is a process
of its own, so that none is helped or hindered by what another does to its threads or its memory.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from elek.export.classes import hub_class
from elek.export.weights import hub_state
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.shards import TokenShards
from elek.training.batches import Batches
from elek.training.params import TrainParams
from elek.training.runtime import keep_memory
from elek.training.schedule import learning_rate_share
from elek.training.trainer import Trainer


class Turns:
    """Waits before each step until it is its turn, and says when the step is done."""

    def __init__(self, line: Connection) -> None:
        self.line = line

    def begin(self) -> None:
        self.line.recv()

    def end(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.line.send(None)


class Contestant:
    """One way to train: `run(turns)` takes all steps; `validation()` is the mean loss in nats after them."""

    name = ""

    def __init__(self, params: TrainParams, config: ModelConfig, tokens: Path) -> None:
        self.params, self.config = params, config
        self.train, self.held_out = TokenShards(tokens / "train"), TokenShards(tokens / "validation")
        self.batches = Batches(self.train, config.context, params.batch, params.seed)
        self.sample = Batches(self.held_out, config.context, params.batch, params.seed)

    def run(self, turns: Turns) -> None:
        raise NotImplementedError

    def loss(self, tokens: Tensor) -> Tensor:
        """Mean loss of windows, int64[windows, context + 1]."""
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

    def run(self, turns: Turns) -> None:
        self.model = initialise(Transformer(self.config), self.params.seed)
        matrices = [p for p in self.model.parameters() if p.dim() >= 2]
        gains = [p for p in self.model.parameters() if p.dim() < 2]
        o = self.params.optimizer
        groups = [{"params": matrices, "weight_decay": o.weight_decay}, {"params": gains, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=o.learning_rate, betas=(o.beta1, o.beta2), eps=o.epsilon)
        for step in range(self.params.steps):
            turns.begin()
            for group in optimizer.param_groups:
                group["lr"] = o.learning_rate * learning_rate_share(self.params.schedule, step, self.params.steps)
            self.loss(self.batch(step)).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.params.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            turns.end()

    def loss(self, tokens: Tensor) -> Tensor:
        return F.cross_entropy(self.model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


class Elek(Contestant):
    """Elek's own trainer."""

    name = "Elek"

    def run(self, turns: Turns) -> None:
        keep_memory()
        self.trainer = Trainer(self.params, self.train, self.held_out)
        self.name = f"Elek, {self.trainer.runtime.precision}, {self.params.optimizer.name}"
        self.name += ", compiled" if self.trainer.compiled else ""
        for _ in range(self.params.steps):
            turns.begin()
            self.trainer._step()
            turns.end()

    def validation(self) -> float:
        return self.trainer.validation_loss()


class Windows(torch.utils.data.Dataset[dict[str, Tensor]]):
    """The windows of every step of a contestant, in the order of its batches."""

    def __init__(self, contestant: Contestant) -> None:
        self.batches, self.params = contestant.batches, contestant.params

    def __len__(self) -> int:
        return self.params.steps * self.params.batch

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        step, place = divmod(index, self.params.batch)
        window = self.batches.windows(step)[place : place + 1]
        row = torch.from_numpy(self.batches.tokens(window))[0]
        # Theirs would shift `labels` itself and lose the last target; `shift_labels` it takes as they are.
        return {"input_ids": row[:-1], "shift_labels": row[1:], "labels": row[1:]}


class HuggingFace(Contestant):
    """transformers.Trainer."""

    name = "Hugging Face Trainer, bf16"

    def run(self, turns: Turns) -> None:
        from transformers import TrainerCallback

        class InTurn(TrainerCallback):
            def on_step_begin(self, *_: Any, **__: Any) -> None:
                turns.begin()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                turns.end()

        self._trainer(InTurn()).train()

    def _model(self) -> Any:
        from transformers import LlamaConfig, LlamaForCausalLM

        hub = hub_class(self.config)
        model = LlamaForCausalLM(LlamaConfig(**hub.config_json(self.config)))
        ours = initialise(Transformer(self.config), self.params.seed)
        named = model.load_state_dict(hub_state(ours, hub), strict=False)
        assert not named.unexpected_keys, named
        assert set(named.missing_keys) <= {"lm_head.weight"}, named  # tied: once
        model.tie_weights()
        return model

    def _trainer(self, turns: Any) -> Any:
        from transformers import Trainer as Theirs
        from transformers import TrainingArguments

        class InOrder(Theirs):
            def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
                return torch.utils.data.SequentialSampler(windows)

        optimizer, schedule, steps = self.params.optimizer, self.params.schedule, self.params.steps
        arguments = TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            use_cpu=not torch.cuda.is_available(),
            bf16=True,
            per_device_train_batch_size=self.params.batch,
            max_steps=steps,
            learning_rate=optimizer.learning_rate,
            weight_decay=optimizer.weight_decay,
            adam_beta1=optimizer.beta1,
            adam_beta2=optimizer.beta2,
            adam_epsilon=optimizer.epsilon,
            max_grad_norm=self.params.clip,
            optim="adamw_torch_fused",
            torch_compile=self.params.compile,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,  # else `shift_labels` goes, and the labels are shifted once more
        )
        self.model, windows = self._model(), Windows(self)
        trainer = InOrder(model=self.model, args=arguments, train_dataset=windows, callbacks=[turns])
        trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            trainer.create_optimizer(), lambda step: learning_rate_share(schedule, step, steps)
        )
        return trainer

    def loss(self, tokens: Tensor) -> Tensor:
        device = self.model.device
        with torch.autocast(device.type, torch.bfloat16):
            logits = self.model(input_ids=tokens[:, :-1].to(device)).logits
        return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten().to(device))


class Run:
    """A contestant in a process of its own: its seconds by step, and at the end its name and its validation loss."""

    def __init__(self, make: type[Contestant], params: TrainParams, config: ModelConfig, tokens: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, other = context.Pipe()
        self.process = context.Process(target=_compete, args=(other, make, params, config, tokens), daemon=True)
        self.process.start()
        other.close()
        self.steps, self.seconds = params.steps, list[float]()

    def step(self) -> None:
        start = time.perf_counter()
        self.line.send(None)
        self.line.recv()
        self.seconds.append(time.perf_counter() - start)

    def finish(self) -> None:
        self.name: str
        self.loss: float
        self.name, self.loss = self.line.recv()
        self.process.join()


def _compete(line: Connection, make: type[Contestant], params: TrainParams, config: ModelConfig, tokens: Path) -> None:
    torch.set_num_threads(params.threads)
    contestant = make(params, config, tokens)
    contestant.run(Turns(line))
    line.send((contestant.name, contestant.validation()))


def take_turns(runs: list[Run]) -> None:
    """Every run to its end, a step each in turn."""
    for _ in range(runs[0].steps):
        for run in runs:
            run.step()
    for run in runs:
        run.finish()
