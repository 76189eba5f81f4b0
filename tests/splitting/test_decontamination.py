"""Training documents that repeat held-out ones, against a plain-Python reference."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dedup import passages, sorting
from elek.dedup.passages import SHORTEST, Passages
from elek.removal import text_parts
from elek.splitting.decontamination import Findings, find
from tests.dedup.project import in_process, plain_words, prose, row, seeded, write_documents


def compare(
    folder: Path, train: list[str], held_out: list[str], ngram: int = 13, common: int = 10, parts: int = 1
) -> tuple[Findings, pa.Array]:
    """Findings of the training texts, and all ids (t0, t1, …, h0, h1, …). `parts` cuts both into several files."""
    every = []
    for name, texts in (("train", train), ("held", held_out)):
        table = [row(f"{name[0]}{n}", text) for n, text in enumerate(texts)]
        size = max(1, -(-len(table) // parts))
        cut = [table[at : at + size] for at in range(0, len(table), size)] or [[]]
        every += text_parts(write_documents(folder / name, cut))
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    found = passages.find(every, ngram, scratch, in_process)
    found.write(folder / "passages")
    ids = pa.array([f"t{n}" for n in range(len(train))] + [f"h{n}" for n in range(len(held_out))])
    training = np.arange(len(ids)) < len(train)
    findings = find(Passages.read(folder / "passages"), training, ~training, ids, common)
    return Findings(*(values[: len(train)] for values in (findings.own, findings.held, findings.document))), ids


def evidence(findings: Findings, ids: pa.Array) -> str:
    return findings.evidence(0, lambda row: str(ids[row]), 13)


def plain(train: list[str], held_out: list[str], ngram: int, common: int) -> list[float]:
    """The larger of the two shares of every training text, with Python's sets."""

    def grams(words: list[str], size: int) -> list[tuple[str, ...]]:
        return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]

    def words_of(text: str) -> list[str]:
        return [word for word in plain_words(text, digits=False) if word]

    held = []
    for text in held_out:
        words = words_of(text)
        short = min(SHORTEST, ngram) <= len(words) < ngram
        held.append(set(grams(words, len(words) if short else ngram)))
    sizes = {len(gram) for grams_of in held for gram in grams_of}
    found = [{size: grams(words_of(text), size) for size in sizes | {ngram}} for text in train]
    everything = set().union(*held)
    seen = Counter(gram for by_size in found for gram in set().union(*by_size.values()) if gram in everything)
    counted = {gram for gram in everything if seen[gram] <= common}
    result = []
    for by_size in found:
        own = sum(gram in counted for gram in by_size[ngram]) / max(len(by_size[ngram]), 1)
        there = set().union(*by_size.values()) & counted
        result.append(max([own, *(len(there & grams_of) / len(grams_of) for grams_of in held if grams_of)]))
    return result


WORDS = st.lists(st.sampled_from("abc"), max_size=14).map(" ".join)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(WORDS, min_size=1, max_size=6),
    st.lists(WORDS, min_size=1, max_size=5),
    st.integers(2, 10),
    st.integers(1, 3),
)
def test_shares_equal_plain_python(
    tmp_path_factory: pytest.TempPathFactory, train: list[str], held_out: list[str], ngram: int, common: int
) -> None:
    """Repetitive words, texts shorter and longer than an n-gram, several parts: the very shares."""
    findings, _ = compare(tmp_path_factory.mktemp("x"), train, held_out, ngram, common, parts=2)
    assert findings.share.tolist() == pytest.approx(plain(train, held_out, ngram, common), abs=1e-12)


def test_a_page_that_contains_a_held_out_text(tmp_path: Path) -> None:
    """However long the page, the held-out text is found whole in it and named; case and punctuation hide nothing."""
    rng = seeded(1)
    page, held = prose(rng, 20_000), prose(rng, 60)
    inside = " ".join([*page[:9_000], ", ".join(held).upper(), *page[9_000:]])
    findings, ids = compare(tmp_path, [inside, " ".join(page)], [" ".join(prose(rng, 80)), " ".join(held)])
    assert findings.held.tolist() == [1.0, 0.0]
    assert findings.own[0] < 0.01
    assert evidence(findings, ids) == "holds 100% of the 13-grams of h1"


def test_a_page_made_of_held_out_text(tmp_path: Path) -> None:
    """A paragraph of a long held-out text, as a training document, is held out itself."""
    rng = seeded(2)
    held = prose(rng, 5_000)
    findings, ids = compare(tmp_path, [" ".join(held[100:160])], [" ".join(held), " ".join(prose(rng, 50))])
    assert findings.own.tolist() == [1.0]
    assert findings.held[0] < 0.02
    assert evidence(findings, ids) == "100% of its 13-grams are held out, most of them in h0"


def test_turkish_capitals(tmp_path: Path) -> None:
    """I is ı and İ is i, whatever language the row says that it is."""
    text = "ışıklı kıyıda ılık bir ikindi vakti ince uzun iki kayık ıssız limana ışıldayarak girdi"
    shouted = text.translate(str.maketrans("iı", "İI")).upper()
    assert compare(tmp_path, [shouted], [text])[0].share.tolist() == [1.0]


def test_digits_count(tmp_path: Path) -> None:
    """Tables of other numbers are other text."""
    table = [" ".join(str(n * step) for n in range(60)) for step in (7, 11)]
    assert compare(tmp_path, table[:1], table[1:])[0].share.tolist() == [0.0]


def test_boilerplate_counts_for_nothing(tmp_path: Path) -> None:
    """A header that more than ten training documents have contaminates none of them."""
    rng = seeded(3)
    header = " ".join(prose(rng, 40))
    train = [f"{header} {' '.join(prose(rng, 20))}" for _ in range(11)]
    held = [f"{header} {' '.join(prose(rng, 20))}"]
    assert compare(tmp_path / "eleven", train, held)[0].share.max() == 0
    assert compare(tmp_path / "ten", train[1:], held)[0].share.min() > 0.5


def test_short_held_out_texts(tmp_path: Path) -> None:
    """A sentence of 8 to 12 words is looked for whole; shorter ones, which occur by chance, are not."""
    rng = seeded(4)
    page, eight, seven = prose(rng, 50), prose(rng, 8), prose(rng, 7)
    train = [" ".join([*page, *eight, *page]), " ".join([*page, *seven, *page]), " ".join(eight), ""]
    findings, _ = compare(tmp_path, train, [" ".join(eight), " ".join(seven), ""])
    assert findings.held.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_nothing_to_compare(tmp_path: Path) -> None:
    """No training text, no held-out text: no finding, no error."""
    assert compare(tmp_path / "a", [], ["some text"])[0].share.tolist() == []
    assert compare(tmp_path / "b", ["some text"], [])[0].share.tolist() == [0.0]


def test_a_million_words(tmp_path: Path) -> None:
    """A training document of a million words that holds one short held-out text."""
    rng = seeded(5)
    held = prose(rng, 30)
    text = " ".join([*["word"] * 500_000, *held, *["word"] * 500_000])
    findings, _ = compare(tmp_path, [text], [" ".join(held), "word " * 100])
    assert findings.own[0] > 0.99
    assert findings.held.tolist() == [1.0]


def test_ranges_of_hashes_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few runs are compared at a time, and however the parts are cut: the same passages."""
    rng = seeded(6)
    pages = [prose(rng, 120) for _ in range(12)]
    texts = [" ".join(page) for page in pages] + [" ".join([*a[20:90], *b[10:60]]) for a in pages for b in pages[:2]]
    texts += [" ".join(page[5:14]) for page in pages]

    def found(folder: Path, size: int) -> Passages:
        cut = [[row(f"{n}", text) for n, text in enumerate(texts)][at : at + size] for at in range(0, len(texts), size)]
        (folder / "scratch").mkdir(parents=True)
        return passages.find(text_parts(write_documents(folder / "rows", cut)), 13, folder / "scratch", in_process)

    whole = found(tmp_path / "whole", len(texts))
    monkeypatch.setattr(sorting, "BATCH", 50)
    small = found(tmp_path / "small", 5)
    assert len(whole.runs) > 20
    for name in ("places", "sizes", "runs", "passage", "row", "at", "owns"):
        assert np.array_equal(getattr(whole, name), getattr(small, name))
