"""Text in and out: stop strings, whole characters, special names, prompts of every length."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError, ElekError
from elek.generation import Beams, Sampling, Settings, TextModel
from elek.generation.text import StopStrings, _Writer
from tests.generation.models import CONTEXT, random_model, text_model
from tests.vocabulary import tokenizer

GREEDY = Settings(max_new_tokens=30, sampling=Sampling(temperature=0))
DRAWN = Settings(max_new_tokens=30, samples=3, seed=7)


@given(ids=st.lists(st.integers(0, 699), max_size=40))
@settings(deadline=None, max_examples=60)
def test_pieces_of_text_make_up_the_text(ids: list[int]) -> None:
    """Any ids, bytes that form no character among them, read one by one as the tokenizer reads them together."""
    writer = _Writer(text_model()._bytes, ())
    assert "".join(writer.write(token)[0] for token in ids) + writer.close()[0] == tokenizer().decode(ids)


@given(text=st.text(max_size=30))
@settings(deadline=None, max_examples=60)
def test_no_half_characters(text: str) -> None:
    """Each piece holds whole characters; nothing stands for a character that is still to come."""
    writer = _Writer(text_model()._bytes, ())
    parts = [writer.write(token)[0] for token in tokenizer().encode(text)]
    assert "".join(parts) == text
    assert all("\ufffd" not in part for part in parts) or "\ufffd" in text


letters = st.text(alphabet="abc", max_size=12)


@given(parts=st.lists(letters, max_size=8), stops=st.lists(letters.filter(bool), min_size=1, max_size=3))
@settings(deadline=None, max_examples=60)
def test_stop_strings_do_not_depend_on_the_pieces(parts: list[str], stops: list[str]) -> None:
    """The text ends where the first stop string is complete, however it was cut into pieces."""
    text = "".join(parts)
    ends = [(match.end(), match.start()) for stop in stops if (match := re.search(re.escape(stop), text))]
    expected = text[: min(ends)[1]] if ends else text
    watch, found, stopped = StopStrings(stops), "", False
    for part in parts:
        more, stopped = watch.push(part)
        found += more
        assert expected.startswith(found)
        if stopped:
            break
    assert (found if stopped else found + watch.rest) == expected
    assert stopped == bool(ends)


def test_a_stop_string_ends_the_text_and_is_not_in_it() -> None:
    """Taken from the middle of what the model says, across tokens; its text before stays the same."""
    free = text_model().complete(["The farmer"], GREEDY)[0]
    stop = free.text[7:12]
    assert stop
    cut = text_model().complete(["The farmer"], replace(GREEDY, stop=("never said", stop)))[0]
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish == "stop"
    assert len(cut.tokens) < len(free.tokens)
    searched = text_model().complete(["The farmer"], replace(GREEDY, beams=Beams(2), stop=(stop,)))[0]
    assert stop not in searched.text


def test_streams_and_batches_are_the_texts() -> None:
    """Chunks join to the completions; several prompts at once, several samples each, give what one alone gives."""
    prompts = ["The farmer", "Köyün", ""]
    whole = text_model().complete(prompts, DRAWN)
    assert len(whole) == 9
    parts = [""] * 9
    ends = [None] * 9
    for chunk in text_model().stream(prompts, DRAWN):
        assert ends[chunk.index] is None
        parts[chunk.index] += chunk.text
        ends[chunk.index] = chunk.finish  # type: ignore[call-overload]
    assert parts == [completion.text for completion in whole]
    assert ends == [completion.finish for completion in whole]
    assert {completion.finish for completion in whole} <= {"stop", "length"}
    alone = text_model().complete(["Köyün"], replace(DRAWN, samples=1, seed=8))[0]
    assert alone.text == whole[4].text


def test_the_end_of_a_text_is_told_from_the_limit() -> None:
    """`stop` where the model ended its text, `length` where it was cut; never more tokens than asked for."""
    completions = text_model().complete(["The farmer"], replace(DRAWN, samples=12, max_new_tokens=12))
    assert {completion.finish for completion in completions} == {"stop", "length"}
    for completion in completions:
        assert (completion.finish == "length") == (len(completion.tokens) == 12)


def test_an_empty_prompt_begins_a_text() -> None:
    """The model is asked what comes after bos."""
    found = text_model().complete([""], GREEDY)[0]
    assert found.prompt_tokens == 1
    assert found.tokens


def test_no_tokens_asked_for_give_an_empty_text() -> None:
    """max_new_tokens 0, by drawing and by search."""
    for asked in (replace(GREEDY, max_new_tokens=0), replace(GREEDY, max_new_tokens=0, beams=Beams(2))):
        found = text_model().complete(["The", "Bu"], asked)
        assert [(completion.text, completion.finish) for completion in found] == [("", "length")] * 2


@pytest.mark.parametrize("name", ["<s>", "</s>", "<unk>", "<pad>", "<mask>", "<0x41>"])
def test_a_special_name_in_a_prompt_is_text(name: str) -> None:
    """It never becomes a control id, and comes back as it was written."""
    ids = text_model().encode(f"a {name} b")
    assert ids[0] == 1
    assert min(ids[1:]) >= 5
    assert tokenizer().decode(ids) == f"a {name} b"


def test_a_lone_surrogate_is_refused() -> None:
    """By name, before anything is generated."""
    with pytest.raises(DataError, match="lone surrogate"):
        text_model().complete(["a\ud800"], GREEDY)


def test_of_a_long_prompt_the_end_is_read_and_the_rest_counted() -> None:
    """What did not fit the context is told; the text is that of the end alone."""
    prompt = "The farmer " * CONTEXT
    found = text_model().complete([prompt], GREEDY)[0]
    assert found.unseen == found.prompt_tokens - CONTEXT > 0
    searched = text_model().complete([prompt], replace(GREEDY, beams=Beams(2)))[0]
    assert searched.unseen == found.prompt_tokens - CONTEXT + 29
    assert searched.tokens


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Settings(max_new_tokens=-1), "max_new_tokens is -1"),
        (lambda: Settings(samples=0), "0 samples"),
        (lambda: Settings(stop=("a", "")), "empty stop string"),
        (lambda: Settings(seed=2**63), "seed is"),
        (lambda: Settings(beams=Beams(2), samples=3), "3 texts of a search with 2 beams"),
        (lambda: Settings(beams=Beams(2), top=1), "no candidates per token"),
        (lambda: Beams(0), "beams is 0"),
        (lambda: Beams(2, float("nan")), "length_penalty is nan"),
        (lambda: Beams(2, 1000.0), "length_penalty is 1000.0"),
        (lambda: Beams(2, early_stopping="soon"), "early_stopping is 'soon'"),  # type: ignore[arg-type]
        (lambda: text_model().complete(["a"], Settings(max_new_tokens=CONTEXT + 1, beams=Beams(2))), "beam search for"),
        (lambda: TextModel(random_model(), tokenizer()), "the model knows 97 tokens"),
    ],
)
def test_what_means_nothing_is_refused(make, said: str) -> None:  # type: ignore[no-untyped-def]
    """By its name, before anything runs."""
    with pytest.raises(ElekError, match=said):
        make()


def test_a_token_can_be_looked_at() -> None:
    """Special ones by name, bytes in hexadecimal, pieces with their spaces."""
    byte = tokenizer().byte_ids[0xC3]
    assert [text_model().piece(index) for index in (1, byte)] == ["<s>", "\\xc3"]
