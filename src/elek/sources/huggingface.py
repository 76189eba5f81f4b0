"""Hugging Face data sets, streamed record by record, from the hub or from a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from elek.errors import ParamsError, SourceError
from elek.sources.params import HuggingFaceSource
from elek.sources.records import Record, Skip, check_columns, from_columns, grouped


def local_folder(source: HuggingFaceSource, project: Path) -> Path | None:
    """The folder that `source` reads, or None where it is on the hub."""
    folder = project / source.path
    return folder if folder.is_dir() else None


def read_huggingface(source: HuggingFaceSource, project: Path) -> Iterator[Record | Skip]:
    """Every record. Raises ParamsError for a hub data set without a revision, SourceError if it cannot be read."""
    from datasets.exceptions import DatasetsError

    try:
        data = _open(source, local_folder(source, project))
        file = "/".join(part for part in (source.name, source.split) if part)
        if data.column_names is not None:
            check_columns(data.column_names, source, f"{source.path}, {file}")
        events = _records(data, source, file)
        yield from grouped(events, source.group) if source.group > 1 else events
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:  # errors of the hub client are OSErrors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(
            f"the data set cannot be read: {reason.replace(str(project), '.')}",
            where=source.path,
            fix="check path, name, split and revision in params, and the network (the hub's token comes from HF_TOKEN)",
        ) from None


def _open(source: HuggingFaceSource, folder: Path | None) -> Any:
    import datasets

    if folder is None:
        if source.revision is None:
            raise ParamsError(
                f"`{source.path}` is no folder here, and a data set on the hub needs a revision",
                where=source.path,
                fix="set `revision` to a commit (40 hexadecimal digits), or correct the path",
            )
        return datasets.load_dataset(
            source.path, source.name, split=source.split, revision=source.revision, streaming=True
        )
    if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():  # save_to_disk()
        saved = datasets.load_from_disk(str(folder))
        return saved[source.split] if isinstance(saved, datasets.DatasetDict) else saved
    return datasets.load_dataset(str(folder), source.name, split=source.split, streaming=True)


def _records(data: Any, source: HuggingFaceSource, file: str) -> Iterator[Record | Skip]:
    for row, values in enumerate(islice(data, source.limit), 1):
        if row == 1:
            check_columns(values, source, f"{source.path}, {file}")
        yield from_columns(values, source, file=file, row=row)
