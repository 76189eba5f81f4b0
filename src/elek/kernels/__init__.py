"""Compiled loops over Arrow's UTF-8 buffers: words, segments, n-grams, without a Python object per word.

A kernel takes a whole array of documents as two buffers, the bytes and each document's offsets, and loops over
the documents itself. Memory is that of the longest document, time is linear in the bytes. numba compiles a
kernel when it is first called (a second or two each) and keeps the result on disk, so only the first process of
an installation waits; `elek.filtering.annotation.warm_up` calls them all before the workers start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.errors import DataError

F = TypeVar("F", bound=Callable[..., Any])

# numba knows the types of what kernels work with; to mypy an element of an array is anything.
Array = npt.NDArray[Any]
"""Of one dimension: bytes and flags `uint8`, offsets `int64`, word numbers and positions in a document `uint32`."""


def kernel(function: F) -> F:
    """Compile `function` with numba on its first call, without the GIL, cached on disk.

    numba looks only at a function's own file to tell whether the cached machine code is stale, though the code
    of kernels that it calls from other files is compiled into it, and constants are too. The cache folder therefore
    carries a digest of every file of this package and of the function's own.
    """
    return _compile(function)


def part(function: F) -> F:
    """A `kernel` that other kernels call in their loops, and that becomes part of them.

    Between functions numba counts references to each array argument with atomic instructions, at ten times the
    cost of a short loop's own work; within one function it does not.
    """
    return _compile(function, forceinline=True)


def float_kernel(function: F) -> F:
    """A `kernel` whose float sums may be reordered, so that they use vector instructions. NaN and infinity stay."""
    return _compile(function, fastmath={"reassoc", "contract", "nsz", "arcp"})


def _compile(function: F, **options: Any) -> F:
    settings: Any = numba.config  # its names are made at run time
    before = settings.CACHE_DIR
    folder = Path(function.__code__.co_filename).parent
    settings.CACHE_DIR = str(Path(before or folder / "__pycache__") / f"elek-{_digest(folder)}")
    try:
        jit: Any = numba.njit
        compiled: F = jit(cache=True, nogil=True, error_model="numpy", **options)(function)
        return compiled
    finally:
        settings.CACHE_DIR = before


@cache
def _digest(folder: Path) -> str:
    files = sorted({*Path(__file__).parent.glob("*.py"), *folder.glob("*.py")})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def buffers(text: pa.Array) -> tuple[Array, Array]:
    """The bytes of a `large_string` array and the `len(text) + 1` offsets of its documents, without a copy.

    A null counts as an empty document.
    """
    if text.type != pa.large_string():
        raise TypeError(f"kernels read large_string, not {text.type}")
    if text.null_count:
        text = text.fill_null("")
    _, offsets, data = text.buffers()
    if offsets is None or offsets.size == 0:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    spans = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    if len(text) and int(np.diff(spans).max()) >= 1 << 32:
        raise DataError("a document of 4 GiB or more", fix="split it: positions in a document are 32 bits wide")
    return np.frombuffer(data or b"", np.uint8), spans
