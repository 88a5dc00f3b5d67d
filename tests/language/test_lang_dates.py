"""What sellers say of time: a table of expressions on a fixed Wednesday, the fiscal year, both readings, and impossible days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.language.dates import Clock, When, find_times
from assistant.language.tokens import expand, tokenise
from crm_core.errors import Invalid
from crm_core.periods import FAR_FUTURE, FAR_PAST, Calendar

TODAY = date(2026, 8, 12)  # a Wednesday
PLAIN = Clock(TODAY, Calendar(1, 0))
#: The fiscal year starts in April and is named for the year in which it ends: today lies in Q2 of FY2027.
FISCAL = Clock(TODAY, Calendar(4, 0))
SUNDAY = Clock(TODAY, Calendar(1, 6))


def times(text: str, clock: Clock = PLAIN) -> list[When]:
    """The expressions in a text."""
    return find_times(tokenise(expand(text)), clock)


def days(text: str, clock: Clock = PLAIN, *, planned: bool = False) -> tuple[str, str]:
    """First day and the day after the last one of the only expression in a text; open ends as ``...``."""
    (when,) = times(text, clock)
    period = when.reading(planned)
    return (
        "..." if period.first <= FAR_PAST else period.first.isoformat(),
        "..." if period.end >= FAR_FUTURE else period.end.isoformat(),
    )


TABLE = [
    # single days
    ("today", "2026-08-12", "2026-08-13"),
    ("yesterday", "2026-08-11", "2026-08-12"),
    ("tomorrow", "2026-08-13", "2026-08-14"),
    ("the day before yesterday", "2026-08-10", "2026-08-11"),
    ("the day after tomorrow", "2026-08-14", "2026-08-15"),
    ("last Friday", "2026-08-07", "2026-08-08"),
    ("last Wednesday", "2026-08-05", "2026-08-06"),
    ("this Monday", "2026-08-10", "2026-08-11"),
    ("next Monday", "2026-08-17", "2026-08-18"),
    ("on 3 March 2026", "2026-03-03", "2026-03-04"),
    ("on March 3rd, 2026", "2026-03-03", "2026-03-04"),
    ("on the 3rd of March 2025", "2025-03-03", "2025-03-04"),
    ("2026-03-31", "2026-03-31", "2026-04-01"),
    ("3 days before Christmas 2026", "2026-12-22", "2026-12-23"),
    ("a week after Easter 2026", "2026-04-12", "2026-04-13"),
    ("on 3/4/2026", "2026-03-04", "2026-03-05"),
    ("on 31.12.2025", "2025-12-31", "2026-01-01"),
    ("on 25/12/2025", "2025-12-25", "2025-12-26"),
    ("29 February 2024", "2024-02-29", "2024-03-01"),
    ("3 days ago", "2026-08-09", "2026-08-10"),
    ("two weeks ago", "2026-07-29", "2026-07-30"),
    ("a month ago", "2026-07-01", "2026-08-01"),
    # counted stretches, today included
    ("last 90 days", "2026-05-15", "2026-08-13"),
    ("in the past 7 days", "2026-08-06", "2026-08-13"),
    ("last 30d", "2026-07-14", "2026-08-13"),
    ("last two weeks", "2026-07-30", "2026-08-13"),
    ("last 6 months", "2026-02-13", "2026-08-13"),
    ("the last couple of months", "2026-06-13", "2026-08-13"),
    ("rolling 12 months", "2025-08-13", "2026-08-13"),
    ("trailing 12 months", "2025-08-13", "2026-08-13"),
    ("last 2 quarters", "2026-01-01", "2026-07-01"),
    ("last 3 full months", "2026-05-01", "2026-08-01"),
    ("next 30 days", "2026-08-12", "2026-09-11"),
    ("within the next two weeks", "2026-08-12", "2026-08-26"),
    ("next 2 quarters", "2026-10-01", "2027-04-01"),
    # whole units
    ("this week", "2026-08-10", "2026-08-17"),
    ("last week", "2026-08-03", "2026-08-10"),
    ("next week", "2026-08-17", "2026-08-24"),
    ("this month", "2026-08-01", "2026-09-01"),
    ("last month", "2026-07-01", "2026-08-01"),
    ("next month", "2026-09-01", "2026-10-01"),
    ("this quarter", "2026-07-01", "2026-10-01"),
    ("last quarter", "2026-04-01", "2026-07-01"),
    ("the previous quarter", "2026-04-01", "2026-07-01"),
    ("next quarter", "2026-10-01", "2027-01-01"),
    ("this year", "2026-01-01", "2027-01-01"),
    ("last year", "2025-01-01", "2026-01-01"),
    ("next year", "2027-01-01", "2028-01-01"),
    # to date
    ("ytd", "2026-01-01", "2026-08-13"),
    ("year to date", "2026-01-01", "2026-08-13"),
    ("qtd", "2026-07-01", "2026-08-13"),
    ("mtd", "2026-08-01", "2026-08-13"),
    ("so far this year", "2026-01-01", "2027-01-01"),
    ("this quarter so far", "2026-07-01", "2026-08-13"),
    # names
    ("in Q1", "2026-01-01", "2026-04-01"),
    ("Q1 2025", "2025-01-01", "2025-04-01"),
    ("the first quarter of 2025", "2025-01-01", "2025-04-01"),
    ("Q4 of last year", "2025-10-01", "2026-01-01"),
    ("Q3 this year", "2026-07-01", "2026-10-01"),
    ("H1 2026", "2026-01-01", "2026-07-01"),
    ("second half of 2025", "2025-07-01", "2026-01-01"),
    ("in 2024", "2024-01-01", "2025-01-01"),
    ("in May", "2026-05-01", "2026-06-01"),
    ("in November", "2025-11-01", "2025-12-01"),
    ("March 2025", "2025-03-01", "2025-04-01"),
    ("in May of last year", "2025-05-01", "2025-06-01"),
    ("last December", "2025-12-01", "2026-01-01"),
    ("on Monday", "2026-08-10", "2026-08-11"),
    ("on Friday", "2026-08-07", "2026-08-08"),
    # ends of stretches
    ("at the end of the month", "2026-08-31", "2026-09-01"),
    ("end of the quarter", "2026-09-30", "2026-10-01"),
    ("eoq", "2026-09-30", "2026-10-01"),
    ("eoy", "2026-12-31", "2027-01-01"),
    ("start of last quarter", "2026-04-01", "2026-04-02"),
    # ranges, both ends said
    ("between May and July", "2026-05-01", "2026-08-01"),
    ("from 1 March 2026 to 15 March 2026", "2026-03-01", "2026-03-16"),
    ("May to July", "2026-05-01", "2026-08-01"),
    ("Q1 through Q2", "2026-01-01", "2026-07-01"),
    ("from 2026-01-10 to 2026-01-20", "2026-01-10", "2026-01-21"),
    ("between 9 and 15 March", "2026-03-09", "2026-03-16"),
    ("Mar 9-15", "2026-03-09", "2026-03-16"),
    ("Jan-Mar", "2026-01-01", "2026-04-01"),
    ("between November 2025 and January 2026", "2025-11-01", "2026-02-01"),
    # Once a fault: for what happened, this lies wholly ahead (November 2026 to January 2027).
    ("between November and January", "2025-11-01", "2026-02-01"),
    # open ends
    ("since Monday", "2026-08-10", "..."),
    ("since March", "2026-03-01", "..."),
    ("since 2026-06-15", "2026-06-15", "..."),
    ("since the start of the year", "2026-01-01", "..."),
    ("after 15 June 2026", "2026-06-16", "..."),
    ("before June 2026", "...", "2026-06-01"),
    ("until yesterday", "...", "2026-08-12"),
    ("by the end of the month", "...", "2026-09-01"),
    ("as of last Monday", "...", "2026-08-11"),
    ("all time", "...", "..."),
]


class TestTable:
    def test_it_is_long_enough(self) -> None:
        assert len(TABLE) >= 60

    @pytest.mark.parametrize(("text", "first", "end"), TABLE, ids=[row[0] for row in TABLE])
    def test_an_expression_means_these_days(self, text: str, first: str, end: str) -> None:
        assert days(text) == (first, end)

    @pytest.mark.parametrize("text", [row[0] for row in TABLE if "Mar 9-15" not in row[0] and "Jan-Mar" not in row[0]])
    def test_capitals_do_not_matter(self, text: str) -> None:
        assert days(text.upper()) == days(text)

    @pytest.mark.parametrize(("text", "first", "end"), TABLE, ids=[row[0] for row in TABLE])
    def test_it_is_found_inside_a_question(self, text: str, first: str, end: str) -> None:
        assert days(f"how much did we win {text}?") == (first, end)


class TestBothReadings:
    @pytest.mark.parametrize(
        ("text", "past", "planned"),
        [
            ("in November", "2025-11-01", "2026-11-01"),
            ("in May", "2026-05-01", "2027-05-01"),
            ("in August", "2026-08-01", "2026-08-01"),
            ("in Q1", "2026-01-01", "2027-01-01"),
            ("in Q3", "2026-07-01", "2026-07-01"),
            ("in Q4", "2025-10-01", "2026-10-01"),
            ("on Monday", "2026-08-10", "2026-08-17"),
            ("on Friday", "2026-08-07", "2026-08-14"),
            ("on 3 March", "2026-03-03", "2027-03-03"),
            ("on 24 December", "2025-12-24", "2026-12-24"),
            ("since Friday", "2026-08-07", "2026-08-07"),
            ("after Friday", "2026-08-08", "2026-08-15"),
        ],
    )
    def test_a_bare_name_lies_behind_for_what_happened_and_ahead_for_what_is_planned(self, text: str, past: str, planned: str) -> None:
        assert (days(text)[0], days(text, planned=True)[0]) == (past, planned)

    @pytest.mark.parametrize("text", ["Q1 2025", "last month", "today", "2026-03-31", "March 2025", "ytd"])
    def test_what_is_said_whole_has_one_reading(self, text: str) -> None:
        assert days(text) == days(text, planned=True)


class TestFiscalYear:
    @pytest.mark.parametrize(
        ("text", "first", "end"),
        [
            ("this quarter", "2026-07-01", "2026-10-01"),
            ("last quarter", "2026-04-01", "2026-07-01"),
            ("Q1", "2026-04-01", "2026-07-01"),
            ("Q2", "2026-07-01", "2026-10-01"),
            ("Q4", "2026-01-01", "2026-04-01"),
            ("Q1 FY26", "2025-04-01", "2025-07-01"),
            ("Q3 FY2027", "2026-10-01", "2027-01-01"),
            ("FY26", "2025-04-01", "2026-04-01"),
            ("FY2027", "2026-04-01", "2027-04-01"),
            ("this year", "2026-04-01", "2027-04-01"),
            ("last year", "2025-04-01", "2026-04-01"),
            ("this calendar year", "2026-01-01", "2027-01-01"),
            ("last fiscal year", "2025-04-01", "2026-04-01"),
            ("year to date", "2026-04-01", "2026-08-13"),
            ("2025", "2025-01-01", "2026-01-01"),
            ("H1 FY27", "2026-04-01", "2026-10-01"),
            ("end of the year", "2027-03-31", "2027-04-01"),
            ("last month", "2026-07-01", "2026-08-01"),
        ],
    )
    def test_quarters_and_years_are_the_companys(self, text: str, first: str, end: str) -> None:
        assert days(text, FISCAL) == (first, end)

    def test_a_quarter_of_this_or_last_year_is_one_of_the_fiscal_year(self) -> None:
        # Once a fault: "this year" after a quarter counts calendar years, though the quarter is fiscal.
        assert days("Q1 this year", FISCAL) == ("2026-04-01", "2026-07-01")
        assert days("Q4 last year", FISCAL) == ("2026-01-01", "2026-04-01")

    def test_weeks_begin_on_the_companys_day(self) -> None:
        assert days("this week", SUNDAY) == ("2026-08-09", "2026-08-16")
        assert days("last week", SUNDAY) == ("2026-08-02", "2026-08-09")


class TestImpossibleDays:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("on 31 February", "28 days"),
            ("on February 30, 2026", "28 days"),
            ("on 31 April 2026", "30 days"),
            ("on 2026-02-30", "2026-02-30"),
            ("on 13/13/2026", "no day"),
            ("in Q5", "four quarters"),
            ("in Q0", "four quarters"),
            ("the fifth quarter", "four"),
            ("between 15 June 2026 and 1 June 2026", "before it begins"),
            ("in the year 99", "1900"),
        ],
    )
    def test_it_is_asked_back_with_what_is_wrong(self, text: str, words: str) -> None:
        with pytest.raises(Invalid, match=words) as caught:
            times(text)
        assert caught.value.message.rstrip().endswith(("?", "."))

    def test_29_february_is_that_of_the_last_leap_year(self) -> None:
        assert days("on 29 February") == ("2024-02-29", "2024-03-01")


class TestWordsThatAreNoTimes:
    @pytest.mark.parametrize(
        "text",
        [
            "may I see the deals",
            "march on",
            "who sat with them",
            "the last deal",
            "my next step",
            "second opinion",
            "how many deals",
            "top 5 reps",
            "20k",
            "deals over 30 days old",
            "",
        ],
    )
    def test_no_time_is_found(self, text: str) -> None:
        assert times(text) == []

    def test_two_times_are_both_found(self) -> None:
        first, second = times("won last quarter compared with Q1 2025")
        assert (first.period.first, second.period.first) == (date(2026, 4, 1), date(2025, 1, 1))


class TestProperties:
    @given(st.dates(date(1990, 1, 1), date(2150, 1, 1)), st.sampled_from([row[0] for row in TABLE]), st.integers(1, 12), st.sampled_from([0, 6]))
    def test_on_any_day_every_expression_has_a_sane_reading(self, today: date, text: str, month: int, week: int) -> None:
        if any(digit in text for digit in "0123456789") and "20" in text:
            return
        for when in times(text, Clock(today, Calendar(month, week))):
            for planned in (False, True):
                period = when.reading(planned)
                assert period.first < period.end
                assert period.first >= FAR_PAST
                assert period.end <= FAR_FUTURE

    @given(st.integers(1, 400))
    def test_the_last_n_days_are_n_days_that_end_today(self, count: int) -> None:
        (when,) = times(f"last {count} days")
        assert when.period.days == count
        assert when.period.end == TODAY + timedelta(days=1)

    @given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
    def test_an_iso_day_is_that_day(self, day: date) -> None:
        (when,) = times(f"on {day.isoformat()}")
        assert (when.period.first, when.period.days) == (day, 1)

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_asked_back(self, text: str) -> None:
        try:
            for when in times(text):
                assert 0 <= when.first < when.end
        except Invalid as error:
            assert error.message
