"""Parts of a dataset: bounded, and the same where their documents are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset
from elek.sources.parts import LEAST, PartWriter


def _add(writer: PartWriter, name: str, size: int, source: str = "s") -> None:
    writer.add(id=name, text="x" * size, source=source, license="MIT", lang="en", url="", meta="")


@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from("aab")), max_size=30), st.integers(1, 60))
@settings(deadline=None, max_examples=60)
def test_parts_are_bounded_and_of_one_source(
    tmp_path_factory: pytest.TempPathFactory, documents: list[tuple[int, str]], limit: int
) -> None:
    """No part holds more text than the limit unless it is one document, nor text of two sources; one that is small is
    the last of its source, or what follows would not have fitted; order is kept."""
    folder = tmp_path_factory.mktemp("parts") / "train"
    writer = PartWriter(folder, limit, row_bytes=0)
    for n, (size, source) in enumerate(documents):
        _add(writer, str(n), size, source)
    writer.close()
    dataset = Dataset(folder)
    tables = [dataset.read(n) for n in range(len(dataset.parts))]
    parts = [[len(text) for text in table["text"].to_pylist()] for table in tables]
    sources = [set(table["source"].to_pylist()) for table in tables]
    assert [size for part in parts for size in part] == [size for size, _ in documents]
    assert all(sum(part) <= limit or len(part) == 1 for part in parts)
    assert all(len(names) == 1 for names in sources) or not documents
    for (part, own), (after, others) in pairwise(zip(parts, sources, strict=True)):
        assert own != others or sum(part) > LEAST * limit or sum(part) + after[0] > limit
    assert dataset.counts == {"text_bytes": sum(size for size, _ in documents)}


@pytest.mark.parametrize("where", [0, 333, 1000])
def test_an_insertion_moves_the_borders_around_it_only(tmp_path: Path, where: int) -> None:
    """Forty parts and one part's worth of new documents in their midst: at least 36 keep their bytes."""
    sizes = [n * 7919 % 97 + 1 for n in range(1000)]

    def digests(folder: str, inserted: int | None) -> set[str]:
        writer = PartWriter(tmp_path / folder, 2000, row_bytes=0)
        for n, size in enumerate(sizes):
            if n == inserted:
                for new in range(30):
                    _add(writer, f"new{new}", 50)
            _add(writer, f"old{n}", size)
        writer.close()
        return {part.sha256 for part in writer.parts}

    before = digests("before", None)
    assert 35 <= len(before) <= 50
    assert len(before - digests("inside", where)) <= 4
