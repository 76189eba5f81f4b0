"""Tests of the schedule of the flow."""

from __future__ import annotations

import pytest

from elek.errors import ParamsError
from flows.deployments import _schedule


@pytest.mark.parametrize(
    ("cron", "every", "timezone", "option", "fix"),
    [
        ("0 3 * * *", None, "Europe/Istanbull", "--timezone", "Europe/Istanbul"),
        (None, 5.0, "", "--timezone", "valid names"),
        ("at noon", None, "UTC", "--cron", "five fields"),
        ("", None, "UTC", "--cron", "five fields"),
        (None, float("inf"), "UTC", "--every", "--every 60"),
        (None, 1e300, "UTC", "--every", "--every 60"),
    ],
)
def test_an_impossible_schedule_is_refused(
    cron: str | None, every: float | None, timezone: str, option: str, fix: str
) -> None:
    """A wrong cron line, interval or time zone is a ParamsError that names the option at fault and its remedy."""
    with pytest.raises(ParamsError) as caught:
        _schedule(cron, every, timezone)
    assert caught.value.where == option
    assert fix in str(caught.value.fix)


def test_possible_schedules() -> None:
    """Cron lines and intervals become Prefect's schedules in the given time zone."""
    assert _schedule("0 3 * * *", None, "Europe/Istanbul").cron == "0 3 * * *"
    interval = _schedule(None, 0.5, "UTC").interval
    assert interval is not None
    assert interval.total_seconds() == 30
