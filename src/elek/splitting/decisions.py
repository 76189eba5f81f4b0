"""Which side every document is on, and which training documents repeat held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DECISION, Dataset
from elek.decisions import Verdict, decisions
from elek.decontamination import Map, find
from elek.errors import DataError
from elek.removal import TextPart, text_parts
from elek.splitting import SIDES, SplitParams, side

SCHEMA = DECISION.append(pa.field("split", pa.string())).append(pa.field("contamination", pa.float64()))
"""DECISION; the side of every kept document: train, validation or test; and what the decontamination of training text
measured: the larger share of a training document and a held-out one in each other, null where it was not asked."""

Rows = list[tuple[TextPart, npt.NDArray[np.int64]]]


def split(
    clean: Dataset,
    filtered: Dataset,
    evaluation: Dataset,
    dedup: Dataset,
    params: SplitParams,
    scratch: Path,
    run: Map,
) -> pa.Table:
    """Decisions (`SCHEMA`) over all rows of `clean`, for the documents that `dedup` kept.

    Text is compared as it will be written, without what `filter` takes out. `evaluation` is held out too, whole.
    `run` maps a function over tasks; `scratch` is a folder for temporary files. Raises DataError where a side stays
    empty, or the datasets are not of the same rows.
    """
    if [part.rows for part in clean.parts] != [part.rows for part in dedup.parts]:
        raise DataError("clean and dedup do not have the same rows", where=str(dedup.folder), fix="run `dvc repro`")
    parts = text_parts(clean, filtered)
    table = dedup.read_all(["id", "kept", "cluster"])
    entered = table["kept"].to_numpy()
    sides = _sides(table["cluster"].filter(table["kept"]), params)
    by_row = np.full(len(table), None, dtype=object)
    by_row[entered] = sides

    verdicts = []
    if params.decontaminate_ngram is not None:
        training = by_row == "train"
        verdicts.append(
            _contaminated(parts, evaluation, table["id"], training, entered & ~training, params, scratch, run)
        )
    result = decisions(table["id"], verdicts, entered)
    by_row[~result["kept"].to_numpy()] = None
    result = result.append_column(SCHEMA.field("split"), pa.array(by_row, pa.string()))
    shares = verdicts[0].value if verdicts else np.full(len(result), np.nan)
    result = result.append_column(SCHEMA.field("contamination"), pa.array(shares, from_pandas=True))
    _check({item["values"]: item["counts"] for item in pc.value_counts(result["split"]).to_pylist()}, entered.sum())
    return result


def _sides(cluster: pa.ChunkedArray, params: SplitParams) -> npt.NDArray[np.object_]:
    encoded = cluster.combine_chunks().dictionary_encode()
    names = np.array([side(name, params) for name in encoded.dictionary.to_pylist()], dtype=object)
    by_document: npt.NDArray[np.object_] = names[encoded.indices.to_numpy()]
    return by_document


def _contaminated(
    clean: Sequence[TextPart],
    evaluation: Dataset,
    ids: pa.ChunkedArray,
    training: npt.NDArray[np.bool_],
    held_out: npt.NDArray[np.bool_],
    params: SplitParams,
    scratch: Path,
    run: Map,
) -> Verdict:
    ngram, threshold = params.decontaminate_ngram, params.decontaminate_share
    assert ngram is not None  # noqa: S101 - the caller asks for nothing where it is; this tells the type checker
    everything = _rows(text_parts(evaluation), np.ones(len(evaluation), dtype=bool))
    held_out_ids = pa.concat_arrays([*ids.filter(pa.array(held_out)).chunks, *evaluation.read_all(["id"])["id"].chunks])
    findings = find(
        _rows(clean, training),
        _rows(clean, held_out) + everything,
        held_out_ids,
        ngram,
        params.decontaminate_common,
        scratch,
        run,
    )
    rows = np.flatnonzero(training)
    failed = findings.share > threshold
    value, evidence = np.full(len(training), np.nan), np.full(len(training), None, dtype=object)
    value[rows] = findings.share
    evidence[rows[failed]] = [findings.evidence(int(row), held_out_ids, ngram) for row in np.flatnonzero(failed)]
    return Verdict(
        "split.contaminated",
        failed=value > threshold,
        value=value,
        threshold=np.full(len(value), threshold),
        evidence=pa.array(evidence, pa.string()),
    )


def _rows(parts: Sequence[TextPart], mask: npt.NDArray[np.bool_]) -> Rows:
    """The rows that `mask` marks, part by part."""
    result, start = [], 0
    for part in parts:
        rows = np.flatnonzero(mask[start : start + part.rows])
        if len(rows):
            result.append((part, rows))
        start += part.rows
    return result


def _check(documents: Mapping[str, int], entered: int) -> None:
    for name in SIDES:
        if documents.get(name, 0):
            continue
        if not entered:
            fix = "nothing passed filter and dedup: reports/filter.json and reports/dedup.json have the reasons"
        elif name == "train":
            fix = "lower split.validation and split.test, raise split.decontaminate_share, or add text"
        else:
            fix = f"raise split.{name}, choose another split.seed, or add text"
        raise DataError(f"the {name} side is empty: there were {entered:,} documents to split", where="split", fix=fix)
