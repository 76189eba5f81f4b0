"""Every value of every option of the model, under both objectives: one list, and what must hold for all of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from elek.errors import ParamsError
from elek.model import attention
from elek.model.config import ModelConfig
from elek.model.files import load_model, save_model
from elek.model.transformer import Transformer, initialise
from elek.params import parse
from elek.training.explain import forward_flops
from elek.training.params import TrainParams
from elek.training.trainer import Trainer
from tests.model.text import VOCAB, characters
from tests.options import SHAPES

SIZES: dict[str, Any] = {"context": 32, "layers": 1, "width": 32, "heads": 2}
CASES = [
    pytest.param(objective, choice, id=f"{objective}-{name}")
    for objective in ("causal", "masked")
    for name, choice in SHAPES.items()
    if (objective, name) != ("masked", "no-positions")
]
every_option = pytest.mark.parametrize(("objective", "choice"), CASES)


def build(objective: str, choice: dict[str, Any], seed: int = 1, **sizes: Any) -> Transformer:
    """A model whose every weight matters: matrices grown, gains and biases that are neither 1 nor 0."""
    values = {**SIZES, "layers": 2, **choice, **sizes, "objective": objective, "vocab_size": VOCAB}
    model = initialise(Transformer(ModelConfig.model_validate(values)), seed).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4) if parameter.dim() > 1 else parameter.add_(torch.linspace(-0.5, 0.5, len(parameter)))
    return model


def tokens_of(batch: int, length: int) -> Tensor:
    return torch.randint(5, VOCAB, (batch, length), generator=torch.Generator().manual_seed(0))


def make_params(objective: str, choice: dict[str, Any], **changes: Any) -> TrainParams:
    values: dict[str, Any] = {
        "objective": objective,
        "masking": {"share": 0.3},
        "model": {**SIZES, **choice},
        "steps": 50,
        "batch": 16,
        "threads": 1,
        "precision": "fp32",
        "optimizer": {"name": "muon", "learning_rate": 1e-2, "matrix_learning_rate": 3e-2},
        "validation": {"every": 1000, "windows": 64},
        "history_every": 1000,
    }
    return TrainParams.model_validate({**values, **changes})


def make_trainer(params: TrainParams, root: Path | None = None, **more: Any) -> Trainer:
    return Trainer(params, characters(0, 40_000), characters(40_000, 46_000), root, **more)


@every_option
def test_forward_backward_and_file(objective: str, choice: dict[str, Any], tmp_path: Path) -> None:
    """Logits of the promised shape, a gradient for every weight, the promised count of them; saved and loaded whole."""
    model, tokens = build(objective, choice), tokens_of(2, 12)
    documents = torch.tensor([[0] * 5 + [1] * 7, [0] * 12]) if "document_masking" in choice else None
    logits = model(tokens, documents=documents)
    assert (logits.shape, logits.dtype) == ((2, 12, VOCAB), torch.float32)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.roll(1, 1).flatten()).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # Softmax does not change when all scores of a query rise alike: a bias of the keys has no effect to learn.
        assert parameter.grad.abs().sum() > 0 or name.endswith("key.bias"), name
    assert model.config.parameters == sum(parameter.numel() for parameter in model.parameters())
    save_model(tmp_path, model)
    loaded = load_model(tmp_path)
    assert loaded.config == model.config
    assert torch.equal(loaded(tokens), model(tokens))


@pytest.mark.parametrize("name", SHAPES)
def test_a_cache_changes_no_logits(name: str) -> None:
    """One by one or in pieces as all at once; beyond the context nothing is made up."""
    model, tokens = build("causal", SHAPES[name]), tokens_of(2, 12)
    cache = model.new_cache(batch=2)
    found = torch.cat([model(piece, cache) for piece in tokens.split([5, 1, 1, 4, 1], dim=1)], dim=1)
    assert (found - model(tokens)).abs().max() < 1e-5
    with pytest.raises(ValueError, match="33 tokens do not fit the model's context of 32"):
        model(tokens_of(2, 21), cache)


def test_a_masked_model_has_no_cache_and_looks_to_both_sides() -> None:
    """Its states depend on what follows; a causal model's never do."""
    tokens = tokens_of(1, 12)
    changed = tokens.clone()
    changed[0, 9] = 5 if tokens[0, 9] != 5 else 6
    masked, causal = build("masked", {}), build("causal", {})
    assert not torch.equal(masked(tokens)[:, :9], masked(changed)[:, :9])
    assert torch.equal(causal(tokens)[:, :9], causal(changed)[:, :9])
    with pytest.raises(ValueError, match="a masked model has no cache"):
        masked(tokens, masked.new_cache())


@pytest.mark.parametrize("positions", ["rope", "learned", "sinusoidal"])
@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_documents_of_a_window_do_not_see_each_other(objective: str, positions: str) -> None:
    """Each document's logits are those that it has alone, wherever in the window it stands."""
    model, tokens = build(objective, {"positions": positions}), tokens_of(1, 20)
    documents = torch.tensor([[4] * 7 + [5] * 12 + [9]])
    together = model(tokens, documents=documents)
    alone = torch.cat([model(piece) for piece in tokens.split([7, 12, 1], dim=1)], dim=1)
    assert (together - alone).abs().max() < 1e-4


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("documents", [True, False])
@pytest.mark.parametrize("length", [2, 7, 16])
def test_plain_products_equal_pytorchs_kernel(causal: bool, documents: bool, length: int) -> None:
    """Values and gradients to rounding, one side or both, with documents or without, heads shared."""
    generator = torch.Generator().manual_seed(length)
    inputs = [torch.randn(2, heads, length, 8, generator=generator) for heads in (4, 2, 2)]
    numbers = torch.randint(0, 2, (2, length), generator=generator).sort(dim=1).values
    seen = attention.visible(numbers, causal) if documents else None
    plain = attention.causal_halves if causal else attention.both_sides
    found = []
    for kernel in (lambda q, k, v: plain(q, k, v, seen), lambda q, k, v: attention.attend(q, k, v, causal, seen)):
        leaves = [x.clone().requires_grad_() for x in inputs]
        result = kernel(*leaves)
        result.square().sum().backward()
        found.append([result, *[leaf.grad for leaf in leaves]])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_dropout_touches_no_measurement() -> None:
    """Validation sees the whole model, and as often as one likes."""
    trainer = make_trainer(make_params("causal", {"dropout": 0.5}))
    assert trainer.validation_loss() == trainer.validation_loss()
    plain = make_trainer(make_params("causal", {}))
    assert trainer.validation_loss() == plain.validation_loss()


@every_option
def test_operations_are_those_that_torch_counts(objective: str, choice: dict[str, Any]) -> None:
    """Forward exactly; backward twice as much."""
    model, tokens = build(objective, choice), tokens_of(2, 32)
    with sdpa_kernel(SDPBackend.MATH):  # made of products, which the counter knows
        with FlopCounterMode(display=False) as forward:
            loss = model(tokens).square().mean()
        with FlopCounterMode(display=False) as backward:
            loss.backward()
    told = sum(forward_flops(model.config).values()) * tokens.numel()
    assert forward.get_total_flops() == told
    assert backward.get_total_flops() == pytest.approx(2 * told, rel=0.02)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": {"depth": 0}}, "greater than or equal to 1"),
        ({"model": {"positions": "relative"}}, "'rope', 'learned', 'sinusoidal' or 'none'"),
        ({"model": {"dropout": 1}}, "less than 1"),
        ({"model": {"width": 33, "heads": 3, "positions": "sinusoidal"}}, "33 is odd"),
        ({"objective": "masked", "model": {"positions": "none"}}, "bag of words"),
        ({"masking": {"masked": 0.8, "random": 0.3}}, "more than 1 together"),
        ({"masking": {"shared": 0.1}}, "unknown key `train.masking.shared`"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    """Before anything runs."""
    with pytest.raises(ParamsError, match=said):
        parse("train", given, TrainParams)


def test_an_untrained_model_knows_nothing() -> None:
    """At the first step the loss is that of chance, whatever the objective."""
    for objective in ("causal", "masked"):
        assert make_trainer(make_params(objective, {})).validation_loss() == pytest.approx(math.log(VOCAB), abs=0.1)
