"""A whole project in a temporary folder: our own stages and dvc.yaml on a small made-up corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.corpus import write_jsonl

PARAMS: dict[str, Any] = {
    "execution": {"workers": 2},
    "fetch": {
        "part_megabytes": 0.05,
        "sources": {
            "stories-en": {"kind": "files", "files": "data/raw/en.jsonl", "license": "CC0-1.0", "lang": "en"},
            "stories-tr": {"kind": "files", "files": "data/raw/tr.jsonl", "license": "MIT", "lang": "tr"},
            "again-tr": {"kind": "files", "files": "data/raw/again.jsonl", "license": "MIT", "lang": "tr"},
            "copyleft": {"kind": "files", "files": "data/raw/copyleft.jsonl", "license": "GPL-3.0-only", "lang": "en"},
            "held-out": {
                "kind": "files",
                "files": "data/raw/held.jsonl",
                "license": "MIT",
                "lang": "tr",
                "role": "evaluation",
            },
        },
    },
    "dedup": {"source_priority": []},
    "split": {"validation": 0.1, "test": 0.1},
    "vocab": {"size": 500},
    "train": {"steps": 12, "batch": 4, "model": {"layers": 2, "width": 32, "heads": 2, "kv_heads": 2, "context": 32}},
}


def write_params(folder: Path, changes: dict[str, Any] | None = None) -> None:
    """The shipped params.yaml with small figures, and `changes` by dotted key."""
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["fetch"] = PARAMS["fetch"]
    params["tracking"] = {"live": False}  # what these trainings show is tested on its own
    for section in ("execution", "dedup", "split", "vocab"):
        params[section] |= PARAMS[section]
    train = PARAMS["train"]
    params["train"] |= {key: value for key, value in train.items() if key != "model"}
    params["train"]["model"] = {**params["train"].get("model", {}), **train["model"]}
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        target = params
        for name in path:
            target[name] = {} if target.get(name) is None else target[name]
            target = target[name]
        target[last] = value
    with (folder / "params.yaml").open("w", encoding="utf-8", newline="\n") as file:
        YAML().dump(params, file)


def make_project(folder: Path) -> Path:
    """Copy the code, write the corpus and the params, and make it a git repository with DVC."""
    for name in ("src", "stages", "flows"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "prefect.toml"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc" / name)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / ".gitignore", folder / "data" / ".gitignore")
    raw = folder / "data" / "raw"
    write_jsonl(raw / "en.jsonl", "en", 150)
    write_jsonl(raw / "tr.jsonl", "tr", 150)
    write_jsonl(raw / "again.jsonl", "tr", 20)
    write_jsonl(raw / "copyleft.jsonl", "en", 10, first=5000)
    write_jsonl(raw / "held.jsonl", "tr", 10, first=9000)
    write_params(folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def environment() -> dict[str, str]:
    """As in an activated virtual environment, and quiet."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    names = {"DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull, "PYTHONUTF8": "1"}
    return {**os.environ, **names, "PATH": path}


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Elek", "-c", "user.email=elek@example.org"]
    return run(folder, "git", *who, *arguments).stdout


def dvc(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "dvc", *arguments, check=check)


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run in the project; a failure shows what the command printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, encoding="utf-8", check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done
