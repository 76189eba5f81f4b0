"""Running the pipeline, and what it needs."""

from __future__ import annotations

from typing import Annotated

import typer

from elek.cli.declared.program import Json, app


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
def doctor(json: Json = False) -> None:
    """Check the installation and the project, and say what to do."""
    from elek.cli.doctor import doctor

    doctor(as_json=json)
