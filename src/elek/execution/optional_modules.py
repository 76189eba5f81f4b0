"""Keep Arrow and numba from importing pandas and SciPy, which costs every new process half a second.

Both are optional: Arrow wants to know whether a list is a pandas column, and numba whether SciPy has a BLAS for matrix
products, which none of our kernels uses. Each asks once and remembers the answer. Where pandas or SciPy is imported
already, for example at the top of a filter's module, this has no effect and does no harm.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any


class _HideOptional(MetaPathFinder):
    """Reports the optional modules as not installed."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname in ("pandas", "scipy.linalg"):
            raise ModuleNotFoundError("hidden, so that this process starts faster", name=fullname)


@contextmanager
def without_optional_modules() -> Iterator[None]:
    """Hide pandas and SciPy's linear algebra while the block runs. Only for processes that Elek itself starts."""
    finder = _HideOptional()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def probe_optional_modules() -> None:
    """Let Arrow and numba look for their optional modules now, while these are hidden."""
    import pyarrow as pa

    with without_optional_modules():
        pa.array([""])
        importlib.import_module("numba.np.arraymath")
