"""`elek vocab …`."""

from __future__ import annotations

from pathlib import Path

from elek.cli import console
from elek.dataset import Dataset, write_text
from elek.errors import ParamsError
from elek.params import load
from elek.progress import Progress
from elek.vocab.params import VocabParams


def compare(size: int | None, megabytes: float, out: Path | None, *, as_json: bool) -> None:
    """`elek vocab compare`: on the project's own training text, measured on what was held out of it."""
    from elek.vocab.comparison import VOCABULARIES
    from elek.vocab.comparison import compare as run
    from elek.vocab.comparison_page import page

    project = console.project()
    if out is not None:
        console.check_page(out)
    params = load(project / "params.yaml", "vocab", VocabParams)
    params = params.model_copy(update={"size": size or params.size, "max_megabytes": megabytes})
    split = project / "data" / "split"
    if not split.is_dir():
        raise ParamsError("there is no training text yet", where=str(split), fix="run `dvc repro split`")
    held_out = [Dataset(split / name) for name in ("validation", "test", "evaluation")]
    with Progress("vocab", VOCABULARIES, "vocabularies") as progress:
        outcome = run(Dataset(split / "train"), held_out, params, progress)
    if out is not None:
        write_text(out, page(outcome))
    if as_json:
        console.print_json(outcome.as_dict())
        return
    console.say(
        f"{outcome.size:,} pieces each, learned from {outcome.trained_on_bytes / 1e6:.1f} MB, measured on held-out text"
    )
    heads = ("vocabulary", "lang", "tokens/word", "bytes/token", "unknown", "byte fallback", "exact", "MB/s here")
    console.say(f"{heads[0]:<26} {heads[1]:>5}" + "".join(f" {head:>13}" for head in heads[2:]))
    for row in outcome.rows:
        figures = row.figures()
        cells = [
            f"{figures['fertility']:.2f}",
            f"{figures['bytes_per_token']:.2f}",
            f"{figures['unknown']:.2%}",
            f"{figures['byte_fallback']:.2%}",
            f"{figures['exact']:.0%}",
            f"{outcome.speed[row.vocabulary]:.1f}",
        ]
        console.say(f"{row.vocabulary:<26} {row.lang:>5}" + "".join(f" {cell:>13}" for cell in cells))
    if out is not None:
        console.say(f"page: {out}")
