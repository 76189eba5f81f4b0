"""Repeated n-grams of a text that is too large for `elek.kernels.ngrams`: the same figures in less memory.

There a word costs 40 bytes of scratch, here 9 besides the text, and tables of a bounded size: they take as many
different n-grams as they hold, in the order of the text, and what found no room waits for another pass. An n-gram
that is entered meets all its equals in that very pass, so that nothing changes but the number of passes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from elek.kernels import Array, kernel, part
from elek.kernels.characters import OUTSIDE, count_characters
from elek.kernels.hashing import BASE, hash_bytes, signed, slot_of
from elek.kernels.ngrams import equal

LARGE = 8 << 20
"""Bytes from which on a text is large: below, the scratch of `ngrams` is 160 MiB at most."""
BITS = 24
"""log2 of a table's slots, of 8 or 12 bytes, half of which are filled."""

ALIVE, MAYBE, WAITS, REPEATED, READ = 1, 2, 4, 8, 16
"""States of a word as the beginning of an n-gram: it may be looked at; it may have an equal; it has not been entered
yet; it is the first of several; it has been read."""


@kernel
def count(flags: Array, size: int) -> int:
    """Words of a text of `size` bytes."""
    words, before = 0, OUTSIDE
    for index in range(size):
        outside = flags[index] & OUTSIDE
        words += before & ~outside
        before = outside
    return words


@kernel
def _load(text: Array, flags: Array, joined: Array, ends: Array) -> None:
    """Copy the words one after another: word `i` is `joined[ends[i]:ends[i + 1]]`."""
    size = words = 0
    before = 1
    ends[0] = 0
    for index in range(len(text)):
        outside = signed(flags[index]) & OUTSIDE
        words += before & ~outside
        joined[size] = text[index]
        size += 1 - outside
        ends[words] = size
        before = outside


@part
def _hash(joined: Array, ends: Array, gram: int, n: int, apart: bool) -> Any:
    begin = signed(ends[gram])
    value = hash_bytes(joined, begin, signed(ends[gram + n]))
    if apart:
        for word in range(gram + 1, gram + n):
            value = value * BASE + np.uint64(signed(ends[word]) - begin)
    return value


@kernel
def _mark(joined: Array, ends: Array, grams: int, n: int, apart: bool, state: Array, bits: int) -> None:
    """Find the n-grams that may have an equal: two bits for each hash say none, one, or more."""
    hits = np.zeros(1 << bits + 2, np.uint8)
    for gram in range(grams):
        if state[gram] & ALIVE:
            slot = slot_of(_hash(joined, ends, gram, n, apart), bits + 4)
            shift = 2 * (slot & 3)
            hits[slot >> 2] += np.uint8(((hits[slot >> 2] >> shift) & 3 < 2) << shift)
    for gram in range(grams):
        state[gram] &= ALIVE
        if state[gram]:
            slot = slot_of(_hash(joined, ends, gram, n, apart), bits + 4)
            if (hits[slot >> 2] >> (2 * (slot & 3))) & 3 > 1:
                state[gram] = ALIVE | MAYBE | WAITS


@kernel
def _enter(
    joined: Array, ends: Array, grams: int, n: int, apart: bool, state: Array, firsts: Array, bits: int
) -> tuple[bool, int, int]:
    """One pass: for n-grams that wait, the word with which the first equal one begins, as in `ngrams.group`.

    Returns whether some still wait, the most frequent n-gram of those that do not (-1: none occurs twice), and how
    often it occurs.
    """
    mask = (1 << bits) - 1
    slots, kept = np.zeros(1 << bits, np.uint32), np.empty(1 << bits, np.uint32)  # word + 1, or 0: empty; its hash
    counts = np.zeros(1 << bits if apart else 1, np.uint32)
    used, left = 0, False
    for gram in range(grams):
        if not state[gram] & WAITS:
            continue
        value = _hash(joined, ends, gram, n, apart)
        short = np.uint32(value & np.uint64(0xFFFFFFFF))
        slot = slot_of(value, bits)
        while slots[slot]:
            if kept[slot] == short and equal(joined, ends, gram, signed(slots[slot]) - 1, n, apart):
                break
            slot = (slot + 1) & mask
        if slots[slot]:
            first = signed(slots[slot]) - 1
            firsts[gram] = first
            state[first] |= REPEATED
        elif 2 * used > mask:
            left = True
            continue
        else:
            slots[slot], kept[slot], firsts[gram] = gram + 1, short, gram
            used += 1
        state[gram] &= 0xFF ^ WAITS
        if apart:
            counts[slot] += np.uint32(1)
    best, most = -1, 1
    for slot in range(len(counts)):
        gram, number = signed(slots[slot]) - 1, signed(counts[slot])
        if number > most or (number == most and number > 1 and gram < best):
            best, most = gram, number
    return left, best, most


@kernel
def _duplicated(joined: Array, ends: Array, grams: int, n: int, state: Array, firsts: Array) -> int:
    """As `ngrams.duplicated`."""
    free = total = 0
    for gram in range(grams):
        if gram < free or not state[gram] & MAYBE:
            continue
        first = firsts[gram]
        if state[first] & READ:
            total += count_characters(joined, signed(ends[gram]), signed(ends[gram + n]))
            free = gram + n
        state[first] |= READ
    return total


@kernel
def repetition(text: Array, flags: Array, joined: Array, bits: int, out: Array) -> None:
    """Characters in the most frequent 2- to 4-gram, then in repeated 5- to 10-grams, to `out` (9).

    `flags` are those of the text, and scratch behind it.
    """
    words = count(flags, len(text))
    ends, firsts = np.empty(words + 1, np.uint32), np.empty(words, np.uint32)
    _load(text, flags, joined, ends)
    state = flags
    for n in range(2, 11):
        out[n - 2] = 0
        grams, apart = words - n + 1, n < 5
        if grams <= 0:
            continue
        if n == 2 or n == 5:
            state[:grams] = ALIVE
        _mark(joined, ends, grams, n, apart, state, bits)
        best, most, left = 0, 1, True
        while left:
            left, gram, number = _enter(joined, ends, grams, n, apart, state, firsts, bits)
            if number > most or (number == most and number > 1 and gram < best):
                best, most = gram, number
        if apart:
            length = count_characters(joined, signed(ends[best]), signed(ends[best + n]))
            out[n - 2] = (length + n - 1) * most
            for gram in range(grams):  # an (n + 1)-gram that has an equal begins with an n-gram that has one
                stays = state[gram] & MAYBE and state[firsts[gram]] & REPEATED
                state[gram] = state[gram] & (0xFF ^ ALIVE) | (ALIVE if stays else 0)
        else:
            out[n - 2] = _duplicated(joined, ends, grams, n, state, firsts)
