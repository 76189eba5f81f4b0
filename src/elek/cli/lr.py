"""`elek lr`: a table, a picture and a suggestion; params.yaml stays what it is."""

from __future__ import annotations

import math
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from elek.cli import console
from elek.dataset import write_text
from elek.errors import ParamsError
from elek.params import load
from elek.progress import Progress
from elek.report import charts
from elek.training.job import open_trainer
from elek.training.lr_finder import Point, Sweep, sweep
from elek.training.params import TrainParams

ROWS = 16
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Learning rate</title>
<style>
:root {{ --ink: #222; --soft: #667; --edge: #ddd; --c0: #b9cbd8; --c1: #d08a1d; color-scheme: light dark }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #eee; --soft: #99a; --edge: #444; --c0: #4a6272 }} }}
body {{ font: 16px system-ui, sans-serif; color: var(--ink); max-width: 52rem; margin: 2rem auto; padding: 0 1rem }}
svg {{ width: 100%; height: auto }} svg text {{ font: 11.5px system-ui, sans-serif; fill: var(--soft) }}
.line {{ fill: none; stroke-width: 2 }} line.grid {{ stroke: var(--edge) }}
td, th {{ text-align: right; padding: .1rem .8rem; font-variant-numeric: tabular-nums }}
</style>
<h1>Learning rate</h1>
<p>{text}</p>
{chart}
<table><tr><th>learning rate</th><th>factor</th><th>loss</th><th>smoothed</th></tr>
{rows}
</table></html>
"""


def lr(*, low: float, high: float, steps: int, out: Path | None, as_json: bool) -> None:
    """`elek lr`. Raises ParamsError where the range is empty, and what `Trainer` raises."""
    project = console.project()
    if not 0 < low < high < math.inf:
        what = f"rates cannot rise from --low {low:g} to --high {high:g}"
        raise ParamsError(what, where="elek lr", fix="above 0 and rising, as in --low 0.01 --high 100")
    params = load(project / "params.yaml", "train", TrainParams)
    path = out or project / ".cache" / "lr.html"
    console.check_page(path)
    trainer = open_trainer(project / "data" / "tokenize", project / "data" / "vocab", params)
    with Progress("lr", steps, "steps") as progress:

        def seen(point: Point) -> None:
            progress.advance(note=f"rate {point.learning_rate:.2e}, loss {point.loss:.3f}")

        found = sweep(trainer, low, high, steps, seen)
    rates = suggestion(params, found)
    write_text(path, page(found, rates))
    if as_json:
        points = [asdict(point) for point in found.points]
        console.print_json({"points": points, "suggested": rates, "diverged": found.diverged, "page": str(path)})
        return
    console.say(f"{'learning rate':>13} {'factor':>9} {'loss':>8} {'smoothed':>9}")
    for point in shown(found.points):
        console.say(f"{point.learning_rate:>13.2e} {point.factor:>9.3g} {point.loss:>8.3f} {point.smoothed:>9.3f}")
    console.say(f"\n{sentence(found, rates)}\npicture: {path}")


def suggestion(params: TrainParams, found: Sweep) -> dict[str, float]:
    """The rates to try, to two digits, under their names in params.yaml; empty where nothing was learned."""
    if not found.points or not math.isfinite(found.suggested):
        return {}
    return {name: float(f"{rate * found.suggested:.1e}") for name, rate in params.optimizer.rates.items()}


def sentence(found: Sweep, rates: dict[str, float]) -> str:
    """What the test says, in words."""
    if not rates:
        return "No rate was seen to train: the very first loss is no number. Try a lower --low."
    named = " and ".join(f"train.optimizer.{name}: {rate:g}" for name, rate in rates.items())
    falling = not found.diverged and found.points[-1].factor <= found.lowest
    end = "and it was still falling: try a higher --high" if falling else "above that the loss rose again"
    return (
        f"Try {named}. The loss fell fastest at {found.steepest:.3g} times the present rates and was lowest at "
        f"{found.lowest:.3g} times, {end}. Nothing was changed."
    )


def shown(points: list[Point]) -> list[Point]:
    """At most `ROWS` points at even distances, the last one among them."""
    last = len(points) - 1
    return [points[round(i * last / (ROWS - 1))] for i in range(ROWS)] if len(points) > ROWS else points


def page(found: Sweep, rates: dict[str, float]) -> str:
    """One self-contained HTML page: the curve over the logarithm of the rate, and the table."""
    x = [math.log10(point.learning_rate) for point in found.points]
    series = [
        charts.Line("loss", x, [point.loss for point in found.points], "--c0"),
        charts.Line("smoothed", x, [point.smoothed for point in found.points], "--c1"),
    ]
    chart = charts.lines(series, "learning rate of AdamW, power of ten", "Loss by learning rate")
    return PAGE.format(text=escape(sentence(found, rates)), chart=chart, rows="\n".join(map(_row, shown(found.points))))


def _row(point: Point) -> str:
    cells: list[Any] = [f"{point.learning_rate:.2e}", f"{point.factor:.3g}", f"{point.loss:.3f}"]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in [*cells, f"{point.smoothed:.3f}"]) + "</tr>"
