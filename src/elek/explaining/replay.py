"""Decide `filter`, `dedup` and `split` again, in memory, from what the stages stored; see `elek.explaining.whatif`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from elek.dataset import MANIFEST, Dataset, write_manifest, write_part
from elek.dedup import decisions as dedup
from elek.dedup import passages
from elek.dedup.kernels import I64
from elek.dedup.known import Known
from elek.dedup.params import DedupParams
from elek.dedup.passages import Passages
from elek.errors import DataError
from elek.filtering import FilterParams, columns_for
from elek.filtering import decide as filtered_by
from elek.removal import REMOVE, merged, removed_bytes, text_parts
from elek.splitting import SplitParams
from elek.splitting import decisions as splitting

VERDICT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("survivor", pa.string()),
        pa.field("split", pa.string()),
        pa.field("removed", pa.int64(), nullable=False),
    ]
)
"""What happens to a document: whether it passes all three stages; the rule that drops it; the id of the duplicate
that is kept instead; its split; the number of bytes that are removed from it."""


class Replay:
    """The stored decisions in the `data` folder of a project, and the decisions under other settings.

    Raises DataError where a stage has not run, or is out of date because an earlier stage has run since.
    """

    def __init__(self, data: Path) -> None:
        self.clean, self.evaluation = Dataset(data / "clean" / "train"), Dataset(data / "clean" / "evaluation")
        self.annotate, self.filter, self.dedup = (Dataset(data / name) for name in ("annotate", "filter", "dedup"))
        self.split = Dataset(data / "split" / "decisions")
        self._pairs, self._passages = data / "dedup" / "pairs", data / "split" / "passages"
        self.notes: list[str] = []
        """The reasons why text had to be read, in words for the user."""
        for stage, of in (
            (self.filter, {"annotate": self.annotate}),
            (self.dedup, {"clean": self.clean, "annotate": self.annotate, "filter": self.filter}),
            (self.split, {"clean": self.clean, "filter": self.filter, "dedup": self.dedup}),
        ):
            for name, parent in of.items():
                if stage.manifest["parents"].get(name) != parent.digest:
                    what = f"`{name}` has run since these decisions were made"
                    raise DataError(what, where=str(stage.folder), fix="run `elek run`, then ask again")

    def last(self) -> pa.Table:
        """`VERDICT` of every document as the stages decided it."""
        filtered, deduped = self.filter.read_all(["failures"]), self.dedup.read_all(["failures", "survivor"])
        split = self.split.read_all(["id", "kept", "failures", "split"])
        return _verdict(filtered, deduped, split, self._removed_last)

    def decide(self, filters: FilterParams, deduped: DedupParams, split: SplitParams) -> pa.Table:
        """`VERDICT` of every document as the stages would decide it."""
        filtered = self._filter(filters)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            known = Known.from_table(Dataset(self._pairs).read_all())
            entered = filtered["kept"].to_numpy()
            outcome = dedup.decide(self.clean, self.annotate, entered, deduped, Path(scratch), known)
            if outcome.texts_read:
                self.notes.append(f"text of {outcome.texts_read:,} documents was read to compare pairs not met before")
            if outcome.remove is not None:
                self.notes.append("the text of documents that stay was read for dedup.boilerplate")
            unique = outcome.part(filtered["id"], 0, deduped)
            removed = _removed([filtered, unique])
            shared = self._shared(removed, unique["kept"], split, Path(scratch))
        return _verdict(filtered, unique, splitting.decide(unique, self._held_out, shared, split), removed)

    @cached_property
    def _removed_last(self) -> pa.Array:
        stored = [stage for stage in (self.filter, self.dedup) if stage.manifest.get("removes")]
        return _removed([stage.read_all([REMOVE.name]) for stage in stored], len(self.clean))

    @cached_property
    def _held_out(self) -> pa.Table:
        return self.evaluation.read_all(["id", "source"])

    def _filter(self, params: FilterParams) -> pa.Table:
        columns, parts = columns_for(params), range(len(self.annotate.parts))
        return pa.concat_tables([filtered_by(self.annotate.read(index, columns), params) for index in parts])

    def _shared(self, removed: pa.Array, kept: pa.ChunkedArray, params: SplitParams, scratch: Path) -> Passages | None:
        """The stored passages, or where they belong to another n-gram length or text, those that `split` would find."""
        if params.decontaminate_ngram is None:
            return None
        if (self._passages / "shared" / MANIFEST).is_file():
            ngram = int(Dataset(self._passages / "shared").manifest["ngram"])
            if ngram == params.decontaminate_ngram and self._same_text(removed, kept):
                return Passages.read(self._passages)
            why = "other text is taken out" if ngram == params.decontaminate_ngram else f"stored are {ngram}-grams"
        else:
            why = "the last run compared none"
        self.notes.append(f"all text was read for what documents share: {why}")
        (scratch / "cuts").mkdir()
        column = pa.table([removed], schema=pa.schema([REMOVE]))
        parts, start = [], 0
        for index, part in enumerate(self.clean.parts):
            parts.append(write_part(scratch / "cuts", index, column.slice(start, part.rows)))
            start += part.rows
        cuts = write_manifest(scratch / "cuts", parts, extra={"removes": ["what-if"]})
        every = text_parts(self.clean, cuts) + text_parts(self.evaluation)
        return passages.find(every, params.decontaminate_ngram, scratch, _in_process)

    def _same_text(self, removed: pa.Array, kept: pa.ChunkedArray) -> bool:
        """Whether the same bytes as in the last run are removed from the documents marked in `kept`."""
        mask = kept.combine_chunks()
        return bool(removed.filter(mask).equals(self._removed_last.filter(mask)))


def _in_process(function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
    return [function(task) for task in tasks]


def _removed(tables: Sequence[pa.Table], rows: int = 0) -> pa.Array:
    """The spans that all the decisions together remove from each document."""
    columns = [table[REMOVE.name] for table in tables if REMOVE.name in table.column_names]
    return merged(columns) if columns else pa.array([[]] * (rows or len(tables[0])), REMOVE.type)


def _verdict(filtered: pa.Table, deduped: pa.Table, split: pa.Table, removed: pa.Array) -> pa.Table:
    at, rules, count = np.full(len(split), -1), [], 0
    for table in (filtered, deduped, split):
        rows, first = _first_failures(table["failures"])
        at[rows] = np.arange(count, count + len(rows))
        rules.append(first)
        count += len(rows)
    reason = pa.concat_arrays(rules).take(pa.array(at, mask=at < 0))
    columns = [split["id"], split["kept"], reason, deduped["survivor"], split["split"]]
    return pa.Table.from_arrays([*columns, pa.array(removed_bytes(removed))], schema=VERDICT)


def _first_failures(failures: pa.ChunkedArray) -> tuple[I64, pa.StringArray]:
    """The rows that fail, and the first failing rule of each. A document fails in one stage and enters no later one."""
    lists = failures.combine_chunks()
    offsets = lists.offsets.to_numpy()
    rows = np.flatnonzero(np.diff(offsets))
    return rows, lists.values.field("rule").take(pa.array(offsets[rows]))
