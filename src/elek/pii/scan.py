# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Where personal data could be: one compiled pass over Arrow's bytes for what the detectors look for first.

Most texts hold no @, no address and no run of digits that is long enough, and need not become a Python string; of the
others the detectors are told where the runs are. The places are those that their own expressions find.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from elek.kernels import buffers, kernel, part
from elek.pii import IBAN_AFTER, IBAN_BEFORE, Traces

_AT, _COLON, _CLOSING = 0x40, 0x3A, 0x29
_EMAIL, _IPV6, _MANY, _WRITTEN = 1, 2, 4, 8
_DIGITS, _GAP = 5, 3
"""Digits that make a run, and the most separators between two of them: `elek.pii.detection`'s expression."""
_IPV4, _PHONE = 6, 7
"""Digits of a run from which on it can hold an address (`elek.pii.addresses.LARGE_OCTET`), a telephone number; fewer
serve account numbers alone."""
_WIDTH, _DOT = 4, 0x2E
_PLAIN, _SEPARATOR, _DIGIT, _SIGN, _CONTINUES = range(5)
KINDS = np.zeros(256, np.uint8)
"""Of bytes: those that continue a character stand in no place of their own."""
KINDS[list(b"0123456789")] = _DIGIT
KINDS[list(b" \t.-()/")] = _SEPARATOR
KINDS[list(b"@:)]}>")] = _SIGN
KINDS[0x80:0xC0] = _CONTINUES
MOST = 1 << 16
"""Runs of one text that are noted down; of more the detectors look for themselves."""


def traces(text: pa.Array) -> Iterator[tuple[int, Traces]]:
    """Number and traces of every row of a `large_string` that has any."""
    data, offsets = buffers(text)
    marks, counts = np.zeros(len(text), np.uint8), np.zeros(len(text) + 1, np.int64)
    # A run takes five digits and what parts it from the next. What is not written to is never touched.
    runs = np.empty((int(np.minimum(np.diff(offsets) // (_DIGITS + 1) + 1, MOST).sum()), 2), np.uint32)
    _scan(data, offsets, KINDS, marks, counts, runs)
    for row in np.flatnonzero((marks > 0) | (np.diff(counts) > 0)).tolist():
        own = None if marks[row] & _MANY else runs[counts[row] : counts[row + 1]].tolist()
        mark = marks[row]
        yield row, Traces(bool(mark & _EMAIL), bool(mark & _WRITTEN), bool(mark & _IPV6), own)


@part
def _is_hex(byte):
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x46 or 0x61 <= byte <= 0x66


@kernel
def _scan(data, offsets, kinds, marks, counts, runs):
    """Write runs of digits as places of characters, and by row marks and the number of runs so far."""
    size = 0
    for row in range(len(offsets) - 1):
        at, stop = offsets[row], offsets[row + 1]
        place = first = last = 0  # in characters
        digits = gap = dots = mark = 0
        begin = at
        while at < stop:
            kind = kinds[data[at]]
            if digits == 0 and kind <= _SEPARATOR:
                place += 1
            elif kind == _DIGIT:
                if digits == 0:
                    first, begin, dots = place, at, 0
                last = place
                digits += 1
                gap = 0
                place += 1
            elif kind != _CONTINUES:
                if digits:
                    if kind == _SEPARATOR or data[at] == _CLOSING or _typeset(data, at, stop):
                        gap += 1
                        dots += data[at] == _DOT
                    else:
                        gap = _GAP + 1
                    if gap > _GAP:
                        enough = digits >= _PHONE or (digits >= _IPV4 and dots >= 3)
                        enough = enough or (digits >= _DIGITS and _near_iban(data, begin, at, offsets[row], stop))
                        if enough and size - counts[row] < MOST:
                            runs[size, 0], runs[size, 1] = first, last + 1
                            size += 1
                        digits = gap = 0
                if kind == _SIGN and at + 1 < stop:
                    mark |= _mark(data, offsets[row], at, stop)
                place += 1
            at += 1
        if digits >= _DIGITS:  # at the end no pains are spared
            runs[size, 0], runs[size, 1] = first, last + 1
            size += 1
        if size - counts[row] >= MOST:
            mark |= _MANY
            size = counts[row]
        marks[row], counts[row + 1] = mark, size


@part
def _typeset(data, at, stop):
    """Bytes of the typographic space or dash at `at` (`elek.pii.detection`); 0 where there is none."""
    if data[at] == 0xC2 and at + 1 < stop and data[at + 1] == 0xA0:  # U+00A0
        return 2
    third = data[at + 2] if data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x80 else 0
    return 3 if third == 0xAF or 0x90 <= third <= 0x93 else 0  # U+202F, U+2010 to U+2013


@part
def _near_iban(data, begin, end, start, stop):
    """Whether two letters and the two digits behind them are near enough to a run to make it an account number."""
    for at in range(max(start, begin - _WIDTH * IBAN_BEFORE), min(stop, end + _WIDTH * IBAN_AFTER) - 3):
        if 0x61 <= data[at] | 0x20 <= 0x7A and 0x61 <= data[at + 1] | 0x20 <= 0x7A:
            digit = at + 2 + (1 if data[at + 2] == 0x20 else _typeset(data, at + 2, stop))
            if digit + 1 < stop and 0x30 <= data[digit] <= 0x39 and 0x30 <= data[digit + 1] <= 0x39:
                return True
    return False


@part
def _is_at(first, second, third):
    """Whether three bytes are "(at", "[at", "{at" or "<at"."""
    opened = first == 0x28 or first == 0x5B or first == 0x7B or first == 0x3C
    return opened and second | 0x20 == 0x61 and third | 0x20 == 0x74


@part
def _mark(data, start, at, stop):
    """What the @, colon or closing bracket at `at`, which is not the last byte, could belong to."""
    after = data[at + 1]
    if data[at] == _AT:
        return _EMAIL if after >= 0x80 or 0x30 <= after <= 0x39 or 0x61 <= after | 0x20 <= 0x7A else 0
    if data[at] != _COLON:
        return _WRITTEN if at - start > 3 and _is_at(data[at - 3], data[at - 2], data[at - 1]) else 0
    end = at + 1
    while end < stop and end < at + 5 and _is_hex(data[end]):
        end += 1
    colon = end < stop and data[end] == _COLON
    return _IPV6 if colon and (end > at + 1 or (end + 1 < stop and _is_hex(data[end + 1]))) else 0
