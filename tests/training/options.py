"""Every option of training whose state must survive a kill: a row here, and the resume tests take it up.

A row is a name and changes of `TrainParams` (see `runs.make_trainer`), small enough for a dozen steps of a tiny model.
Whoever adds an objective, an optimizer or a kind of model adds a row.
"""

from __future__ import annotations

from typing import Any

ACCUMULATED = {"batch": 5, "micro_batch": 2}

OPTIONS: dict[str, dict[str, Any]] = {
    "fp32-adamw": {"precision": "fp32", "optimizer": {"name": "adamw"}},
    "fp32-muon": {"precision": "fp32", "optimizer": {"name": "muon"}},
    "bf16-adamw": {"precision": "bf16", "optimizer": {"name": "adamw"}},
    "bf16-muon": {"precision": "bf16", "optimizer": {"name": "muon"}},
    "fp16-adamw": {"precision": "fp16", "optimizer": {"name": "adamw"}},
    "fp16-muon": {"precision": "fp16", "optimizer": {"name": "muon"}},
    "activation-checkpointing": {"activation_checkpointing": True},
    "patience": {"validation": {"every": 1, "windows": 4, "patience": 6}},
    # A rate at which a tiny model's loss jumps about, so that there are spikes to skip before and after the kill.
    "skip": {
        "on_spike": "skip",
        "spike_window": 8,
        "spike_factor": 0.5,
        "schedule": {"kind": "constant"},
        "optimizer": {"name": "adamw", "learning_rate": 0.3},
        "steps": 24,
        "checkpoint_every": 8,
    },
}
"""Name → changes. `ACCUMULATED` goes with each of them."""
