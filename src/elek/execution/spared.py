"""What others import where it is installed, and do without where it is not: half a second for every new process.

Arrow looks whether a list is one of pandas' columns, and numba whether SciPy has a BLAS for matrix products, which no
kernel of ours takes. Both keep the answer. Whoever has imported pandas or SciPy before, such as a filter at the top
of its module, is not spared and misses nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any


class _Spared(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname in ("pandas", "scipy.linalg"):
            raise ModuleNotFoundError("not for a process that has only a second to start", name=fullname)


@contextmanager
def spared() -> Iterator[None]:
    """Nobody finds pandas or SciPy's linear algebra while the block runs. Only for processes of our own."""
    finder = _Spared()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def settle() -> None:
    """Have Arrow and numba look now, and find neither."""
    import pyarrow as pa

    with spared():
        pa.array([""])
        importlib.import_module("numba.np.arraymath")
