"""What C4's rules look at: line by line, what would take the line or its document out, and where citations stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from elek.kernels import Array, buffers, kernel, part
from elek.kernels.characters import ALPHABETIC, LEAD, MINOR, OUTSIDE, PADDING, SPACE, TERMINAL, classes, classify
from elek.kernels.hashing import load64, signed
from elek.kernels.kinds import BYTES, LONGEST, MARKS, SENTENCES, WORDS, add, doubled, more_slots
from elek.kernels.segments import behind_line, trim
from elek.kernels.words import longest as longest_document

TERMINATED, LOREM_IPSUM, JAVASCRIPT, CURLY_BRACKET, POLICY = 1, 2, 4, 8, 16
"""Marks of a line, its citations aside: it ends a sentence, and four things that it may hold."""

PHRASES = (
    (b"lorem ipsum", b"ps", LOREM_IPSUM),
    (b"javascript", b"ja", JAVASCRIPT),
    (b"terms of use", b"ms", POLICY),
    (b"privacy policy", b"cy", POLICY),
    (b"cookie policy", b"oo", POLICY),
    (b"uses cookies", b"oo", POLICY),
    (b"use of cookies", b"oo", POLICY),
    (b"use cookies", b"oo", POLICY),
)
"""In lower case; looked for by two letters that seldom stand beside each other."""

DOT, QUESTION, EXCLAMATION, QUOTE, APOSTROPHE, OPEN, CLOSE, CURLY, PARENTHESIS = b".?!\"'[]{)"
ENDS = np.uint64(TERMINAL * 0x0101010101010101)
PHRASE_MARKS = np.array([mark for _, _, mark in PHRASES], np.uint8)
PAIR_AT = np.array([phrase.index(pair) for phrase, pair, _ in PHRASES])
LETTERS = np.frombuffer(b"".join(phrase for phrase, _, _ in PHRASES), np.uint8)
LETTER_OFFSETS = np.cumsum([0, *(len(phrase) for phrase, _, _ in PHRASES)])
PAIRED = np.zeros((2, 256), np.uint8)
"""The phrases, as bits, that have a letter, small or capital, as the first or as the second of their two."""
for _number, _phrase in enumerate(PHRASES):
    for _place, _letter in enumerate(_phrase[1]):
        PAIRED[_place, [_letter, _letter - 32]] |= 1 << _number
EDIT, NEEDED = np.frombuffer(b"[edit]", np.uint8), np.frombuffer(b"[citation needed]", np.uint8)


class Lines(NamedTuple):
    """Every line of every document, or run of like ones, in order, and every citation.

    A line is the number of its kind among those of its document (`elek.kernels.kinds`).
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
def _says(text: Array, first: int, last: int, at: int, number: int) -> bool:
    """Whether phrase `number` stands where its pair of letters is at `at`, small letters or capitals."""
    begin = LETTER_OFFSETS[number]
    length, at = LETTER_OFFSETS[number + 1] - begin, at - PAIR_AT[number]
    same = at >= first and at + length <= last
    index = 0
    while same and index < length:
        byte = text[at + index]
        same = byte + 32 * (byte >= 65 and byte <= 90) == LETTERS[begin + index]
        index += 1
    return same


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
    for at in range(first, last - 1):
        phrases = PAIRED[0, text[at]] & PAIRED[1, text[at + 1]]
        if phrases:
            for number in range(len(PHRASE_MARKS)):
                if phrases >> number & 1 and _says(text, first, last, at, number):
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


@part
def _is_plain(text: Array, first: int, last: int) -> bool:
    """Whether a line has neither a bracket, with which a citation begins, nor the last byte of a Kelvin sign."""
    odd = 0
    for at in range(first, last):
        odd |= (text[at] == OPEN) | (text[at] == 0xAA)
    return odd == 0


@part
def _without_citations(
    text: Array, flags: Array, first: int, last: int, cite: bool, copied: Array, copied_flags: Array,
    citations: Array, cited: int, opened: int,
) -> tuple[int, Array, int]:  # fmt: skip
    """Copy a line without its citations, and with its Kelvin signs in lower case; returns the copy's size.

    The citations are written down from number `cited` on, those behind each other as one; number `opened` is the
    document's first. Returns them, in a larger array where there was no room, and how many there are.
    """
    size, at = 0, first
    while at < last:
        length = _citation(text, flags, at, last) if cite and text[at] == OPEN else 0
        if length:
            if cited > opened and citations[cited - 1, 1] == at:
                cited -= 1
            else:
                if cited == len(citations):
                    citations = doubled(citations)
                citations[cited, 0] = at
            citations[cited, 1] = at + length
            cited += 1
            at += length
            continue
        kelvin = _is_kelvin(text, at, last)
        copied[size] = 0x6B if kelvin else text[at]
        copied_flags[size] = flags[at]
        size += 1
        at += 3 if kelvin else 1
    return size, citations, cited


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
        slots, own = np.zeros(64, np.uint32), known
        begin, was_blank = 0, False
        while begin < len(text):
            if count + 2 > len(lines):  # the run that is open, and the last one
                lines = doubled(lines)
            if known + 2 > len(kinds):
                kinds = doubled(kinds)
            if 2 * (known + 2 - own) > len(slots):
                slots = more_slots(kinds, own, known - own, slots)
            after = behind_line(text, flags, begin)
            first, last = trim(flags, begin, after)
            blank = first == last
            if not (blank and was_blank):  # one entry for all blank ones: line breaks cost no more than other text
                words, longest = _words(flags, first, last)
                if _is_plain(text, first, last):
                    marks, sentences = _marks(text, first, last), _sentences(text, flags, first, last)
                else:
                    size, citations, cited = _without_citations(
                        text, flags, first, last, cite, copied, copied_flags, citations, cited, citation_offsets[row]
                    )
                    marks, sentences = _marks(copied, 0, size), _sentences(copied, copied_flags, 0, size)
                # One entry for lines behind each other that no rule tells apart; those that are counted as such stay.
                like = begin > 0 and run[WORDS] == words and run[LONGEST] == longest and run[MARKS] == marks
                if not like or marks & (LOREM_IPSUM | CURLY_BRACKET):
                    if begin > 0:
                        known, count = add(lines, count, kinds, own, known, slots, run), count + 1
                    run[BYTES], run[WORDS], run[LONGEST], run[MARKS], run[SENTENCES] = 0, words, longest, marks, 0
                run[SENTENCES] += np.uint32(sentences)
            run[BYTES] += np.uint32(after - begin)
            was_blank, begin = blank, after
        if begin > 0:
            known, count = add(lines, count, kinds, own, known, slots, run), count + 1
        line_offsets[row + 1], kind_offsets[row + 1], citation_offsets[row + 1] = count, known, cited
    return lines[:count], line_offsets, kinds[:known], kind_offsets, citations[:cited], citation_offsets


def measure(text: pa.Array, *, citations: bool = True, unicode: bool = False) -> Lines:
    """Lines as by `str.splitlines`, such as no rule tells apart as one where they follow each other.

    Without `citations` none is found, and lines are looked at as they are.
    """
    data, offsets = buffers(text)
    return Lines(*_measure(data, offsets, classes(unicode), unicode, citations))
