"""What is masked, and that nothing else decides it but data, seed, step and window."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError
from elek.model.config import ModelConfig
from elek.training.batches import Batches, Indices
from elek.training.examples import make_examples
from elek.training.loss import head_loss
from elek.training.masking import MASK, SPECIALS, Masking, Words
from elek.training.params import MaskingParams
from tests.training.stream import ArrayStream
from tests.vocabulary import tokenizer

V = 90


def tokens_of(rows: int, length: int, seed: int = 0, first: int = SPECIALS) -> Indices:
    return np.random.Generator(np.random.PCG64(seed)).integers(first, V, (rows, length))


def masking(words: Words | None = None, seed: int = 1, **params: object) -> Masking:
    whole = {"whole_words": True} if words else {}
    return Masking(MaskingParams.model_validate({**params, **whole}), seed, "digest", V, words)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 80), st.integers(0, 9), st.floats(0.01, 0.99))
def test_the_share_is_asked_for_and_specials_never(rows: int, length: int, seed: int, share: float) -> None:
    """In each window the share of its tokens, rounded, one at least; no id below 5 is asked for, changed or put in."""
    tokens = tokens_of(rows, length, seed, first=0)
    inputs, targets = masking(share=share).hide(tokens, np.arange(rows), seed)
    asked = targets >= 0
    for row in range(rows):
        allowed = int((tokens[row] >= SPECIALS).sum())
        assert asked[row].sum() == (max(1, round(share * allowed)) if allowed else 0)
    assert not asked[tokens < SPECIALS].any()
    assert np.array_equal(targets[asked], tokens[asked])
    assert np.array_equal(inputs[~asked], tokens[~asked])
    assert ((inputs[asked] == MASK) | (inputs[asked] >= SPECIALS)).all()


def test_eight_of_ten_are_masked_one_is_another_and_one_stays() -> None:
    """As in BERT, to sampling error; and every place of a window is asked for alike."""
    tokens = tokens_of(400, 100)
    inputs, targets = masking(share=0.5).hide(tokens, np.arange(400), 3)
    asked = targets >= 0
    assert abs((inputs[asked] == MASK).mean() - 0.8) < 0.01
    assert abs((inputs[asked] == tokens[asked]).mean() - (0.1 + 0.1 / (V - SPECIALS))) < 0.01
    assert np.abs(asked.mean(axis=0) - 0.5).max() < 0.12


def test_masks_depend_on_seed_step_and_window_alone() -> None:
    """Not on the row, nor on who else is in the batch; another step, seed or text has others."""
    tokens = tokens_of(6, 40)
    order = np.array([3, 0, 5])
    inputs, targets = masking().hide(tokens, np.arange(6), 7)
    some, asked = masking().hide(tokens[order], order, 7)
    assert np.array_equal(some, inputs[order])
    assert np.array_equal(asked, targets[order])
    for other in (masking().hide(tokens, np.arange(6), 8), masking(seed=2).hide(tokens, np.arange(6), 7)):
        assert not np.array_equal(other[1], targets)
    assert not np.array_equal(masking().hide(tokens, np.arange(6), None)[1], targets)


def test_the_masks_are_the_same_on_every_machine_and_version() -> None:
    """A golden value: they are defined here, and not by a library's generator."""
    _, targets = masking(share=0.25).hide(tokens_of(1, 16, seed=0) * 0 + 9, np.array([5]), 2)
    assert np.flatnonzero(targets[0] >= 0).tolist() == [2, 6, 7, 10]


def test_whole_words_are_asked_for_whole() -> None:
    """From one piece with the mark of a space to the next, line ends apart; and about the share of all tokens."""
    pieces = tokenizer()
    words = Words.of(pieces)
    line = pieces.encode("The farmers walked\nunbelievably far, öğretmenlerimizden uzaklara. ")
    tokens = np.array([[1, *line * 6, 2]])
    number = words.number(tokens)[0]
    newline = [index for index, token in enumerate(tokens[0]) if pieces.piece(int(token)) == "<0x0A>"]
    assert newline
    assert all(number[index - 1] < number[index] < number[index + 1] for index in newline)
    total = 0
    for step in range(30):
        hidden = Masking(MaskingParams(whole_words=True), 1, "", pieces.size, words)
        asked = hidden.hide(tokens, np.array([0]), step)[1][0] >= 0
        for word in np.unique(number):
            assert len(set(asked[number == word])) == 1
        total += asked.sum()
    assert 0.08 < total / 30 / tokens.size < 0.16


def test_whole_words_need_a_vocabulary() -> None:
    """Nobody else knows where words begin."""
    with pytest.raises(ParamsError, match="which pieces begin a word"):
        Masking(MaskingParams(whole_words=True), 1, "", V)


def test_the_loss_is_the_mean_over_windows_of_what_was_asked() -> None:
    """Its value and gradients are those of plain PyTorch; and micro-batches, weighed by windows, add up to it."""
    stream = ArrayStream(tokens_of(1, 500)[0].astype(np.uint16), vocab_size=V)
    batches, hidden = Batches(stream, 20, 4, 1), masking(share=0.4)
    config = ModelConfig(vocab_size=V, context=20, width=8, heads=1, objective="masked")
    table, weight = (torch.randn(V, 8, requires_grad=True) for _ in range(2))

    def loss(windows: Indices) -> torch.Tensor:
        given = make_examples(batches, windows, config, torch.device("cpu"), hidden, step=3)
        return given.loss(torch.nn.functional.embedding(given.inputs, table), weight, torch.float32)

    windows = np.array([2, 0, 7])
    found = loss(windows)
    gradients = torch.autograd.grad(found, (table, weight))
    inputs, targets = hidden.hide(batches.tokens(windows)[:, :-1], windows, 3)
    logits = torch.nn.functional.embedding(torch.from_numpy(inputs), table) @ weight.T
    rows = [
        torch.nn.functional.cross_entropy(logits[row], torch.from_numpy(targets[row]), ignore_index=-1)
        for row in range(3)
    ]
    plain = torch.stack(rows).mean()
    torch.testing.assert_close(found, plain)
    for one, other in zip(gradients, torch.autograd.grad(plain, (table, weight)), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close((2 * loss(windows[:2]) + loss(windows[2:])) / 3, found)


def test_nothing_asked_is_no_loss() -> None:
    """Windows of special tokens alone do not divide by 0."""
    stream = ArrayStream(np.ones(100, dtype=np.uint16), vocab_size=V)
    config = ModelConfig(vocab_size=V, context=10, width=8, heads=1, objective="masked")
    given = make_examples(Batches(stream, 10, 2, 1), np.array([0, 3]), config, torch.device("cpu"), masking(), 0)
    states, weight = torch.ones(2, 10, 8, requires_grad=True), torch.ones(V, 8, requires_grad=True)
    loss = given.loss(states, weight, torch.float32)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert weight.grad is not None
    assert not weight.grad.any()


def test_shares_weigh_the_loss() -> None:
    """Equal shares are the mean, whatever the chunks."""
    states, weight, targets = torch.randn(40, 8), torch.randn(V, 8), torch.randint(0, V, (40,))
    mean = head_loss(states, weight, targets)
    torch.testing.assert_close(head_loss(states, weight, targets, torch.full((40,), 1 / 40)), mean)
    assert math.isfinite(mean)


def test_documents_are_numbered_by_where_they_begin() -> None:
    """Windows that straddle documents, whole ones, and those within one."""
    batches = Batches(ArrayStream(np.arange(200, dtype=np.uint16), length=20), 30, 2, 0)
    numbers = batches.document_numbers(np.array([0, 1]))
    assert numbers.tolist() == [[1] * 20 + [2] * 10, [2] * 10 + [3] * 20]
