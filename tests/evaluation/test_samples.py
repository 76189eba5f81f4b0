"""Samples after fixed prompts."""

from __future__ import annotations

from elek.evaluation.params import EvaluateParams
from elek.evaluation.samples import write_samples
from tests.evaluation.test_scoring import model
from tests.vocabulary import tokenizer


def test_samples_are_seeded_and_bounded() -> None:
    """One per prompt and language, the same for the same seed, no longer than asked for."""
    params = EvaluateParams.model_validate(
        {"prompts": {"tr": ["Bu"], "en": ["The", ""]}, "samples": {"max_new_tokens": 5, "seed": 4}}
    )
    samples = write_samples(model(), tokenizer(), params)
    assert [(sample["lang"], sample["prompt"]) for sample in samples] == [("en", "The"), ("en", ""), ("tr", "Bu")]
    assert all(sample["tokens"] == 5 or sample["ended"] for sample in samples)
    assert samples == write_samples(model(), tokenizer(), params)
    assert all(not prompt.endswith(" ") for prompts in EvaluateParams().prompts.values() for prompt in prompts)
