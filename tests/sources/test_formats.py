"""Which reader a file is read by."""

from __future__ import annotations

from pathlib import Path

import pytest

from elek.errors import ParamsError
from tests.sources.build import put, read, reasons, texts


def test_an_empty_file_is_recorded(tmp_path: Path) -> None:
    """A file of no bytes is no document, whatever its format."""
    for name in ("a.txt", "a.jsonl", "a.csv", "a.parquet", "a.html", "a.txt.gz"):
        assert reasons(put(tmp_path, name, b"")) == [(None, "the file is empty")]


def test_an_unknown_extension_asks_for_the_format(tmp_path: Path) -> None:
    """Nothing is guessed from content; params can say what it is."""
    path = put(tmp_path, "a.log", "one\ntwo")
    with pytest.raises(ParamsError, match=r"`\.log` tells no format"):
        read(path)
    assert texts(path, format="lines") == ["one", "two"]
