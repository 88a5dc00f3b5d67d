"""Periods: half-open ranges of days, fiscal or calendar, turned into UTC instants in one time zone.

A period is kept in *days* (``first`` inclusive, ``end`` exclusive), since sellers think in days; ``bounds``
gives the two UTC instants at local midnight, which is right across daylight-saving changes because each
midnight is converted by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm_core.errors import Invalid

#: The widest series that a question may ask for; more is a table nobody reads.
MAX_BUCKETS = 400
FAR_PAST, FAR_FUTURE = date(1900, 1, 1), date(2200, 1, 1)


class Grain(StrEnum):
    """Lengths of time that figures are grouped by."""

    day = "day"
    week = "week"
    month = "month"
    quarter = "quarter"
    year = "year"


@dataclass(frozen=True, slots=True)
class Calendar:
    """A company's conventions: first month of its fiscal year (1-12) and first day of its week (0 = Monday)."""

    fiscal_start_month: int = 1
    week_start: int = 0

    def start_of(self, grain: Grain, day: date, *, fiscal: bool = True) -> date:
        """First day of the grain that holds ``day``; quarters and years are fiscal unless told otherwise."""
        if grain is Grain.day:
            return day
        if grain is Grain.week:
            return day - timedelta(days=(day.weekday() - self.week_start) % 7)
        if grain is Grain.month:
            return day.replace(day=1)
        first_month = self.fiscal_start_month if fiscal else 1
        length = 3 if grain is Grain.quarter else 12
        back = (day.month - first_month) % length
        return add_months(day.replace(day=1), -back)

    def add(self, grain: Grain, day: date, count: int) -> date:
        """``day`` moved by ``count`` grains (months are clipped to their last day)."""
        if grain is Grain.day:
            return day + timedelta(days=count)
        if grain is Grain.week:
            return day + timedelta(weeks=count)
        return add_months(day, count * {Grain.month: 1, Grain.quarter: 3, Grain.year: 12}[grain])

    def fiscal_year(self, day: date) -> int:
        """The fiscal year's name: the calendar year in which it ends."""
        start = self.start_of(Grain.year, day)
        return start.year if self.fiscal_start_month == 1 else start.year + 1

    def quarter_start(self, year: int, quarter: int) -> date:
        """First day of a fiscal quarter, by the fiscal year's name."""
        start_year = year if self.fiscal_start_month == 1 else year - 1
        return add_months(date(start_year, self.fiscal_start_month, 1), 3 * (quarter - 1))


@dataclass(frozen=True, slots=True)
class Period:
    """Days from ``first`` up to but not including ``end``; ``grain`` where it is one whole unit, ``label`` for people."""

    first: date
    end: date
    label: str = ""
    grain: Grain | None = None

    def __post_init__(self) -> None:
        if self.end < self.first:
            raise Invalid(f"A period cannot end ({self.end}) before it starts ({self.first}); swap the two days.")

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.end - self.first).days

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The two UTC instants, start inclusive and end exclusive."""
        return local_midnight(self.first, zone), local_midnight(self.end, zone)

    def describe(self) -> str:
        """For people: ``Q3 2026 (1 Jul to 30 Sep 2026)``."""
        span = format_span(self.first, self.end)
        return f"{self.label} ({span})" if self.label and self.label != span else span


def add_months(day: date, months: int) -> date:
    """``day`` moved by whole months, clipped to the month's last day; raises ``Invalid`` outside years 1-9999."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9998:
        raise Invalid(f"The year {year} is out of range; use a year between 1900 and 2199.")
    month += 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The UTC instant at which ``day`` begins in ``zone``."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The day in ``zone`` at a UTC instant."""
    return instant.astimezone(zone).date()


def zone_named(name: str) -> ZoneInfo:
    """The IANA time zone; raises ``Invalid`` with an example for an unknown name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(f"'{name}' is not a time zone that I know; use a name such as Europe/Berlin.") from error


def whole(grain: Grain, day: date, calendar: Calendar, *, fiscal: bool = True) -> Period:
    """The whole grain that holds ``day``, labelled."""
    first = calendar.start_of(grain, day, fiscal=fiscal)
    end = calendar.add(grain, first, 1)
    return Period(first, end, label_of(grain, first, calendar, fiscal=fiscal), grain)


def label_of(grain: Grain, first: date, calendar: Calendar, *, fiscal: bool = True) -> str:
    """How a bucket is headed: ``4 Mar 2026``, ``week of 2 Mar 2026``, ``Mar 2026``, ``Q1 2026``, ``FY2026``."""
    if grain is Grain.day:
        return format_day(first)
    if grain is Grain.week:
        return f"week of {format_day(first)}"
    if grain is Grain.month:
        return f"{first:%b} {first.year}"
    own_year = fiscal and calendar.fiscal_start_month != 1
    year = calendar.fiscal_year(first) if fiscal else first.year
    if grain is Grain.quarter:
        start_month = calendar.fiscal_start_month if fiscal else 1
        quarter = ((first.month - start_month) % 12) // 3 + 1
        return f"Q{quarter} {'FY' if own_year else ''}{year}"
    return f"FY{year}" if own_year else str(year)


def buckets(period: Period, grain: Grain, calendar: Calendar) -> list[Period]:
    """The grains that cover ``period``, first and last clipped to it; raises ``Invalid`` past ``MAX_BUCKETS``."""
    found: list[Period] = []
    for bucket in walk(period, grain, calendar):
        if len(found) >= MAX_BUCKETS:
            raise Invalid(f"{period.describe()} by {grain.value} would be more than {MAX_BUCKETS} rows; use a longer step.")
        found.append(bucket)
    return found


def walk(period: Period, grain: Grain, calendar: Calendar) -> Iterator[Period]:
    """The grains that cover ``period``, one by one, without a limit."""
    start = calendar.start_of(grain, period.first) if period.days else period.end
    while start < period.end:
        end = calendar.add(grain, start, 1)
        clipped = Period(max(start, period.first), min(end, period.end), label_of(grain, start, calendar), grain)
        yield clipped
        start = end


def preceding(period: Period, calendar: Calendar) -> Period:
    """The period of the same kind just before: the previous quarter for a quarter, the 90 days before for 90 days."""
    if period.grain is not None and (period.first, period.end) == _days(whole(period.grain, period.first, calendar)):
        return whole(period.grain, period.first - timedelta(days=1), calendar)
    shifted = _shift_to_date(period, calendar)
    if shifted is not None:
        return shifted
    first = period.first - timedelta(days=period.days)
    return Period(first, period.first, format_span(first, period.first))


def _days(period: Period) -> tuple[date, date]:
    return period.first, period.end


def year_before(period: Period, calendar: Calendar) -> Period:
    """The same days a year earlier."""
    first = add_months(period.first, -12)
    if period.grain not in (None, Grain.week) and (period.first, period.end) == _days(whole(period.grain, period.first, calendar)):
        return whole(period.grain, first, calendar)  # a whole February, leap years included
    end = add_months(period.end - timedelta(days=1), -12) + timedelta(days=1) if period.days else first
    return Period(first, end, format_span(first, end))


def _shift_to_date(period: Period, calendar: Calendar) -> Period | None:
    """For "quarter to date": the same number of days from the start of the grain before."""
    if period.grain is None:
        return None
    start = calendar.start_of(period.grain, period.first)
    if start != period.first:
        return None
    before = calendar.add(period.grain, start, -1)
    end = min(before + timedelta(days=period.days), start)
    return Period(before, end, f"the same days of {label_of(period.grain, before, calendar)}")


def format_day(day: date) -> str:
    """``4 Mar 2026``."""
    return f"{day.day} {day:%b} {day.year}"


def format_span(first: date, end: date) -> str:
    """For people, both days inclusive: ``1 Jul to 30 Sep 2026``; open ends as ``since`` and ``until``."""
    if first <= FAR_PAST and end >= FAR_FUTURE:
        return "all time"
    if end >= FAR_FUTURE:
        return f"since {format_day(first)}"
    last = end - timedelta(days=1)
    if first <= FAR_PAST:
        return f"until {format_day(last)}"
    if last <= first:
        return format_day(first)
    if first.year == last.year:
        return f"{first.day} {first:%b} to {format_day(last)}"
    return f"{format_day(first)} to {format_day(last)}"


ALL_TIME = Period(FAR_PAST, FAR_FUTURE, "all time")
