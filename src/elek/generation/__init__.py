"""Generate text with a model, token by token or by beam search.

`generate` and `decode` work on ids, `TextModel` on text, `beam_search` on whole continuations.
"""

from elek.generation.beams import Beams, beam_search
from elek.generation.decoding import Token, decode, generate, generate_batch
from elek.generation.sampling import Sampling
from elek.generation.text import Completion, Settings, TextModel

__all__ = [
    "Beams",
    "Completion",
    "Sampling",
    "Settings",
    "TextModel",
    "Token",
    "beam_search",
    "decode",
    "generate",
    "generate_batch",
]
