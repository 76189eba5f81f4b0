"""Learning a vocabulary."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
import sentencepiece
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError, ParamsError
from elek.export.tokenizer import tokenizer_json
from elek.params import parse
from elek.vocab.memo import document_encoder
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import Tokenizer
from elek.vocab.training import MAX_LINE_BYTES, Corpus, _cut, train_vocabulary, vocabulary_table
from tests.vocabulary import documents, prose, write_dataset

SMALL = VocabParams(size=500)


def test_the_same_text_gives_the_same_bytes_however_it_is_parted(tmp_path: Path) -> None:
    """The model depends on the documents and their order, not on parts, runs or folders."""
    table = prose("en", 20)
    whole = write_dataset(tmp_path / "whole", [table])
    parted = write_dataset(tmp_path / "parted", [table.slice(0, 7), table.slice(7, 1), table.slice(8)])
    model, corpus = train_vocabulary(whole, SMALL)
    again, _ = train_vocabulary(whole, SMALL)
    third, parted_corpus = train_vocabulary(parted, SMALL)
    assert model == again == third
    assert (corpus.documents, corpus.bytes) == (parted_corpus.documents, parted_corpus.bytes)
    assert Tokenizer(model).size == 500


@given(line=st.text(alphabet="abğ🙂 ", min_size=0, max_size=50), times=st.integers(1, 400))
@settings(deadline=None, max_examples=60)
def test_a_long_line_is_cut_and_nothing_is_lost(line: str, times: int) -> None:
    """The pieces of a line are the line, and none is longer than SentencePiece takes."""
    pieces = list(_cut(line * times))
    assert "".join(pieces) == line * times
    assert all(len(piece.encode()) <= MAX_LINE_BYTES for piece in pieces)


def test_every_byte_of_text_is_seen(tmp_path: Path) -> None:
    """A line without a space, longer than any bound, is learned from, and the report counts that it was cut."""
    corpus = Corpus(write_dataset(tmp_path / "train", [documents(["ab" * 50_000, "short\n\nlines", ""])]), 1e9)
    sentences = list(corpus)
    assert sum(map(len, sentences)) == corpus.bytes == 100_000 + len("shortlines")
    assert (corpus.documents, corpus.cut, corpus.sentences) == (3, 1, len(sentences))


def test_reserved_characters_and_names_of_special_pieces(tmp_path: Path) -> None:
    """A text full of them trains: no line is skipped for them, and no piece gets a special one's name."""
    odd = "<mask> <s> <pad> <0x41> ▁ ▅ zebra\0zebra\tzebra"
    dataset = write_dataset(tmp_path / "train", [documents([f"{odd}\n" * 300]), prose("en", 10)])
    model, _ = train_vocabulary(dataset, SMALL)
    tokenizer = Tokenizer(model)
    names = [tokenizer.piece(index) for index in range(tokenizer.size)]
    assert len(set(names)) == 500
    assert "▁zebra" in names or "zebra" in names
    assert tokenizer.decode(tokenizer.encode(odd)) == odd


def test_runs_of_spaces_become_pieces(tmp_path: Path) -> None:
    """Indentation costs few tokens."""
    dataset = write_dataset(
        tmp_path / "train", [documents(["        return value\n    pass\n" * 200]), prose("en", 10)]
    )
    tokenizer = Tokenizer(train_vocabulary(dataset, SMALL)[0])
    assert len(tokenizer.encode(" " * 8)) <= 2


def test_too_little_text_names_the_largest_size(tmp_path: Path) -> None:
    """The error says which size is possible, and that size is."""
    dataset = write_dataset(tmp_path / "train", [documents(["a few words, and no more than that"])])
    with pytest.raises(ParamsError, match="largest possible") as error:
        train_vocabulary(dataset, VocabParams(size=8000))
    largest = int(re.findall(r"(\d+) is the largest", str(error.value))[0])
    model, _ = train_vocabulary(dataset, VocabParams(size=largest))
    assert Tokenizer(model).size == largest


def test_too_small_a_vocabulary_names_the_least_size(tmp_path: Path) -> None:
    """More common characters than pieces is an error that names both."""
    letters = "".join(chr(0x4E00 + number) for number in range(200))
    with pytest.raises(ParamsError, match="no room") as error:
        train_vocabulary(write_dataset(tmp_path / "train", [documents([letters * 3])]), VocabParams(size=300))
    assert "above 461" in str(error.value)


def test_no_text_is_an_error(tmp_path: Path) -> None:
    """An empty training split is told as such."""
    with pytest.raises(DataError, match="no training text"):
        train_vocabulary(write_dataset(tmp_path / "train", [documents([]), documents(["", "\n"])]), SMALL)


def test_a_damaged_part_is_told_as_such(tmp_path: Path) -> None:
    """What stops the reading inside SentencePiece's call comes out as our own error."""
    dataset = write_dataset(tmp_path / "train", [prose("en", 10)])
    size = dataset.path(0).stat().st_size
    dataset.path(0).write_bytes(b"x" * size)
    with pytest.raises(DataError, match="unreadable"):
        train_vocabulary(dataset, SMALL)


def test_a_share_of_a_large_corpus(tmp_path: Path) -> None:
    """max_megabytes takes about that much, the same documents each time."""
    dataset = write_dataset(tmp_path / "train", [prose("en", 60)])
    whole, some, again = (Corpus(dataset, limit) for limit in (1e9, 20_000, 20_000))
    sentences = [list(corpus) for corpus in (whole, some, again)]
    assert sentences[1] == sentences[2]
    assert 0 < some.documents < whole.documents == 60
    assert 8_000 < some.bytes < 32_000


def test_the_readable_table_lists_every_piece(tmp_path: Path) -> None:
    """tokenizer.vocab has one line per id, as SentencePiece writes it."""
    model, _ = train_vocabulary(write_dataset(tmp_path / "train", [prose("tr", 10)]), SMALL)
    lines = vocabulary_table(Tokenizer(model)).splitlines()
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert [line.split("\t")[0] for line in lines] == [processor.id_to_piece(index) for index in range(500)]


def test_pieces_of_ones_own_have_fixed_ids(tmp_path: Path) -> None:
    """Control pieces follow the special ones and no text becomes one; a user-defined piece always is one token."""
    text = "write to [EMAIL] or [A,B]\n<|user|> and <|user|>\n"
    dataset = write_dataset(tmp_path / "train", [documents([text * 40]), prose("en", 10)])
    params = VocabParams(size=500, control=["<|user|>"], user_defined=["[EMAIL]", "[A,B]", "ğ"])
    tokenizer = Tokenizer(train_vocabulary(dataset, params)[0])
    assert [tokenizer.piece(index) for index in range(5, 10)] == ["<|user|>", "[EMAIL]", "[A,B]", "ğ", "<0x00>"]
    assert (tokenizer.controls, list(tokenizer.user_defined), tokenizer.kind) == (6, [6, 7, 8], "bpe")
    tricky = "a[EMAIL]b [EMAIL][A,B]\n[EMAIL <|user|> ağ"
    ids = tokenizer.encode(tricky)
    assert (ids.count(5), ids.count(6), ids.count(7), ids.count(8)) == (0, 2, 1, 1)
    assert tokenizer.decode([1, 5, *ids, 2]) == tricky
    assert tokenizer.piece_bytes[ids].sum() == len(tricky.encode())
    column = document_encoder(tokenizer)(pa.array([tricky, text], pa.large_string()))
    assert column.ids.tolist() == tokenizer.encode_documents(pa.array([tricky, text], pa.large_string())).ids.tolist()
    exported = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(tokenizer)))
    exported.encode_special_tokens = True
    assert exported.encode(tricky, add_special_tokens=False).ids == ids
    assert exported.decode(ids) == tricky


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ({"user_defined": ["a b"]}, "white space"),
        ({"user_defined": [""]}, "empty"),
        ({"control": ["<s>"]}, "there already"),
        ({"control": ["<x>"], "user_defined": ["<x>"]}, "there already"),
        ({"user_defined": ["<0x41>"]}, "there already"),
        ({"control": ["x"]}, "longer name"),
    ],
)
def test_pieces_that_cannot_be_are_refused(pieces: dict[str, list[str]], told: str) -> None:
    """Names that are taken, or that the format cannot hold."""
    with pytest.raises(ParamsError, match=told):
        parse("vocab", pieces, VocabParams)
