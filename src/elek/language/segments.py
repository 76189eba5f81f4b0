# What numba compiles it types itself.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Shares of languages in a mixed page: a cheap look at every block of lines, the identifier where they disagree.

A document is cut at line ends into blocks of about BLOCK bytes, at most BLOCKS of them, evenly spread over a long one.
One pass over the bytes sorts each block by what no language model is needed for: its script; among Latin ones the
function words of English, and the letters and function words of Turkish. Where all blocks with enough letters are of
one sort, and of one that is known, the page is in one language and nothing else is asked. Otherwise the
identifier reads each block, and a language's share is that of the letters of its blocks. The sorts, bounds and word
lists are ours, from no paper; the idea of judging parts of a page apart is that of FineWeb-2's and CCNet's line-wise
identification (Wenzek et al. 2020, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.filtering import UNDETERMINED
from elek.kernels import buffers, kernel
from elek.language.identification import identify

BLOCK = 400
"""Bytes from which a block ends at the next line end."""

BLOCKS = 12
"""Blocks of one document that are looked at."""

READ = 200
"""Characters of a block that the identifier reads."""

LETTERS = 60
"""Letters below which a block says nothing: a heading, a number, a name."""

TRUSTED = 0.5
"""Probability from which the identifier's word on a block counts; below it a block has the page's language."""

_MIXED = 0.02  # function words of a sort among the words of a block that make it of that sort
_EN = "the of and to in is that it for with as was be by are this have not from you or an at which"
_TR = "ve bir bu da de için icin ile olarak çok cok daha ne gibi kadar olan var yok en her o ki"
_NONE, _ENGLISH, _TURKISH, _LATIN, _CYRILLIC, _ARABIC, _GREEK, _OTHER = range(8)
_FEW = -1


@dataclass(frozen=True)
class Shares:
    """A row per text: the languages of the most and the second most letters, and what shares of them they have."""

    label: list[str]
    share: npt.NDArray[np.float32]
    second: list[str]
    second_share: npt.NDArray[np.float32]
    probability: npt.NDArray[np.float32]
    """Mean probability of the first one's blocks, weighed by letters."""


def shares(texts: pa.Array, labels: list[str], scores: npt.NDArray[np.float32]) -> Shares:
    """Shares of every text, whose prefix was identified as `labels` with `scores`. Pure and row by row."""
    rows = len(texts)
    data, offsets = buffers(texts)
    starts = np.zeros((rows, BLOCKS), np.int64)
    ends = np.zeros((rows, BLOCKS), np.int64)
    letters = np.zeros((rows, BLOCKS), np.int64)
    sorts = np.full((rows, BLOCKS), _FEW, np.int8)
    _blocks(data, offsets, _words(), starts, ends, letters, sorts)
    result = Shares(
        list(labels), np.ones(rows, np.float32), [""] * rows, np.zeros(rows, np.float32), scores.astype(np.float32)
    )
    heard = sorts >= 0
    first = np.where(heard, sorts, 127).min(axis=1, initial=127)
    last = np.where(heard, sorts, -1).max(axis=1, initial=-1)
    known = np.array([_sort_of(label) for label in labels], np.int8)
    mixed = (heard.sum(axis=1) > 1) & ((first != last) | ((first == _LATIN) & (known != _LATIN)))
    for row in np.flatnonzero(mixed):
        _judge(int(row), data, starts[row], ends[row], letters[row], sorts[row], result)
    return result


def _sort_of(label: str) -> int:
    return {"en": _ENGLISH, "tr": _TURKISH}.get(label, _LATIN)


def _judge(
    row: int, data: npt.NDArray[Any], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64],
    letters: npt.NDArray[np.int64], sorts: npt.NDArray[np.int8], result: Shares,
) -> None:  # fmt: skip
    page, confident = result.label[row], float(result.probability[row])
    own = _sort_of(page)
    heard = np.flatnonzero(sorts >= 0).tolist()
    # A block of the page's own sort needs no identifier, where that sort is a language.
    asked = [at for at in heard if sorts[at] != own or own == _LATIN]
    texts = [data[starts[at] : ends[at]].tobytes().decode("utf-8", "ignore")[:READ] for at in asked]
    found, scores = identify(texts)
    answers = dict(zip(asked, zip(found.to_pylist(), scores.to_pylist(), strict=True), strict=True))
    totals: dict[str, float] = {}
    sure: dict[str, float] = {}
    for at in heard:
        label, score = answers.get(at, (page, confident))
        if label == UNDETERMINED or score < TRUSTED:
            label, score = page, confident
        totals[label] = totals.get(label, 0.0) + float(letters[at])
        sure[label] = sure.get(label, 0.0) + float(letters[at]) * score
    order = sorted(totals, key=lambda label: (-totals[label], label != page, label))
    whole = sum(totals.values())
    best = order[0]
    result.label[row] = best
    result.share[row] = totals[best] / whole
    result.probability[row] = round(sure[best] / totals[best], 4)
    if len(order) > 1:
        result.second[row] = order[1]
        result.second_share[row] = totals[order[1]] / whole


@cache
def _words() -> npt.NDArray[np.int64]:
    """Hashes of the function words, sorted, with the sort in the lowest bit (0 English, 1 Turkish)."""
    marked = [(_hash(np.frombuffer(word.encode(), np.uint8)) << 1) | which
              for which, words in enumerate((_EN, _TR)) for word in words.split()]  # fmt: skip
    return np.array(sorted(marked), np.int64)


@kernel
def _hash(word):
    value = np.int64(1469598103)
    for byte in word:
        value = ((value ^ byte) * np.int64(16777619)) & np.int64(0xFFFFFFFFFFFF)
    return value


@kernel
def _blocks(data, offsets, known, starts, ends, letters, sorts):
    """Blocks of every row, their letters and sorts; see the module's text. Linear in the bytes that are looked at."""
    counts = np.zeros(8, np.int64)  # letters by sort; of Latin ones, Turkish letters stand under _TURKISH
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        step = max((end - begin) // BLOCKS, 1)
        at = begin
        for block in range(BLOCKS):
            if at >= end:
                break
            wanted = begin + step * block
            if wanted > at:  # a long text: on to the next line that begins behind here, if one is near
                stop = min(wanted + BLOCK, end)
                probe = wanted
                while probe < stop and data[probe] != 10:
                    probe += 1
                at = probe + 1 if probe < stop else wanted
                while at < end and (data[at] & 0xC0) == 0x80:
                    at += 1
            starts[row, block] = at
            counts[:] = 0
            words = english = turkish = 0
            value, size = np.int64(1469598103), 0
            hard = at + 2 * BLOCK
            while at < end:
                byte = data[at]
                lower = byte + 32 if 65 <= byte <= 90 else byte
                if 97 <= lower <= 122 or byte >= 0x80:
                    value = ((value ^ lower) * np.int64(16777619)) & np.int64(0xFFFFFFFFFFFF)
                    size += 1
                elif size:
                    words += 1
                    if size <= 8:
                        place = np.searchsorted(known, value << 1)
                        if place < len(known) and known[place] >> 1 == value:
                            if known[place] & 1:
                                turkish += 1
                            else:
                                english += 1
                    value, size = np.int64(1469598103), 0
                if byte < 0x80:
                    if 97 <= lower <= 122:
                        counts[_LATIN] += 1
                    at += 1
                    if byte == 10 and at - starts[row, block] >= BLOCK:
                        break
                    if at >= hard and (lower <= 32 or at >= hard + BLOCK):
                        break
                    continue
                if byte < 0xD0:
                    following = data[at + 1] if at + 1 < end else 0
                    if byte == 0xCE or byte == 0xCF:
                        counts[_GREEK] += 1
                    elif byte >= 0xC3 and byte <= 0xC9:
                        counts[_LATIN] += 1
                        if (byte == 0xC4 and (following in (0x9E, 0x9F, 0xB0, 0xB1))) or (
                            byte == 0xC5 and (following == 0x9E or following == 0x9F)
                        ):
                            counts[_TURKISH] += 1
                    at += 2
                elif byte < 0xD4:
                    counts[_CYRILLIC] += 1
                    at += 2
                elif byte < 0xE0:
                    counts[_ARABIC] += 1  # and Hebrew, Armenian: not Latin is what matters
                    at += 2
                elif byte < 0xF0:
                    if byte != 0xE2 and byte != 0xEF:  # punctuation and signs
                        counts[_OTHER] += 1
                    at += 3
                else:
                    at += 4  # emoji mostly
                if at >= hard:  # a text without spaces
                    break
            at = min(at, end)
            ends[row, block] = at
            most = _LATIN
            total = 0
            for sort in range(_LATIN, 8):
                total += counts[sort]
                if counts[sort] > counts[most]:
                    most = sort
            # One sign of a syllabic script says as much as two letters and more.
            letters[row, block] = total + (counts[_OTHER] if most == _OTHER else 0)
            if letters[row, block] < LETTERS:
                continue
            if most == _LATIN:
                if english > _MIXED * words and english >= 2 * turkish and counts[_TURKISH] * 100 < total:
                    most = _ENGLISH
                elif counts[_TURKISH] * 40 > total or (turkish > _MIXED * words and turkish > 2 * english):
                    most = _TURKISH
            sorts[row, block] = most
