"""The training loop of a language model, causal or masked.

The result is a function of (params, data, versions, kind of machine): the initial weights follow from the seed, each
batch from the number of its step, and the order of sums from the number of threads. So a run that was killed and
continues from its last checkpoint ends with the same bits as an uninterrupted one.
"""

from __future__ import annotations

import math
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elek.errors import StoppedError
from elek.model.transformer import Transformer, initialise
from elek.progress import Progress
from elek.training.batches import Batches, Indices, TokenStream
from elek.training.checkpoint import Checkpoint, Checkpoints
from elek.training.examples import key_dropout, make_examples
from elek.training.guard import SpikeGuard
from elek.training.history import Row, Trained
from elek.training.masking import Masking, Words
from elek.training.memory import checkpoint_activations
from elek.training.objective import Objective
from elek.training.optimizers import Rates, make_optimizers
from elek.training.parallel import World, whole
from elek.training.params import TrainParams
from elek.training.patience import Patience
from elek.training.runtime import Runtime, choose_runtime, has_compiler
from elek.training.scaling import LossScaler
from elek.training.schedule import learning_rate_share
from elek.training.signals import StopRequest, stop_requests
from elek.training.state import collect, restore
from elek.training.watching import Observer, Pace, live_line


@dataclass
class Trainer:
    """A model in training: `Trainer(…).run()`.

    `train` and `validation` are token streams of one vocabulary; `root` is where checkpoints go, None for none;
    `words` has the word boundaries where whole words are masked. `world` are the processes that train
    together, of which only the first one writes. `peak`, in operations a second, is the reference for the MFU on the
    live line, and `watch` is called with each new row of the history; neither changes any result.

    Raises DataError where a stream is shorter than a window, ParamsError where the batch does not divide among the
    processes, TrainingError where a loss is a spike or no number (see `TrainParams.on_spike`) and where a checkpoint
    cannot be written, and StoppedError when asked to stop (SIGTERM, Ctrl-C), after writing a checkpoint from which the
    next run continues.
    """

    params: TrainParams
    train: TokenStream
    validation: TokenStream
    root: Path | None = None
    words: Words | None = None
    world: World = field(default_factory=World)
    peak: float | None = None
    watch: Observer | None = None
    history: list[Row] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        params = self.params
        config = self.config = params.config(self.train.vocab_size)
        self.world.check(params.batch)
        self.batches, self.held_out = (
            Batches(stream, config.context, params.batch, params.seed, where=f"data/tokenize/{name}")
            for name, stream in (("train", self.train), ("validation", self.validation))
        )
        self.masking = None
        if params.objective == "masked":
            self.masking = Masking(params.masking, params.seed, self.train.digest, config.vocab_size, self.words)
        torch.set_num_threads(params.threads)
        self.runtime: Runtime = choose_runtime(params.precision)
        self.model = initialise(Transformer(config), params.seed).to(self.runtime.device)
        if params.activation_checkpointing:
            checkpoint_activations(self.model.blocks)
        self.compiled = params.compile and has_compiler(self.runtime.device)
        if params.compile and not self.compiled:
            self._say("torch.compile finds no compiler here (C++, and Triton for a GPU), so nothing is compiled")
        self.states = torch.compile(self.model.states) if self.compiled else self.model.states
        objective = Objective(self.model, self.states, self.runtime)
        self.objective: nn.Module = self.world.spread(objective, self.model.blocks, self.runtime.device)
        self.optimizers = make_optimizers(self.model, params.optimizer, self.runtime.products)
        self.rates = Rates(self.optimizers)
        self.scaler = LossScaler() if self.runtime.precision == "fp16" else None
        self.guard = SpikeGuard(params, self._say)
        self.patience = Patience(params.validation.patience) if params.validation.patience else None
        self.checkpoints = Checkpoints(self.root, self.identity()) if self.root else None
        self.step = 0
        self._losses: list[float] = []  # of the steps since the last row of the history

    def identity(self) -> dict[str, Any]:
        """Everything that the result depends on, as plain JSON data."""
        return {
            "params": self.params.model_dump(mode="json"),
            "model": self.config.model_dump(mode="json"),
            "train": self.train.digest,
            "validation": self.validation.digest,
            "versions": self.runtime.versions(),
            "compiled": self.compiled,
            "processes": self.world.size,
        }

    def run(self) -> Trained:
        """Train to the last step, from the newest checkpoint where there is one."""
        params, tokens = self.params, self.params.batch * self.config.context
        shown = Progress("train", params.steps, "steps") if self.world.first else nullcontext()
        with stop_requests() as request, shown as progress:
            self._resume()
            begun, start, speed, pace = self.step, time.perf_counter(), 0.0, Pace()
            if progress:
                progress.done = begun
            if self.watch:
                self.watch.begin(self.history)
            while self.step < params.steps and not (self.patience and self.patience.exhausted):
                rows = len(self.history)
                loss = self._step()
                speed = (self.step - begun) * tokens / (time.perf_counter() - start)
                now = pace.step()
                if progress:
                    left = (params.steps - self.step) / now
                    progress.advance(note=live_line(loss, now * tokens, left, self.config.flops_per_token, self.peak))
                if self.watch and len(self.history) > rows:
                    self.watch.add(self.history[-1], now * tokens)
                if self.step < params.steps:
                    self._leave_if_asked(request)
                    if self.step % params.checkpoint_every == 0:
                        self._save()
                if self.checkpoints:
                    self.checkpoints.check()
            if self.checkpoints:
                self.checkpoints.wait()
            return self._trained(speed)

    def _trained(self, speed: float) -> Trained:
        loss, step = self.history[-1].validation_loss, self.step
        if self.patience:
            self.patience.restore_best(self.model)
            loss, step = self.patience.loss, self.patience.step
        assert loss is not None  # noqa: S101 - the last step is always measured
        model = Transformer(self.config)
        model.load_state_dict({name: whole(tensor).cpu() for name, tensor in self.model.state_dict().items()})
        return Trained(model.eval(), self.history, self.runtime.precision, speed, step, loss, self.guard.spikes)

    def _step(self) -> float:
        """Update the weights once; returns the loss before the update."""
        params, step = self.params, self.step
        rate = self.rates.set(learning_rate_share(params.schedule, step, params.steps))
        windows = self.batches.windows(step)
        loss, norm = self.gradient(windows)
        taken = self.guard.judge(step + 1, loss, norm, partial(self.batches.documents, windows))
        for optimizer in self.optimizers:
            if taken:
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        if taken:
            self._losses.append(loss)
        measured = self.step % params.validation.every == 0 or self.step == params.steps
        if measured or self.step % params.history_every == 0 or self.step == 1:
            self._record(rate, norm if taken else None, measured)
        return loss

    def _record(self, rate: float, norm: float | None, measured: bool) -> None:
        """Add a row to the history, with the validation loss where that is to be measured now."""
        row = Row(
            self.step,
            self.step * self.params.batch * self.config.context,
            sum(self._losses) / len(self._losses) if self._losses else None,
            self.validation_loss() if measured else None,
            rate,
            norm,
        )
        self.history.append(row)
        self._losses = []
        if self.patience and row.validation_loss is not None:
            self.patience.record(self.step, row.validation_loss, self.model)

    def gradient(self, windows: Indices) -> tuple[float, float]:
        """Put the clipped gradient of a batch into the parameters; returns its loss, and its norm before clipping."""
        while True:
            loss = self.accumulate(windows)
            if self.scaler:
                self.scaler.unscale(p.grad for p in self.model.parameters() if p.grad is not None)
            norm = float(whole(nn.utils.clip_grad_norm_(self.model.parameters(), self.params.clip)))
            if self.scaler and math.isfinite(loss) and not math.isfinite(norm) and self.scaler.lower():
                self.model.zero_grad(
                    set_to_none=True
                )  # overflow in float16: the same batch again, with a smaller scale
                continue
            if self.scaler and math.isfinite(norm):
                self.scaler.passed()
            return loss, norm

    def accumulate(self, windows: Indices) -> float:
        """Add the gradient of the mean loss over `windows` to the parameters, a micro-batch at a time.

        Each micro-batch, in any process, is weighted by its share of the windows.
        """
        mine, size = self.world.share(windows), self.params.micro_batch
        scale = self.scaler.scale if self.scaler else 1.0
        total = 0.0
        for start in range(0, len(mine), size):
            piece = mine[start : start + size]
            with self.world.accumulating(self.objective, last=start + size >= len(mine)):
                loss = self.loss(self.batches, piece)
                share = len(piece) / len(windows)
                # DDP and FSDP average gradients over processes, but the whole batch needs their sum.
                (loss * (share * self.world.size * scale)).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach()) * share
        return self.world.sum(total, self.runtime.device)

    def loss(self, batches: Batches, windows: Indices) -> Tensor:
        """Mean cross-entropy, in nats, of the targets in some windows: each next token, or each masked one."""
        training = batches is self.batches
        step = self.step if training else None  # for validation, always the same tokens are masked
        given = make_examples(batches, windows, self.config, self.runtime.device, self.masking, step)
        if self.config.dropout:
            self.model.train(training)
            key_dropout(self.params.seed, self.step, windows)
        loss: Tensor = self.objective(given)
        return loss

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss over the fixed sample of validation windows."""
        sample = self.held_out.spread(self.params.validation.windows)
        total = 0.0
        for start in range(0, len(sample), self.params.micro_batch):
            piece = sample[start : start + self.params.micro_batch]
            total += float(self.loss(self.held_out, piece)) * len(piece)
        return total / len(sample)

    def _say(self, text: str) -> None:
        if self.world.first:
            sys.stderr.write(f"train: {text}\n")

    def _leave_if_asked(self, request: StopRequest) -> None:
        """Stop all processes after the same step if one of them was asked to stop or lost its launcher."""
        why = "its launcher's death" if self.world.orphaned else request.signal
        if not self.world.sum(float(why is not None), self.runtime.device):
            return
        saved = ""
        if self.checkpoints:
            self._save()
            self.checkpoints.wait()
            saved = str(self.checkpoints.folder)
        raise StoppedError(
            f"stopped by {why or 'the same at another process'} after step {self.step} of {self.params.steps}",
            where=saved or None,
            fix="run it again: it goes on from there" if saved else None,
        )

    def _save(self) -> None:
        if self.checkpoints is None or not (self.world.first or self.world.kind == "fsdp"):
            return  # only sharded tensors (FSDP) need every process to copy them
        tensors = collect(self.model, self.optimizers, self.patience.weights if self.patience else {})
        state = {
            "history": [asdict(row) for row in self.history],
            "losses": self._losses,
            "guard": self.guard.state(),
            "scaler": self.scaler.state() if self.scaler else None,
            "patience": self.patience.state() if self.patience else None,
        }
        if self.world.first:
            self.checkpoints.begin(Checkpoint(self.step, tensors, state))

    def _resume(self) -> None:
        found = self.checkpoints.newest(self._say) if self.checkpoints else None
        # Machines without a common disk may have different data and checkpoints.
        self.world.require_same({**self.identity(), "checkpoint": found.step if found else None})
        if found is None:
            return
        best = restore(self.model, self.optimizers, found.tensors)
        self.guard.restore(found.state["guard"])
        if self.scaler:
            self.scaler.restore(found.state["scaler"])
        if self.patience:
            self.patience.restore(found.state["patience"], best)
        self.step = found.step
        self.history = [Row(**row) for row in found.state["history"]]
        self._losses = list(found.state["losses"])
        self._say(f"going on from the checkpoint of step {self.step}")
