"""Tokenize a column of documents fast: every distinct chunk of text is encoded once.

A chunk is a run of spaces with the characters after it up to the next space or newline; a newline is a chunk of its
own. BPE builds the pieces of a text by merging neighbours into pieces that it has learned. If no piece contains a
newline, or a space after another character, no merge crosses the border of a chunk, and the ids of a text are the ids
of its chunks, one after the other. So a table from chunks to ids gives exactly the ids of SentencePiece. This does not
hold for a Unigram vocabulary, which scores the text as a whole.

Cost: one pass over the bytes, and for what is new its merges (`elek.vocab.merges`), or SentencePiece where a chunk is
long or the vocabulary of another kind. Memory: the table, which is emptied when it has grown past a bound, and one
block of the text's chunks at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.kernels import Array, buffers, kernel, part
from elek.vocab.merges import Merges, spell
from elek.vocab.tokenizer import TokenColumn, Tokenizer

BLOCK = 1 << 18
"""Chunks that are looked up before the new ones among them are encoded."""
MAX_ENTRIES, MAX_KEY_BYTES = 1 << 20, 1 << 26
"""The table is emptied when it is larger than this."""
GROUP_BYTES = 4096
"""New chunks are encoded in texts of about this size, joined by newlines: SentencePiece's cost grows with a
text's length, Python's with the number of texts."""

BOS, EOS, NEWLINE, FIRST = 0, 1, 2, 3
"""Entries that are no chunks, and the first one that is."""
DOC, POS, ENTRIES, OUT = 0, 1, 2, 3
"""Where a scan stands: document, byte in it (-1 before its bos), entries in the table, entries put out."""

_CROSSING = re.compile("[^\u2581]\u2581|\n")


def document_encoder(tokenizer: Tokenizer) -> Callable[[pa.Array], TokenColumn]:
    """The fastest encoder with the results of `tokenizer.encode_documents`: a `ChunkMemo` where that is exact."""
    learned = (tokenizer.piece(index) for index in range(tokenizer.size) if not tokenizer.is_byte(index))
    if tokenizer.kind != "bpe" or any(_CROSSING.search(piece) for piece in learned):
        return tokenizer.encode_documents
    return ChunkMemo(tokenizer).encode_documents


def warm_up() -> None:
    """Read the compiled kernels from disk before there is a vocabulary."""
    text, ends = np.array([97, 32, 98], np.uint8), np.array([0, 3], np.int64)
    slots, hashes, key_ends = np.full(16, -1, np.int32), np.zeros(8, np.uint64), np.zeros(8, np.int64)
    at, out, keys = np.array([0, -1, FIRST, 0], np.int64), np.empty(8, np.int32), np.empty(8, np.uint8)
    _scan(text, ends, at, out, slots, hashes, keys, key_ends)
    ids = np.zeros(8, np.uint16)
    merges = Merges.from_pairs(np.full(128, -1, np.int32), np.arange(256, dtype=np.int32), {})
    spell(keys, 0, key_ends[FIRST : at[ENTRIES]], merges, ids, np.zeros(8, np.int64))
    id_ends = np.arange(1, 9)
    _count(out[: at[OUT]], id_ends)
    _emit(out[: at[OUT]], ids, id_ends, np.empty(16, np.uint16), np.zeros(2, np.int64), 0, 0)


class ChunkMemo:
    """A table of chunks and their ids, filled as it is used. Its results do not depend on its content.

    Entry e has the bytes `keys[key_ends[e - 1] : key_ends[e]]` and the ids `ids[id_ends[e - 1] : id_ends[e]]`.
    `slots` is a hash table of entries with open addressing, -1 where empty.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._merges = Merges.of(tokenizer)
        self._newline = int(tokenizer.encode("\n")[0])
        self._clear()

    def _clear(self) -> None:
        self.slots = np.full(4 * BLOCK, -1, np.int32)
        self.hashes = np.zeros(2 * BLOCK, np.uint64)
        self.keys = np.empty(1 << 22, np.uint8)
        self.key_ends = np.zeros(2 * BLOCK, np.int64)
        self.ids = np.array([self.tokenizer.bos, self.tokenizer.eos, self._newline], self.tokenizer.dtype)
        self.id_ends = np.array([1, 2, 3], np.int64)
        self.entries = FIRST

    def encode_documents(self, texts: pa.Array) -> TokenColumn:
        """Every text of a `large_string` column as one document: bos, its pieces, eos."""
        data, offsets = buffers(texts)
        at = np.array([0, -1, self.entries, 0], np.int64)
        out = np.empty(BLOCK, np.int32)
        blocks: list[Array] = [np.empty(0, self.tokenizer.dtype)]
        starts, written = np.zeros(len(texts) + 1, np.int64), 0
        document = 0
        while at[DOC] < len(texts):
            if self.entries > MAX_ENTRIES or self.key_ends[self.entries - 1] > MAX_KEY_BYTES:
                self._clear()
            self._make_room()
            at[ENTRIES], at[OUT] = self.entries, 0
            missing = _scan(data, offsets, at, out, self.slots, self.hashes, self.keys, self.key_ends)
            self._learn(int(at[ENTRIES]))
            block = np.empty(_count(out[: at[OUT]], self.id_ends), self.tokenizer.dtype)
            document = _emit(out[: at[OUT]], self.ids, self.id_ends, block, starts, document, written)
            blocks.append(block)
            written += len(block)
            if missing:
                self.keys = np.concatenate([self.keys, np.empty(max(missing, len(self.keys)), np.uint8)])
        starts[-1] = written
        return TokenColumn(np.concatenate(blocks), starts)

    def _make_room(self) -> None:
        """Room for a block of new chunks, with the slots at most half full."""
        needed = self.entries + BLOCK
        if needed > len(self.hashes):
            self.hashes = np.concatenate([self.hashes, np.zeros(needed, np.uint64)])
            self.key_ends = np.concatenate([self.key_ends, np.zeros(needed, np.int64)])
        if 2 * needed > len(self.slots):
            self.slots = np.full(2 * len(self.slots), -1, np.int32)
            _fill(self.slots, self.hashes, self.entries)

    def _learn(self, entries: int) -> None:
        """Compute the ids of the chunks that the last scan added, by merging here or by SentencePiece."""
        first, self.entries = self.entries, entries
        if first == entries:
            return
        begin, ends = int(self.key_ends[first - 1]), self.key_ends[first:entries]
        counts = np.full(len(ends), -1, np.int64)
        ids = np.empty(0, self.ids.dtype)
        if self._merges is not None:
            ids = np.empty(ends[-1] - begin, self.ids.dtype)
            ids = ids[: spell(self.keys, begin, ends, self._merges, ids, counts)]
        asked = np.flatnonzero(counts < 0)
        if len(asked):
            starts = np.append(begin, ends[:-1])
            more, counts[asked] = self._ask(starts[asked], ends[asked])
            owner = np.repeat(np.arange(len(ends)), counts)
            theirs = np.isin(owner, asked)
            merged, ids = ids, np.empty(len(owner), self.ids.dtype)
            ids[theirs], ids[~theirs] = more, merged
        self.ids = np.concatenate([self.ids, ids])
        self.id_ends = np.concatenate([self.id_ends, self.id_ends[-1] + np.cumsum(counts)])

    def _ask(self, starts: Array, ends: Array) -> tuple[Array, Array]:
        """Ids of the chunks at these bytes of the keys, end to end, and how many each has."""
        joined = _join(self.keys, starts, ends, ord("\n"))
        ends = np.cumsum(ends - starts + 1)  # each with its newline
        cuts = np.unique(np.searchsorted(ends, np.arange(GROUP_BYTES, ends[-1] + GROUP_BYTES, GROUP_BYTES)))
        borders = [0, *ends[np.minimum(cuts, len(ends) - 1)].tolist()]
        texts = [joined[a:b].tobytes() for a, b in pairwise(borders) if a < b]
        ids = np.concatenate(self.tokenizer.encode_utf8(texts))
        newlines = np.flatnonzero(ids == self._newline)
        if len(newlines) != len(ends):  # what the memo stands on
            raise RuntimeError(f"{len(ends)} chunks, but {len(newlines)} newlines between their ids")
        kept: npt.NDArray[np.bool_] = ids != self._newline
        return ids[kept], np.diff(newlines, prepend=-1) - 1


@part
def _chunk_at(data: Array, begin: int, end: int) -> Any:
    """Where the chunk that begins at `begin` ends, and its hash (FNV-1a)."""
    stop, value = begin, np.uint64(0xCBF29CE484222325)
    while stop < end and data[stop] == 32:
        value = (value ^ np.uint64(32)) * np.uint64(0x100000001B3)
        stop += 1
    while stop < end and data[stop] != 32 and data[stop] != 10:
        value = (value ^ np.uint64(data[stop])) * np.uint64(0x100000001B3)
        stop += 1
    return stop, value ^ (value >> np.uint64(32))


@kernel
def _scan(
    data: Array, offsets: Array, at: Array, out: Array, slots: Array, hashes: Array, keys: Array, key_ends: Array
) -> int:
    """Look up chunks from `at` on until `out` is full, entering new ones; `at` is moved on.

    Returns 0, or the bytes that `keys` had no room for; the scan then goes on with that chunk.
    """
    mask = len(slots) - 1
    document, position, entries, count = at[DOC], at[POS], at[ENTRIES], at[OUT]
    missing = 0
    while document < len(offsets) - 1 and count < len(out):
        start, end = offsets[document], offsets[document + 1]
        begin = start + position
        if position < 0:
            entry, position = BOS, 0
        elif begin == end:
            entry, document, position = EOS, document + 1, -1
        elif data[begin] == 10:
            entry, position = NEWLINE, position + 1
        else:
            stop, value = _chunk_at(data, begin, end)
            slot = np.int64(value & np.uint64(mask))
            entry = slots[slot]
            while entry >= 0:
                key = key_ends[entry - 1]
                if hashes[entry] == value and key_ends[entry] - key == stop - begin:
                    same = True
                    for index in range(stop - begin):
                        if keys[key + index] != data[begin + index]:
                            same = False
                            break
                    if same:
                        break
                slot = (slot + 1) & mask
                entry = slots[slot]
            if entry < 0:
                key = key_ends[entries - 1]
                if key + stop - begin > len(keys):
                    missing = key + stop - begin - len(keys)
                    break
                keys[key : key + stop - begin] = data[begin:stop]
                key_ends[entries], hashes[entries], slots[slot] = key + stop - begin, value, entries
                entry, entries = entries, entries + 1
            position = stop - start
        out[count] = entry
        count += 1
    at[DOC], at[POS], at[ENTRIES], at[OUT] = document, position, entries, count
    return missing


@kernel
def _fill(slots: Array, hashes: Array, entries: int) -> None:
    """Enter the first `entries` into empty slots."""
    mask = len(slots) - 1
    for entry in range(FIRST, entries):
        slot = np.int64(hashes[entry] & np.uint64(mask))
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = entry


@kernel
def _join(keys: Array, starts: Array, ends: Array, mark: int) -> Array:
    """The keys from `starts` to `ends`, with `mark` after each."""
    joined = np.empty(np.sum(ends - starts) + len(ends), np.uint8)
    position = 0
    for at in range(len(ends)):
        for index in range(starts[at], ends[at]):
            joined[position] = keys[index]
            position += 1
        joined[position] = mark
        position += 1
    return joined


@kernel
def _count(out: Array, id_ends: Array) -> int:
    """Ids of all entries in `out`."""
    total = 0
    for entry in out:
        total += id_ends[entry] - (id_ends[entry - 1] if entry else 0)
    return total


@kernel
def _emit(out: Array, ids: Array, id_ends: Array, block: Array, starts: Array, document: int, written: int) -> int:
    """Write the entries' ids end to end, and where each document begins. Returns the next document's number."""
    position = 0
    for entry in out:
        if entry == BOS:
            starts[document] = written + position
            document += 1
        for index in range(id_ends[entry - 1] if entry else 0, id_ends[entry]):
            block[position] = ids[index]
            position += 1
    return document
