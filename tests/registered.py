"""A small project with a trained model, as `dvc repro` would leave it: files, digests in dvc.lock, a clean commit."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
import torch
from ruamel.yaml import YAML

from elek.dataset import DOCUMENT, write_json, write_manifest, write_part
from elek.evaluation.names import as_pseudo
from elek.lineage import worktree
from elek.model.config import ModelConfig
from elek.model.files import save_model
from elek.model.transformer import Transformer
from elek.tracking.store import open_store
from tests.project import git
from tests.vocabulary import tokenizer

OUTS = ("data/train", "data/vocab", "data/split", "reports/train.json", "reports/evaluate.json")


@cache
def empty_database() -> bytes:
    """MLflow's tables with nothing in them, which take it a second of processor time to make."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with open_store(Path(folder), "none"):
            pass
        return (Path(folder) / "mlflow.db").read_bytes()


def make_trained_project(folder: Path) -> Path:
    """The project with its first model, and MLflow's empty tables."""
    (folder / "mlflow.db").write_bytes(empty_database())
    (folder / "params.yaml").write_text("register:\n  model: elek\ntrain:\n  seed: 1\n", encoding="utf-8")
    (folder / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    (folder / ".gitignore").write_text("/data/\n/.cache/\n/mlflow.db\n/mlartifacts/\n", encoding="utf-8")
    (folder / "data" / "vocab").mkdir(parents=True)
    (folder / "data" / "vocab" / "tokenizer.model").write_bytes(tokenizer().model)
    held_out(folder, "validation", "The sieve keeps what is worth keeping.")
    train(folder, seed=1, bits_per_byte=2.0)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def train(folder: Path, *, seed: int, bits_per_byte: float, objective: Literal["causal", "masked"] = "causal") -> None:
    """Another model, better or worse on the validation split, and dvc.lock to match."""
    torch.manual_seed(seed)
    config = ModelConfig(vocab_size=tokenizer().size, context=32, layers=1, width=16, heads=2, objective=objective)
    save_model(folder / "data" / "train", Transformer(config))
    (folder / "data" / "train" / "history.csv").write_text(
        "step,tokens,train_loss,validation_loss,learning_rate,grad_norm\n1,64,5.5,,0.001,1.5\n2,128,5.25,5.3,0.0005,1.25\n",
        encoding="utf-8",
    )
    write_json(folder / "reports" / "train.json", {"parameters": config.parameters, "steps": 2})
    score = {"loss": 3.5, "bits_per_byte": bits_per_byte, "by_lang": {"en": {"bits_per_byte": bits_per_byte}}}
    score = score if objective == "causal" else as_pseudo(score)
    write_json(folder / "reports" / "evaluate.json", {"validation": score, "test": score})
    relock(folder)


def held_out(folder: Path, split: str, text: str) -> None:
    """The text of a split."""
    target = folder / "data" / "split" / split
    target.mkdir(parents=True, exist_ok=True)
    row = {"id": "a", "text": text, "source": "s", "license": "MIT", "lang": "en", "url": "", "meta": "{}"}
    write_manifest(target, [write_part(target, 0, pa.Table.from_pylist([row], schema=DOCUMENT))])


def relock(folder: Path) -> None:
    """dvc.lock for what lies in the folder."""
    outs = [{"path": name, "hash": "md5", "md5": worktree.digest(folder / name)} for name in OUTS]
    with (folder / "dvc.lock").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump({"schema": "2.0", "stages": {"all": {"cmd": "x", "outs": outs}}}, file)


def commit(folder: Path) -> None:
    """Commit everything."""
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Change")


def set_params(folder: Path, register: dict[str, object]) -> None:
    """Write and commit the `register` section."""
    text = json.dumps({"register": register})  # JSON is YAML
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    commit(folder)
