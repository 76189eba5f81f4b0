"""Run the flow on a schedule, served from this process, which needs a permanent Prefect server.

The alternative with a Prefect worker is prefect.yaml.
"""

from __future__ import annotations

import logging
import os
import signal
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import psutil

from elek.errors import ElekError, ParamsError, did_you_mean
from elek.execution.processes import signals_raise, stop_children
from flows import environment, server

if TYPE_CHECKING:
    from prefect.schedules import Schedule

NAME = "scheduled"


def schedule(project: Path, *, cron: str | None = None, every_minutes: float | None = None, timezone: str) -> None:
    """Serve the flow until stopped, one run at a time: a run that is due while another one is running is cancelled.

    Raises ElekError if no Prefect server answers, ParamsError for an invalid schedule.
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

    from flows.pipeline import pipeline

    when = _schedule(cron, every_minutes, timezone)
    asked = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Without this, Prefect would wait for the current run to end, which may take hours.
        nonlocal asked
        asked = True
        for child in psutil.Process().children():
            child.terminate()
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would log the connections that end with them
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


def _schedule(cron: str | None, every_minutes: float | None, timezone: str) -> Schedule:
    from prefect.schedules import Cron, Interval

    # Prefect would refuse it only while serving, with a traceback.
    if timezone not in (known := available_timezones()):
        raise ParamsError(f"there is no time zone `{timezone}`", where="--timezone", fix=did_you_mean(timezone, known))
    try:
        if cron is not None:
            return Cron(cron, timezone=timezone)
        return Interval(timedelta(minutes=every_minutes or 0), timezone=timezone)
    except (ValueError, OverflowError) as error:
        option, fix = "--every", "--every 60"
        if cron is not None:
            option, fix = "--cron", 'five fields, as in --cron "0 3 * * *"'
        raise ParamsError(f"no schedule: {error}", where=option, fix=fix) from None
