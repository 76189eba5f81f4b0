"""tokenizer.json: the same ids in Hugging Face's tokenizers."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError
from elek.export.tokenizer import merges, tokenizer_json
from tests.vocabulary import prose, texts, tokenizer

tokenizers = pytest.importorskip("tokenizers")


@cache
def exported():  # type: ignore[no-untyped-def]
    loaded = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(tokenizer())))
    loaded.encode_special_tokens = True
    return loaded


@given(text=texts)
@settings(deadline=None, max_examples=60)
def test_ids_and_text_agree(text: str) -> None:
    """Any text gets the same ids, and comes back."""
    ids = exported().encode(text, add_special_tokens=False).ids
    assert ids == tokenizer().encode(text)
    assert exported().decode(ids) == text


@given(text=st.text(alphabet="aab -=", max_size=80), times=st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_runs_and_periods_agree(text: str, times: int) -> None:
    """Repeated signs, where one piece can be made from overlapping pairs, are cut in the same places."""
    assert exported().encode(text * times, add_special_tokens=False).ids == tokenizer().encode(text * times)


def test_prose_agrees() -> None:
    """Whole documents in both languages."""
    for text in [*prose("en", 10, first=50)["text"].to_pylist(), *prose("tr", 10, first=50)["text"].to_pylist()]:
        assert exported().encode(text, add_special_tokens=False).ids == tokenizer().encode(text)


def test_bos_is_added_on_request() -> None:
    """With special tokens a text begins with bos, as in training."""
    assert exported().encode("köy").ids == [1, *tokenizer().encode("köy")]


def test_every_learned_piece_has_one_merge() -> None:
    """Pieces of two characters and more are each made by one pair, in the order of their scores."""
    made = ["".join(pair) for pair in merges(tokenizer())]
    learned = [tokenizer().piece(index).replace("\u2581", " ") for index in range(261, tokenizer().size)]
    assert made == [piece for piece in learned if len(piece) > 1]


def test_unigram_is_refused_by_name() -> None:
    """What the readers of the folder would tokenize wrongly is not written."""
    with pytest.raises(ParamsError, match="unigram"):
        tokenizer_json(tokenizer("unigram", 500))
