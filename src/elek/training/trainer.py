"""The training loop of a language model, causal or masked.

Everything that it does is a function of (params, data, versions, kind of machine): the first weights of the
seed, the batches of the step's number, the sums of the number of threads. So a run that was killed and goes on
from its last checkpoint ends in the same bits as one that was not.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elek.errors import DataError, ParamsError, TrainingError
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.progress import Progress
from elek.training.batches import Batches, Indices, TokenStream
from elek.training.checkpoint import Checkpoint, Checkpoints
from elek.training.examples import key_dropout, make_examples
from elek.training.history import Row
from elek.training.masking import Masking, Words
from elek.training.optimizers import make_optimizers
from elek.training.params import TrainParams
from elek.training.runtime import Runtime, choose_runtime, has_compiler
from elek.training.schedule import learning_rate_share
from elek.training.signals import stop_requests


@dataclass
class Trained:
    """What a run leaves: the model, its history, and its speed, which alone is not reproducible."""

    model: Transformer
    history: list[Row]
    precision: str
    tokens_per_second: float


@dataclass
class Trainer:
    """A model in training: `Trainer(…).run()`.

    `train` and `validation` are token streams; `root` is where checkpoints go, None for none; `words` tells which
    pieces begin one, where whole words are to be masked.

    Raises DataError where the vocabulary of a stream is not the model's or a stream is shorter than a window,
    TrainingError where the loss stops being a number, where a checkpoint cannot be written, and when asked to
    stop (SIGTERM, Ctrl-C), after the checkpoint from which the next run goes on.
    """

    params: TrainParams
    config: ModelConfig
    train: TokenStream
    validation: TokenStream
    root: Path | None = None
    words: Words | None = None
    history: list[Row] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        params, config = self.params, self.config
        for name, stream in (("train", self.train), ("validation", self.validation)):
            if stream.vocab_size != config.vocab_size:
                raise DataError(
                    f"the tokens are of a vocabulary of {stream.vocab_size}, the model's has {config.vocab_size}",
                    where=f"data/tokenize/{name}",
                    fix="run `dvc repro`, which makes both from one vocabulary",
                )
        self.batches = Batches(self.train, config.context, params.batch, params.seed, where="data/tokenize/train")
        self.held_out = Batches(
            self.validation, config.context, params.batch, params.seed, where="data/tokenize/validation"
        )
        if config.objective != params.objective:
            raise ParamsError(f"a {config.objective} model cannot learn `train.objective: {params.objective}`")
        self.masking = None
        if params.objective == "masked":
            self.masking = Masking(params.masking, params.seed, self.train.digest, config.vocab_size, self.words)
        torch.set_num_threads(params.threads)
        self.runtime: Runtime = choose_runtime(params.precision)
        self.model = initialise(Transformer(config), params.seed).to(self.runtime.device)
        self.compiled = params.compile and has_compiler()
        if params.compile and not self.compiled:
            sys.stderr.write("train: there is no C++ compiler here, so nothing is compiled\n")
        self.states = torch.compile(self.model.states) if self.compiled else self.model.states
        self.optimizers = make_optimizers(self.model, params.optimizer, self.runtime.compute)
        self.highest = [group["lr"] for optimizer in self.optimizers for group in optimizer.param_groups]
        self.checkpoints = Checkpoints(self.root, self.identity()) if self.root else None
        self.step = 0
        self._losses: list[float] = []  # of the steps since the last row

    def identity(self) -> dict[str, Any]:
        """All that the result depends on."""
        return {
            "params": self.params.model_dump(mode="json"),
            "model": self.config.model_dump(mode="json"),
            "train": self.train.digest,
            "validation": self.validation.digest,
            "versions": self.runtime.versions(),
            "compiled": self.compiled,
        }

    def run(self) -> Trained:
        """Train to the last step, from the newest checkpoint where there is one."""
        params = self.params
        self._resume()
        begun, start = self.step, time.perf_counter()
        speed = 0.0
        with stop_requests() as request, Progress("train", params.steps, "steps") as progress:
            progress.done = begun
            while self.step < params.steps:
                loss = self._step()
                elapsed = time.perf_counter() - start
                speed = (self.step - begun) * params.batch * self.config.context / elapsed
                left = elapsed / (self.step - begun) * (params.steps - self.step)
                progress.advance(note=f"loss {loss:.3f}, {speed:,.0f} tokens/s, {_clock(left)} left")
                if request.signal and self.step < params.steps:
                    self._leave(request.signal)
                if self.step % params.checkpoint_every == 0 and self.step < params.steps:
                    self._save()
        return Trained(self.model.cpu().eval(), self.history, self.runtime.precision, speed)

    def _step(self) -> float:
        """One update of the weights; the loss before it."""
        params, step = self.params, self.step
        share = learning_rate_share(params.schedule, step, params.steps)
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group, highest in zip(groups, self.highest, strict=True):
            group["lr"] = highest * share
        windows = self.batches.windows(step)
        loss = self.accumulate(windows)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), params.clip))
        if not math.isfinite(norm):
            raise self._not_finite("gradient", norm, windows)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._losses.append(loss)
        measured = self.step % params.validation.every == 0 or self.step == params.steps
        if measured or self.step % params.history_every == 0 or self.step == 1:
            self.history.append(
                Row(
                    self.step,
                    self.step * params.batch * self.config.context,
                    sum(self._losses) / len(self._losses),
                    self.validation_loss() if measured else None,
                    self.highest[0] * share,
                    norm,
                )
            )
            self._losses = []
        return loss

    def accumulate(self, windows: Indices) -> float:
        """Add the gradient of the mean loss over `windows` to the parameters, a micro-batch at a time."""
        total = 0.0
        for start in range(0, len(windows), self.params.micro_batch):
            piece = windows[start : start + self.params.micro_batch]
            loss = self.loss(self.batches, piece)
            value, share = float(loss.detach()), len(piece) / len(windows)
            if not math.isfinite(value):
                raise self._not_finite("loss", value, piece)
            (loss * share).backward()  # type: ignore[no-untyped-call]
            total += value * share
        return total

    def loss(self, batches: Batches, windows: Indices) -> Tensor:
        """Mean cross-entropy, in nats, of what is asked for in some windows: each next token, or what is masked."""
        training = batches is self.batches
        step = self.step if training else None  # what is masked for validation never changes
        given = make_examples(batches, windows, self.config, self.runtime.device, self.masking, step)
        if self.config.dropout:
            self.model.train(training)
            key_dropout(self.params.seed, self.step, windows)
        with self.runtime.mixed():
            states = self.states(given.inputs, documents=given.documents)
        return given.loss(states, self.model.head_weight, self.runtime.compute)

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Mean loss over the fixed sample of validation windows."""
        sample = self.held_out.spread(self.params.validation.windows)
        total = 0.0
        for start in range(0, len(sample), self.params.micro_batch):
            piece = sample[start : start + self.params.micro_batch]
            total += float(self.loss(self.held_out, piece)) * len(piece)
        return total / len(sample)

    def _not_finite(self, what: str, value: float, windows: Indices) -> TrainingError:
        documents = self.batches.documents(windows)
        shown = ", ".join(documents[:20]) + (f" and {len(documents) - 20} more" if len(documents) > 20 else "")
        return TrainingError(
            f"the {what} of step {self.step + 1} is {value}",
            where=f"documents of its batch: {shown}",
            fix="lower train.optimizer.learning_rate and matrix_learning_rate, or look at those documents",
        )

    def forget(self) -> None:
        """Remove the checkpoints, this run's and those of every other one: the model stands."""
        if self.checkpoints:
            self.checkpoints.clear()

    def _leave(self, signal: str) -> None:
        saved = ""
        if self.checkpoints:
            self._save()
            saved = str(self.checkpoints.folder)
        raise TrainingError(
            f"stopped by {signal} after step {self.step} of {self.params.steps}",
            where=saved or None,
            fix="run it again: it goes on from there" if saved else None,
        )

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, optimizer in enumerate(self.optimizers):
            for number, values in optimizer.state_dict()["state"].items():
                for key, tensor in values.items():
                    tensors[f"optimizer.{index}.{number}.{key}"] = tensor
        # Nothing here draws random numbers after the first weights but dropout, whose noise is keyed.
        tensors["random.cpu"] = torch.get_rng_state()
        if self.runtime.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.runtime.device)
        state = {"history": [asdict(row) for row in self.history], "losses": self._losses}
        self.checkpoints.save(Checkpoint(self.step, tensors, state))

    def _resume(self) -> None:
        found = self.checkpoints.newest() if self.checkpoints else None
        if found is None:
            return
        by_owner = _nested(found.tensors)
        self.model.load_state_dict(
            {name.removeprefix("model."): t for name, t in found.tensors.items() if name.startswith("model.")}
        )
        for index, optimizer in enumerate(self.optimizers):
            values = by_owner.get(index, {})
            optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
        torch.set_rng_state(found.tensors["random.cpu"])
        if self.runtime.device.type == "cuda":
            torch.cuda.set_rng_state(found.tensors["random.cuda"], self.runtime.device)
        self.step = found.step
        self.history = [Row(**row) for row in found.state["history"]]
        self._losses = list(found.state["losses"])
        sys.stderr.write(f"train: going on from the checkpoint of step {self.step}\n")


def _nested(tensors: Mapping[str, Tensor]) -> dict[int, dict[int, dict[str, Tensor]]]:
    """`optimizer.0.7.exp_avg` → [0][7]["exp_avg"]."""
    result: dict[int, dict[int, dict[str, Tensor]]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, number, key = name.split(".", 3)
            result.setdefault(int(index), {}).setdefault(int(number), {})[key] = tensor
    return result


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
