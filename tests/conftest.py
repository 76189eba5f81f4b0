"""Shared fixtures."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# In CI the same examples every time, so that a red run is the change's doing; elsewhere new ones, which find more.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent

# Matrices are tiny here: they gain nothing from threads, and beside another worker's they lose much by them.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_runtest_setup() -> None:
    """One thread again after a test whose trainer has set another number, which holds for the whole process."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests come first, so that no worker is left alone with them at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT
