"""The program itself, which the modules beside this one give their commands, and what several of those share."""

from __future__ import annotations

from typing import Annotated

import typer

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
