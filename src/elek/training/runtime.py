"""The device and arithmetic of a run, chosen by the capabilities of the machine and never by a timing."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

import elek
from elek.errors import ParamsError

Precision = Literal["fp32", "bf16", "fp16"]
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Runtime:
    """Device and arithmetic of a run."""

    device: torch.device
    precision: Precision

    @property
    def compute(self) -> torch.dtype:
        """Type of the matrix products."""
        return _TYPES[self.precision]

    @property
    def products(self) -> torch.dtype:
        """Type of Muon's products. Newton-Schulz squares small numbers, for which float16 has no room."""
        return torch.float32 if self.precision == "fp16" else self.compute

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Autocast: matrix products in `compute`, and float32 where range or long sums need it."""
        mixed = self.precision != "fp32"
        with torch.autocast(self.device.type, dtype=self.compute if mixed else torch.bfloat16, enabled=mixed):
            yield

    def versions(self) -> dict[str, str]:
        """Everything that may change the last bit: code, libraries, kind of machine, arithmetic."""
        return {
            "elek": elek.__version__,
            "code": _code_digest(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
            "precision": self.precision,
        }


def choose_runtime(precision: Literal["auto", "fp32", "bf16", "fp16"]) -> Runtime:
    """This process's CUDA device where there is one, else the processor; `auto` by what that has instructions for.

    bf16 first, because it needs no loss scaling; fp16 on a GPU before Ampere, whose tensor cores know nothing else; on
    a processor without bf16 float32, because fp16 is emulated there.

    Raises ParamsError where this machine has fewer GPUs than processes.
    """
    device = own_gpu() if torch.cuda.is_available() else torch.device("cpu")
    if precision == "auto":
        fallback: Precision = "fp16" if device.type == "cuda" else "fp32"
        precision = "bf16" if has_bf16(device) else fallback
    return Runtime(device, precision)


def own_gpu() -> torch.device:
    """This process's GPU, told to add in the same order each time, as a processor does by itself.

    By default the backward pass of flash attention adds by whichever block is ready first, and cuBLAS shares its
    scratch memory likewise: then a run that goes on from a checkpoint would not end in the same bits.
    """
    index, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= count:
        raise ParamsError(
            f"process {index + 1} of this machine has no GPU of its own: there are {count}",
            where="train.distributed.processes",
            fix=f"take at most {count}, or hide the GPUs with CUDA_VISIBLE_DEVICES= (empty) to train on the processor",
        )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Filling is only needed by code that reads uninitialised memory, which ours does not. (The attribute is untyped.)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bf16 in hardware. Elsewhere it is emulated, and slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can = torch.cpu.get_capabilities()
    return any(bool(can.get(name)) for name in ("avx512_bf16", "amx_bf16"))


def has_compiler(device: torch.device) -> bool:
    """Whether torch.compile finds what it needs: a C++ compiler, and for a GPU Triton, whose wheels are for Linux."""
    names = [os.environ.get("CXX", ""), "g++", "clang++", "c++", "cl"]
    found = any(name and shutil.which(name) for name in names)
    return found and (device.type != "cuda" or importlib.util.find_spec("triton") is not None)


def keep_memory() -> None:
    """Have glibc keep freed memory: every step allocates the same sizes again, and the system clears each new page.

    Saves a tenth of a step on a processor. Other allocators (musl, macOS, Windows) are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _code_digest() -> str:
    """Digest of the modules of the model and of its training: a change of code makes another run."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in ("model", "training"):
        for path in sorted((package / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
