"""Text from a model: one token after the other, chosen by the strategy that the caller names."""

from elek.generation.decoding import generate

__all__ = ["generate"]
