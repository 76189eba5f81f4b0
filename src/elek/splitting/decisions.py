"""Which side every document is on, and which training documents repeat held-out ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DECISION, Dataset
from elek.decisions import Verdict, decisions
from elek.dedup import passages
from elek.dedup.kernels import Bools
from elek.dedup.passages import Map, Passages
from elek.errors import DataError
from elek.removal import text_parts
from elek.splitting import SIDES, SplitParams, side
from elek.splitting.decontamination import find

SCHEMA = DECISION.append(pa.field("split", pa.string())).append(pa.field("contamination", pa.float64()))
"""DECISION; the side of every kept document: train, validation or test; and what the decontamination of training text
measured: the larger share of a training document and a held-out one in each other, null where it was not asked."""

Objects = npt.NDArray[np.object_]


def split(
    clean: Dataset,
    filtered: Dataset,
    evaluation: Dataset,
    dedup: Dataset,
    params: SplitParams,
    scratch: Path,
    run: Map,
) -> tuple[pa.Table, Passages | None]:
    """Decisions (`SCHEMA`) over all rows of `clean`, for the documents that `dedup` kept; and the passages that all
    documents share, those of `clean` first, where text is compared.

    Text is compared as it will be written, without what `filter` and `dedup` take out. `evaluation` is held out too,
    whole. `run` maps a function over tasks; `scratch` is a folder for temporary files. Raises DataError where a side
    stays empty, or the datasets are not of the same rows.
    """
    if [part.rows for part in clean.parts] != [part.rows for part in dedup.parts]:
        raise DataError("clean and dedup do not have the same rows", where=str(dedup.folder), fix="run `dvc repro`")
    found = None
    if params.decontaminate_ngram is not None:
        parts = text_parts(clean, filtered, dedup) + text_parts(evaluation)
        found = passages.find(parts, params.decontaminate_ngram, scratch, run)
    return decide(
        dedup.read_all(["id", "kept", "cluster"]), evaluation.read_all(["id", "source"]), found, params
    ), found


def decide(dedup: pa.Table, evaluation: pa.Table, found: Passages | None, params: SplitParams) -> pa.Table:
    """Decisions from what is stored: `id`, `kept` and `cluster` of every document, and the passages.

    Raises DataError where a side stays empty.
    """
    entered = dedup["kept"].to_numpy()
    by_row = np.full(len(dedup), None, dtype=object)
    by_row[entered] = _sides(dedup["cluster"].filter(dedup["kept"]), params)
    verdicts = [] if found is None else [_contaminated(dedup["id"], by_row, evaluation, found, params)]
    result = decisions(dedup["id"], verdicts, entered)
    by_row[~result["kept"].to_numpy()] = None
    result = result.append_column(SCHEMA.field("split"), pa.array(by_row, pa.string()))
    shares = verdicts[0].value if verdicts else np.full(len(result), np.nan)
    result = result.append_column(SCHEMA.field("contamination"), pa.array(shares, from_pandas=True))
    _check({item["values"]: item["counts"] for item in pc.value_counts(result["split"]).to_pylist()}, entered.sum())
    return result


def _sides(cluster: pa.ChunkedArray, params: SplitParams) -> Objects:
    encoded = cluster.combine_chunks().dictionary_encode()
    names = np.array([side(name, params) for name in encoded.dictionary.to_pylist()], dtype=object)
    by_document: Objects = names[encoded.indices.to_numpy()]
    return by_document


def _contaminated(
    ids: pa.ChunkedArray, side: Objects, evaluation: pa.Table, found: Passages, params: SplitParams
) -> Verdict:
    threshold = params.decontaminate_share
    every_id = pa.concat_arrays([*ids.chunks, *evaluation["id"].chunks])
    rows = len(ids)

    def mask(of_rows: Bools, of_evaluation: bool) -> Bools:
        return np.append(of_rows, np.full(len(evaluation), of_evaluation))

    def name(document: int) -> str:
        if document < rows:
            return f"{every_id[document]} ({side[document]})"
        return f"{every_id[document]} (evaluation source {evaluation['source'][document - rows]})"

    held_out = (side == "validation") | (side == "test")
    findings = find(found, mask(side == "train", False), mask(held_out, True), every_id, params.decontaminate_common)
    value = np.where(side == "train", findings.share[:rows], np.nan)
    with np.errstate(invalid="ignore"):
        failed = value > threshold
    evidence = np.full(rows, None, dtype=object)
    evidence[failed] = [findings.evidence(int(row), name, found.ngram) for row in np.flatnonzero(failed)]
    return Verdict(
        "split.contaminated",
        failed=failed,
        value=value,
        threshold=np.full(rows, threshold),
        evidence=pa.array(evidence, pa.string()),
    )


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
