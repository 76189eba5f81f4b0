"""What two texts are compared by: words in folded case without marks, one space between them.

The steps are those of datatrove 0.10.1's MinHash (lower case, digits to 0, punctuation to a space, canonical
decomposition without marks), with these differences, each so that less that a reader takes for equal differs:

- Every i is one letter: `I İ i ı` all become `i`. Turkish upper-cases ı to I and i to İ, so that plain lower
  case makes "IŞIK" and "ışık" two strings. Asking for the row's language would not do: capitals mislead language
  identification, and a Turkish passage may stand in a page declared English. Marks are stripped anyway (ş is s),
  and the dot is one.
- Full case folding in place of lower case: "STRASSE" is "straße", and a final sigma is a sigma.
- Punctuation is Unicode's (all of P, and the symbols Sm, Sc and Sk), not a list; other symbols, emoji among
  them, stay, so that a text of emoji alone does not vanish. Format characters (soft hyphen, joiners) are removed.

The tables come from the `unicodedata` of the running Python, whose Unicode version may differ between minor
versions of Python; letters that Unicode added between the two fold differently there.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from elek.dedup import kernels
from elek.dedup.kernels import DROP, EXPANDS, I64, LIMIT, U8, U32, U64

_I = str.maketrans("ı", "i")


def fold(char: str, digits: bool) -> str:
    """What one character becomes: "" (a mark), " " (a break between words), or characters of a word."""
    out = []
    for part in unicodedata.normalize("NFD", char):
        if unicodedata.category(part) in ("Mn", "Me", "Cf"):
            continue
        for letter in unicodedata.normalize("NFD", part.casefold().translate(_I)):
            category = unicodedata.category(letter)
            if category in ("Mn", "Me", "Cf"):
                continue
            if category[0] in "PZ" or category in ("Cc", "Sm", "Sc", "Sk"):
                out.append(" ")
            elif category == "Nd" and digits:
                out.append("0")
            else:
                out.append(letter)
    return "".join(out)


def _stays(char: str) -> bool:
    """Whether nothing has to be asked: ideographs and letters of scripts without case, unassigned and private code
    points, surrogates. Four of five are such, and the table is made in every process that starts."""
    if unicodedata.category(char) not in ("Lo", "Cn", "Co", "Cs"):
        return False
    return not ("\uac00" <= char <= "\ud7a3" or unicodedata.decomposition(char))  # Hangul's are not listed


class _Table(NamedTuple):
    one: U32
    """Code point → code point, DROP, or EXPANDS | index into `more`."""
    more: U32
    growth: int
    """The most bytes of output per byte of input, rounded up."""


@cache
def _table(digits: bool) -> _Table:
    one = np.arange(LIMIT, dtype=np.uint32)
    more: list[int] = []
    growth = 1.0
    for code in range(LIMIT):
        char = chr(code)
        if _stays(char):
            continue
        folded = fold(char, digits)
        if folded == char:
            continue
        if not folded:
            one[code] = DROP
        elif len(folded) == 1:
            one[code] = ord(folded)
        else:
            one[code] = EXPANDS | len(more)
            more += [len(folded), *map(ord, folded)]
        growth = max(growth, len(folded.encode()) / len(char.encode()))
    return _Table(one, np.array(more, dtype=np.uint32), int(np.ceil(growth)))


def utf8_buffers(text: pa.Array) -> tuple[I64, U8]:
    """Offsets (int64[rows + 1]) and bytes of a string array, without a copy where it is a large_string."""
    if text.type != pa.large_string():
        text = text.cast(pa.large_string())
    _, offsets, data = text.buffers()
    # An array of no rows may have empty buffers.
    ends = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1] if len(text) else np.zeros(1)
    return ends.astype(np.int64, copy=False), np.frombuffer(data or b"", np.uint8)


class Words(NamedTuple):
    """What `words` makes of texts."""

    normalised: pa.LargeStringArray
    """Every text as its words, folded, with one space between them; "" where it has none."""
    hashes: U64
    """64-bit hashes of all words, one text after the other. FNV-1a over the word's bytes with the finaliser of
    MurmurHash3 behind it. Two words share a hash with a chance of 2⁻⁶⁴, which is what "exact" and "verified" mean
    where these hashes, and those of runs of words, are compared."""
    offsets: I64
    """[texts + 1] where the words of each begin and end."""


def words(text: pa.Array, *, digits_to_zero: bool = True) -> Words:
    """The words of every text, normalised and hashed.

    Linear in bytes; makes one buffer of at most three times the input's size (a Hangul syllable takes three
    letters; Latin text never grows) and one of four times that, of which only what is written is ever touched.
    """
    offsets, data = utf8_buffers(text)
    table = _table(digits_to_zero)
    size = int(offsets[-1] - offsets[0]) * table.growth
    out, ends = np.empty(size, dtype=np.uint8), np.zeros(len(text) + 1, dtype=np.int64)
    hashes, word_ends = np.empty((size + len(text)) // 2 + 1, dtype=np.uint64), np.zeros(len(text) + 1, dtype=np.int64)
    kernels.normalise(offsets, data, table.one, table.more, out, ends, hashes, word_ends)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(out[: ends[-1]])]
    normalised = pa.Array.from_buffers(pa.large_string(), len(text), buffers)
    return Words(normalised, hashes[: word_ends[-1]], word_ends)


def normalise(text: pa.Array, *, digits_to_zero: bool = True) -> pa.LargeStringArray:
    """Every text as its words, folded, with one space between them; "" where it has none."""
    return words(text, digits_to_zero=digits_to_zero).normalised


def runs(hashes: U64, offsets: I64, size: int) -> tuple[U64, I64]:
    """Hashes of every row's runs of `size` words, and offsets (int64[rows + 1]) of the rows."""
    out = np.empty(len(hashes), dtype=np.uint64)
    ends = np.zeros(len(offsets), dtype=np.int64)
    kernels.runs(hashes, offsets, size, out, ends)
    return out[: ends[-1]], ends


def shingle_sets(text: pa.Array, size: int) -> tuple[U64, I64]:
    """Every text's set of runs of `size` words as ascending hashes, and offsets (int64[rows + 1]) of the rows."""
    _, hashes, offsets = words(text)
    sets, ends = runs(hashes, offsets, size)
    for start, stop in pairwise(ends.tolist()):
        sets[start:stop].sort()  # NumPy's vector instructions: ten times as fast as a sort that numba compiles
    kernels.unique(sets, ends)
    return sets[: ends[-1]], ends
