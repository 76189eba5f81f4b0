"""Earlier results that a curation is compared with: what they kept stays, and is not kept again.

No result stores signatures for this: they follow from the texts, which it has, at 100 MB/s. Stored they are 464 bytes a
document that cannot be packed: 14 MB beside the 34 MB of a result of 30,000 documents.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from elek.curation.inputs import is_result, names
from elek.curation.settings import Settings
from elek.dataset import Dataset, Part, read_part, sha256_file, write_manifest, write_part
from elek.dedup.params import DedupParams, MinHashParams
from elek.dedup.signatures import signatures
from elek.errors import DataError, ElekError, ParamsError, did_you_mean
from elek.execution.engine import for_small, map_shards
from elek.params import ExecutionParams, parse
from elek.text.cleaning import CleanParams

CURATE_AGAIN = "curate it again with this version and these settings, or leave it out"


class Earlier(NamedTuple):
    """An earlier result."""

    name: str
    """Its path below the folder that all of them share."""
    folder: Path
    documents: Dataset
    """What it kept."""


def find_earlier(folders: Sequence[Path], settings: Settings) -> list[Earlier]:
    """The earlier results in `folders`, each once.

    Raises ParamsError where deduplication is skipped, DataError where a folder holds no result, or one that was made
    under other settings: its documents then are not those that ours can be compared with.
    """
    if folders and "dedup" in settings.skip:
        what = "nothing can be compared with an earlier result where `dedup` is skipped"
        raise ParamsError(what, where="--against", fix="leave out --against, or `dedup` from --skip")
    found = {folder.resolve(): Path(os.path.abspath(folder)) for folder in folders}  # noqa: PTH100 - takes `..` out
    return [
        Earlier(name, real, _documents(real, settings))
        for name, real in zip(names(list(found.values())), found, strict=True)
    ]


def _documents(folder: Path, settings: Settings) -> Dataset:
    if not is_result(folder):
        near = [each.name for each in folder.parent.iterdir() if is_result(each)] if folder.parent.is_dir() else []
        fix = did_you_mean(folder.name, near) if near else "name a folder that was given to --out"
        raise DataError("this is no result of `elek curate`", where=str(folder), fix=fix)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        theirs, ours = _compared(manifest["settings"]), _compared(settings.plain())
        documents, removed = Dataset(folder / "documents"), manifest["clean"]["removed"]
    except KeyError as error:
        raise DataError(f"manifest.json lacks {error}", where=str(folder), fix=CURATE_AGAIN) from None
    except TypeError as error:
        raise DataError(f"manifest.json is damaged: {error}", where=str(folder), fix=CURATE_AGAIN) from None
    except ElekError as error:
        raise DataError(error.what, where=str(folder), fix=CURATE_AGAIN) from None
    if removed:
        what = "rules took lines out of this result's documents, and what is left is not what was compared"
        fix = "leave it out, or curate it again without such rules (c4, boilerplate)"
        raise DataError(what, where=str(folder), fix=fix)
    for name, value in ours.items():
        if theirs[name] != value:
            what = f"`{name}` was {json.dumps(theirs[name])} when this result was made, and is {json.dumps(value)} now"
            raise DataError(what, where=str(folder), fix=CURATE_AGAIN)
    return documents


def _compared(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Of settings as plain data those by which texts become comparable and are compared."""
    sections = {
        "clean": parse("clean", plain["clean"], CleanParams),
        "annotate.minhash": parse("annotate.minhash", plain["annotate"]["minhash"], MinHashParams),
        "dedup": parse("dedup", plain["dedup"], DedupParams),
    }
    found = {
        f"{section}.{key}": value
        for section, params in sections.items()
        for key, value in params.model_dump(mode="json").items()
    }
    del found["dedup.source_priority"]  # among the sources of one curation
    return found | {"skip": [name for name in plain["skip"] if name != "filter"]}


def sign(earlier: Sequence[Earlier], folder: Path, settings: Settings, execution: ExecutionParams) -> Dataset:
    """Write what deduplication compares of the earlier results into `folder`: a row for each of their documents, in
    order. Raises DataError where a part is not as it was written."""
    minhash = settings.annotate.minhash.model_dump(mode="json")
    parts = [(each, index, part) for each in earlier for index, part in enumerate(each.documents.parts)]
    tasks = [
        SignTask(each.documents.path(index), part.sha256, each.name, place, folder, minhash)
        for place, (each, index, part) in enumerate(parts)
    ]
    execution = for_small(len(tasks), execution)
    return write_manifest(folder, map_shards(sign_part, tasks, execution=execution, label="against"))


@dataclass(frozen=True)
class SignTask:
    """A part of the documents of the result `name`, to be signed as part `index` of the dataset in `folder`."""

    documents: Path
    sha256: str
    name: str
    index: int
    folder: Path
    minhash: Mapping[str, Any]
    """Section `annotate.minhash`, as plain data."""


def sign_part(task: SignTask) -> Part:
    """Memory: the part's text some three times over."""
    if sha256_file(task.documents) != task.sha256:
        what = f"{task.documents.name} does not have the SHA-256 that its manifest says"
        raise DataError(what, where=str(task.documents.parent), fix=CURATE_AGAIN)
    table = read_part(task.documents, ["id", "source", "text"])
    exact, minhash = signatures(table["text"].combine_chunks(), MinHashParams(**task.minhash))
    columns = {"id": called(table["id"], task.name), "source": table["source"]}
    return write_part(
        task.folder, task.index, pa.table({**columns, "hash.text": exact, "hash.minhash": minhash}), passing=True
    )


def called(ids: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """What a new result calls documents of the earlier one called `name`."""
    return pc.binary_join_element_wise(ids, pa.scalar(f" in {name}"), "")
