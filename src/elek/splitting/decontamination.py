"""Training text that repeats held-out text, found by n-grams of words.

After T. Brown et al., "Language Models are Few-Shot Learners" (2020), appendix C: 13-grams in folded case without
punctuation; a held-out text shorter than that counts as one n-gram of its own length, down to 8 words; an n-gram
that more than 10 training documents have is boilerplate. Where they cut around a match, we judge the document, by
the larger of two shares, so that neither a short quotation nor a licence's header drops a long page, while a long
page that contains a whole test document is dropped:

    of the training document's n-grams (each place counted), those that stand in held-out text
    of one held-out document's n-grams (each counted once), those that stand in the training document

Case and marks are folded as in deduplication, digits are kept: tables of numbers differ in nothing else. What
documents have in common is known beforehand (`elek.dedup.passages`); here no text is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.dedup.kernels import F64, I64, Bools
from elek.dedup.passages import Passages


@dataclass(frozen=True)
class Findings:
    """Arrays by document; 0 and -1 for those that are not for training."""

    own: F64
    """Share of its n-grams that stand in held-out text."""
    held: F64
    """The largest share of one held-out document's n-grams that stands in it."""
    document: I64
    """That held-out document, or where `own` is larger the one with most of the n-grams; -1 for none."""

    @property
    def share(self) -> F64:
        return np.maximum(self.own, self.held)

    def evidence(self, row: int, name: Callable[[int], str], ngram: int) -> str:
        """In words, for a row that has a match; `name` tells which held-out document that is."""
        named = name(int(self.document[row]))
        if self.held[row] >= self.own[row]:
            return f"holds {self.held[row]:.0%} of the {ngram}-grams of {named}"
        return f"{self.own[row]:.0%} of its {ngram}-grams are held out, most of them in {named}"


def find(passages: Passages, training: Bools, held_out: Bools, ids: pa.Array, common: int) -> Findings:
    """Compare the documents of two masks. n-grams that more than `common` training documents have do not count.

    `ids` decide between held-out documents that are as much repeated as each other: the first one is named.
    """
    trained = training[passages.row]
    owned = held_out[passages.row] & passages.owns
    count = len(passages.runs)
    trainers = np.bincount(passages.passage[trained], minlength=count)
    owners = np.bincount(passages.passage[owned], minlength=count)
    counts = (owners > 0) & (trainers > 0) & (trainers <= common)

    at = np.flatnonzero(trained & counts[passages.passage])
    own = np.bincount(passages.row[at], passages.at[at], len(training)) / np.maximum(passages.places, 1)

    # Every training document of a passage with every held-out one.
    owning = np.flatnonzero(owned & counts[passages.passage])
    first = np.searchsorted(passages.passage[owning], np.arange(count))
    passage, row = passages.passage[at], passages.row[at]
    times = owners[passage]
    behind = np.arange(times.sum()) - np.repeat(np.append(0, np.cumsum(times)[:-1])[: len(times)], times)
    owner = passages.row[owning[np.repeat(first[passage], times) + behind]]
    pairs, group = np.unique(np.stack([np.repeat(row, times), owner]), axis=1, return_inverse=True)
    shared = np.bincount(group.reshape(-1), np.repeat(passages.runs[passage], times), pairs.shape[1])
    row, owner = pairs
    share = shared / passages.sizes[owner]

    held, document = np.zeros(len(own)), np.full(len(own), -1, dtype=np.int64)
    np.maximum.at(held, row, share)
    # The strongest document of each row is written last: by its share, or by n-grams where `own` decides.
    place = np.empty(len(ids), dtype=np.int64)
    place[pc.sort_indices(ids).to_numpy()] = np.arange(len(ids))
    strength = np.where(held[row] >= own[row], share, shared)
    order = np.lexsort((-place[owner], strength, row))
    document[row[order]] = owner[order]
    return Findings(own, held, document)
