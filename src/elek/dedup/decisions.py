"""Deduplication of a dataset: from signatures to a decision for every document.

1. The documents that entered are put in order of *rank*: the place of their source in `source_priority`, then id.
   Nothing below depends on anything else, so parts, their order and the number of workers cannot matter. Where
   `url` is on, the first document of every URL goes on and the others fail `dedup.url`.
2. Documents of one normalised text are one *text*, numbered and represented by its first document. The others
   fail `dedup.exact`.
3. LSH proposes pairs of texts, and the Jaccard similarity of their true sets of shingles disposes. Text is read
   again for the proposed documents only, part by part, and not for pairs that were measured before
   (`elek.dedup.known`).
4. Texts are visited in order of rank. One that is similar enough to an earlier *survivor* fails `dedup.minhash`,
   in favour of the most similar; otherwise it survives. So the survivor that is named is in the result, and its
   similarity is measured, never inferred over a chain: of a ~ b ~ c with a and c unlike, b is dropped for a, and
   c stays.
5. A *cluster* is a connected component of the looser pairs (a, b and c above), named by its smallest id.

Documents that are *settled* are those of an earlier result. They rank before all others, are not compared with each
other, and all of them are survivors.

In memory are ids, exact hashes and the signatures of the distinct texts: about 0.6 kB a document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DECISION, Dataset
from elek.decisions import Verdict, decisions
from elek.dedup import kernels
from elek.dedup.boilerplate import boilerplate
from elek.dedup.kernels import F64, I64, U32, Bools
from elek.dedup.known import NOTHING, Known
from elek.dedup.lsh import candidates
from elek.dedup.normalise import shingle_sets
from elek.dedup.params import DedupParams, MinHashParams
from elek.dedup.ranking import Ranked, rank
from elek.dedup.signatures import from_binary, signatures
from elek.dedup.verification import similarities
from elek.errors import DataError
from elek.removal import REMOVE

SCHEMA = DECISION.append(pa.field("survivor", pa.string())).append(pa.field("cluster", pa.string()))
"""DECISION, and: the id of the document that stays in a dropped one's place; the id of the cluster of every
document that entered. And `REMOVE` at the end, where `boilerplate` is on."""

A = TypeVar("A", I64, F64)


@dataclass(frozen=True)
class Pairs:
    """Similar texts, sorted by (right, left), left < right."""

    left: I64
    right: I64
    similarity: F64
    """Jaccard, measured."""

    def at_least(self, threshold: float) -> Pairs:
        rows = self.similarity >= threshold
        return Pairs(self.left[rows], self.right[rows], self.similarity[rows])


@dataclass(frozen=True)
class Outcome:
    """What became of every row of the dataset: arrays by row; documents are given by rank, -1 being none."""

    ids: pa.Array
    """[documents] in order of rank."""
    entered: Bools
    same_url: I64
    """The first document of the same URL, where that is another and `url` is on."""
    copy_of: I64
    """The first document of the same text, where that is another."""
    near_to: I64
    """The survivor that is similar."""
    similarity: F64
    """Jaccard, to `near_to`."""
    survivor: I64
    cluster: I64
    measured: Known
    """The pairs of texts that were proposed."""
    texts_read: int
    """Documents whose text was read to measure them."""
    remove: pa.Array | None = None
    """What goes of the documents that stay (`REMOVE`), where `boilerplate` is on."""

    def part(self, ids: pa.ChunkedArray, start: int, params: DedupParams) -> pa.Table:
        """Decisions (`SCHEMA`) of the rows that begin at `start`; `ids` are theirs."""
        at = slice(start, start + len(ids))
        verdicts = [
            Verdict(rule, *self._failed(other[at], value[at], threshold))
            for rule, other, value, threshold in self._rules(params)
        ]
        table = decisions(ids, verdicts, self.entered[at])
        survivor = np.where(table["kept"].to_numpy(), -1, self.survivor[at])
        columns = [*table.columns, self._named(survivor), self._named(self.cluster[at])]
        table = pa.Table.from_arrays(columns, schema=SCHEMA)
        return table if self.remove is None else table.append_column(REMOVE, self.remove[at])

    def kept(self, params: DedupParams) -> Bools:
        """[rows] whether the document stays."""
        kept = self.entered.copy()
        for _, other, _, _ in self._rules(params):
            kept &= other < 0
        return kept

    def _rules(self, params: DedupParams) -> list[tuple[str, I64, F64, float]]:
        """The rules that are on: by row the document in whose favour another fails, and a value; the threshold."""
        nothing = np.full(len(self.entered), np.nan)
        rules = [
            (params.url, ("dedup.url", self.same_url, nothing, np.nan)),
            (params.exact, ("dedup.exact", self.copy_of, nothing, np.nan)),
            (params.minhash, ("dedup.minhash", self.near_to, self.similarity, params.jaccard)),
        ]
        return [rule for on, rule in rules if on]

    def _failed(self, other: I64, value: F64, threshold: float) -> tuple[Bools, F64, F64, pa.Array]:
        evidence = pc.binary_join_element_wise("duplicate of", self._named(other), " ")
        return other >= 0, value, np.full(len(other), threshold), evidence

    def _named(self, documents: I64) -> pa.Array:
        return self.ids.take(pa.array(documents, mask=documents < 0))


def deduplicate(
    clean: Dataset,
    annotate: Dataset,
    filtered: Dataset,
    params: DedupParams,
    scratch: Path,
    known: Known = NOTHING,
) -> Outcome:
    """Decide over the documents that `filtered` kept. `scratch` is a folder for temporary files.

    Raises ParamsError for an unknown source, DataError where the datasets are not of the same rows.
    """
    if not [part.rows for part in clean.parts] == [p.rows for p in annotate.parts] == [p.rows for p in filtered.parts]:
        raise DataError("clean, annotate and filter do not have the same rows", fix="run `dvc repro`")
    entered = filtered.read_all(["kept"])["kept"].to_numpy()
    return decide(clean, annotate, entered, params, scratch, known)


def decide(
    clean: Dataset,
    annotate: Dataset,
    entered: Bools,
    params: DedupParams,
    scratch: Path,
    known: Known = NOTHING,
    settled: int = 0,
) -> Outcome:
    """Decide over the documents (rows of `clean` and `annotate`) that entered. The last `settled` rows are settled;
    they have entered, and are the first documents in order of rank. What the outcome says of them means nothing."""
    ranked = rank(clean, annotate, entered, params, settled)
    signatures, signed = _signatures(ranked, annotate)
    thresholds = {params.jaccard} if params.minhash else set()
    thresholds |= {params.cluster_jaccard} if params.cluster_jaccard is not None else set()
    proposed = signed[candidates(signatures, thresholds)]
    # Settled texts come first: a pair whose later text is not settled has one that is new.
    proposed = proposed[:, ranked.first[proposed[1]] >= settled]
    del signatures
    similarity = known.look_up(ranked.hashes, proposed)
    new = np.isnan(similarity)
    texts, ends = np.unique(proposed[:, new], return_inverse=True)
    rows = ranked.rows[ranked.first[texts]]
    similarity[new] = similarities(rows, ends.reshape(2, -1), clean, shingle_of(annotate), scratch)
    measured = Known.of(ranked.hashes, proposed, similarity)
    pairs = Pairs(proposed[0], proposed[1], similarity).at_least(min(thresholds, default=1.0))
    outcome = _outcome(ranked, signed, pairs, entered, params, measured, len(texts))
    if params.boilerplate is None:
        return outcome
    return replace(outcome, remove=boilerplate(clean, outcome.kept(params), params.boilerplate, scratch))


def warm_up() -> None:
    """Read the compiled kernels from disk before they are asked for: a tenth of a second."""
    text = pa.array(["the same five words again", "the same five words again"], pa.large_string())
    pairs = candidates(from_binary(signatures(text, MinHashParams())[1]).copy(), {0.8})
    sets, ends = shingle_sets(text, 5)
    sets.flags.writeable = False  # as those are that lie in a file: to numba that is another type
    similarity = kernels.jaccard(sets, ends, pairs[0], pairs[1])
    kernels.survivors(2, pairs[0], pairs[1], similarity)
    kernels.components(2, pairs[0], pairs[1])


def _signatures(ranked: Ranked, annotate: Dataset) -> tuple[U32, I64]:
    """uint32[signed, permutations], and the texts (ascending) that they belong to."""
    text_at = np.full(len(annotate), -1, dtype=np.int64)
    text_at[ranked.rows[ranked.first]] = np.arange(len(ranked.first))
    has = np.zeros(len(ranked.first), dtype=bool)
    values: U32 | None = None
    start = 0
    for index, part in enumerate(annotate.parts):
        column = annotate.read(index, ["hash.minhash"])["hash.minhash"].combine_chunks()
        here = from_binary(column)
        values = np.empty((len(has), here.shape[1]), dtype=np.uint32) if values is None else values
        texts = text_at[start : start + part.rows]
        rows = np.flatnonzero((texts >= 0) & column.is_valid().to_numpy(zero_copy_only=False))
        values[texts[rows]] = here[rows]
        has[texts[rows]] = True
        start += part.rows
    assert values is not None  # noqa: S101 - read_all has refused a dataset without parts
    return values if has.all() else values[has], np.flatnonzero(has)


def shingle_of(annotate: Dataset) -> int:
    """Words in a shingle of the signatures. Raises DataError where nobody said."""
    try:
        return int(annotate.manifest["minhash"]["shingle"])
    except KeyError:
        raise DataError(
            "the manifest does not say how the signatures were made",
            where=str(annotate.folder),
            fix="run `dvc repro annotate`",
        ) from None


def _outcome(
    ranked: Ranked, signed: I64, pairs: Pairs, entered: Bools, params: DedupParams, measured: Known, read: int
) -> Outcome:
    texts, documents = len(ranked.first), np.arange(len(ranked.rows))
    first = ranked.first[ranked.text]
    copy_of = np.where(first != documents, first, -1)

    tight = pairs.at_least(params.jaccard if params.minhash else np.inf)
    keeper, similarity = kernels.survivors(texts, tight.left, tight.right, tight.similarity)
    # What a text is similar to, each of its copies is too; and a copy is as similar as can be to the first one.
    keeper, similarity = keeper[ranked.text], similarity[ranked.text]
    survivor = np.where(keeper >= 0, ranked.first[keeper], copy_of)
    has_signature = np.isin(ranked.text, signed)
    near_to = np.where(has_signature, survivor, -1)
    similarity = np.where(keeper >= 0, similarity, 1.0)

    again, first_of_url = ranked.again
    stays = np.where(survivor >= 0, survivor, documents)
    cluster = _clusters(ranked, pairs)

    def by_row(values: A, missing: float, of_again: A | None = None) -> A:
        result = np.full(len(entered), missing, dtype=values.dtype)
        result[ranked.rows] = values
        if of_again is not None:
            result[again] = of_again
        return result

    return Outcome(
        ids=ranked.ids,
        entered=entered,
        same_url=by_row(np.full(len(documents), -1), -1, first_of_url),
        copy_of=by_row(copy_of, -1),
        near_to=by_row(near_to, -1),
        similarity=by_row(similarity, np.nan),
        survivor=by_row(survivor, -1, stays[first_of_url]),
        cluster=by_row(cluster, -1, cluster[first_of_url]),
        measured=measured,
        texts_read=read,
    )


def _clusters(ranked: Ranked, pairs: Pairs) -> I64:
    """[documents] the document with the smallest id of those that pairs connect."""
    documents = np.arange(len(ranked.rows))
    by_id = pc.sort_indices(ranked.ids).to_numpy().astype(np.int64)
    place = np.empty_like(by_id)
    place[by_id] = documents
    component = kernels.components(len(ranked.first), pairs.left, pairs.right)[ranked.text]
    smallest = np.full(len(ranked.first), len(documents))
    np.minimum.at(smallest, component, place)
    cluster: I64 = by_id[smallest[component]]
    return cluster
