"""Lines and paragraphs: how much of a text repeats an earlier one."""

from __future__ import annotations

import numpy as np

from elek.kernels import Array, kernel, part
from elek.kernels.characters import BREAK, SPACE, count_characters
from elek.kernels.hashing import contains, differ, hash_bytes, load64, signed, slot_of

LF, CR = 0x0A, 0x0D
MOST = 1 << 22
"""Distinct segments that are kept in a table at once, in 128 MiB."""
BREAKS = np.uint64(BREAK * 0x0101010101010101)


@kernel
def strip(size: int, flags: Array) -> tuple[int, int]:
    """`str.strip`: the span without the white space at its ends, of a text of `size` bytes with these flags."""
    return trim(flags, 0, size)


@part
def trim(flags: Array, first: int, last: int) -> tuple[int, int]:
    """`str.strip` of the span from `first` to `last`, by the flags of a text."""
    while first < last and flags[first] & SPACE:
        first += 1
    while last > first and flags[last - 1] & SPACE:
        last -= 1
    return first, last


@part
def behind_line(text: Array, flags: Array, at: int) -> int:
    """Where the next line begins, as by `str.splitlines`, or the text's end: the break belongs to its line."""
    size = len(text)
    while at < size:
        if at + 8 <= size and not load64(flags, at) & BREAKS:
            at += 8
            continue
        crlf = text[at] == CR and at + 1 < size and text[at + 1] == LF
        if flags[at] & BREAK and not crlf:
            return at + 1
        at += 1
    return size


@part
def separator(text: Array, at: int, newlines: int) -> tuple[int, int]:
    """The next run of at least so many line feeds from `at` on; where there is none, both are the text's end."""
    size = len(text)
    while at < size:
        if at + 8 <= size and not contains(load64(text, at), LF):
            at += 8
        elif text[at] != LF:
            at += 1
        else:
            run = at + 1
            while run < size and text[run] == LF:
                run += 1
            if run - at >= newlines:
                return at, run
            at = run
    return size, size


@kernel
def repeats(text: Array, flags: Array, newlines: int, blank: bool, most: int = MOST) -> tuple[int, int, int]:
    """Segments, segments equal to an earlier one, and the characters of the latter.

    `newlines` or more line feeds in a row separate two segments; at either end they leave an empty one, as
    `re.split` does. Unless `blank`, segments of nothing but white space do not count. Memory grows with the
    distinct segments, up to `most`; of more the text is gone over again for each share of them, by hash.
    """
    shares = 1
    while True:
        segments = duplicates = characters = share = 0
        while share < shares:
            found, again, length, reached = _repeats(text, flags, newlines, blank, most, share, shares)
            if reached < len(text):  # too many: begin anew, with shares that should fit
                while shares * reached < len(text):
                    shares *= 2
                shares *= 2
                break
            segments, duplicates, characters = segments + found, duplicates + again, characters + length
            share += 1
        if share == shares:
            return segments, duplicates, characters


@kernel
def _repeats(
    text: Array, flags: Array, newlines: int, blank: bool, most: int, share: int, shares: int
) -> tuple[int, int, int, int]:
    """What `repeats` does, for one of so many shares (a power of two), and how far into the text it came."""
    bits = 6
    starts, lengths = np.empty(64, np.uint32), np.zeros(64, np.uint32)  # length + 1, or 0: an empty slot
    hashes = np.empty(64, np.uint64)
    used = segments = duplicates = characters = 0
    begin = 0
    while True:
        end, after = separator(text, begin, newlines)
        length = end - begin
        filled = begin
        while not blank and filled < end and flags[filled] & SPACE:
            filled += 1
        value = hash_bytes(text, begin, end)
        if (blank or filled < end) and (signed(value >> np.uint64(8)) & (shares - 1)) == share:
            slot = slot_of(value, bits)
            while lengths[slot]:
                same = hashes[slot] == value and signed(lengths[slot]) - 1 == length
                if same and not differ(text, signed(starts[slot]), begin, length):
                    break
                slot = (slot + 1) & ((1 << bits) - 1)
            segments += 1
            if lengths[slot]:
                duplicates += 1
                characters += count_characters(text, begin, end)
            else:
                if used == most:
                    return segments, duplicates, characters, begin
                starts[slot], lengths[slot], hashes[slot] = begin, length + 1, value
                used += 1
                if 2 * used > 1 << bits and used < most:
                    bits += 1
                    starts, lengths, hashes = _rehash(starts, lengths, hashes, bits)
        if end == after:  # no separator was left
            return segments, duplicates, characters, len(text)
        begin = after


@kernel
def _rehash(starts: Array, lengths: Array, hashes: Array, bits: int) -> tuple[Array, Array, Array]:
    size = 1 << bits
    new_starts, new_lengths = np.empty(size, np.uint32), np.zeros(size, np.uint32)
    new_hashes = np.empty(size, np.uint64)
    for old in range(len(hashes)):
        if lengths[old]:
            slot = slot_of(hashes[old], bits)
            while new_lengths[slot]:
                slot = (slot + 1) & (size - 1)
            new_starts[slot], new_lengths[slot], new_hashes[slot] = starts[old], lengths[old], hashes[old]
    return new_starts, new_lengths, new_hashes
