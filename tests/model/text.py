"""A real text for tests: Python's own documentation of its language, as it ships inside of Python."""

from __future__ import annotations

from functools import cache
from pydoc_data.topics import topics

import numpy as np

from tests.training.stream import ArrayStream

SPECIALS = 5
VOCAB = SPECIALS + 128


@cache
def characters(first: int, last: int) -> ArrayStream:
    """ASCII characters `first` to `last` of the text as ids from 5 on, a document beginning at every 200th."""
    text = "".join(topics[name] for name in sorted(topics)).encode("ascii", "ignore")[first:last]
    tokens = np.frombuffer(text, dtype=np.uint8).astype(np.uint16) + SPECIALS
    tokens[::200] = 1  # <s>
    return ArrayStream(tokens, length=200, vocab_size=VOCAB)
