"""Kinds of line: a document's lines as numbers into a table of what the rules ask of them.

A text of tens of millions of lines has few kinds, and would take many times its size if each line said everything of
itself. A table of slots finds a kind by its hash: a slot holds the kind's number in its document plus 1, or 0.
"""

from __future__ import annotations

import numpy as np

from elek.kernels import Array, kernel, part
from elek.kernels.hashing import signed, spread

BYTES, WORDS, LONGEST, MARKS, SENTENCES = range(5)
"""Columns of a kind of line, or of several lines behind each other that have the same words, longest word and marks:
bytes with line breaks, words of each, characters of the longest word, marks, sentences of all."""


@kernel
def doubled(array: Array) -> Array:
    """The array with as much room again behind it."""
    return np.concatenate((array, np.empty_like(array)))


@part
def _slot(kinds: Array, first: int, slots: Array, kind: Array) -> int:
    """Where the slots have `kind`, or have room for it; the document's kinds are those from number `first` on."""
    mask, half = len(slots) - 1, np.uint64(32)
    value = spread(np.uint64(kind[BYTES]) << half | np.uint64(kind[WORDS]))
    value = spread(value ^ (np.uint64(kind[LONGEST]) << half | np.uint64(kind[SENTENCES])) + np.uint64(kind[MARKS]))
    slot: int = signed(value) & mask
    while slots[slot]:
        same, number = True, first + slots[slot] - 1
        for column in range(5):
            same &= kinds[number, column] == kind[column]
        if same:
            break
        slot = (slot + 1) & mask
    return slot


@kernel
def more_slots(kinds: Array, first: int, count: int, slots: Array) -> Array:
    """Four times as many slots, for the `count` kinds from number `first` on."""
    larger = np.zeros(4 * len(slots), np.uint32)
    for number in range(count):
        larger[_slot(kinds, first, larger, kinds[first + number])] = number + 1
    return larger


@part
def add(lines: Array, count: int, kinds: Array, first: int, known: int, slots: Array, kind: Array) -> int:
    """Write a line of `kind` as number `count`; returns how many kinds are known then.

    The document's kinds are `first` to `known`. There must be room for one more in each array: between functions an
    array that is returned costs as much as the search.
    """
    slot = _slot(kinds, first, slots, kind)
    if not slots[slot]:
        for column in range(5):
            kinds[known, column] = kind[column]
        known += 1
        slots[slot] = known - first
    lines[count] = slots[slot] - np.uint32(1)
    return known
