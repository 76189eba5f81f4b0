"""Everything that `process_shard` needs, loaded: imported by the process that workers are forked from.

Models, compiled kernels, tables and plans of telephone numbers are read where a text first asks for them. Here a few
texts ask for all of it, under the default rules. What cannot be loaded is told by the worker that needs it.
"""

from __future__ import annotations

import contextlib
import gc
from concurrent.futures import ThreadPoolExecutor

from elek.errors import ElekError
from elek.execution.optional_modules import probe_optional_modules

TEXTS = (
    "The dog looked at the cat, and the cat looked at the door of the house in which they lived.\n\nThen it was gone.",
    "Kedi, evin kapısında duran köpeğe baktı ve sonra yavaşça bahçeye çıktı; orada kimse yoktu.",
    "This is a card 4111 1111 1111 1111, a number 10000000146, TR33 0006 1005 1978 6457 8413 26, and mail to "
    "somebody@example.org, or call +90 212 555 12 34 or 10.0.0.1. Licensed under the MIT License, all rights reserved. "
    "Damn stupid idiot.",
    "<html><head><title>A page of the house</title></head><body><p>This is the Caf\u00c3\u00a9 in which they lived "
    "&amp; more\u00a0text of the same kind\u200b.</p></body></html>",
)
"""In plain English and Turkish: of these, nobody asks the second identifier, whose model is still being loaded."""


def _load() -> None:
    probe_optional_modules()
    from elek.language import bayes

    with ThreadPoolExecutor(1) as beside:
        # Decompresses for half a second without the interpreter's lock.
        beside.submit(bayes.rank, TEXTS[0], 1)
        _try()


def _try() -> None:
    import pyarrow as pa
    import pyarrow.acero  # what the last pass groups its tables with

    from elek.curation.chain import exported
    from elek.curation.settings import settings
    from elek.dataset import DOCUMENT
    from elek.filtering import decide, derived
    from elek.filtering.annotation import annotate
    from elek.text.cleaning import clean_table

    asked = settings()
    empty = dict.fromkeys(DOCUMENT.names, "") | {"license": "MIT", "meta": "{}"}
    rows = [empty | {"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
    documents, _ = clean_table(pa.Table.from_pylist(rows, schema=DOCUMENT), asked.clean)
    measured = annotate(documents, asked.annotate)
    exported(decide(measured, asked.filter), derived(measured, asked.filter))


with contextlib.suppress(ElekError):
    _load()
# The thread has ended: who is forked has one alone. What is here stays, and its pages are shared as long as no
# collection of a worker touches them. (To collect first would take longer than what there is to find is worth.)
gc.freeze()
