"""`elek`, the command line: `elek.cli.declared` says what there is, the modules beside it do it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from elek import __version__
from elek.cli.declared import app
from elek.errors import ElekError, of_system

__all__ = ["app", "main"]


def main() -> None:
    """Entry point: an ElekError, or what the system refuses, becomes lines on stderr and an exit code; a bug of ours
    keeps its traceback."""
    from elek.cli import console

    console.use_utf8()
    try:
        app()
    except (ElekError, OSError) as error:
        told = error if isinstance(error, ElekError) else of_system(error)
        if told is None:
            raise
        console.print_error(told)
        sys.exit(told.exit_code)
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
