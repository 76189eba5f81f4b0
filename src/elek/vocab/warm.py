"""Everything that `tokenize_part` needs but the vocabulary, loaded by being imported (see `engine.needs`)."""

from __future__ import annotations

import gc

from elek.execution.optional_modules import probe_optional_modules
from elek.vocab import parts  # noqa: F401 - to have it loaded
from elek.vocab.memo import warm_up

probe_optional_modules()
warm_up()
gc.collect()
gc.freeze()
