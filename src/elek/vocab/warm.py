"""Load everything that `tokenize_part` needs except the vocabulary, on import (see `engine.modules_of`)."""

from __future__ import annotations

import gc

from elek.execution.optional_modules import probe_optional_modules
from elek.vocab import parts  # noqa: F401 - to have it loaded
from elek.vocab.memo import warm_up

probe_optional_modules()
warm_up()
gc.collect()
gc.freeze()
