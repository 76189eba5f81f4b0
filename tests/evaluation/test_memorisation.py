"""Copies of the training text, found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.evaluation import memorisation
from elek.evaluation.memorisation import SHORTEST, longest_overlaps
from elek.shards import TokenShards, write_shard, write_shards_manifest
from elek.vocab.tokenizer import TokenColumn
from tests.vocabulary import documents, tokenizer


def shards(folder: Path, rows: list[list[int]]) -> TokenShards:
    """Documents of these very ids, between bos and eos."""
    folder.mkdir(parents=True)
    whole = [[1, *row, 2] for row in rows]
    ids = np.array([token for row in whole for token in row], np.uint16)
    offsets = np.cumsum([0, *map(len, whole)]).astype(np.int64)
    part = write_shard(folder, 0, documents(["x"] * len(rows)), TokenColumn(ids, offsets))
    write_shards_manifest(folder, [part], tokenizer(), parent="0" * 64)
    return TokenShards(folder)


def slow(generation: list[int], stream: list[int]) -> tuple[int, int]:
    """The longest common run and its first place."""
    best, where = 0, -1
    for at in range(len(stream)):
        for begin in range(len(generation)):
            length = 0
            while (
                begin + length < len(generation)
                and at + length < len(stream)
                and generation[begin + length] == stream[at + length]
            ):
                length += 1
            if length >= SHORTEST and length > best:
                best, where = length, at
    return best, where


few = st.lists(st.integers(300, 303), max_size=40)


@given(rows=st.lists(few, max_size=5), generations=st.lists(few, max_size=4))
@settings(deadline=None, max_examples=60)
def test_overlaps_are_those_of_the_slow_search(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], generations: list[list[int]]
) -> None:
    """Any texts of few tokens, which overlap all the time."""
    train = shards(tmp_path_factory.mktemp("memorisation") / "train", rows)
    stream = train.window(0, len(train)).tolist()
    found = [(overlap.tokens, overlap.position) for overlap in longest_overlaps(generations, train)]
    assert found == [slow(generation, stream) for generation in generations]


def test_a_copy_is_found_across_the_pieces_in_which_the_stream_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long stream is read in pieces; a copy over their border is whole, and its document is known."""
    rng = np.random.default_rng(1)
    rows = [rng.integers(261, 700, 900).tolist() for _ in range(4)]
    train = shards(tmp_path / "train", rows)
    monkeypatch.setattr(memorisation, "STEP", 500)
    (overlap,) = longest_overlaps([[5, *rows[2][440:510], 6]], train)
    assert (overlap.tokens, overlap.position) == (70, 2 * 902 + 1 + 440)
    assert train.document_at(overlap.position)["id"] == "doc-2"
    assert longest_overlaps([], train) == []
    assert pa.types.is_string(train.documents["id"].type)
