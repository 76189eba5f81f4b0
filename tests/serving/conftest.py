"""Tiny matrices gain nothing from threads, and on a busy machine lose much by them."""

from __future__ import annotations

from tests.generation.conftest import one_thread as one_thread
