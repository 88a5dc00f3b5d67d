"""Periods: fiscal years, weeks, clipped months, local midnights, the period before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core.errors import Invalid
from crm_core.metrics.question import Days
from crm_core.periods import (
    ALL_TIME,
    FAR_FUTURE,
    FAR_PAST,
    MAX_BUCKETS,
    Calendar,
    Grain,
    Period,
    add_months,
    buckets,
    format_span,
    label_of,
    local_day,
    local_midnight,
    preceding,
    whole,
    year_before,
    zone_named,
)

CALENDAR = Calendar()
APRIL = Calendar(fiscal_start_month=4)
SUNDAYS = Calendar(week_start=6)
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ZONES = (
    BERLIN,
    NEW_YORK,
    ZoneInfo("UTC"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("America/Sao_Paulo"),
    ZoneInfo("Asia/Kolkata"),
)
days = st.dates(date(1990, 1, 1), date(2100, 1, 1))
calendars = st.builds(Calendar, st.integers(1, 12), st.integers(0, 6))


class TestStartOf:
    @pytest.mark.parametrize(
        ("calendar", "day", "start"),
        [
            (CALENDAR, date(2026, 8, 12), date(2026, 7, 1)),
            (APRIL, date(2026, 3, 31), date(2026, 1, 1)),
            (APRIL, date(2026, 4, 1), date(2026, 4, 1)),
            (Calendar(2), date(2026, 1, 31), date(2025, 11, 1)),
            (Calendar(12), date(2026, 2, 28), date(2025, 12, 1)),
        ],
    )
    def test_quarters_follow_the_fiscal_year(self, calendar: Calendar, day: date, start: date) -> None:
        assert calendar.start_of(Grain.quarter, day) == start

    def test_calendar_quarters_ignore_it_when_told(self) -> None:
        assert Calendar(2).start_of(Grain.quarter, date(2026, 1, 31), fiscal=False) == date(2026, 1, 1)

    @pytest.mark.parametrize(("month", "start"), [(1, date(2026, 1, 1)), (4, date(2025, 4, 1)), (10, date(2025, 10, 1))])
    def test_years_start_in_the_fiscal_month(self, month: int, start: date) -> None:
        assert Calendar(month).start_of(Grain.year, date(2026, 3, 15)) == start

    @pytest.mark.parametrize(
        ("week_start", "start"),
        [(0, date(2026, 8, 10)), (6, date(2026, 8, 9)), (2, date(2026, 8, 12)), (3, date(2026, 8, 6))],
    )
    def test_weeks_start_on_the_company_day(self, week_start: int, start: date) -> None:
        assert Calendar(week_start=week_start).start_of(Grain.week, date(2026, 8, 12)) == start

    def test_a_week_may_start_in_the_year_before(self) -> None:
        assert SUNDAYS.start_of(Grain.week, date(2026, 1, 1)) == date(2025, 12, 28)

    @given(calendars, st.sampled_from(Grain), days)
    @settings(max_examples=100, derandomize=True, deadline=None)
    def test_every_day_lies_in_its_own_grain(self, calendar: Calendar, grain: Grain, day: date) -> None:
        period = whole(grain, day, calendar)
        assert period.first <= day < period.end
        assert calendar.start_of(grain, period.end - timedelta(days=1)) == period.first
        assert calendar.start_of(grain, period.end) == period.end


class TestFiscalNames:
    @pytest.mark.parametrize(
        ("calendar", "day", "year"),
        [(CALENDAR, date(2026, 12, 31), 2026), (APRIL, date(2026, 3, 31), 2026), (APRIL, date(2026, 4, 1), 2027)],
    )
    def test_a_fiscal_year_is_named_after_the_year_it_ends_in(self, calendar: Calendar, day: date, year: int) -> None:
        assert calendar.fiscal_year(day) == year

    @given(calendars, st.integers(2000, 2050), st.integers(1, 4))
    @settings(max_examples=60, derandomize=True, deadline=None)
    def test_quarter_start_is_the_quarter_of_that_name(self, calendar: Calendar, year: int, quarter: int) -> None:
        start = calendar.quarter_start(year, quarter)
        assert calendar.fiscal_year(start) == year
        assert label_of(Grain.quarter, start, calendar).startswith(f"Q{quarter} ")

    @pytest.mark.parametrize(
        ("grain", "calendar", "label"),
        [
            (Grain.day, CALENDAR, "1 Jul 2026"),
            (Grain.week, CALENDAR, "week of 1 Jul 2026"),
            (Grain.month, APRIL, "Jul 2026"),
            (Grain.quarter, CALENDAR, "Q3 2026"),
            (Grain.quarter, APRIL, "Q2 FY2027"),
            (Grain.year, CALENDAR, "2026"),
            (Grain.year, Calendar(7), "FY2027"),
        ],
    )
    def test_labels(self, grain: Grain, calendar: Calendar, label: str) -> None:
        assert label_of(grain, date(2026, 7, 1), calendar) == label

    def test_a_calendar_label_of_a_fiscal_company_has_no_fiscal_year(self) -> None:
        assert label_of(Grain.quarter, date(2026, 7, 1), APRIL, fiscal=False) == "Q3 2026"


class TestAddMonths:
    @pytest.mark.parametrize(
        ("day", "months", "moved"),
        [
            (date(2026, 1, 31), 1, date(2026, 2, 28)),
            (date(2028, 1, 31), 1, date(2028, 2, 29)),
            (date(2028, 2, 29), 12, date(2029, 2, 28)),
            (date(2026, 3, 31), -1, date(2026, 2, 28)),
            (date(2026, 12, 31), 2, date(2027, 2, 28)),
            (date(2026, 1, 15), -13, date(2024, 12, 15)),
        ],
    )
    def test_months_are_clipped_to_their_last_day(self, day: date, months: int, moved: date) -> None:
        assert add_months(day, months) == moved

    @pytest.mark.parametrize("months", [-12 * 3000, 12 * 9000])
    def test_a_year_that_no_calendar_has_is_refused(self, months: int) -> None:
        with pytest.raises(Invalid, match="use a year between 1900 and 2199"):
            add_months(date(2026, 1, 1), months)

    @pytest.mark.parametrize("grain", list(Grain))
    def test_add_and_take_back(self, grain: Grain) -> None:
        assert CALENDAR.add(grain, CALENDAR.add(grain, date(2026, 8, 12), 5), -5) == date(2026, 8, 12)


class TestBounds:
    @pytest.mark.parametrize(
        ("zone", "day", "start", "hours"),
        [
            (BERLIN, date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
            (BERLIN, date(2026, 10, 25), datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
            (BERLIN, date(2026, 8, 12), datetime(2026, 8, 11, 22, tzinfo=UTC), 24),
            (NEW_YORK, date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
            (NEW_YORK, date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
            (ZoneInfo("Australia/Lord_Howe"), date(2026, 4, 5), datetime(2026, 4, 4, 13, tzinfo=UTC), 24.5),
        ],
    )
    def test_a_day_has_as_many_hours_as_its_clocks_show(self, zone: ZoneInfo, day: date, start: datetime, hours: float) -> None:
        first, end = Period(day, day + timedelta(days=1)).bounds(zone)
        assert first == start
        assert end - first == timedelta(hours=hours)

    def test_each_midnight_of_a_quarter_is_converted_by_itself(self) -> None:
        first, end = Period(date(2026, 1, 1), date(2026, 4, 1)).bounds(BERLIN)
        assert (first.hour, end.hour) == (23, 22)

    def test_a_midnight_that_the_clocks_skip_still_begins_the_day(self) -> None:
        day = date(2018, 11, 4)  # in Sao Paulo the clocks went from 23:59 to 01:00
        instant = local_midnight(day, ZoneInfo("America/Sao_Paulo"))
        assert local_day(instant, ZoneInfo("America/Sao_Paulo")) == day
        assert local_day(instant - timedelta(seconds=1), ZoneInfo("America/Sao_Paulo")) == date(2018, 11, 3)

    @given(days, st.sampled_from(ZONES))
    @settings(max_examples=200, derandomize=True, deadline=None)
    def test_an_instant_lies_in_the_bounds_of_its_local_day(self, day: date, zone: ZoneInfo) -> None:
        first, end = Period(day, day + timedelta(days=1)).bounds(zone)
        assert local_day(first, zone) == day
        assert local_day(end - timedelta(microseconds=1), zone) == day

    def test_all_time_has_bounds(self) -> None:
        first, end = ALL_TIME.bounds(BERLIN)
        assert (first.year, end.year) == (1899, 2199)

    @pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/hosts", "Europe"])
    def test_an_unknown_zone_is_refused_with_an_example(self, name: str) -> None:
        with pytest.raises(Invalid, match="use a name such as Europe/Berlin"):
            zone_named(name)


class TestPeriod:
    def test_a_period_that_ends_before_it_starts_is_refused(self) -> None:
        with pytest.raises(Invalid, match="swap the two days"):
            Period(date(2026, 2, 1), date(2026, 1, 1))

    def test_an_empty_period_has_no_days(self) -> None:
        assert Period(date(2026, 2, 1), date(2026, 2, 1)).days == 0

    @pytest.mark.parametrize(
        ("first", "end", "text"),
        [
            (date(2026, 7, 1), date(2026, 10, 1), "1 Jul to 30 Sep 2026"),
            (date(2025, 12, 1), date(2026, 2, 1), "1 Dec 2025 to 31 Jan 2026"),
            (date(2026, 7, 1), date(2026, 7, 2), "1 Jul 2026"),
            (FAR_PAST, date(2026, 7, 1), "until 30 Jun 2026"),
            (date(2026, 7, 1), FAR_FUTURE, "since 1 Jul 2026"),
            (FAR_PAST, FAR_FUTURE, "all time"),
        ],
    )
    def test_spans_for_people(self, first: date, end: date, text: str) -> None:
        assert format_span(first, end) == text

    def test_describe_names_the_label_and_the_days(self) -> None:
        assert whole(Grain.quarter, date(2026, 8, 1), CALENDAR).describe() == "Q3 2026 (1 Jul to 30 Sep 2026)"
        assert ALL_TIME.describe() == "all time"


class TestBuckets:
    def test_first_and_last_are_clipped(self) -> None:
        found = buckets(Period(date(2026, 1, 15), date(2026, 3, 10)), Grain.month, CALENDAR)
        assert [(item.first, item.end) for item in found] == [
            (date(2026, 1, 15), date(2026, 2, 1)),
            (date(2026, 2, 1), date(2026, 3, 1)),
            (date(2026, 3, 1), date(2026, 3, 10)),
        ]
        assert [item.label for item in found] == ["Jan 2026", "Feb 2026", "Mar 2026"]

    # Once a fault: _walk yields one bucket without days where the empty period lies inside a grain.
    @pytest.mark.parametrize("grain", list(Grain))
    def test_an_empty_period_has_none(self, grain: Grain) -> None:
        assert buckets(Period(date(2026, 1, 8), date(2026, 1, 8)), grain, CALENDAR) == []

    def test_too_many_are_refused_with_the_way_out(self) -> None:
        assert len(buckets(Period(date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=MAX_BUCKETS)), Grain.day, CALENDAR)) == MAX_BUCKETS
        with pytest.raises(Invalid, match="use a longer step"):
            buckets(Period(date(2026, 1, 1), date(2026, 1, 2) + timedelta(days=MAX_BUCKETS)), Grain.day, CALENDAR)

    @given(calendars, st.sampled_from(Grain), days, st.integers(0, 380))
    @settings(max_examples=100, derandomize=True, deadline=None)
    def test_they_cover_the_period_without_gap_or_overlap(self, calendar: Calendar, grain: Grain, first: date, length: int) -> None:
        period = Period(first, first + timedelta(days=length))
        found = buckets(period, grain, calendar)
        assert sum(item.days for item in found) == period.days
        assert all(left.end == right.first for left, right in zip(found, found[1:], strict=False))


class TestPreceding:
    @pytest.mark.parametrize(
        ("grain", "day", "first", "end", "label"),
        [
            (Grain.day, date(2026, 3, 1), date(2026, 2, 28), date(2026, 3, 1), "28 Feb 2026"),
            (Grain.week, date(2026, 8, 12), date(2026, 8, 3), date(2026, 8, 10), "week of 3 Aug 2026"),
            (Grain.month, date(2026, 3, 9), date(2026, 2, 1), date(2026, 3, 1), "Feb 2026"),
            (Grain.quarter, date(2026, 2, 1), date(2025, 10, 1), date(2026, 1, 1), "Q4 2025"),
            (Grain.year, date(2026, 2, 1), date(2025, 1, 1), date(2026, 1, 1), "2025"),
        ],
    )
    def test_a_whole_grain_has_the_whole_grain_before(self, grain: Grain, day: date, first: date, end: date, label: str) -> None:
        assert preceding(whole(grain, day, CALENDAR), CALENDAR) == Period(first, end, label, grain)

    # Once a fault: preceding() compares labels too, so a named whole month is taken for a "month to date".
    def test_what_people_call_a_period_does_not_change_the_one_before(self) -> None:
        named = Days(first=date(2026, 2, 1), end=date(2026, 3, 1), label="this month").period(CALENDAR)
        before = preceding(named, CALENDAR)
        assert (before.first, before.end) == (date(2026, 1, 1), date(2026, 2, 1))

    def test_days_have_as_many_days_before(self) -> None:
        before = preceding(Period(date(2026, 4, 1), date(2026, 6, 30)), CALENDAR)
        assert (before.first, before.end) == (date(2026, 1, 1), date(2026, 4, 1))

    def test_a_quarter_to_date_has_the_same_days_of_the_quarter_before(self) -> None:
        before = preceding(Period(date(2026, 7, 1), date(2026, 8, 13), "quarter to date", Grain.quarter), CALENDAR)
        assert (before.first, before.end) == (date(2026, 4, 1), date(2026, 5, 14))

    def test_a_month_to_date_is_clipped_to_the_shorter_month(self) -> None:
        before = preceding(Period(date(2026, 3, 1), date(2026, 3, 31), "month to date", Grain.month), CALENDAR)
        assert (before.first, before.end) == (date(2026, 2, 1), date(2026, 3, 1))

    @given(calendars, st.sampled_from(Grain), days)
    @settings(max_examples=80, derandomize=True, deadline=None)
    def test_it_ends_where_the_period_starts(self, calendar: Calendar, grain: Grain, day: date) -> None:
        period = whole(grain, day, calendar)
        assert preceding(period, calendar).end == period.first


class TestYearBefore:
    def test_a_quarter_is_the_same_quarter_a_year_earlier(self) -> None:
        before = year_before(whole(Grain.quarter, date(2026, 8, 1), APRIL), APRIL)
        assert before == Period(date(2025, 7, 1), date(2025, 10, 1), "Q2 FY2026", Grain.quarter)

    def test_february_of_a_leap_year_is_whole(self) -> None:
        before = year_before(whole(Grain.month, date(2028, 2, 10), CALENDAR), CALENDAR)
        assert (before.first, before.end) == (date(2027, 2, 1), date(2027, 3, 1))

    def test_a_week_keeps_its_days(self) -> None:
        before = year_before(whole(Grain.week, date(2026, 8, 12), CALENDAR), CALENDAR)
        assert (before.first, before.end, before.grain) == (date(2025, 8, 10), date(2025, 8, 17), None)

    # Once a fault: the exclusive end is clipped; the last day (inclusive) should be moved.
    def test_a_period_up_to_28_february_of_a_leap_year_keeps_its_last_day(self) -> None:
        before = year_before(Period(date(2028, 2, 1), date(2028, 2, 29)), CALENDAR)
        assert (before.first, before.end) == (date(2027, 2, 1), date(2027, 3, 1))


class TestDays:
    @pytest.mark.parametrize(
        ("first", "end", "grain", "label"),
        [
            (date(2026, 7, 1), date(2026, 10, 1), Grain.quarter, "Q2 FY2027"),
            (date(2026, 4, 1), date(2027, 4, 1), Grain.year, "FY2027"),
            (date(2026, 2, 1), date(2026, 3, 1), Grain.month, "Feb 2026"),
            (date(2026, 8, 10), date(2026, 8, 17), Grain.week, "week of 10 Aug 2026"),
            (date(2026, 8, 12), date(2026, 8, 13), Grain.day, "12 Aug 2026"),
            (date(2026, 1, 1), date(2027, 1, 1), None, ""),
        ],
    )
    def test_whole_grains_are_recognised(self, first: date, end: date, grain: Grain | None, label: str) -> None:
        period = Days(first=first, end=end).period(APRIL)
        assert (period.grain, period.label) == (grain, label)

    def test_a_label_of_ones_own_is_kept(self) -> None:
        assert Days(first=date(2026, 7, 1), end=date(2026, 10, 1), label="this quarter").period(APRIL).label == "this quarter"

    @pytest.mark.parametrize("first", [date(1, 1, 1), date(9999, 12, 1)])
    def test_the_ends_of_the_calendar_are_refused_with_the_years_that_work(self, first: date) -> None:
        with pytest.raises(Invalid, match="between 1900 and 2200"):
            Days(first=first, end=date(9999, 12, 31)).period(APRIL)
