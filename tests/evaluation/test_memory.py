"""Freed memory goes back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import numpy as np
from elek.evaluation.memory import return_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

return_freed_memory()
np.ones(3_000_000)                # 24 MB, freed at once: what glibc learns from
held = [np.ones(2_000_000) for _ in range(4)]
after = np.ones(1000)             # so that the blocks do not lie at the end of the heap
before = resident()
del held
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
def test_large_blocks_are_returned_when_they_are_freed() -> None:
    """64 MB of them, although blocks as large were freed before."""
    printed = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout
    assert int(printed) > 60_000_000
