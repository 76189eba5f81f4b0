"""`evaluate:` of params.yaml."""

from __future__ import annotations

from pydantic import Field

from elek.params import Section


class SampleParams(Section):
    """How the samples are drawn; see `elek.generation`."""

    max_new_tokens: int = Field(default=100, ge=1)
    """Length of a sample, unless the model ends the text earlier."""
    temperature: float = Field(default=0.8, ge=0)
    """Below 1, likely tokens are drawn more often; 0 always takes the likeliest."""
    top_k: int | None = Field(default=None, ge=1)
    """Draw from the k likeliest only."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Draw from the likeliest that together reach this probability."""
    seed: int = Field(default=1, ge=0)
    """The same seed, model and prompt give the same text."""


class NgramParams(Section):
    """The Kneser-Ney model that is the baseline for the network; see `elek.evaluation.ngram`."""

    order: int = Field(default=5, ge=0, le=8)
    """Tokens of its longest n-grams; 0 leaves it out."""
    max_tokens: int = Field(default=10_000_000, ge=1)
    """It counts at most this many training tokens, from the first on, with 60 bytes of memory each."""


class GenerationParams(Section):
    """Generations that are measured and not only shown; see `elek.evaluation.generations`. Drawn like the samples."""

    count: int = Field(default=12, ge=0)
    """Number of prompts for each language of the held-out text, and of prompts from training text."""
    prompt_tokens: int = Field(default=32, ge=1)
    """Tokens of a document that the model is given."""
    new_tokens: int = Field(default=64, ge=1)
    """Tokens that it generates. 50 or more tokens from the training text count as a copy."""


class EvaluateParams(Section):
    """What is scored, at what cost, and the prompts of the samples."""

    max_tokens: int = Field(default=60_000, ge=1)
    """Tokens scored per split. In a larger split, a hash chooses windows from all documents."""
    max_masked_tokens: int = Field(default=1000, ge=1)
    """The same for a masked model, where each token costs a pass over its window."""
    stride: float = Field(default=0.5, gt=0, le=1)
    """A document longer than the context is read in windows that advance by this share of it, so that each scored token
    has at least the rest as its past. Smaller is more accurate and slower: the cost is 1 / stride."""
    batch_tokens: int = Field(default=1024, ge=1)
    """Tokens that go through the model at once; affects only memory and speed."""
    prompts: dict[str, list[str]] = Field(
        default={
            "en": ["To install the package,", "When the king", "The"],
            "tr": ["Türk milleti", "Arkadaşlar,", "Bu"],
        }
    )
    """Prompts of the samples, by language. They end without a space, since a space belongs to the word after it."""
    samples: SampleParams = SampleParams()
    """How the samples are drawn."""
    ngram: NgramParams = NgramParams()
    """The baseline."""
    generations: GenerationParams = GenerationParams()
    """How many generations are measured."""
