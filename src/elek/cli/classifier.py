"""`elek classifier`: train a model on labelled text, and judge one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from elek.cli import console
from elek.errors import ParamsError, did_you_mean


def train(
    task: str,
    files: Sequence[str],
    out: str,
    *,
    columns: dict[str, Any],
    license: str,
    options: dict[str, Any],
    as_json: bool,
) -> None:
    """Train, write, and say how it did on what was held out and how params name it."""
    from elek.classifier.training import Task, TrainingParams, settings_for
    from elek.classifier.training import train as learn
    from elek.licences.spdx import check, normalise
    from elek.params import parse

    if task not in get_args(Task):
        raise ParamsError(f"there is no task `{task}`", where="--task", fix=did_you_mean(task, get_args(Task)))
    if problem := check(license):
        raise ParamsError(problem, where="--license", fix="an SPDX expression, such as CC-BY-4.0 or NOASSERTION")
    params = parse("train", options, TrainingParams, "elek classifier")
    header, digest = learn(_read(files, columns), task, params, Path(out), normalise(license))  # type: ignore[arg-type]
    if as_json:
        console.print_json({"model": out, "sha256": digest, **header})
        return
    counts = header["data"]["documents"]
    console.say(
        f"{out}: learned from {counts['train']:,} documents, calibrated on {counts['calibrate']:,}; "
        f"{header['data']['repeated']:,} repeated ones left out"
    )
    skipped = sum(file["skipped"] for file in header["data"]["files"])
    if skipped:
        console.say(f"{skipped:,} rows could not be read")
    if header["data"]["license"] == "NOASSERTION":
        console.say("the licence of the data is not stated: name it with --license")
    console.say("\nHeld out:")
    _table(header["held_out"])
    console.say(f"\nparams.yaml:\n{settings_for(task, Path(out).as_posix(), digest)}")


def evaluate(model: str, files: Sequence[str], *, columns: dict[str, Any], threshold: float, as_json: bool) -> None:
    """Judge the model in a folder on labelled files, with a warning where it has seen one of them."""
    from elek.classifier import metrics
    from elek.classifier.model import load

    if not 0 <= threshold < 1:
        raise ParamsError(f"a probability of {threshold} is never exceeded", where="--threshold", fix="0 to 1")
    found = load(Path(model))
    data = _read(files, columns)
    known = {file["sha256"] for file in found.header["data"]["files"]}
    seen = [str(file["name"]) for file in data.files if file["sha256"] in known]
    result = metrics.summary(found.probabilities(data.text, data.lang), data.positive, threshold)
    if as_json:
        console.print_json({"model": model, "sha256": found.digest, "trained_on": seen, **result})
        return
    if seen:
        console.say(f"trained on {', '.join(seen)}: what follows says little\n")
    console.say(f"{model}: {found.header['task']}, sha256 {found.digest}")
    _table(result)


def _read(files: Sequence[str], columns: dict[str, Any]) -> Any:
    from elek.classifier.labelled import POSITIVE, read

    return read([Path(file) for file in files], **{**columns, "positive": tuple(columns["positive"] or POSITIVE)})


def _table(result: dict[str, Any]) -> None:
    def show(value: float | None) -> str:
        return "     -" if value is None else f"{value:6.3f}"

    console.say(
        f"{result['documents']:,} documents, {result['positive']:,} positive, AUC {show(result['auc']).strip()}"
    )
    console.say(f"{'above':>6} {'P':>6} {'R':>6} {'F1':>6} {'TP':>7} {'FP':>7} {'FN':>7} {'TN':>7}")
    for row in [result, *result["thresholds"]]:
        rates = " ".join(show(row[name]) for name in ("precision", "recall", "f1"))
        counts = " ".join(
            f"{row[name]:7,}" for name in ("true_positives", "false_positives", "false_negatives", "true_negatives")
        )
        console.say(f"{row['threshold']:6.2f} {rates} {counts}" + ("   <" if row is result else ""))
