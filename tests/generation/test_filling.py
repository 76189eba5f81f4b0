"""Filling masks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from elek.errors import DataError, ParamsError
from elek.generation import generate
from elek.generation.filling import fill
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import Tokenizer
from elek.vocab.training import train_vocabulary
from tests.vocabulary import prose, tokenizer, write_dataset


def model(objective: str = "masked", size: int = 700) -> Transformer:
    config = {"vocab_size": size, "context": 40, "layers": 1, "width": 32, "heads": 2, "objective": objective}
    made = initialise(Transformer(ModelConfig.model_validate(config)), seed=3).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(20) if parameter.dim() > 1 else None
    return made


def test_candidates_are_the_likeliest_that_fit() -> None:
    """With their probability in the whole vocabulary; words after a space, the rest of one without."""
    network, pieces = model(), tokenizer()
    for text, spaced in (("The [MASK] ran", True), ("The far[MASK] ran", False)):
        ids = [1, *pieces.encode(text.partition("[")[0].rstrip()), 4, *pieces.encode(" ran"), 2]
        place = ids.index(4)
        with torch.no_grad():
            share = network(torch.tensor([ids]))[0, place].softmax(-1)
        found = fill(network, pieces, text, top_k=3).masks[0]
        fitting = [index for index in range(5, 700) if pieces.piece(index).startswith("\u2581") == spaced]
        best = sorted(fitting, key=lambda index: -share[index].item())[:3]
        assert [candidate.probability for candidate in found] == pytest.approx([share[index].item() for index in best])
        assert all(candidate.piece.startswith(" ") == spaced for candidate in found)


def test_the_text_is_filled_with_the_first_of_each() -> None:
    """The rest of the text stands as it was, whatever signs are in it."""
    filled = fill(model(), tokenizer(), "Köyün [MASK] güzeldir,\n <mask> <s> ▁.")
    first, second = (mask[0].piece for mask in filled.masks)
    assert filled.text == f"Köyün{first} güzeldir,\n{second} <s> ▁."
    assert fill(model(), tokenizer(), "[MASK]").text == fill(model(), tokenizer(), "<mask>").text


def test_masks_are_filled_one_by_one_or_all_at_once() -> None:
    """One by one, the second knows the first; jointly, each is as if the other were never filled."""
    network, pieces, text = model(), tokenizer(), "The [MASK] and the [MASK] ran"
    joint, ordered = fill(network, pieces, text, order="joint"), fill(network, pieces, text)
    assert joint.masks[0] == ordered.masks[0]
    assert joint.masks[1] != ordered.masks[1]
    written = text.replace(" [MASK]", ordered.masks[0][0].piece, 1)
    assert pieces.encode(written)  # the same pieces again only where the vocabulary would cut them so
    assert fill(network, pieces, text, order="joint") == joint


def greedy_word(length: int) -> float:
    """The mean probability of the pieces of a word in "The … ran", each the likeliest that fits, by hand."""
    network, pieces = model(), tokenizer()
    ids, total = [1, *pieces.encode("The"), *[4] * length, *pieces.encode(" ran"), 2], 0.0
    for at in range(length):
        place = ids.index(4)
        logprobs = network(torch.tensor([ids]))[0, place].log_softmax(-1)
        names = {index: pieces.piece(index) for index in range(5, 700) if not pieces.is_byte(index)}
        fits = [
            index
            for index, name in names.items()
            if name.startswith("\u2581") == (at == 0) and name.removeprefix("\u2581").isalnum()
        ]
        ids[place] = max(fits, key=lambda index: logprobs[index].item())
        total += logprobs[ids[place]].item()
    return math.exp(total / length)


def test_a_mask_may_be_a_word_of_several_pieces() -> None:
    """Words of letters, the best by their pieces' mean probability; the search of one piece is that of all."""
    network, pieces = model(), tokenizer()
    found = fill(network, pieces, "The [MASK] ran and[MASK].", top_k=5, max_pieces=3)
    for mask, space in zip(found.masks, (" ", ""), strict=True):
        assert [one.probability for one in mask] == sorted((one.probability for one in mask), reverse=True)
        assert all(one.piece.startswith(space) and one.piece.removeprefix(space).isalnum() for one in mask)
    assert found.text == f"The{found.masks[0][0].piece} ran and{found.masks[1][0].piece}."
    best = max(greedy_word(1), greedy_word(2))
    assert fill(network, pieces, "The [MASK] ran", top_k=1, max_pieces=2).masks[0][0].probability == pytest.approx(best)
    with pytest.raises(ParamsError, match="never all masks at once"):
        fill(network, pieces, "The [MASK]", order="joint", max_pieces=2)
    with pytest.raises(ParamsError, match="max_pieces is 0"):
        fill(network, pieces, "The [MASK]", max_pieces=0)


def test_a_control_piece_fills_no_mask(tmp_path: Path) -> None:
    """Nor do those that params add: they stand for no text, even where their names are words."""
    dataset = write_dataset(tmp_path / "split", [prose("en", 10)])
    pieces = Tokenizer(train_vocabulary(dataset, VocabParams(size=400, control=["USER"]))[0])
    network = model(size=400)
    for max_pieces in (1, 2):
        (mask,) = fill(network, pieces, "The[MASK]", top_k=400, max_pieces=max_pieces).masks
        assert all(candidate.piece for candidate in mask)


@pytest.mark.parametrize(
    ("text", "top_k", "error", "said"),
    [
        ("Nothing here", 5, DataError, "nothing is masked"),
        ("", 5, DataError, "nothing is masked"),
        ("[MASK] word" + " word" * 60, 5, DataError, "and the model sees 40"),
        ("[MASK]", 0, ParamsError, "top_k is 0"),
    ],
)
def test_what_cannot_be_filled_is_told(text: str, top_k: int, error: type[Exception], said: str) -> None:
    """With what to write instead."""
    with pytest.raises(error, match=said):
        fill(model(), tokenizer(), text, top_k=top_k)


def test_another_vocabulary_is_refused() -> None:
    """Of another size than the model's: its ids mean other pieces."""
    larger = Transformer(model().config.model_copy(update={"vocab_size": tokenizer().size + 1}))
    with pytest.raises(DataError, match="the model knows 701 tokens, the vocabulary 700"):
        fill(larger, tokenizer(), "The [MASK] ran")


def test_each_objective_has_its_command() -> None:
    """A causal model fills nothing and a masked one continues nothing; both say who does."""
    with pytest.raises(ParamsError, match="a causal model cannot fill a mask") as told:
        fill(model("causal"), tokenizer(), "The [MASK]")
    assert "elek generate" in str(told.value)
    with pytest.raises(ParamsError, match="a masked model cannot continue a text") as told:
        generate(model(), [1], max_new_tokens=1)
    assert "elek fill" in str(told.value)
