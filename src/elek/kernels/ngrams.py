"""Word n-grams: the most frequent one, and how much of a text lies in n-grams seen before.

The words of a document are copied one after another into a buffer without what separates them. An n-gram is a
slice of that buffer; its hash follows from those of two prefixes. Most n-grams of a text occur once, and no
table needs to hold them: each pass looks only at candidates, a list of word numbers that contains at least
every n-gram that has an equal.
"""

from __future__ import annotations

import numpy as np

from elek.kernels import Array, kernel, part
from elek.kernels.characters import LEAD, OUTSIDE
from elek.kernels.hashing import BASE, bits_for, load64, power, signed, slot_of, spread

WINDOW = 16
FILTER_BITS = 26  # a byte a slot
TABLE_BITS = 20  # twelve bytes a slot; tables grow where there is need


@kernel
def load_words(text: Array, flags: Array, joined: Array, ends: Array, characters: Array, prefix: Array) -> int:
    """Copy the words of a text, whose flags are known, to `joined`; returns how many there are.

    Word `i` is `joined[ends[i]:ends[i + 1]]`; `characters[i]` and `prefix[i]` count and hash what is before it.
    """
    size, words, length, before = 0, 0, 0, 1
    value = np.uint64(0)
    ends[0], characters[0], prefix[0] = 0, 0, value
    for index in range(len(text)):
        byte, flag = text[index], signed(flags[index])
        outside = flag & OUTSIDE
        words += before & ~outside
        joined[size] = byte
        size += 1 - outside
        length += (flag & (outside - 1)) // LEAD & 1
        following = value * BASE + np.uint64(byte)
        value = value if outside else following
        ends[words], characters[words], prefix[words] = size, length, value
        before = outside
    return words


@kernel
def windows(joined: Array, ends: Array, words: int, candidates: Array) -> int:
    """List the words from which a 5-gram or longer one may begin that has an equal; returns how many.

    Equal n-grams, their words joined without a separator, agree in their first 16 bytes or are shorter than
    that. So a word is a candidate if another one begins the same 16 bytes, or if its 5-gram is shorter.
    """
    grams = words - 4
    if grams <= 0:
        return 0
    bits = bits_for(4 * grams, FILTER_BITS)
    hits = np.zeros(1 << bits, np.uint8)  # by hash: no word, one, or more; a false alarm costs time alone
    total = signed(ends[words])
    for word in range(grams):
        at = signed(ends[word])
        if at + WINDOW <= total:
            slot = slot_of(load64(joined, at) + spread(load64(joined, at + 8)), bits)
            hits[slot] |= 1 + (hits[slot] & 1)
    count = 0
    for word in range(grams):
        at = signed(ends[word])
        found = signed(ends[word + 5]) - at < WINDOW
        if at + WINDOW <= total:
            slot = slot_of(load64(joined, at) + spread(load64(joined, at + 8)), bits)
            found |= hits[slot] > 1
        candidates[count] = word
        count += found
    return count


@kernel
def choose(
    ends: Array, prefix: Array, candidates: Array, size: int, n: int, apart: bool, chosen: Array, hashes: Array
) -> int:
    """Copy the candidates whose n-gram has an equal, by its hash, to `chosen`, and the hashes; returns how many."""
    bits = bits_for(4 * size, FILTER_BITS)
    hits = np.zeros(1 << bits, np.uint8)
    for index in range(size):
        gram = signed(candidates[index])
        begin = signed(ends[gram])
        value = prefix[gram + n] - prefix[gram] * power(signed(ends[gram + n]) - begin)
        if apart:
            for word in range(gram + 1, gram + n):
                value = value * BASE + np.uint64(signed(ends[word]) - begin)
        hashes[index] = value
        slot = slot_of(value, bits)
        hits[slot] |= 1 + (hits[slot] & 1)
    count = 0
    for index in range(size):
        value = hashes[index]
        chosen[count], hashes[count] = candidates[index], value
        count += hits[slot_of(value, bits)] > 1
    return count


@part
def equal(joined: Array, ends: Array, one: int, other: int, n: int, apart: bool) -> bool:
    """Whether the n-grams that begin with two words are of the same words if `apart`, or else of the same characters,
    however they fall into words."""
    begin, base = signed(ends[one]), signed(ends[other])
    length = signed(ends[one + n]) - begin
    same: bool = signed(ends[other + n]) - base == length
    if apart:
        for word in range(1, n):
            same &= signed(ends[other + word]) - base == signed(ends[one + word]) - begin
    at = 0
    while same and at < length:  # the buffer is longer than its words by 8 bytes at least
        rest = load64(joined, base + at) ^ load64(joined, begin + at)
        if length - at < 8:
            rest <<= np.uint64(64 - 8 * (length - at))
        same = rest == 0
        at += 8
    return same


@kernel
def group(
    joined: Array, ends: Array, chosen: Array, hashes: Array, size: int, n: int, apart: bool, firsts: Array
) -> None:
    """For each of the n-grams that begin with a chosen word, the word with which the first equal one begins.

    What is equal is for `equal` to say.
    """
    bits = bits_for(size, TABLE_BITS)
    slots, kept = np.zeros(1 << bits, np.uint32), np.empty(1 << bits, np.uint64)  # word + 1, or 0: empty; its hash
    used = 0
    for index in range(size):
        gram, value = signed(chosen[index]), hashes[index]
        slot = slot_of(value, bits)
        while slots[slot]:
            if kept[slot] == value and equal(joined, ends, gram, signed(slots[slot]) - 1, n, apart):
                break
            slot = (slot + 1) & ((1 << bits) - 1)
        if slots[slot]:
            firsts[index] = slots[slot] - 1
            continue
        slots[slot], kept[slot], firsts[index] = gram + 1, value, gram
        used += 1
        if 2 * used > 1 << bits:
            bits += 1
            slots, kept = _rehash(slots, kept, bits)


@kernel
def _rehash(slots: Array, kept: Array, bits: int) -> tuple[Array, Array]:
    new_slots, new_kept = np.zeros(1 << bits, np.uint32), np.empty(1 << bits, np.uint64)
    for old in range(len(slots)):
        if slots[old]:
            slot = slot_of(kept[old], bits)
            while new_slots[slot]:
                slot = (slot + 1) & ((1 << bits) - 1)
            new_slots[slot], new_kept[slot] = slots[old], kept[old]
    return new_slots, new_kept


@kernel
def top(
    characters: Array, words: int, n: int, chosen: Array, firsts: Array, size: int, counts: Array, candidates: Array
) -> tuple[int, int]:
    """Length in characters of the most frequent n-gram, its words joined by a space, times its count.

    Of several the first seen is taken; an n-gram that is seen once counts. 0 where there are fewer words than n.
    Writes the candidates for n + 1 and returns their number too: an (n + 1)-gram that has an equal begins with
    an n-gram that has one.
    """
    if words < n:
        return 0, 0
    for index in range(size):
        counts[chosen[index]] = 0
    for index in range(size):
        counts[firsts[index]] += np.uint32(1)
    best, most, left = 0, 1, 0
    for index in range(size):
        gram, count = signed(chosen[index]), signed(counts[firsts[index]])
        if count > most:  # the first of several equals comes first here too
            best, most = gram, count
        candidates[left] = gram
        left += count > 1 and gram + n < words
    return (signed(characters[best + n]) - signed(characters[best]) + n - 1) * most, left


@kernel
def duplicated(characters: Array, n: int, chosen: Array, firsts: Array, size: int, seen: Array) -> int:
    """Characters in n-grams that repeat an earlier one, their words joined without a separator.

    The text is read from left to right; after a repeat the reading goes on behind it, and what lies within it
    is not remembered. `seen` holds for each first n-gram the last n for which one like it was read.
    """
    free = total = 0
    for index in range(size):
        gram = signed(chosen[index])
        if gram < free:
            continue
        if seen[firsts[index]] == n:
            total += signed(characters[gram + n]) - signed(characters[gram])
            free = gram + n
        seen[firsts[index]] = n
    return total
