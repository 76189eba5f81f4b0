"""Similarities that were measured before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dedup.decisions import deduplicate
from elek.dedup.known import NOTHING, Known, Memory
from elek.dedup.params import DedupParams
from elek.errors import DataError
from stages import dedup
from tests.dedup.project import Row, edited, prose, row, seeded, write_project
from tests.project import write_params

PAIRS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=30)


def hashes(numbers: list[int]) -> pa.FixedSizeBinaryArray:
    return pa.array([bytes([7 * n % 251]) * 15 + bytes([n]) for n in numbers], pa.binary(16))


@settings(deadline=None, max_examples=60)
@given(PAIRS, PAIRS, st.permutations(range(16)))
def test_what_is_known_is_found_again(
    first: list[tuple[int, int]], second: list[tuple[int, int]], order: list[int]
) -> None:
    """Whatever the numbers of the texts in another corpus; what is not known is NaN; a table holds all of it."""

    def known(pairs: list[tuple[int, int]]) -> Known:
        ends = np.array(sorted({(min(p), max(p)) for p in pairs}), dtype=np.int64).reshape(-1, 2).T
        return Known.of(hashes(list(range(16))), ends, (ends[0] * 100 + ends[1]).astype(float))

    both = Known.from_table(known(first).merged(known(second)).table())
    left, right = np.triu_indices(16, 1)
    found = both.look_up(hashes(order), np.stack([left, right]))
    expected = {(min(p), max(p)) for p in first + second}
    for a, b, value in zip(left.tolist(), right.tolist(), found.tolist(), strict=True):
        pair = (min(order[a], order[b]), max(order[a], order[b]))
        assert value == pair[0] * 100 + pair[1] if pair in expected else np.isnan(value)


def corpus(families: range) -> list[Row]:
    """Families of near-duplicates, several of them strangers."""
    rows = []
    for family in families:
        rng = seeded(family)
        base = prose(rng, 80)
        rows += [row(f"{family:03}-{n}", " ".join(edited(rng, base, 3 * n))) for n in range(1 + family % 4)]
    return rows


def run(folder: Path, parts: list[list[Row]], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The stage; the files of data/dedup."""
    write_project(folder / "data", parts)
    write_params(folder, {"filter": {}, "execution.workers": 1, "dedup.source_priority": []})
    monkeypatch.chdir(folder)
    dedup.main()
    out = folder / "data" / "dedup"
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.*"))}


def test_new_documents_cost_new_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a part more: the bytes of a run from nothing, though no text is read that no new document is similar to."""
    old, new = corpus(range(40)), [*corpus(range(100, 103)), row("new", corpus(range(7, 8))[0]["text"] + " more")]
    grown, fresh = tmp_path / "grown", tmp_path / "fresh"
    run(grown, [old[:50], old[50:]], monkeypatch)
    for name in ("clean", "annotate", "filter", "dedup"):
        (grown / "data" / name).rename(tmp_path / f"old-{name}")  # as DVC empties outs before a run
    assert run(grown, [old[:50], old[50:], new], monkeypatch) == run(fresh, [old[:50], old[50:], new], monkeypatch)

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    known = Memory(grown / ".cache" / "dedup", 5).read()
    (tmp_path / "again").mkdir()
    datasets = write_project(tmp_path / "again" / "data", [old[:50], old[50:], new])
    assert deduplicate(*datasets, DedupParams(), scratch, known).texts_read == 0
    before = write_project(tmp_path / "before" / "data", [old[:50], old[50:]])
    known = deduplicate(*before, DedupParams(), scratch).measured
    every = deduplicate(*datasets, DedupParams(), scratch)
    grew = deduplicate(*datasets, DedupParams(), scratch, known)
    assert 0 < grew.texts_read <= len(new) + len(corpus(range(7, 8))) + 4 < every.texts_read
    for name in ("near_to", "similarity", "survivor", "cluster"):
        assert np.array_equal(getattr(grew, name), getattr(every, name), equal_nan=name == "similarity")


def test_memory_is_of_one_code_and_one_shingle(tmp_path: Path) -> None:
    """Other shingles are other similarities; a torn file is told, not passed over."""
    known = Known.of(hashes([1, 2]), np.array([[0], [1]]), np.array([0.5]))
    Memory(tmp_path, 5).write(known)
    assert len(Memory(tmp_path, 5).read().similarity) == 1
    assert Memory(tmp_path, 4).read() is NOTHING
    next(tmp_path.rglob("*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="unreadable"):
        Memory(tmp_path, 5).read()
