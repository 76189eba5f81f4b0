"""Exact hashes and MinHash signatures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dedup.params import MinHashParams
from elek.dedup.signatures import from_binary, permutations, signatures
from tests.dedup.project import edited, plain_jaccard, plain_words, prose, seeded

PARAMS = MinHashParams()
MASK = 2**64 - 1


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def plain_mix(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def plain_signature(text: str, params: MinHashParams) -> list[int] | None:
    """The same arithmetic with Python's integers."""
    words = []
    for word in filter(None, plain_words(text)):
        state = 0xCBF29CE484222325
        for byte in word.encode():
            state = (state ^ byte) * 0x100000001B3 & MASK
        words.append(plain_mix(state))
    runs = []
    for first in range(len(words) - params.shingle + 1):
        state = 0
        for word_hash in words[first : first + params.shingle]:
            state = (state ^ word_hash) * 0x9E3779B97F4A7C15 & MASK
            state ^= state >> 29
        runs.append(plain_mix(state))
    if not runs:
        return None
    multiply, add = permutations(params.permutations, params.seed)
    return [min((int(a) * run + int(b) & MASK) >> 32 for run in runs) for a, b in zip(multiply, add, strict=True)]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.sampled_from("abI ı.7ğ"), max_size=60), min_size=1, max_size=4), st.integers(1, 6))
def test_signature_equals_plain_python(texts: list[str], shingle: int) -> None:
    """Every value is what Python's own integers give, and a text shorter than a shingle has none."""
    params = MinHashParams(shingle=shingle, permutations=8, seed=7)
    _, minhash = signatures(large(texts), params)
    rows = [
        values.tolist() if valid else None
        for values, valid in zip(from_binary(minhash), minhash.is_valid().to_pylist(), strict=True)
    ]
    assert rows == [plain_signature(text, params) for text in texts]


def test_hash_is_of_the_normal_form() -> None:
    """BLAKE2b of the words with one space between them: equal for what a reader takes for equal."""
    exact, _ = signatures(large(["IŞIK hızı!", "ışık  hızı", "ışık hızlı", ""]), PARAMS)
    assert exact[0].as_py() == hashlib.blake2b(b"isik hizi", digest_size=16).digest()
    assert exact[0] == exact[1] != exact[2]
    assert exact[3].as_py() == hashlib.blake2b(digest_size=16).digest()


def test_values_never_change() -> None:
    """Signatures that somebody has stored stay comparable: these figures are pinned."""
    _, minhash = signatures(large(["the quick brown fox jumps over the lazy dog"]), PARAMS)
    assert from_binary(minhash)[0, :3].tolist() == [184656943, 652715707, 218206780]
    assert minhash.type == pa.binary(448)


def test_rows_are_independent() -> None:
    """A row's result does not depend on its batch or on an array's offset."""
    rng = seeded(1)
    texts = [" ".join(prose(rng, n)) for n in (3, 40, 0, 7, 600, 5)]
    whole = signatures(large(texts), PARAMS)
    for i in range(len(texts)):
        for whole_column, column in zip(whole, signatures(large(texts)[i : i + 1], PARAMS), strict=True):
            assert column[0] == whole_column[i]
    assert whole[1].is_valid().to_pylist() == [False, True, False, True, True, True]


def test_signature_survives_parquet(tmp_path: Path) -> None:
    """Null signatures among others can be written and read (a fixed-size list with nulls could not)."""
    texts = ["a b c d e f", "too short", "g h i j k l m"]
    _, minhash = signatures(large(texts), PARAMS)
    pq.write_table(pa.table({"hash.minhash": minhash}), tmp_path / "part.parquet")
    read = pq.read_table(tmp_path / "part.parquet")["hash.minhash"].combine_chunks()
    assert read.equals(minhash)
    assert np.array_equal(from_binary(read)[[0, 2]], from_binary(minhash)[[0, 2]])


def test_agreement_estimates_jaccard() -> None:
    """The share of equal values is the Jaccard similarity within four standard errors."""
    rng = seeded(2)
    for edits in (2, 10, 30, 80):
        base = prose(rng, 400)
        first, second = " ".join(base), " ".join(edited(rng, base, edits))
        a, b = from_binary(signatures(large([first, second]), PARAMS)[1])
        true = plain_jaccard(first, second)
        assert abs((a == b).mean() - true) <= 4 * (true * (1 - true) / 112) ** 0.5


def test_seed_chooses_the_permutations() -> None:
    """Another seed, other values; the same seed, the same."""
    text = large(["one two three four five six"])
    first, again, other = (from_binary(signatures(text, MinHashParams(seed=s))[1]) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (first != other).all()


def test_a_million_words_and_other_extremes() -> None:
    """A million words (distinct or one repeated), one endless word, NUL bytes: linear work, a signature each."""
    many = " ".join(str(n).translate(str.maketrans("0123456789", "abcdefghij")) for n in range(1_000_000))
    texts = [many, "word " * 1_000_000, "x" * 5_000_000, "a\0b\0c\0d\0e"]
    exact, minhash = signatures(large(texts), PARAMS)
    assert minhash.is_valid().to_pylist() == [True, True, False, True]
    assert len(set(exact.to_pylist())) == 4
    repeated = from_binary(minhash)[1]
    assert np.array_equal(repeated, from_binary(signatures(large(["word word word word word"]), PARAMS)[1])[0])
