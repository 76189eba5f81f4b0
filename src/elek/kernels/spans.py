"""Spans of bytes to take out of documents: made of lines by kind, merged, cut; see `elek.removal`.

A document of 100 MB may have tens of millions of spans. So none of these makes anything per span but the spans, which
are counted before they are written.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from elek.kernels import Array, kernel, part
from elek.kernels.hashing import signed

Lists = tuple[Array, Array, Array]
"""Offsets of the documents' spans `int32[documents + 1]`, and first byte and the one behind the last, `uint32`."""


@kernel
def occurrences(lines: Array, line_offsets: Array, kinds: int, kind_offsets: Array) -> npt.NDArray[np.int64]:
    """How often each kind comes; arrays as in `elek.kernels.c4.Lines`, offsets from 0 on."""
    found = np.zeros(kinds, np.int64)
    for row in range(len(line_offsets) - 1):
        for line in range(line_offsets[row], line_offsets[row + 1]):
            found[kind_offsets[row] + lines[line]] += 1
    return found


@kernel
def first_of(lines: Array, line_offsets: Array, wanted: Array, kind_offsets: Array) -> npt.NDArray[np.int64]:
    """By document: the number of its first line of a kind that is `wanted`; the number of all lines if none is."""
    found = np.full(len(line_offsets) - 1, len(lines))
    for row in range(len(found)):
        for line in range(line_offsets[row], line_offsets[row + 1]):
            if wanted[kind_offsets[row] + lines[line]]:
                found[row] = line
                break
    return found


@part
def _put(start: Array, end: Array, count: int, begin: int, stop: int, write: bool, last: int) -> int:
    """Write a span as number `count`, or lengthen the one before, which ends at `last` (-1: there is none)."""
    if last == begin:
        if write:
            end[count - 1] = stop
        return count
    if write:
        start[count], end[count] = begin, stop
    return count + 1


@kernel
def _of_lines(
    lines: Array,
    line_offsets: Array,
    sizes: Array,
    goes: Array,
    kind_offsets: Array,
    cited: Lists,
    start: Array,
    end: Array,
    write: bool,
) -> Array:
    cite_offsets, cite_start, cite_end = cited
    offsets = np.zeros(len(line_offsets), np.int32)
    count = 0
    for row in range(len(line_offsets) - 1):
        at, last, citation = 0, -1, cite_offsets[row]
        for line in range(line_offsets[row], line_offsets[row + 1]):
            kind = kind_offsets[row] + lines[line]
            after = at + signed(sizes[kind])
            if goes[kind]:
                count = _put(start, end, count, at, after, write, last)
                last = after
            while citation < cite_offsets[row + 1] and cite_start[citation] < after:
                if not goes[kind]:
                    begin, stop = signed(cite_start[citation]), signed(cite_end[citation])
                    count = _put(start, end, count, begin, stop, write, last)
                    last = stop
                citation += 1
            at = after
        offsets[row + 1] = count
    return offsets


def of_lines(
    lines: Array, line_offsets: Array, sizes: Array, goes: Array, kind_offsets: Array, citations: Lists
) -> Lists:
    """What goes: lines of kinds that go (`uint8[kinds]`), of `sizes` bytes, and the citations of lines that stay."""
    nothing = np.empty(0, np.uint32)
    offsets = _of_lines(lines, line_offsets, sizes, goes, kind_offsets, citations, nothing, nothing, False)
    start, end = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.uint32)
    _of_lines(lines, line_offsets, sizes, goes, kind_offsets, citations, start, end, True)
    return offsets, start, end


@kernel
def _union(one: Lists, other: Lists, start: Array, end: Array, write: bool) -> Array:
    one_offsets, one_start, one_end = one
    other_offsets, other_start, other_end = other
    offsets = np.zeros(len(one_offsets), np.int32)
    count = 0
    for row in range(len(one_offsets) - 1):
        left, right, last = one_offsets[row], other_offsets[row], np.int64(-1)
        while left < one_offsets[row + 1] or right < other_offsets[row + 1]:
            if right == other_offsets[row + 1] or (
                left < one_offsets[row + 1] and one_start[left] <= other_start[right]
            ):
                begin, stop = signed(one_start[left]), signed(one_end[left])
                left += 1
            else:
                begin, stop = signed(other_start[right]), signed(other_end[right])
                right += 1
            if begin > last:
                if write:
                    start[count] = begin
                count += 1
                last = stop
            last = max(last, stop)
            if write:
                end[count - 1] = last
        offsets[row + 1] = count
    return offsets


def union(one: Lists, other: Lists) -> Lists:
    """Two lists of spans as one, each sorted and apart."""
    nothing = np.empty(0, np.uint32)
    offsets = _union(one, other, nothing, nothing, False)
    start, end = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.uint32)
    _union(one, other, start, end, True)
    return offsets, start, end


@kernel
def without(data: Array, text_offsets: Array, spans: Lists, out: Array) -> None:
    """Copy the documents to `out` but for the spans, which lie within them."""
    offsets, start, end = spans
    size = 0
    for row in range(len(offsets) - 1):
        at = text_offsets[row]
        for span in range(offsets[row], offsets[row + 1]):
            stop = text_offsets[row] + signed(start[span])
            out[size : size + stop - at] = data[at:stop]
            size += stop - at
            at = text_offsets[row] + signed(end[span])
        out[size : size + text_offsets[row + 1] - at] = data[at : text_offsets[row + 1]]
        size += text_offsets[row + 1] - at
