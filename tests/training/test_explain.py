"""What a training costs, and what the dial derives, before anything is trained."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from typing import Any

import pytest
from torch.profiler import ProfilerActivity, profile

from elek.model.config import ModelShape
from elek.training import loss
from elek.training.explain import explain
from elek.training.footprint import footprint, simulated_mesh
from elek.training.parallel import World
from elek.training.params import TrainParams
from elek.training.rates import laws
from tests.model.test_options import make_params, make_trainer
from tests.model.text import VOCAB
from tests.options import SHAPES

ADAMW = {"optimizer": {"name": "adamw"}}
MEMORY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("causal", {}, {"activation_checkpointing": True}),
    ("causal", SHAPES["gpt2"], {"precision": "bf16", **ADAMW}),
    ("causal", {"kv_heads": 1}, {"micro_batch": 2, "precision": "bf16"}),
    ("causal", {"document_masking": True}, {"micro_batch": 3, "activation_checkpointing": True, **ADAMW}),
    ("masked", {}, {"micro_batch": 2, "precision": "bf16", "activation_checkpointing": True}),
    ("masked", {"dropout": 0.1}, {"validation": {"every": 1, "windows": 64, "patience": 9}, **ADAMW}),
    ("causal", {}, {"micro_batch": 2, "distributed": {"processes": 2, "kind": "fsdp"}}),
]


@pytest.mark.parametrize(("objective", "choice", "changes"), MEMORY)
def test_memory_is_what_a_trainer_needs(objective: str, choice: dict[str, Any], changes: dict[str, Any]) -> None:
    """The highest sum of all tensors in two steps is within a tenth of what was told, above and below."""
    shape = {"context": 64, "layers": 2, "width": 64, **choice}
    params = make_params(objective, shape, **{"batch": 8, **changes})
    config = params.config(VOCAB)
    told = footprint(config, params, "bf16" if params.precision == "bf16" else "fp32", checkpoints=False)
    gc.collect()  # else an earlier test's tensors might be freed below, and count against this one's
    size, kind = params.distributed.processes, params.distributed.kind
    with simulated_mesh(size, kind), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        trainer = make_trainer(params, world=World(0, size, kind))
        trainer._step()
        trainer._step()
    now = highest = 0
    for event in profiled.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            highest = max(highest, now)
    assert 0.9 < highest / told.peak < 1.1
    assert all(told.fullest.get(name, 0) <= most for name, most in told.most.items())


def test_explain_adds_up() -> None:
    """Parts are those of the model, and at the fullest moment they are the peak; checkpointing keeps less."""
    params = make_params("causal", {"layers": 2})
    config = params.config(VOCAB)
    costs = explain(config, params, "fp32", corpus_tokens=1000)
    less = explain(config, params.model_copy(update={"activation_checkpointing": True}), "fp32")
    assert sum(costs.parameters.values()) == config.parameters
    assert costs.memory["weights"] == costs.memory["gradients"] == 4 * config.parameters
    assert costs.memory["checkpoint being written"] == costs.memory["weights"] + costs.memory["optimizer"]
    assert sum(costs.memory_at_peak.values()) == costs.peak_memory > less.peak_memory
    assert less.training_flops > costs.training_flops
    assert (costs.tokens, costs.epochs) == (50 * 16 * 32, 25.6)
    assert costs.cache_per_token == 2 * 2 * 32 * 4
    assert set(costs.derived) == {"kv_heads", "ffn"}


@pytest.mark.parametrize("rows", [64, 65, 300])
def test_a_long_context_is_counted_from_a_few_groups_of_rows(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """All groups of the loss need what the second does, so that the count says the same and ends for any context."""
    monkeypatch.setattr(loss, "CHUNK_NUMBERS", 16 * VOCAB)  # 64 rows in a group
    shape = {"context": rows, "layers": 1, "width": 32, "heads": 2}
    params = make_params("causal", shape, batch=1, validation={"windows": 1})
    config = params.config(VOCAB)
    told = footprint(config, params, "fp32")
    monkeypatch.setattr("elek.training.footprint._few_groups", nullcontext)
    assert told == footprint(config, params, "fp32")


def test_several_processes_share_out_what_they_can() -> None:
    """DDP holds each gradient once more where micro-batches add up, for its exchange; FSDP2 a share of each tensor."""
    params = make_params("causal", {"layers": 3}, micro_batch=2)
    config = params.config(VOCAB)

    def of(**distributed: Any) -> dict[str, int]:
        changed = params.model_copy(update={"distributed": params.distributed.model_copy(update=distributed)})
        return footprint(config, changed, "fp32").fullest

    weights = 4 * config.parameters
    assert of(processes=4)["gradients"] == 2 * weights
    fsdp = of(processes=4, kind="fsdp")
    assert fsdp["weights"] == pytest.approx(weights / 4, rel=0.01)
    assert fsdp["checkpoint being written"] > 1.9 * weights  # whole, by the process that writes it


def test_the_dial_derives_what_nobody_gave() -> None:
    """64 wide and one head per layer; rates that follow the width; and what was given stays."""
    shape = ModelShape(depth=8)
    assert (shape.layers, shape.width, shape.heads, shape.kv_heads, shape.ffn) == (8, 512, 8, 8, 1376)
    assert ModelShape(depth=8, width=96, layers=2).heads == 3
    assert ModelShape.model_validate(shape.model_dump()) == shape
    same, wide = (TrainParams.model_validate({"model": {"depth": depth}}).optimizer for depth in (3, 12))
    assert (same.learning_rate, same.matrix_learning_rate) == (3e-3, 1e-2)
    assert (wide.learning_rate, wide.matrix_learning_rate) == (1.5e-3, 5e-3)
    adamw = TrainParams.model_validate({"model": {"depth": 12}, "optimizer": {"name": "adamw"}}).optimizer
    assert adamw.learning_rate == 7.5e-4
    chosen = TrainParams.model_validate({"model": {"depth": 12}, "optimizer": {"learning_rate": 0.1}})
    assert (chosen.optimizer.learning_rate, chosen.optimizer.matrix_learning_rate) == (0.1, 5e-3)
    assert TrainParams.model_validate(chosen.model_dump()) == chosen


def test_the_dial_derives_batch_and_steps() -> None:
    """20 tokens per parameter of the blocks, in batches of 0.58 · tokens^0.571 of them; either can be set."""
    params = TrainParams.model_validate({"model": {"depth": 4}})
    parts = params.config(VOCAB).parts
    wanted = 20 * (parts["attention"] + parts["feed_forward"] + parts["norms"])
    assert params.batch == 64  # 0.58 · 62,000,000^0.571 = 16,500 tokens
    assert 0 <= params.steps * params.batch * 256 - wanted < params.batch * 256
    given = TrainParams.model_validate({"model": {"depth": 4}, "batch": 8})
    assert (given.batch, given.steps) == (8, -(-wanted // (8 * 256)))
    assert TrainParams.model_validate({"model": {"depth": 4}, "steps": 7}).steps == 7
    plain = TrainParams.model_validate({"model": {"layers": 4}})
    assert (plain.batch, plain.steps) == (8, 800)
    derived = laws(params.model, "muon", params.batch)
    assert derived["batch"][0] == params.batch
    assert set(derived) == {"layers", "width", "heads", "kv_heads", "ffn", "batch", "steps"} | {
        "learning_rate",
        "matrix_learning_rate",
    }
    assert "Hoffmann" in derived["steps"][1]
