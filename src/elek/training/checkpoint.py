"""Checkpoints from which a run continues to exactly the same bits.

    .ckpt/<digest of params, data and versions>/
        run.json                    what that digest stands for
        step-00000100/
            tensors.safetensors     weights, optimizer state, best weights, random states
            state.json              step, history, loss scale, spikes, and the digest of the run
            manifest.json           SHA-256 of the two, written last

A run with other params, data, versions or another number of processes has another folder; where there are only
checkpoints of such runs, a message names what differs. A checkpoint is written to a temporary folder, flushed to disk
and renamed, so every folder `step-…` is complete, whatever happens to the writer. Two are kept, and the older one is
used if the newer one turns out to be damaged.

A background thread writes copies of the tensors while training continues. One checkpoint is written at a time.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from elek.dataset import sha256_file
from elek.errors import DataError, TrainingError

TENSORS, STATE, MANIFEST, RUN = "tensors.safetensors", "state.json", "manifest.json", "run.json"
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood after `step` steps. `state` is JSON; its floats come back exactly."""

    step: int
    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run under `root`. `run` is plain JSON data with everything that the result depends on."""

    def __init__(self, root: Path, run: Mapping[str, Any]) -> None:
        self.root, self.run = root, dict(run)
        canonical = json.dumps(self.run, sort_keys=True, allow_nan=False)
        self.digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
        self.folder = root / self.digest
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def begin(self, checkpoint: Checkpoint) -> None:
        """`save` in the background; nobody may change the tensors. Raises the error of the checkpoint before."""
        self.wait()
        still = replace(checkpoint, state=copy.deepcopy(dict(checkpoint.state)))
        self._pending = self._writer.submit(self.save, still)

    def check(self) -> None:
        """Raise the error of the checkpoint that is being written, if it has failed by now."""
        if self._pending is not None and self._pending.done():
            self.wait()

    def wait(self) -> None:
        """Wait until no checkpoint is being written. Raises its error."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove all but the newest two.

        Raises TrainingError where it cannot be written (a full disk); the earlier ones stand as they were.
        """
        target = self.folder / f"step-{checkpoint.step:08d}"
        temporary = self.folder / f".{target.name}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self.folder / RUN, _json(self.run))
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            _write(temporary / TENSORS, checkpoint.tensors)
            _write(temporary / STATE, _json({"step": checkpoint.step, "run": self.digest, **checkpoint.state}))
            hashes = {name: sha256_file(temporary / name) for name in (TENSORS, STATE)}
            _write(temporary / MANIFEST, _json(hashes))
            _flush_folder(temporary)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
            _flush_folder(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            because = error.strerror if isinstance(error, OSError) else None
            raise TrainingError(
                f"the checkpoint of step {checkpoint.step} could not be written: {because or error}",
                where=str(self.folder),
                fix="make room on the disk and run it again: training goes on from the checkpoint before",
            ) from None
        for old in self._folders()[KEPT:]:
            shutil.rmtree(old)

    def newest(self, say: Callable[[str], None]) -> Checkpoint | None:
        """The newest intact checkpoint of this run, or None. `say` is called with each one that is skipped, and why."""
        for folder in self._folders():
            try:
                return self._read(folder)
            except DataError as error:
                say(f"the checkpoint {folder.name} is damaged ({error.what}); taking the one before")
        for reason in self._other_runs():
            say(reason)
        return None

    def _other_runs(self) -> list[str]:
        """For each other run with checkpoints, what differs from this one."""
        result = []
        for path in sorted(self.root.glob(f"*/{RUN}")):
            if path.parent == self.folder or not any(path.parent.glob("step-*")):
                continue
            try:
                names = differences(json.loads(path.read_text(encoding="utf-8")), self.run)
            except ValueError:
                names = ["it is not readable"]
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            result.append(f"the checkpoints in {path.parent.name} are of another run, and not taken: {shown}")
        return result

    def _read(self, folder: Path) -> Checkpoint:
        try:
            hashes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            for name in (TENSORS, STATE):
                if sha256_file(folder / name) != hashes[name]:
                    raise DataError(f"{name} does not have its SHA-256", where=str(folder))
            state = json.loads((folder / STATE).read_text(encoding="utf-8"))
            if state.pop("run") != self.digest:
                raise DataError("it was put here from another run", where=str(folder))
            # Cloned, because tensors in the mapped file are not aligned, which slows the fastest kernels down.
            tensors = {name: tensor.clone() for name, tensor in safetensors.torch.load_file(folder / TENSORS).items()}
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise DataError(f"{type(error).__name__}: {error}", where=str(folder)) from None
        return Checkpoint(int(state.pop("step")), tensors, state)

    def _folders(self) -> list[Path]:
        """Folders of this run's checkpoints, the newest first."""
        return sorted(self.folder.glob("step-*"), reverse=True)


def clear(root: Path) -> None:
    """Remove the checkpoints of every run under `root`, and nothing else."""
    for run in sorted(root.glob(f"*/{RUN}")):
        shutil.rmtree(run.parent)


def differences(one: object, other: object, prefix: str = "") -> list[str]:
    """Where two JSON values differ, as `params.seed was 1, is 2`, sorted."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return [] if one == other else [f"{prefix} was {json.dumps(one)}, is {json.dumps(other)}"]
    result = []
    for key in sorted(one.keys() | other.keys()):
        result += differences(one.get(key), other.get(key), f"{prefix}.{key}" if prefix else str(key))
    return result


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _write(path: Path, content: bytes | Mapping[str, Tensor]) -> None:
    """Write a file and flush it to disk. Tensors are written from memory directly, without a copy of all of them."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        safetensors.torch.save_file(dict(content), path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, and so a rename there. Windows has no such call and needs none."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
