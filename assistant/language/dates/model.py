"""A time expression, and the clock it is read by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from crm_core.periods import Calendar, Grain, Period


@dataclass(frozen=True, slots=True)
class When:
    """A time expression: tokens ``first`` to ``end``; ``period`` as past reading, ``ahead`` as future one if it differs."""

    first: int
    end: int
    period: Period
    ahead: Period | None = None
    #: "since", "until", "from" where two ends were named after "from", or "" for a plain range.
    edge: str = ""
    grain: Grain | None = None

    def reading(self, planned: bool) -> Period:
        """The period for something planned, or for something that happened."""
        return self.ahead if planned and self.ahead is not None else self.period

    def day_ahead(self, today: date) -> date:
        """The day that is meant for what is still to come: a month, quarter or "by" by its last day."""
        gone = self.ahead is not None and self.period.end <= today + timedelta(days=1)
        period = self.ahead if gone and self.ahead is not None else self.period
        return period.end - timedelta(days=1) if self.edge == "until" or period.days > 1 and not self.edge else period.first


@dataclass(frozen=True)
class Clock:
    """Today and the company's conventions."""

    today: date
    calendar: Calendar
    #: Whether 3/4 is a day in April; in North America it is one in March.
    day_first: bool = False
    #: Whether "next 3 days" begin tomorrow rather than today.
    next_from_tomorrow: bool = False
    #: Whether "last Friday" is that of the week before rather than the nearest one gone by.
    last_is_of_last_week: bool = False
