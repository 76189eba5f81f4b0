"""What C4's rules look at: line by line, what would take the line or its document out, and where citations stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from elek.kernels import Array, buffers, kernel, part
from elek.kernels.characters import ALPHABETIC, LEAD, MINOR, OUTSIDE, PADDING, SPACE, TERMINAL, classes, classify
from elek.kernels.hashing import load64, signed, spread
from elek.kernels.segments import behind_line, trim
from elek.kernels.words import longest as longest_document

TERMINATED, LOREM_IPSUM, JAVASCRIPT, CURLY_BRACKET, POLICY = 1, 2, 4, 8, 16
"""Marks of a line, its citations aside: it ends a sentence, and four things that it may hold."""

PHRASES = (
    (b"lorem ipsum", LOREM_IPSUM),
    (b"javascript", JAVASCRIPT),
    *((phrase, POLICY) for phrase in (b"terms of use", b"privacy policy", b"cookie policy")),
    *((phrase, POLICY) for phrase in (b"uses cookies", b"use of cookies", b"use cookies")),
)
"""In lower case, of eight bytes at least; looked for by a letter that is rare in text and the first eight bytes."""
RARE = (7, 0, 7, 3, 3, 8, 10, 7)
"""Where in each phrase that letter stands: p, j, f, v or k."""

DOT, QUESTION, EXCLAMATION, QUOTE, APOSTROPHE, OPEN, CLOSE, CURLY, PARENTHESIS = b".?!\"'[]{)"
SPACES = np.uint64(0x2020202020202020)
ENDS = np.uint64(TERMINAL * 0x0101010101010101)
FIRST = np.array([np.frombuffer(phrase[:8], np.uint64)[0] | SPACES for phrase, _ in PHRASES], np.uint64)
PHRASE_MARKS = np.array([mark for _, mark in PHRASES], np.uint8)
RARE_OFFSETS = np.array(RARE)
FROM, TO = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
"""The phrases that a rare letter, small or capital, stands in: those of one letter follow each other."""
for _number, ((_phrase, _), _at) in reversed(list(enumerate(zip(PHRASES, RARE, strict=True)))):
    _letters = [_phrase[_at], _phrase[_at] - 32]
    FROM[_letters], TO[_letters] = _number, np.maximum(TO[_letters], _number + 1)
LETTERS = np.frombuffer(b"".join(phrase for phrase, _ in PHRASES), np.uint8)
LETTER_OFFSETS = np.cumsum([0, *(len(phrase) for phrase, _ in PHRASES)])
EDIT, NEEDED = np.frombuffer(b"[edit]", np.uint8), np.frombuffer(b"[citation needed]", np.uint8)

BYTES, WORDS, LONGEST, MARKS, SENTENCES = range(5)
"""Columns of a kind of line, or of several lines behind each other that have the same words, longest word and marks:
bytes with line breaks, words of each, characters of the longest word, marks, sentences of all."""


class Lines(NamedTuple):
    """Every line of every document, or run of like ones, in order, and every citation.

    A line is the number of its kind among those of its document: a text of tens of millions of lines has few kinds,
    and would take many times its size if each line said everything of itself.
    """

    lines: Array
    """`uint32[lines]`."""
    line_offsets: Array
    """`int32[documents + 1]`: lines `line_offsets[d]` to `line_offsets[d + 1]` are document d's, and tile it."""
    kinds: Array
    """`uint32[kinds, 5]`, those of a document in the order in which they come first."""
    kind_offsets: Array
    citations: Array
    """`uint32[citations, 2]`: first byte in the document, and the one behind the last; apart from each other."""
    citation_offsets: Array


@part
def _starts(text: Array, at: int, last: int, phrase: Array) -> bool:
    same = at + len(phrase) <= last
    index = 0
    while same and index < len(phrase):
        same = text[at + index] == phrase[index]
        index += 1
    return same


@part
def _citation(text: Array, flags: Array, at: int, last: int) -> int:
    """Bytes of the citation that begins with the bracket at `at`: `[12]`, `[]`, `[edit]`, `[citation needed]`; or 0."""
    end = at + 1
    while end < last and flags[end] & (MINOR | ALPHABETIC) == MINOR:
        end += 1
    if end < last and text[end] == CLOSE:
        return end + 1 - at
    if _starts(text, at, last, EDIT):
        return len(EDIT)
    return len(NEEDED) if _starts(text, at, last, NEEDED) else 0


@part
def _is_kelvin(text: Array, at: int, last: int) -> bool:
    """Whether U+212A begins here: the one character beyond ASCII whose lower case, k, is ASCII."""
    return at + 3 <= last and text[at] == 0xE2 and text[at + 1] == 0x84 and text[at + 2] == 0xAA


@part
def _marks(text: Array, first: int, last: int) -> int:
    """Marks of a line, `text[first:last]`."""
    found = 0
    if last > first:
        byte = text[last - 1]
        if byte == DOT:
            found = TERMINATED * (not (last >= first + 3 and text[last - 2] == DOT and text[last - 3] == DOT))
        elif byte in (QUESTION, EXCLAMATION, QUOTE, APOSTROPHE):
            found = TERMINATED
    curly = 0
    for at in range(first, last):
        curly |= text[at] == CURLY
    found |= CURLY_BRACKET * curly
    for rare in range(first, last):
        if not TO[text[rare]]:
            continue
        for number in range(FROM[text[rare]], TO[text[rare]]):
            at = rare - RARE_OFFSETS[number]
            if at < first or at + 8 > last or load64(text, at) | SPACES != FIRST[number]:  # in lower case, for letters
                continue
            begin, same = LETTER_OFFSETS[number], True
            for index in range(LETTER_OFFSETS[number + 1] - begin):
                byte = text[at + index] if at + index < last else 0
                byte += 32 * (byte >= 65 and byte <= 90)
                same &= byte == LETTERS[begin + index]
            if same:
                found |= signed(PHRASE_MARKS[number])
    return found


@part
def _sentences(text: Array, flags: Array, first: int, last: int) -> int:
    """Sentences of a line, `text[first:last]`; see `elek.filters.c4`."""
    at = first
    while at < last and flags[at] & SPACE:
        at += 1
    count = 1 if at < last else 0
    ended, apart = False, False  # behind a terminal; and behind white space that follows it
    while at < last:
        if not ended and at + 8 <= last and not load64(flags, at) & ENDS:
            at += 8
            continue
        flag, byte, step = flags[at], text[at], 1
        if flag & SPACE:
            apart = ended
        elif apart and not flag & MINOR:
            count += 1
            ended, apart = flag & TERMINAL != 0, False
        elif flag & TERMINAL:
            ended, apart = True, False
        elif ended and not apart:
            if byte == 0xE2 and at + 3 <= last and text[at + 1] == 0x80 and (text[at + 2] | 4) == 0x9D:  # ’ or ”
                step = 3
            elif byte == 0xC2 and at + 2 <= last and text[at + 1] == 0xBB:  # »
                step = 2
            elif byte != QUOTE and byte != APOSTROPHE and byte != PARENTHESIS and byte != CLOSE:
                ended = False
        else:
            ended, apart = False, False
        at += step
    return count


@part
def _words(flags: Array, first: int, last: int) -> tuple[int, int]:
    """Words, and the characters of the longest one."""
    words = longest = length = 0
    before = 1
    for index in range(first, last):
        flag = signed(flags[index])
        outside = flag & OUTSIDE
        words += before & ~outside
        length = (length + flag // LEAD % 2) & (outside - 1)
        longest = max(longest, length)
        before = outside
    return words, longest


@kernel
def _grown(table: Array) -> Array:
    larger = np.empty((2 * len(table), table.shape[1]), np.uint32)
    larger[: len(table)] = table
    return larger


@kernel
def _longer(array: Array) -> Array:
    larger = np.empty(2 * len(array), np.uint32)
    larger[: len(array)] = array
    return larger


@part
def _slot(kinds: Array, first: int, slots: Array, kind: Array) -> int:
    """Where a table of the kinds from number `first` on (entries: number + 1) has `kind`, or has room for it."""
    mask = len(slots) - 1
    value = np.uint64(0)
    for column in range(5):
        value = spread(value ^ np.uint64(kind[column]))
    slot: int = signed(value) & mask
    while slots[slot]:
        same = True
        for column in range(5):
            same &= kinds[first + slots[slot] - 1, column] == kind[column]
        if same:
            break
        slot = (slot + 1) & mask
    return slot


@kernel
def _larger(kinds: Array, first: int, count: int, slots: Array) -> Array:
    larger = np.zeros(4 * len(slots), np.uint32)
    for number in range(count):
        larger[_slot(kinds, first, larger, kinds[first + number])] = number + 1
    return larger


@part
def _add(
    lines: Array, kinds: Array, slots: Array, run: Array, count: int, known: int, first: int
) -> tuple[Array, Array, Array, int, int]:
    """Write the entry `run` as line `count`; a new kind becomes number `known`, and `first` is its document's first."""
    slot = _slot(kinds, first, slots, run)
    if not slots[slot]:
        if known == len(kinds):
            kinds = _grown(kinds)
        for column in range(5):
            kinds[known, column] = run[column]
        known += 1
        slots[slot] = known - first
        if 2 * (known - first) > len(slots):
            slots = _larger(kinds, first, known - first, slots)
            slot = _slot(kinds, first, slots, run)
    if count == len(lines):
        lines = _longer(lines)
    lines[count] = slots[slot] - np.uint32(1)
    return lines, kinds, slots, count + 1, known


@kernel
def _measure(
    data: Array, offsets: Array, table: Array, unicode: bool, cite: bool
) -> tuple[Array, Array, Array, Array, Array, Array]:
    rows = len(offsets) - 1
    lines, kinds, citations = np.empty(1024, np.uint32), np.empty((256, 5), np.uint32), np.empty((64, 2), np.uint32)
    line_offsets, kind_offsets = np.zeros(rows + 1, np.int32), np.zeros(rows + 1, np.int32)
    citation_offsets = np.zeros(rows + 1, np.int32)
    most = longest_document(offsets) + PADDING
    flags, copied, copied_flags = np.empty(most, np.uint8), np.empty(most, np.uint8), np.empty(most, np.uint8)
    run = np.zeros(5, np.uint32)
    count = known = cited = 0
    for row in range(rows):
        text = data[offsets[row] : offsets[row + 1]]
        classify(text, table, unicode, flags)
        slots = np.zeros(64, np.uint32)
        begin, was_blank = 0, False
        while begin < len(text):
            after = behind_line(text, flags, begin)
            first, last = trim(flags, begin, after)
            blank = first == last
            if not (blank and was_blank):  # one entry for all blank ones: line breaks cost no more than other text
                words, longest = _words(flags, first, last)
                # A line with a citation is looked at in a copy without it, and with its Kelvin signs in lower case.
                plain = True
                for at in range(first, last):
                    plain &= text[at] != OPEN and text[at] != 0xAA
                if plain:
                    marks = _marks(text, first, last)
                    sentences = _sentences(text, flags, first, last)
                else:
                    size, at = 0, first
                    while at < last:
                        length = _citation(text, flags, at, last) if cite and text[at] == OPEN else 0
                        if length:
                            if cited > citation_offsets[row] and citations[cited - 1, 1] == at:
                                citations[cited - 1, 1] = at + length
                            else:
                                if cited == len(citations):
                                    citations = _grown(citations)
                                citations[cited, 0], citations[cited, 1] = at, at + length
                                cited += 1
                            at += length
                            continue
                        kelvin = _is_kelvin(text, at, last)
                        copied[size] = 0x6B if kelvin else text[at]
                        copied_flags[size] = flags[at]
                        size += 1
                        at += 3 if kelvin else 1
                    marks = _marks(copied, 0, size)
                    sentences = _sentences(copied, copied_flags, 0, size)
                # One entry for lines behind each other that no rule tells apart; those that are counted as such stay.
                like = begin > 0 and run[WORDS] == words and run[LONGEST] == longest and run[MARKS] == marks
                if not like or marks & (LOREM_IPSUM | CURLY_BRACKET):
                    if begin > 0:
                        lines, kinds, slots, count, known = _add(
                            lines, kinds, slots, run, count, known, kind_offsets[row]
                        )
                    run[BYTES], run[SENTENCES] = 0, 0
                    run[WORDS], run[LONGEST], run[MARKS] = words, longest, marks
                run[SENTENCES] += np.uint32(sentences)
            run[BYTES] += np.uint32(after - begin)
            was_blank = blank
            begin = after
        if begin > 0:
            lines, kinds, slots, count, known = _add(lines, kinds, slots, run, count, known, kind_offsets[row])
        line_offsets[row + 1], kind_offsets[row + 1], citation_offsets[row + 1] = count, known, cited
    return lines[:count], line_offsets, kinds[:known], kind_offsets, citations[:cited], citation_offsets


def measure(text: pa.Array, *, citations: bool = True, unicode: bool = False) -> Lines:
    """Lines as by `str.splitlines`, such as no rule tells apart as one where they follow each other.

    Without `citations` none is found, and lines are looked at as they are.
    """
    data, offsets = buffers(text)
    return Lines(*_measure(data, offsets, classes(unicode), unicode, citations))
