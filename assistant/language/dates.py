"""What sellers say of time: "last quarter", "Q3", "since Monday", "next 30 days", "between May and July".

A hand-written grammar over tokens, half-open in its answers. Bare names (``May``, ``Q3``, ``Monday``) may lie
before or after today: both readings are given and the caller chooses, past for what happened, future for what
is planned. Conventions: "last 90 days" are the 90 days up to and including today; "last month" is the calendar
month before this one; "next N days" start today; weeks start on the company's first day of the week; quarters and
years are fiscal; "by" and "before" end a range, "since", "after" and "from" begin one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from assistant.language.tokens import Token
from crm_core.errors import Invalid
from crm_core.periods import (
    ALL_TIME,
    FAR_FUTURE,
    FAR_PAST,
    Calendar,
    Grain,
    Period,
    add_months,
    format_span,
    whole,
)

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}


def date_words() -> set[str]:
    """Words of time."""
    return {
        *MONTHS,
        *WEEKDAYS,
        *_UNITS,
        *_LAST,
        *_THIS,
        *_NEXT,
        *_TO_DATE,
        *_END_OF,
        "today",
        "yesterday",
        "tomorrow",
        "since",
        "until",
        "before",
        "after",
        "between",
        "from",
        "through",
        "during",
        "date",
        "rolling",
        "trailing",
        "half",
        "beginning",
        "start",
        "end",
        "ago",
        "time",
        "ever",
        "far",
    }


WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("monday mon", "tuesday tue tues", "wednesday wed", "thursday thu thur thurs", "friday fri", "saturday sat", "sunday sun")
    )
    for name in names.split()
}
_NUMBER_WORDS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "couple": 2,
    "three": 3,
    "few": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "thirty": 30,
    "sixty": 60,
    "ninety": 90,
}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_UNITS = {
    "day": Grain.day,
    "days": Grain.day,
    "week": Grain.week,
    "weeks": Grain.week,
    "wk": Grain.week,
    "wks": Grain.week,
    "month": Grain.month,
    "months": Grain.month,
    "mth": Grain.month,
    "quarter": Grain.quarter,
    "quarters": Grain.quarter,
    "qtr": Grain.quarter,
    "qtrs": Grain.quarter,
    "mo": Grain.month,
    "mos": Grain.month,
    "year": Grain.year,
    "years": Grain.year,
    "yr": Grain.year,
    "yrs": Grain.year,
    "fortnight": Grain.week,
    "fy": Grain.year,
}
_LAST = {"last", "previous", "prior", "past"}
_THIS = {"this", "current"}
_NEXT = {"next", "coming", "upcoming", "following"}
_TO_DATE = {"ytd": Grain.year, "qtd": Grain.quarter, "mtd": Grain.month, "wtd": Grain.week}
_END_OF = {"eoq": Grain.quarter, "eom": Grain.month, "eoy": Grain.year, "eow": Grain.week}
_FILL = {"the", "of", "in", "on", "during", "for", "so", "whole", "entire", "full", "calendar", "fiscal"}


@dataclass(frozen=True, slots=True)
class When:
    """A time expression: tokens ``first`` to ``end``; ``period`` as past reading, ``ahead`` as future one if it differs."""

    first: int
    end: int
    period: Period
    ahead: Period | None = None
    #: "since", "until" or "" for a plain range.
    edge: str = ""
    grain: Grain | None = None

    def reading(self, planned: bool) -> Period:
        """The period for something planned, or for something that happened."""
        return self.ahead if planned and self.ahead is not None else self.period


@dataclass(frozen=True)
class Clock:
    """Today and the company's conventions."""

    today: date
    calendar: Calendar


def find_times(tokens: list[Token], clock: Clock) -> list[When]:
    """Every time expression, longest first at each place, none overlapping; raises ``Invalid`` for impossible days."""
    found: list[When] = []
    at = 0
    while at < len(tokens):
        when = _Parser(tokens, clock).range_at(at)
        if when is not None and when.end > at:
            found.append(when)
            at = when.end
        else:
            at += 1
    return found


class _Parser:
    def __init__(self, tokens: list[Token], clock: Clock) -> None:
        self.words = [token.norm for token in tokens]
        self.texts = [token.text for token in tokens]
        self.tokens = tokens
        self.clock = clock
        self.today, self.calendar = clock.today, clock.calendar

    def word(self, at: int) -> str:
        return self.words[at] if at < len(self.words) else ""

    # --- ranges -----------------------------------------------------------------------------------------

    def range_at(self, at: int) -> When | None:
        """The longest expression that starts at a token."""
        word = self.word(at)
        if word in ("between", "from"):
            joined = self._joined(at)
            if joined is not None:
                return joined
        if word in ("since", "after", "from", "starting"):
            return self._edge(at, "since", after=word == "after")
        if word in ("before", "until", "till", "by", "through", "til"):
            return self._edge(at, "until", after=word in ("until", "till", "by", "through", "til"))
        if word == "as" and self.word(at + 1) == "of":
            return self._edge(at + 1, "until", after=True, start=at)
        if word in ("over", "within") and self.word(at + 1) in ("the", *_LAST, *_NEXT):
            inner = self.point_at(self._skip(at + 1))
            if inner is not None:
                return When(at, inner.end, inner.period, inner.ahead, "", inner.grain)
        if (
            word == "year"
            and self.word(at + 1).isdecimal()
            and len(self.word(at + 1)) < 4
            or word == "year"
            and self.word(at + 1).isdecimal()
            and not 1900 <= int(self.word(at + 1)[:5]) < 2200
        ):
            raise Invalid(f"I keep the years 1900 to 2199; '{self.texts[at]} {self.texts[at + 1]}' is not one of them. Which year do you mean?")
        point = self._bare_day(at) or self.point_at(at)
        if point is None:
            return None
        return self._dash(point) or point

    def _skip(self, at: int) -> int:
        while self.word(at) in _FILL:
            at += 1
        return at

    def _bare_day(self, at: int) -> When | None:
        """``9`` in "between 9 and 15 November": a day whose month follows after the second day."""
        day = self._day_number(at)
        if day is None or self.word(at + 1) not in ("and", "to", "until", "till", "through"):
            return None
        right = self.point_at(self._skip(at + 2))
        if right is None or right.grain is not Grain.day:
            return None
        first = right.period.first
        return When(at, at + 1, self._day(first.year, first.month, day, self.texts[at]), grain=Grain.day)

    def _joined(self, at: int) -> When | None:
        """``between A and B``, ``from A to B``, both ends included."""
        start = self._skip(at + 1)
        left = self._bare_day(start) or self.point_at(start)
        if left is None or self.word(left.end) not in ("and", "to", "until", "till", "through"):
            return None
        right = self.point_at(self._skip(left.end + 1))
        if right is None:
            return None
        return self._span(at, left, right)

    def _dash(self, left: When) -> When | None:
        """``May to July``, ``Q1 through Q2``."""
        if self.word(left.end) not in ("to", "through", "until", "till"):
            return None
        right = self.point_at(self._skip(left.end + 1))
        return self._span(left.first, left, right) if right is not None else None

    def _span(self, first: int, left: When, right: When) -> When | None:
        start, stop = left.period, right.period
        if stop.first.year != start.first.year and left.ahead is not None and left.ahead.first.year == stop.first.year:
            start = left.ahead  # "March 3 to April 10, 2027": the year said last holds for both
        elif start.first > stop.first and start.grain is stop.grain and start.first.year - stop.first.year == 1:
            start = Period(add_months(start.first, -12), add_months(start.end, -12), "", start.grain)
        if stop.end <= start.first:  # "between November and January": the second one comes after the first
            stop = right.ahead or stop
            if stop.end <= start.first and left.ahead is None and right.ahead is None:
                raise Invalid(f"That range ends ({right.period.describe()}) before it begins ({left.period.describe()}). Which days do you mean?")
            if stop.end <= start.first:
                start = Period(add_months(start.first, -12), add_months(start.end, -12))
        if stop.end <= start.first:
            return None
        label = f"{start.label} to {stop.label}" if start.label and stop.label else ""
        past = Period(start.first, stop.end, label)
        if left.ahead and past.first > self.today:  # "between November and January", asked in November: the last such winter
            earlier = Period(add_months(past.first, -12), add_months(past.end, -12))
            return When(first, right.end, earlier, past)
        ahead = None
        if left.ahead and right.ahead and right.ahead.end > left.ahead.first:
            ahead = Period(left.ahead.first, right.ahead.end, label)
        return When(first, right.end, past, ahead)

    def _edge(self, at: int, edge: str, *, after: bool, start: int | None = None) -> When | None:
        point = self.point_at(self._skip(at + 1))
        if point is None:
            return None
        first = at if start is None else start

        def cut(period: Period) -> Period:
            if edge == "since":
                return Period(period.end if after else period.first, FAR_FUTURE)
            return Period(FAR_PAST, period.end if after else period.first)

        word = self.word(at)
        if (
            word == "from"
            and point.grain in (Grain.week, Grain.month, Grain.quarter, Grain.year)
            and self.word(point.end) not in ("on", "onwards", "onward", "forward")
        ):
            return When(first, point.end, point.period, point.ahead, "", point.grain)  # "leads from 2025"
        ahead = cut(point.ahead) if point.ahead else None
        past = cut(point.period)
        if word == "from" and point.period.days <= 0:
            return None
        return When(first, point.end, past, ahead, edge)

    # --- points -----------------------------------------------------------------------------------------

    def point_at(self, at: int) -> When | None:
        """A single day or named stretch of days at a token."""
        for parse in (
            self._relative_day,
            self._ago,
            self._to_date,
            self._end_of,
            self._counted,
            self._unit,
            self._quarter,
            self._half,
            self._day_month,
            self._month,
            self._weekday,
            self._iso,
            self._year,
        ):
            when = parse(at)
            if when is not None:
                return when
        return None

    def _whole(self, grain: Grain, day: date) -> Period:
        return whole(grain, day, self.calendar)

    def _relative_day(self, at: int) -> When | None:
        word = self.word(at)
        shift = {"today": 0, "now": None, "yesterday": -1, "tomorrow": 1, "tonight": 0}.get(word, "no")
        if shift == "no" or shift is None:
            if word == "day" and self.words[at + 1 : at + 3] in (["before", "yesterday"], ["after", "tomorrow"]):
                offset = -2 if self.word(at + 1) == "before" else 2
                return When(at, at + 3, self._whole(Grain.day, self.today + timedelta(days=offset)), grain=Grain.day)
            return None
        assert isinstance(shift, int)
        return When(at, at + 1, self._whole(Grain.day, self.today + timedelta(days=shift)), grain=Grain.day)

    def _count(self, at: int) -> tuple[int, int] | None:
        """A count and the token after it."""
        word = self.word(at)
        if word.isdecimal() and word.isascii() and len(word) <= 4:
            return int(word), at + 1
        if word in _NUMBER_WORDS:
            after = at + 1
            if word == "a" and self.word(after) in ("couple", "few"):
                word, after = self.word(after), after + 1
            if self.word(after) == "of":
                after += 1
            return _NUMBER_WORDS[word], after
        return None

    def _ago(self, at: int) -> When | None:
        counted = self._count(at)
        if counted is None:
            return None
        count, after = counted
        grain = _UNITS.get(self.word(after))
        if grain is None or self.word(after + 1) not in ("ago", "back"):
            return None
        if self.word(after) == "fortnight":
            count *= 2
        day = self.calendar.add(grain, self.today, -count)
        period = self._whole(Grain.day if grain in (Grain.day, Grain.week) else grain, day)
        return When(at, after + 2, period, grain=period.grain)

    def _to_date(self, at: int) -> When | None:
        word = self.word(at)
        if word in _TO_DATE:
            return When(at, at + 1, self._until_now(_TO_DATE[word]))
        grain = _UNITS.get(word)
        if grain and self.words[at + 1 : at + 3] == ["to", "date"]:
            return When(at, at + 3, self._until_now(grain))
        if word in _THIS and (grain := _UNITS.get(self.word(at + 1))) and self.words[at + 2 : at + 4] in (["so", "far"], ["to", "date"]):
            return When(at, at + 4, self._until_now(grain))
        return None

    def _until_now(self, grain: Grain) -> Period:
        period = self._whole(grain, self.today)
        return Period(period.first, self.today + timedelta(days=1), f"{grain.value} to date", grain)

    def _end_of(self, at: int) -> When | None:
        word = self.word(at)
        if word in _END_OF:
            last = self._whole(_END_OF[word], self.today).end - timedelta(days=1)
            return When(at, at + 1, self._whole(Grain.day, last), grain=Grain.day)
        if word not in ("end", "start", "beginning") or self.word(at + 1) != "of":
            return None
        inner = self.point_at(self._skip(at + 2))
        if inner is None:
            grain = _UNITS.get(self.word(self._skip(at + 2)))
            if grain is None:
                return None
            inner = When(at, self._skip(at + 2) + 1, self._whole(grain, self.today))

        def edge(period: Period) -> Period:
            return self._whole(Grain.day, period.end - timedelta(days=1) if word == "end" else period.first)

        return When(at, inner.end, edge(inner.period), edge(inner.ahead) if inner.ahead else None, grain=Grain.day)

    def _counted(self, at: int) -> When | None:
        """``last 90 days``, ``next two weeks``, ``rolling 12 months``, ``90 days``-long things only with a direction."""
        word = self.word(at)
        direction = -1 if word in {*_LAST, "rolling", "trailing"} else 1 if word in _NEXT else 0
        if not direction:
            return None
        counted = self._count(at + 1)
        if counted is None:
            return None
        count, after = counted
        whole_ones = self.word(after) in ("full", "whole", "complete", "completed")
        if whole_ones:
            after += 1
        grain = _UNITS.get(self.word(after))
        if grain is None or count == 0 or count > 4000:
            return None
        if self.word(after) == "fortnight":
            count *= 2
        tomorrow = self.today + timedelta(days=1)
        name = self.word(after).rstrip("s") + ("s" if count != 1 else "")
        if grain is Grain.quarter or whole_ones or (word in ("previous", "prior") and grain is not Grain.day):  # whole ones before this
            this = self._whole(grain, self.today)
            if direction < 0:
                period = Period(self.calendar.add(grain, this.first, -count), this.first, f"last {count} {name}")
            else:
                period = Period(this.end, self.calendar.add(grain, this.end, count), f"next {count} {name}")
        elif direction < 0:
            period = Period(self.calendar.add(grain, tomorrow, -count), tomorrow, f"last {count} {name}")
        else:
            period = Period(self.today, self.calendar.add(grain, self.today, count), f"next {count} {name}")
        return When(at, after + 1, period)

    def _unit(self, at: int) -> When | None:
        """``this quarter``, ``last month``, ``next year``, and the one after a weekday or month name: ``last Friday``."""
        word = self.word(at)
        step = -1 if word in _LAST else 0 if word in _THIS else 1 if word in _NEXT else None
        if step is None:
            return None
        after = at + 1
        if self.word(after) in ("fiscal", "calendar", "full", "whole", "complete"):
            after += 1
        name = self.word(after)
        if name in WEEKDAYS:
            return When(at, after + 1, self._weekday_period(WEEKDAYS[name], step), grain=Grain.day)
        if name in MONTHS:
            year = self.today.year
            month = MONTHS[name]
            if step < 0 and month >= self.today.month:
                year -= 1
            if step > 0 and month <= self.today.month:
                year += 1
            return When(at, after + 1, self._month_period(year, month), grain=Grain.month)
        grain = _UNITS.get(name)
        if grain is None or name.endswith("s") and word not in _THIS and word not in ("last", "next"):
            return None
        fiscal = self.word(after - 1) != "calendar"
        base = whole(grain, self.today, self.calendar, fiscal=fiscal)
        day = self.calendar.add(grain, base.first, step)
        if self.word(after) == "day":
            return None
        return When(at, after + 1, whole(grain, day, self.calendar, fiscal=fiscal), grain=grain)

    def _weekday_period(self, weekday: int, step: int) -> Period:
        this_week = self.calendar.start_of(Grain.week, self.today)
        offset = (weekday - self.calendar.week_start) % 7
        if step == 0:
            day = this_week + timedelta(days=offset)
        elif step > 0:
            day = this_week + timedelta(days=offset + 7)
        else:
            back = (self.today.weekday() - weekday) % 7 or 7
            day = self.today - timedelta(days=back)
        return self._whole(Grain.day, day)

    def _quarter(self, at: int) -> When | None:
        word = self.word(at)
        if re.fullmatch(r"q[05-9]", word):
            raise Invalid(f"There is no '{self.texts[at]}': a year has four quarters. Which one do you mean?")
        match = re.fullmatch(r"q([1-4])(?:[- ]?(?:fy)?(\d{2}|\d{4}))?", word)
        number: int | None = None
        after = at + 1
        year_text = ""
        if match:
            number, year_text = int(match.group(1)), match.group(2) or ""
        elif word in ("fifth", "sixth", "5th", "6th") and self.word(at + 1) in ("quarter", "qtr"):
            raise Invalid(f"There is no {word} quarter: a year has four. Which one do you mean?")
        elif word in _ORDINALS and self.word(at + 1) in ("quarter", "qtr"):
            number, after = _ORDINALS[word], at + 2
        elif word in ("quarter", "qtr") and self.word(at + 1) in ("1", "2", "3", "4"):
            number, after = int(self.word(at + 1)), at + 2
        if number is None or number > 4:
            return None
        if not year_text:
            year, after = self._year_after(after, self.calendar.fiscal_year(self.today))
        else:
            year = _full_year(year_text)
        return self._named(
            at,
            after,
            year,
            lambda y: self._whole(Grain.quarter, self.calendar.quarter_start(y, number)),
            self.calendar.fiscal_year(self.today),
            Grain.quarter,
        )

    def _half(self, at: int) -> When | None:
        match = re.fullmatch(r"h([12])", self.word(at))
        after = at + 1
        if match:
            number = int(match.group(1))
        elif self.word(at) in ("first", "second") and self.word(at + 1) == "half":
            number, after = _ORDINALS[self.word(at)], at + 2
        else:
            return None
        year, after = self._year_after(after, self.calendar.fiscal_year(self.today))

        def build(y: int) -> Period:
            first = self.calendar.quarter_start(y, 1 if number == 1 else 3)
            return Period(first, add_months(first, 6), f"H{number} {y}")

        return self._named(at, after, year, build, self.calendar.fiscal_year(self.today), None)

    def _year_after(self, at: int, this_year: int | None = None) -> tuple[int | None, int]:
        """A year right after a name: ``Q3 2025``, ``May of last year``, ``Q1 FY26``, ``Q4 this year``; quarters count fiscal years."""
        after = self._skip(at)
        word = self.word(after)
        match = re.fullmatch(r"(?:fy)?((?:19|20|21)\d{2})|fy(\d{2})", word)
        if match:
            return _full_year(match.group(1) or match.group(2)), after + 1
        if word in {*_LAST, *_THIS, *_NEXT} and self.word(after + 1) in ("year", "yr"):
            step = -1 if word in _LAST else 0 if word in _THIS else 1
            return (self.today.year if this_year is None else this_year) + step, after + 2
        return None, at

    def _named(self, at: int, after: int, year: int | None, build: object, this_year: int, grain: Grain | None) -> When:
        assert callable(build)
        if year is not None:
            return When(at, after, build(year), grain=grain)
        current: Period = build(this_year)
        past = current if current.first <= self.today else build(this_year - 1)
        ahead = current if current.end > self.today else build(this_year + 1)
        return When(at, after, past, ahead if ahead != past else None, grain=grain)

    def _month_period(self, year: int, month: int) -> Period:
        return self._whole(Grain.month, date(year, month, 1))

    def _month(self, at: int) -> When | None:
        word = self.word(at)
        if word not in MONTHS or not self._is_month_name(at):
            return None
        year, after = self._year_after(at + 1)
        return self._named(at, after, year, lambda y: self._month_period(y, MONTHS[word]), self.today.year, Grain.month)

    def _is_month_name(self, at: int) -> bool:
        """``may`` and ``march`` are verbs too: they are months after a preposition, before a year, or capitalised."""
        if self.word(at) not in ("may", "march", "mar", "sun", "sat", "dec"):
            return True
        if self.word(at + 1) in ("i", "we", "you", "it", "be", "have", "they", "he", "she"):
            return False
        before = self.word(at - 1) if at else ""
        around = before in {
            "in",
            "since",
            "until",
            "by",
            "for",
            "of",
            "from",
            "to",
            "and",
            "between",
            "through",
            "before",
            "after",
            "during",
            "till",
            *_LAST,
            *_THIS,
            *_NEXT,
            "vs",
            "versus",
            "than",
            "compared",
            "with",
            "about",
            "end",
            "early",
            "late",
            "mid",
        }
        return around or self.texts[at][0].isupper() or bool(re.fullmatch(r"\d{1,4}(st|nd|rd|th)?", self.word(at + 1)))

    def _day_number(self, at: int) -> int | None:
        match = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", self.word(at))
        return int(match.group(1)) if match else None

    def _day_month(self, at: int) -> When | None:
        """``3 March``, ``3rd of March 2026``, ``March 3``, ``March 3rd, 2026``."""
        day, after = self._day_number(at), at + 1
        if day is not None:
            after = after + 1 if self.word(after) == "of" else after
            month = MONTHS.get(self.word(after))
            after += 1
        else:
            month = MONTHS.get(self.word(at))
            day = self._day_number(after) if month else None
            after += 1
        if day is None or month is None:
            return None
        year, after = self._year_after(after)
        written = " ".join(self.texts[at:after])
        return self._named(at, after, year, lambda y: self._day(y, month, day, written), self.today.year, Grain.day)

    def _day(self, year: int, month: int, day: int, written: str) -> Period:
        try:
            return self._whole(Grain.day, date(year, month, day))
        except ValueError as error:
            if month == 2 and day == 29:  # not a leap year: look at the nearest one before
                return self._day(year - 1, month, day, written)
            last = (add_months(date(year, month, 1), 1) - timedelta(days=1)).day
            name = f"{date(year, month, 1):%B} {year}"
            raise Invalid(f"There is no '{written}': {name} has {last} days. Which day do you mean?") from error

    def _weekday(self, at: int) -> When | None:
        word = self.word(at)
        if word not in WEEKDAYS or not self._is_month_name(at) and word in ("sun", "sat"):
            return None
        back = (self.today.weekday() - WEEKDAYS[word]) % 7
        forward = (WEEKDAYS[word] - self.today.weekday()) % 7 or 7
        past = self._whole(Grain.day, self.today - timedelta(days=back))
        return When(at, at + 1, past, self._whole(Grain.day, self.today + timedelta(days=forward)), grain=Grain.day)

    def _iso(self, at: int) -> When | None:
        word = self.word(at)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
            try:
                return When(at, at + 1, self._whole(Grain.day, date.fromisoformat(word)), grain=Grain.day)
            except ValueError as error:
                raise Invalid(f"There is no day {word}. Which day do you mean?") from error
        match = re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{2,4})", word)
        if match:
            first, second, year = int(match.group(1)), int(match.group(2)), _full_year(match.group(3))
            month, day = (second, first) if "." in word or first > 12 else (first, second)
            if not 1 <= month <= 12:
                raise Invalid(f"There is no day {word}. Write it like 2026-03-31.")
            return When(at, at + 1, self._day(year, month, day, word), grain=Grain.day)
        return None

    def _year(self, at: int) -> When | None:
        word = self.word(at)
        match = re.fullmatch(r"(?:fy)?((?:19|20|21)\d{2})|fy(\d{2})", word)
        if match is None:
            if word in ("all",) and self.words[at + 1 : at + 2] == ["time"]:
                return When(at, at + 2, ALL_TIME)
            if word == "ever":
                return When(at, at + 1, ALL_TIME)
            return None
        fiscal = word.startswith("fy")
        if self.words[at + 1 : at + 3] in (["to", "date"], ["so", "far"]) and self.today.year == _full_year(match.group(1) or match.group(2)):
            return When(at, at + 3, self._until_now(Grain.year))
        year = _full_year(match.group(1) or match.group(2))
        if fiscal or self.calendar.fiscal_start_month == 1:
            return When(at, at + 1, self._whole(Grain.year, self.calendar.quarter_start(year, 1)), grain=Grain.year)
        return When(at, at + 1, Period(date(year, 1, 1), date(year + 1, 1, 1), str(year)))


def _full_year(text: str) -> int:
    year = int(text)
    return year + 2000 if year < 100 else year


def describe(period: Period) -> str:
    """For people."""
    return period.describe() if period != ALL_TIME else format_span(period.first, period.end)
