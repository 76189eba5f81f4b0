"""A schedule for the flow: served from this process, which needs a Prefect server that is always there.

The alternative, with a worker of Prefect's, is prefect.yaml.
"""

from __future__ import annotations

import logging
import os
import signal
from datetime import timedelta
from pathlib import Path
from types import FrameType

import psutil

from elek.errors import ElekError, ParamsError
from elek.execution.processes import signals_raise, stop_children
from flows import environment, server

NAME = "scheduled"


def schedule(project: Path, *, cron: str | None = None, every_minutes: float | None = None, timezone: str) -> None:
    """Serve the flow until stopped, one run at a time: a run that comes due beside a living one is cancelled.

    Raises ElekError where no Prefect server answers, ParamsError for a cron line that is none.
    """
    environment.apply(project)
    url = os.environ.get("PREFECT_API_URL") or server.running(project)
    if not url or not server.healthy(url + "/health"):
        raise ElekError(
            "no Prefect server answers, and a schedule lives in one",
            where=url or str(project),
            fix="start `elek ui` in another terminal and leave it running",
        )
    os.environ["PREFECT_API_URL"] = url

    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.schedules import Cron, Interval, Schedule
    from pydantic import ValidationError

    from flows.pipeline import pipeline

    try:
        when: Schedule = (
            Cron(cron, timezone=timezone)
            if cron
            else Interval(timedelta(minutes=every_minutes or 0), timezone=timezone)
        )
    except (ValidationError, ValueError) as error:
        raise ParamsError(
            f"no schedule: {error}", where=cron or str(every_minutes), fix='five fields, as in --cron "0 3 * * *"'
        ) from None
    asked = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Left to itself Prefect would wait for a run that is at work, for hours if need be.
        nonlocal asked
        asked = True
        for child in psutil.Process().children():
            child.terminate()
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would tell of connections that end with them
        raise KeyboardInterrupt

    with signals_raise():
        former = signal.signal(signal.SIGINT, interrupt)
        try:
            pipeline.serve(
                name=NAME,
                schedules=[when],
                global_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
                description="`elek schedule`: every stage that must run, then registration",
            )
        finally:
            stop_children(asked=asked)
            signal.signal(signal.SIGINT, former)
