"""Vocabularies beside each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from elek.cli import main
from elek.dataset import Dataset
from elek.errors import DataError, ElekError
from elek.vocab.comparison import Comparison, compare
from elek.vocab.comparison_page import page
from elek.vocab.contenders import _BYTE_OF, ByteLevel, Words
from elek.vocab.params import VocabParams
from tests.vocabulary import documents, prose, write_dataset, write_project


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Both languages, and characters that no vocabulary of 540 has learned."""
    folder = tmp_path_factory.mktemp("comparison")
    train = write_dataset(folder / "train", [prose("en", 30), prose("tr", 30)])
    odd = documents(["🙂 漢字 çok\tgüzel"], "odd", "tr")
    held_out = [
        write_dataset(folder / "a", [prose("en", 5, 50)]),
        write_dataset(folder / "b", [prose("tr", 5, 50), odd]),
    ]
    return compare(train, held_out, VocabParams(size=540))


def test_every_vocabulary_has_the_size_and_every_language_a_row(comparison: Comparison) -> None:
    """Nothing is compared at another size; words alone may find fewer of them."""
    assert len(comparison.sizes) == 6
    assert {size for name, size in comparison.sizes.items() if name != "whole words"} == {540}
    assert [(row.vocabulary, row.lang) for row in comparison.rows] == [
        (name, lang) for name in comparison.sizes for lang in ("en", "tr")
    ]


def test_subwords_lose_nothing_and_words_do(comparison: Comparison) -> None:
    """Every subword vocabulary gives all texts back; whole words leave Turkish words unknown."""
    for row in comparison.rows:
        figures = row.figures()
        if row.vocabulary == "whole words":
            assert row.tokens == row.words
            assert row.unknown or row.lang == "en"
        else:
            assert (row.unknown, figures["exact"]) == (0, 1.0), row
            assert figures["fertility"] > 1
            assert row.fallback >= 10 or row.lang == "en", row  # the made-up characters are in Turkish text


def test_the_same_merges_give_as_many_tokens_in_both_libraries(comparison: Comparison) -> None:
    """tiktoken with tokenizers' merges, and transformers with SentencePiece's, cut as those do."""
    tokens = {(row.vocabulary, row.lang): (row.tokens, row.fallback) for row in comparison.rows}
    for lang in ("en", "tr"):
        assert tokens["tiktoken, the same merges", lang] == tokens["tokenizers byte-level BPE", lang]
        assert tokens["transformers, that BPE", lang] == tokens["SentencePiece BPE", lang]


def test_the_page_is_whole_and_escapes_text(comparison: Comparison) -> None:
    """One row a vocabulary and language, pieces in spans, markup of a text as text, nothing from a network."""
    comparison.samples.append(("tr", "<b>", "SentencePiece BPE", ["<b>"]))
    html = page(comparison)
    comparison.samples.pop()
    assert html.count("<tr>") == len(comparison.rows) + 1
    assert "<span>&lt;b&gt;</span>" in html
    assert "http" not in html


def test_words_by_hand() -> None:
    """The most frequent words are known, ties by the alphabet, and the others are counted as unknown."""
    words = Words(iter(["a b a c", "d b"]), size=5 + 3)
    cut = words.cut("a d  c")
    assert (cut.pieces, cut.unknown, cut.exact) == (["a", "<unk>", "c"], 1, False)
    assert words.cut("a b").exact


def test_the_letters_of_byte_level_bpe_are_those_of_the_library() -> None:
    """All 256 bytes, each by the letter that `tokenizers` gives it."""
    from tokenizers import pre_tokenizers

    assert set(_BYTE_OF) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(_BYTE_OF.values()) == list(range(256))
    vocabulary = ByteLevel(iter(["aa"] * 9), 262)
    assert [vocabulary.ranks[bytes([byte])] for byte in range(256)] != []
    assert vocabulary.ranks[b"aa"] == 256


def test_no_held_out_text_is_an_error(tmp_path: Path) -> None:
    """Nothing is measured on the text that was learned from."""
    train = write_dataset(tmp_path / "train", [prose("en", 3)])
    with pytest.raises(DataError, match="no held-out text"):
        compare(train, [write_dataset(tmp_path / "none", [documents([])])], VocabParams(size=400))


def test_a_missing_library_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries beside SentencePiece are an extra."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    dataset = write_dataset(tmp_path / "train", [prose("en", 3)])
    with pytest.raises(ElekError, match="tiktoken") as caught:
        compare(dataset, [dataset], VocabParams(size=400))
    assert caught.value.fix == 'pip install "elek[hf]"'


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`elek vocab compare` reads the project's splits, prints JSON, and writes the page where it is asked to."""
    write_project(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    arguments = ["elek", "vocab", "compare", "--size", "500", "--json", "--out", str(tmp_path / "page.html")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["vocabularies"]["SentencePiece Unigram"]["by_lang"]["tr"]["unknown"] == 0
    assert "SentencePiece Unigram" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert Dataset(tmp_path / "data" / "split" / "train")
