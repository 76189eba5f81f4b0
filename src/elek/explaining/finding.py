"""Find a document by its id in the data of a project, or suggest similar ids where no document has it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.errors import DataError


class Place(NamedTuple):
    """The position of a document, which is the same in every dataset from `fetch` to `split`."""

    id: str
    role: str
    part: int
    row: int

    def read(self, folder: Path, columns: Sequence[str] | None = None) -> dict[str, Any]:
        """The row of this document in a dataset; `columns` must include `id`.

        Raises DataError where the row is missing or belongs to another document: the dataset is from an earlier fetch.
        """
        dataset = Dataset(folder)
        rows = dataset.read(self.part, columns).slice(self.row, 1).to_pylist() if self.part < len(dataset.parts) else []
        if not rows or rows[0]["id"] != self.id:
            what = "this is not of the documents that were fetched last"
            raise DataError(what, where=str(folder), fix="run `elek run`")
        found: dict[str, Any] = rows[0]
        return found


def find(project: Path, doc_id: str) -> Place:
    """Where the document is. Raises DataError, naming the most similar ids, where no source has this one."""
    if not _fetched(project):
        raise DataError("no documents have been fetched yet", where=str(project), fix="run `elek run`")
    if place := _locate(project, doc_id):
        return place
    like = next((f"an id looks like `{name}`" for name in _names(project)), None)
    where = str(project / "data" / "fetch")
    raise DataError(f"no document has the id `{doc_id}`", where=where, fix=suggest_ids(project, doc_id) or like)


def has_document(project: Path, doc_id: str) -> bool:
    """Whether any source has a document of this id."""
    return _locate(project, doc_id) is not None


def suggest_ids(project: Path, name: str, others: Iterable[str] = ()) -> str | None:
    """A hint for the user who gave a wrong `name`: the most similar ids and `others`; None where none is similar."""
    found = nearest_ids(name, [*others, *_names(project)])
    return f"the nearest: {', '.join(f'`{item}`' for item in found)}" if found else None


def nearest_ids(doc_id: str, ids: Iterable[str], count: int = 3) -> list[str]:
    """The `count` most similar ids, best first. There may be millions, so cheap upper bounds are compared first."""
    matcher = SequenceMatcher(a="", b=doc_id, autojunk=False)
    best: list[tuple[float, str]] = []
    for candidate in ids:
        floor = best[0][0] if len(best) == count else 0.3
        matcher.set_seq1(candidate)
        if matcher.real_quick_ratio() > floor and matcher.quick_ratio() > floor and matcher.ratio() > floor:
            heapq.heappush(best, (matcher.ratio(), candidate))
            if len(best) > count:
                heapq.heappop(best)
    return [candidate for _, candidate in sorted(best, key=lambda item: (-item[0], item[1]))]


def _locate(project: Path, doc_id: str) -> Place | None:
    for role, folder in _fetched(project).items():
        for part, ids in enumerate(_ids(folder)):
            row = pc.index(ids, pa.scalar(doc_id)).as_py()
            if row >= 0:
                return Place(doc_id, role, part, row)
    return None


def _fetched(project: Path) -> dict[str, Path]:
    folders = {role: project / "data" / "fetch" / role for role in ("train", "evaluation")}
    return {role: folder for role, folder in folders.items() if folder.is_dir()}


def _names(project: Path) -> Iterator[str]:
    """The id of every document."""
    for folder in _fetched(project).values():
        for ids in _ids(folder):
            yield from ids.to_pylist()


def _ids(folder: Path) -> Iterator[pa.ChunkedArray]:
    """The ids of each part."""
    dataset = Dataset(folder)
    for part in range(len(dataset.parts)):
        yield dataset.read(part, ["id"])["id"]
