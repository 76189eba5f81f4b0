"""Text to ids and back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError
from elek.vocab.params import SPECIAL_PIECES
from elek.vocab.tokenizer import Tokenizer
from tests.vocabulary import texts, tokenizer


@pytest.mark.parametrize(("kind", "size"), [("bpe", 700), ("unigram", 500)])
@given(text=texts)
@settings(deadline=None, max_examples=60)
def test_text_comes_back(kind: str, size: int, text: str) -> None:
    """decode(encode(x)) is x for any text: spaces, line ends, names of special pieces, SentencePiece's own marks."""
    tokens = tokenizer(kind, size)
    assert tokens.decode(tokens.encode(text)) == text


@given(text=texts)
@settings(deadline=None, max_examples=60)
def test_no_text_becomes_a_special_token(text: str) -> None:
    """The control ids appear only where a program puts them."""
    assert all(index >= len(SPECIAL_PIECES) for index in tokenizer().encode(text))


@given(batch=st.lists(texts, max_size=6))
@settings(deadline=None, max_examples=60)
def test_ids_are_those_of_sentencepiece(batch: list[str]) -> None:
    """Every text gets the ids that SentencePiece gives it alone, in whatever company it is encoded."""
    batch = [text.replace("\u2581", "") for text in batch]
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer().model)
    assert [ids.tolist() for ids in tokenizer().encode_batch(batch)] == [processor.encode(text) for text in batch]


@given(batch=st.lists(texts, max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_column_of_documents_has_bos_pieces_eos(batch: list[str]) -> None:
    """encode_documents is encode, document by document, between bos and eos."""
    column = tokenizer().encode_documents(pa.array(batch, pa.large_string()))
    assert column.ids.dtype == np.uint16
    assert len(column.offsets) == len(batch) + 1
    for index, text in enumerate(batch):
        ids = column.ids[column.offsets[index] : column.offsets[index + 1]].tolist()
        assert ids == [Tokenizer.bos, *tokenizer().encode(text), Tokenizer.eos]


@given(text=texts)
@settings(deadline=None, max_examples=60)
def test_pieces_know_their_bytes(text: str) -> None:
    """The bytes of a text's tokens are the bytes of the text."""
    assert tokenizer().piece_bytes[tokenizer().encode(text)].sum() == len(text.encode())
    assert tokenizer().piece_bytes[:5].tolist() == [0] * 5


def test_fixed_special_ids() -> None:
    """unk 0, bos 1, eos 2, pad 3, mask 4, and decoding leaves them out."""
    tokens = tokenizer()
    assert [tokens.unk, tokens.bos, tokens.eos, tokens.pad, tokens.mask] == [0, 1, 2, 3, 4]
    assert [tokens.piece(index) for index in range(5)] == ["<unk>", "<s>", "</s>", "<pad>", "<mask>"]
    assert tokens.decode([1, 0, *tokens.encode("köy"), 4, 2, 3]) == "köy"


def test_half_a_character_decodes_to_the_replacement_character() -> None:
    """A model may stop within a character's bytes; that is shown and nothing is raised."""
    assert tokenizer().decode(tokenizer().encode("🙂")[:2]).strip("\ufffd") == ""


@pytest.mark.parametrize("ids", [[5, 700], [-1]])
def test_an_id_outside_the_vocabulary_is_refused(ids: list[int]) -> None:
    """decode names the ids instead of making text up."""
    with pytest.raises(DataError, match="outside of the vocabulary"):
        tokenizer().decode(ids)


def test_a_lone_surrogate_is_refused() -> None:
    """What no UTF-8 can hold is an error that says where it stands."""
    with pytest.raises(DataError, match="character 3"):
        tokenizer().encode("abc\ud800")


def test_kind_is_seen() -> None:
    """The scores tell BPE from Unigram."""
    assert (tokenizer().kind, tokenizer("unigram", 500).kind) == ("bpe", "unigram")


def test_load_takes_a_file_or_its_folder(tmp_path: Path) -> None:
    """Both spellings give the same tokenizer, and a folder without one is an error with a remedy."""
    with pytest.raises(DataError, match="no vocabulary"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(tokenizer().model)
    assert Tokenizer.load(tmp_path).sha256 == Tokenizer.load(tmp_path / "tokenizer.model").sha256 == tokenizer().sha256


def _foreign(**options: object) -> bytes:
    model = io.BytesIO()
    settings = {"vocab_size": 330, "byte_fallback": True, "pad_id": 3, "control_symbols": "<mask>", "minloglevel": 2}
    lines = iter(["some words of a small text", "and a few more of them"] * 50)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, model_type="bpe", **{**settings, **options}
    )
    return model.getvalue()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "no SentencePiece model"),
        (b"\x00\xffnonsense", "no SentencePiece model"),
        (_foreign(), "normalises text"),
        (_foreign(pad_id=-1), "pieces 0 to 4"),
        (_foreign(byte_fallback=False, vocab_size=50), "no byte fallback"),
    ],
    ids=["empty", "noise", "normalising", "other ids", "no bytes"],
)
def test_a_model_that_is_not_ours_is_refused(model: bytes, message: str) -> None:
    """A damaged file, or a vocabulary that could not restore the text, is refused when it is opened."""
    with pytest.raises(DataError, match=message):
        Tokenizer(model)
