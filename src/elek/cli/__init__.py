"""`elek`, the command line. Each command imports what it needs when it is called: `--help` must be instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from elek import __version__
from elek.errors import ElekError

app = typer.Typer(
    name="elek",
    help="Raw text in, a documented and reproducible small language model out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich alone would take a third of the time that --help may take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


def main() -> None:
    """Entry point: an ElekError becomes lines on stderr and its exit code; a bug of ours keeps its traceback."""
    from elek.cli import console

    console.use_utf8()
    try:
        app()
    except ElekError as error:
        console.print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"elek {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Raw text in, a documented and reproducible small language model out."""


@app.command()
def run(json: Json = False) -> None:
    """Run what must run, then register the model."""
    from elek.cli.commands import run

    run(as_json=json)


@app.command()
def ui(
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's pages.", min=1, max=65535)] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's pages.", min=1, max=65535)] = 5000,
) -> None:
    """Serve the pages of Prefect and MLflow, for this machine only."""
    from elek.cli.ui import serve

    serve(prefect_port=prefect_port, mlflow_port=mlflow_port)


@app.command()
def schedule(
    cron: Annotated[str | None, typer.Option(help='When to run, as in "0 3 * * *".')] = None,
    every: Annotated[float | None, typer.Option(help="Or: run every so many minutes.", min=0.1)] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of --cron, as in Europe/Istanbul.")] = "UTC",
) -> None:
    """Run the pipeline at set times, beside `elek ui`."""
    from elek.cli.commands import schedule

    schedule(cron=cron, every=every, timezone=timezone)


@app.command()
def register(
    promote: Annotated[bool, typer.Option(help="Make it champion without comparing it with the present one.")] = False,
    json: Json = False,
) -> None:
    """Register the last run's model, where it is not there already."""
    from elek.cli.commands import register

    register(promote=promote, as_json=json)


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="How the text begins.")],
    model: Annotated[
        str | None, typer.Option(help="A registered version or alias (3, champion) instead of data/train.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="At most so many tokens.", min=1)] = 64,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token always.", min=0)] = 0.8,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest tokens; 0 for all.", min=0)] = 50,
    top_p: Annotated[float, typer.Option(help="Only the likeliest tokens of this probability together.")] = 0.95,
    seed: Annotated[int, typer.Option(help="The same seed, the same text.")] = 0,
    json: Json = False,
) -> None:
    """Continue a text with the model."""
    from elek.cli.commands import generate

    settings = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "seed": seed,
    }
    generate(prompt, model, settings, as_json=json)


@app.command()
def lr(
    low: Annotated[float, typer.Option(help="The lowest rate tried, times those in params.yaml.")] = 0.01,
    high: Annotated[float, typer.Option(help="The highest one.")] = 30.0,
    steps: Annotated[int, typer.Option(help="Batches; each takes one training step's time.", min=10)] = 80,
    out: Annotated[str | None, typer.Option(help="File for the picture, instead of .cache/lr.html.")] = None,
    json: Json = False,
) -> None:
    """Find a learning rate: a short run in which it rises until the loss does."""
    from pathlib import Path

    from elek.cli.lr import lr

    lr(low=low, high=high, steps=steps, out=Path(out) if out else None, as_json=json)


@app.command()
def why(
    doc_id: Annotated[str, typer.Argument(help="Id of a document, as reports and datasets name it.")],
    json: Json = False,
) -> None:
    """Tell all that happened to one document."""
    from elek.cli.commands import why

    why(doc_id, as_json=json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check the installation and the project, and say what to do."""
    from elek.cli.doctor import doctor

    doctor(as_json=json)
