"""Labelled documents out of files: a column for the text, a column for the label, and which labels are positive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from elek.dataset import sha256_file
from elek.errors import DataError, ParamsError, did_you_mean
from elek.sources.files import File
from elek.sources.formats import read_file
from elek.sources.params import FileOptions
from elek.sources.records import Skip

POSITIVE = ("1", "true")
"""Labels that are positive where nobody says which; compared as strings, without regard to case."""


@dataclass(frozen=True)
class Labelled:
    """Rows in the order of the files and of their lines. Exact repetitions are left out."""

    text: pa.Array  # large_string
    lang: pa.Array  # string: the column `lang`, else the one language of all, else the identified one
    positive: npt.NDArray[np.bool_]
    files: list[dict[str, object]]
    """Of every file its name without folders, its sha256, its rows, and how many lines were skipped."""
    repeated: int
    """Rows left out because their text, with the same label, had come before."""


def read(
    paths: Sequence[Path],
    *,
    text_column: str = "text",
    label_column: str = "label",
    positive: Sequence[str] = POSITIVE,
    lang: str | None = None,
) -> Labelled:
    """Read JSON Lines, CSV or Parquet (the first two also `.gz` and `.zst`).

    Raises SourceError where a file cannot be read or has no such column, DataError where there are no rows, or a
    row has no label, and ParamsError where no row at all has a positive label, with the labels that there are.
    """
    options = FileOptions(
        license="NOASSERTION", lang=lang or "und", files=("*",), text_column=text_column,
        meta_columns=(label_column,), license_column=None,
    )  # fmt: skip
    texts: list[str] = []
    langs: list[str] = []
    labels: list[str] = []
    files: list[dict[str, object]] = []
    for path in paths:
        if not path.is_file():
            what = "this is a folder, and a labelled file is needed" if path.is_dir() else "there is no such file"
            raise DataError(what, where=str(path), fix="name a .jsonl, .csv or .parquet file")
        rows, skips = 0, list[Skip]()
        for item in read_file(File(path.name, path), options):
            if isinstance(item, Skip):
                skips.append(item)
                continue
            if label_column not in item.meta:
                raise DataError(f"a row without `{label_column}`", where=f"{path.name}, row {item.row}")
            texts.append(item.text)
            langs.append(lang or item.lang or "")
            labels.append(str(item.meta[label_column]).lower())
            rows += 1
        if not rows:
            reason = f": {skips[0].reason}" if skips else ""
            fix = f"each row needs a text and, under `{label_column}`, a label"
            raise DataError(f"no row could be read{reason}", where=str(path), fix=fix)
        files.append({"name": path.name, "sha256": sha256_file(path), "rows": rows, "skipped": len(skips)})
    return _collect(texts, langs, labels, [label.lower() for label in positive], files)


def _collect(
    texts: list[str], langs: list[str], labels: list[str], wanted: list[str], files: list[dict[str, object]]
) -> Labelled:
    known = sorted(set(labels))
    absent = [label for label in wanted if label not in known]
    if len(absent) == len(wanted):
        fix = f"the labels are {', '.join(known[:10])}" if len(known) <= 10 else did_you_mean(wanted[0], known[:1000])
        raise ParamsError(f"no row is labelled {' or '.join(wanted)}", where="--positive", fix=fix)
    rows = list(dict.fromkeys(zip(texts, langs, (label in wanted for label in labels), strict=True)))
    column = pa.array([row[0] for row in rows], pa.large_string())
    spoken = [row[1] for row in rows]
    if "" in spoken:
        from elek.language import identify

        found = identify(column)[0].to_pylist()
        spoken = [lang or guess for lang, guess in zip(spoken, found, strict=True)]
    positive = np.array([row[2] for row in rows], bool)
    return Labelled(column, pa.array(spoken, pa.string()), positive, files, len(texts) - len(rows))
