"""Training text that repeats held-out text, found by n-grams of words.

After T. Brown et al., "Language Models are Few-Shot Learners" (2020), appendix C: 13-grams in folded case without
punctuation; a held-out text shorter than that counts as one n-gram of its own length, down to 8 words; an n-gram
that more than 10 training documents have is boilerplate. Where they cut around a match, we judge the document, by
the larger of two shares, so that neither a short quotation nor a licence's header drops a long page, while a long
page that contains a whole test document is dropped:

    of the training document's n-grams (each place counted), those that stand in held-out text
    of one held-out document's n-grams (each counted once), those that stand in the training document

Case and marks are folded as in deduplication, digits are kept: tables of numbers differ in nothing else.
Text is read twice, part by part: held-out rows for their n-grams, training rows for matches. The index of held-out
n-grams lies in files that every worker maps into memory: 16 bytes a held-out word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dedup.normalise import normalise, runs, word_hashes
from elek.removal import TextPart

SHORTEST = 8
"""Words that a held-out document must have to be looked for; shorter ones occur by chance."""

Map = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
Rows = Sequence[tuple[TextPart, npt.NDArray[np.int64]]]
"""Documents, as rows of parts."""

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Findings:
    """Arrays by training document."""

    own: F64
    """Share of its n-grams that stand in held-out text."""
    held: F64
    """The largest share of one held-out document's n-grams that stands in it."""
    document: I64
    """That held-out document, or where `own` is larger the one with most of the n-grams; -1 for none."""

    @property
    def share(self) -> F64:
        return np.maximum(self.own, self.held)

    def evidence(self, row: int, held_out_ids: pa.Array, ngram: int) -> str:
        """In words, for a row that has a match."""
        name = held_out_ids[int(self.document[row])].as_py()
        if self.held[row] >= self.own[row]:
            return f"holds {self.held[row]:.0%} of the {ngram}-grams of {name}"
        return f"{self.own[row]:.0%} of its {ngram}-grams are held out, most of them in {name}"


def find(
    train: Rows, held_out: Rows, held_out_ids: pa.Array, ngram: int, common: int, scratch: Path, run: Map
) -> Findings:
    """Compare training documents with held-out ones. `held_out_ids` has an id for each of the latter, in order.

    n-grams of `ngram` words; those that more than `common` training documents have do not count. `run` maps a
    function over tasks; `scratch` is a folder for the index. Findings are in the order of `train`.
    """
    index, lengths = _index(held_out, len(held_out_ids), ngram, scratch)
    matches = [
        _Match(part, rows, ngram, lengths, scratch, scratch / f"{number}.npz")
        for number, (part, rows) in enumerate(train)
    ]
    run(write_matches, matches)

    counts = np.zeros(len(index.starts) - 1, dtype=np.int64)
    for match in matches:
        with np.load(match.out) as stored:
            np.add.at(counts, stored["gram"], 1)
    place = np.empty(len(held_out_ids), dtype=np.int64)
    place[pc.sort_indices(held_out_ids).to_numpy()] = np.arange(len(held_out_ids))
    judged = [_judge(match, index, counts > common, place) for match in matches]
    own, held, document = np.concatenate([np.empty((3, 0)), *judged], axis=1)
    return Findings(own, held, document.astype(np.int64))


class _Match(NamedTuple):
    """Look up the n-grams of some rows of a part."""

    part: TextPart
    rows: I64
    ngram: int
    lengths: tuple[int, ...]
    folder: Path
    out: Path


class _Index(NamedTuple):
    """Which held-out documents have an n-gram: `owners[starts[gram] : starts[gram + 1]]`; how many each has."""

    owners: I64
    starts: I64
    sizes: I64


def _words(part: TextPart, rows: I64) -> tuple[U64, I64]:
    text = part.read(["text"])["text"].combine_chunks().take(pa.array(rows))
    return word_hashes(normalise(text, digits_to_zero=False))


def _index(held_out: Rows, documents: int, ngram: int, folder: Path) -> tuple[_Index, tuple[int, ...]]:
    """Hash the held-out n-grams, write what workers look up, and say which lengths occur.

    In one process: held-out text is a small share of all.
    """
    grams, owners = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    lengths, first = set(), 0
    for part, rows in held_out:
        words, offsets = _words(part, rows)
        count = np.diff(offsets)
        for length in range(min(SHORTEST, ngram), ngram + 1):
            found, ends = runs(words, offsets, length)
            owner = np.repeat(np.arange(len(count)), np.diff(ends))
            if length < ngram:
                whole = count[owner] == length
                found, owner = found[whole], owner[whole]
            if len(found):
                lengths.add(length)
                grams.append(found)
                owners.append(owner + first)
        first += len(rows)
    gram, owner = np.concatenate(grams), np.concatenate(owners)
    order = np.lexsort((owner, gram))
    gram, owner = gram[order], owner[order]
    new_gram = np.append(True, gram[1:] != gram[:-1])[: len(gram)]
    new_pair = new_gram | np.append(True, owner[1:] != owner[:-1])[: len(gram)]
    gram, owner, new_gram = gram[new_pair], owner[new_pair], new_gram[new_pair]
    distinct = gram[new_gram]
    # Hashes are uniform, so their leading bits tell nearly where each stands among the sorted ones.
    bits = max(len(distinct).bit_length(), 1)
    prefixes = np.arange((1 << bits) + 1, dtype=np.uint64)
    np.save(folder / "grams.npy", distinct)
    np.save(folder / "prefixes.npy", np.searchsorted(distinct >> np.uint64(64 - bits), prefixes))
    starts = np.append(np.flatnonzero(new_gram), len(owner))
    return _Index(owner, starts, np.bincount(owner, minlength=documents)), tuple(sorted(lengths))


def write_matches(task: _Match) -> None:
    """Write the held-out n-grams that stand in the rows: distinct (row, gram) with places, and all places by row."""
    words, offsets = _words(task.part, task.rows)
    grams = np.load(task.folder / "grams.npy", mmap_mode="r")
    prefixes = np.load(task.folder / "prefixes.npy", mmap_mode="r")
    rows, found, whole = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, bool)]
    for length in task.lengths:
        hashes, ends = runs(words, offsets, length)
        gram = _look_up(hashes, grams, prefixes)
        at = np.flatnonzero(gram >= 0)
        rows.append(np.searchsorted(ends, at, side="right") - 1)
        found.append(gram[at])
        whole.append(np.full(len(at), length == task.ngram))
    pairs, first, places = np.unique(
        np.stack([np.concatenate(rows), np.concatenate(found)]), axis=1, return_index=True, return_counts=True
    )
    with task.out.open("wb") as file:
        np.savez(
            file,
            row=pairs[0],
            gram=pairs[1],
            places=np.where(np.concatenate(whole)[first], places, 0),
            all_places=np.maximum(np.diff(offsets) - task.ngram + 1, 0),
        )


def _judge(match: _Match, index: _Index, is_common: npt.NDArray[np.bool_], place: I64) -> F64:
    """float64[3, rows]: own share, held share, document. `place` orders held-out documents by id, for ties."""
    with np.load(match.out) as stored:
        counts = ~is_common[stored["gram"]]
        row, gram, places = stored["row"][counts], stored["gram"][counts], stored["places"][counts]
        all_places = stored["all_places"]
    own = np.bincount(row, places, len(all_places)) / np.maximum(all_places, 1)

    owners = index.starts[gram + 1] - index.starts[gram]
    begin = np.repeat(index.starts[gram] - np.append(0, np.cumsum(owners)[:-1])[: len(gram)], owners)
    pairs = np.stack([np.repeat(row, owners), index.owners[begin + np.arange(owners.sum())]])
    (row, owner), common = np.unique(pairs, axis=1, return_counts=True)
    share = common / index.sizes[owner]

    held, document = np.zeros(len(own)), np.full(len(own), -1.0)
    np.maximum.at(held, row, share)
    # The strongest document of each row is written last: by its share, or by n-grams where `own` decides.
    strength = np.where(held[row] >= own[row], share, common)
    order = np.lexsort((-place[owner], strength, row))
    document[row[order]] = owner[order]
    return np.stack([own, held, document])


@numba.njit(cache=True, nogil=True)
def _look_up(hashes: U64, grams: U64, prefixes: I64) -> I64:
    """The place of each hash among `grams` (ascending, unique), or -1; `prefixes` says where each prefix begins."""
    bits = 0
    while (1 << bits) + 1 < len(prefixes):
        bits += 1
    shift = np.uint64(64 - bits)
    result = np.full(len(hashes), -1, dtype=np.int64)
    for i in range(len(hashes)):
        prefix = np.int64(hashes[i] >> shift)
        for k in range(prefixes[prefix], prefixes[prefix + 1]):
            if grams[k] == hashes[i]:
                result[i] = k
                break
    return result
