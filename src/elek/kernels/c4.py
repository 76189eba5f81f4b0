"""What C4's rules look at: line by line, what would take the line or its document out, and where citations stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from elek.kernels import Array, buffers, kernel, part
from elek.kernels.characters import ALPHABETIC, LEAD, MINOR, OUTSIDE, PADDING, SPACE, TERMINAL, classes, classify
from elek.kernels.hashing import load64, signed
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
IS_RARE = np.zeros(256, np.uint8)
for (_phrase, _), _at in zip(PHRASES, RARE, strict=True):
    IS_RARE[[_phrase[_at], _phrase[_at] - 32]] = 1
LETTERS = np.frombuffer(b"".join(phrase for phrase, _ in PHRASES), np.uint8)
LETTER_OFFSETS = np.cumsum([0, *(len(phrase) for phrase, _ in PHRASES)])
EDIT, NEEDED = np.frombuffer(b"[edit]", np.uint8), np.frombuffer(b"[citation needed]", np.uint8)

BYTES, WORDS, LONGEST, MARKS, SENTENCES = range(5)
"""Columns of a line, or of several behind each other that have the same words, longest word and marks: bytes with line
breaks, words of each, characters of the longest word, marks, sentences of all."""


class Lines(NamedTuple):
    """Every line of every document, or run of like ones, in order, and every citation."""

    lines: Array
    """`uint32[lines, 5]`."""
    line_offsets: Array
    """`int32[documents + 1]`: lines `line_offsets[d]` to `line_offsets[d + 1]` are document d's, and tile it."""
    citations: Array
    """`uint32[citations, 2]`: first byte in the document, and the one behind the last."""
    citation_offsets: Array


@part
def _starts(text: Array, at: int, last: int, phrase: Array) -> bool:
    same = at + len(phrase) <= last
    index = 0
    while same and index < len(phrase):
        same = text[at + index] == phrase[index]
        index += 1
    return same


@kernel
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


@kernel
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
        if not IS_RARE[text[rare]]:
            continue
        for number in range(len(FIRST)):
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


@kernel
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


@kernel
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
def _measure(data: Array, offsets: Array, table: Array, unicode: bool, cite: bool) -> tuple[Array, Array, Array, Array]:
    rows = len(offsets) - 1
    lines, citations = np.empty((1024, 5), np.uint32), np.empty((64, 2), np.uint32)
    line_offsets, citation_offsets = np.zeros(rows + 1, np.int32), np.zeros(rows + 1, np.int32)
    most = longest_document(offsets) + PADDING
    flags, copied, copied_flags = np.empty(most, np.uint8), np.empty(most, np.uint8), np.empty(most, np.uint8)
    count = cited = 0
    for row in range(rows):
        text = data[offsets[row] : offsets[row + 1]]
        classify(text, table, unicode, flags)
        begin, was_blank = 0, False
        while begin < len(text):
            after = behind_line(text, flags, begin)
            first, last = trim(flags, begin, after)
            blank = first == last
            if blank and was_blank:  # one entry for all, so that a text of line breaks costs no more than another
                lines[count - 1, BYTES] += np.uint32(after - begin)
                begin = after
                continue
            was_blank = blank
            if count == len(lines):
                lines = _grown(lines)
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
            # One entry for lines behind each other that no rule tells apart: a text of a million short lines would
            # take many times its size. Lines that are counted as such stay apart.
            before = count - 1
            if (
                count > line_offsets[row]
                and lines[before, MARKS] == marks
                and not marks & (LOREM_IPSUM | CURLY_BRACKET)
                and lines[before, WORDS] == words
                and lines[before, LONGEST] == longest
            ):
                lines[before, BYTES] += np.uint32(after - begin)
                lines[before, SENTENCES] += np.uint32(sentences)
            else:
                lines[count, BYTES], lines[count, WORDS], lines[count, LONGEST] = after - begin, words, longest
                lines[count, MARKS], lines[count, SENTENCES] = marks, sentences
                count += 1
            begin = after
        line_offsets[row + 1], citation_offsets[row + 1] = count, cited
    return lines[:count], line_offsets, citations[:cited], citation_offsets


def measure(text: pa.Array, *, citations: bool = True, unicode: bool = False) -> Lines:
    """Lines as by `str.splitlines`, such as no rule tells apart as one where they follow each other.

    Without `citations` none is found, and lines are looked at as they are.
    """
    data, offsets = buffers(text)
    return Lines(*_measure(data, offsets, classes(unicode), unicode, citations))
