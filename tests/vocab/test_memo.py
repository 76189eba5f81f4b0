"""The fast path gives the ids of the plain one."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.vocab import memo
from elek.vocab.memo import ChunkMemo, document_encoder
from elek.vocab.merges import SHORT, Merges
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import Tokenizer
from elek.vocab.training import train_vocabulary
from tests.vocabulary import prose, texts, tokenizer, write_dataset


def column(batch: Sequence[str]) -> pa.Array:
    return pa.array(batch, pa.large_string())


def assert_equal(fast: ChunkMemo, batch: pa.Array) -> None:
    got, expected = fast.encode_documents(batch), tokenizer().encode_documents(batch)
    assert got.ids.dtype == expected.ids.dtype
    np.testing.assert_array_equal(got.offsets, expected.offsets)
    np.testing.assert_array_equal(got.ids, expected.ids)


@given(batches=st.lists(st.lists(texts, max_size=8), max_size=3))
@settings(deadline=None, max_examples=60)
def test_ids_are_those_of_the_plain_path(batches: list[list[str]]) -> None:
    """Any documents, whatever the table has seen before."""
    fast = ChunkMemo(tokenizer())
    for batch in batches:
        assert_equal(fast, column(batch))


@given(batches=st.lists(st.lists(texts, max_size=8), max_size=3))
@settings(deadline=None, max_examples=40)
def test_small_blocks_and_a_table_that_is_emptied(batches: list[list[str]]) -> None:
    """Documents that go over many blocks, growing tables and emptied ones change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memo, "BLOCK", 4)
        patch.setattr(memo, "MAX_ENTRIES", 40)
        patch.setattr(memo, "GROUP_BYTES", 16)
        fast = ChunkMemo(tokenizer())
        fast.keys = np.empty(3, np.uint8)
        for batch in batches:
            assert_equal(fast, column(batch))


def test_prose_in_slices() -> None:
    """Whole documents, and a column that begins in the middle of its buffers."""
    fast = ChunkMemo(tokenizer())
    for table in (prose("en", 20, first=200), prose("tr", 20, first=200)):
        assert_equal(fast, table["text"].combine_chunks())
        assert_equal(fast, table["text"].combine_chunks().slice(7, 5))
    assert_equal(fast, column([]))
    assert_equal(fast, column(["", "", " ", "\n"]))


def test_many_words_fill_the_table() -> None:
    """More distinct chunks than the first slots hold."""
    rng = random.Random(1)  # noqa: S311 - no secret
    words = ["".join(rng.choices("abcdefghıi ", k=rng.randint(1, 9))) for _ in range(6000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memo, "BLOCK", 512)
        fast = ChunkMemo(tokenizer())
        assert_equal(fast, column([" ".join(words[at : at + 50]) for at in range(0, 6000, 50)]))
        assert fast.entries > 2048


def test_a_long_chunk_without_spaces() -> None:
    """A text that is one single chunk, longer than a group and than the room for keys."""
    fast = ChunkMemo(tokenizer())
    fast.keys = np.empty(100, np.uint8)
    assert_equal(fast, column(["a", "xyz" * 20_000, "\u2581ğ" * 5000, "a b"]))


@given(
    words=st.lists(st.text(st.sampled_from("abcdeğışİ t\u2581\x00€😀"), min_size=1, max_size=SHORT + 4), max_size=30)
)
@settings(deadline=None, max_examples=60)
def test_merged_chunks_are_those_of_sentencepiece(words: list[str]) -> None:
    """Beside chunks that are too long for it, letters without a piece, spaces in a row and marks that are none."""
    assert Merges.of(tokenizer()) is not None
    assert_equal(ChunkMemo(tokenizer()), column([" ".join(words), *words]))


def test_pieces_that_are_taken_out_of_a_text_first_are_not_merged(tmp_path: Path) -> None:
    """User-defined ones: SentencePiece is asked, and the ids are its own."""
    dataset = write_dataset(tmp_path / "split", [prose("en", 20)])
    own = Tokenizer(train_vocabulary(dataset, VocabParams(size=500, user_defined=("<br>", "ing")))[0])
    assert Merges.of(own) is None
    got, expected = (
        encode(column(["a <br>ing string<br>"])) for encode in (document_encoder(own), own.encode_documents)
    )
    np.testing.assert_array_equal(got.ids, expected.ids)


def test_where_it_is_not_exact_the_plain_path_is_taken() -> None:
    """Unigram, and a BPE with pieces across spaces, which SentencePiece can make, are encoded text by text."""
    unigram = tokenizer("unigram", 500)
    assert document_encoder(unigram) == unigram.encode_documents
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["of the people by the people for the people"] * 100),
        model_writer=model, model_type="bpe", vocab_size=300, byte_fallback=True, split_by_whitespace=False,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
        unk_id=0, bos_id=1, eos_id=2, pad_id=3, control_symbols="<mask>", minloglevel=2,
    )  # fmt: skip
    crossing = Tokenizer(model.getvalue())
    assert any("\u2581" in crossing.piece(index)[1:] for index in range(261, 300))
    assert document_encoder(crossing) == crossing.encode_documents
    assert document_encoder(tokenizer()) != tokenizer().encode_documents
