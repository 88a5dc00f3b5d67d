"""Portions of a longer stretch: weeks by number or by a day in them, the first week of May, early June, the weekend."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from assistant.language.dates.holidays import HOLIDAYS, LONGEST
from assistant.language.dates.model import When
from assistant.language.dates.stretches import Stretches
from assistant.language.dates.words import LAST, MONTHS, NEXT, ORDINALS, THIS, UNITS, WEEKDAYS
from crm_core.periods import Grain, Period, add_months, format_span

#: Saturday, by Python's count.
_SATURDAY = 5
#: After "in the week" and the like, these tell which one, so it is not this one.
_NOT_THIS_ONE = frozenset("of before after to that when and or beginning starting commencing ending prior following".split())


class Portions(Stretches):
    """A portion of a stretch at a token."""

    def portion_at(self, at: int) -> When | None:
        """The portion that starts at a token."""
        for parse in (
            self._before_last,
            self._half_of,
            self._several_of,
            self._within_year,
            self._week_of,
            self._week_number,
            self._nth_of,
            self._numbered_day,
            self._weekday_of_week,
            self._part,
            self._rest,
            self._weekend,
            self._holiday,
            self._in_the,
            self._hence,
        ):
            when = parse(at)
            if when is not None:
                return when
        return None

    def _before_last(self, at: int) -> When | None:
        """``the quarter before last``, ``same month last year``."""
        if self.word(at) == "same" and (grain := UNITS.get(self.word(at + 1))) and self.words[at + 2 : at + 4] == ["last", "year"]:
            return When(at, at + 4, self._whole(grain, self.calendar.add(Grain.year, self.today, -1)), grain=grain)
        grain = UNITS.get(self.word(at))
        if grain is None or self.words[at + 1 : at + 3] != ["before", "last"]:
            return None
        this = self._whole(grain, self.today)
        return When(at, at + 3, self._whole(grain, self.calendar.add(grain, this.first, -2)), grain=grain)

    def _half_of(self, at: int) -> When | None:
        """``the first half of October``: halves of months and quarters; those of years have a name of their own."""
        if self.word(at) not in ("first", "second", "last") or self.words[at + 1 : at + 3] != ["half", "of"]:
            return None
        inner = self._stretch(self._skip(at + 3))
        if inner is None or inner.grain not in (Grain.month, Grain.quarter):
            return None

        def half(period: Period) -> Period:
            middle = period.first + timedelta(days=15) if inner.grain is Grain.month else period.first + timedelta(days=period.days // 2)
            return Period(period.first, middle) if self.word(at) == "first" else Period(middle, period.end)

        return self._both(at, inner.end, inner, half, None)

    def _several_of(self, at: int) -> When | None:
        """``the first six months of 2026``, ``the last two weeks of Q3``, ``first 10 days of May``; weeks are seven days from the edge."""
        side, counted = self.word(at), self._count(at + 1)
        if side not in ("first", "last", "final") or counted is None:
            return None
        number, after = counted
        unit = UNITS.get(self.word(after))
        if unit is None or self.word(after + 1) not in ("of", "in"):
            return None
        inner = self._stretch(self._skip(after + 2))
        if inner is None or inner.grain is None:
            return None

        def several(period: Period) -> Period:
            if side == "first":
                return Period(period.first, min(period.end, self.calendar.add(unit, period.first, number)))
            return Period(max(period.first, self.calendar.add(unit, period.end, -number)), period.end)

        return self._both(at, inner.end, inner, several, None)

    def _within_year(self, at: int) -> When | None:
        """``last year in Q2``, ``this year's March``: the year first."""
        year = self._unit(at)
        if year is None or year.grain is not Grain.year or self.word(year.end) != "in":
            return None
        inner = self._quarter(year.end + 1) or self._month(year.end + 1)
        if inner is None:
            return None
        for period in (inner.period, inner.ahead):
            if period is not None and period.grain is not None:
                years = year.period.first.year - period.first.year
                moved = self._whole(period.grain, add_months(period.first, 12 * years))
                if year.period.first <= moved.first < year.period.end:
                    return When(at, inner.end, moved, grain=period.grain)
        return None

    def _both(self, at: int, end: int, inner: When, build: Callable[[Period], Period], grain: Grain | None) -> When:
        """The same portion of the past and of the coming reading."""
        past = build(inner.period)
        ahead = build(inner.ahead) if inner.ahead is not None else None
        return When(at, end, past, ahead if ahead != past else None, "", grain)

    def _week_of(self, at: int) -> When | None:
        """``the week of April 10th``, ``week commencing 4 Feb``."""
        if self.word(at) not in ("week", "wk"):
            return None
        after = at + 1
        if self.word(after) in ("beginning", "starting", "commencing", "ending") or self.word(after) == "of":
            after = self._skip(after + 1)
        else:
            return None
        inner = self._day_month(after) or self._iso(after) or self._weekday(after)
        if inner is None:
            return None
        return self._both(at, inner.end, inner, lambda period: self._whole(Grain.week, period.first), Grain.week)

    def _week_number(self, at: int) -> When | None:
        """``week 31``, ``cw 5``, ``week 1 of 2027``: ISO weeks."""
        word = self.word(at)
        match = re.fullmatch(r"(?:cw|kw|w)(\d{1,2})", word)
        if match is not None and word[0] != "w":
            number, after = int(match.group(1)), at + 1
        elif word in ("week", "wk", "cw", "kw") and re.fullmatch(r"\d{1,2}", self.word(at + 1)):
            number, after = int(self.word(at + 1)), at + 2
        else:
            return None
        if not 1 <= number <= 53:
            return None
        year, after = self._year_after(after)
        try:
            monday = date.fromisocalendar(year or self.today.year, number, 1)
        except ValueError:
            return None
        return When(
            at, after, Period(monday, monday + timedelta(days=7), f"week {number} of {year or self.today.year}", Grain.week), grain=Grain.week
        )

    def _nth_of(self, at: int) -> When | None:
        """``the first week of October``, ``last day of the month``, ``second month of next quarter``; a week belongs where its Thursday lies."""
        word = self.word(at)
        number = -1 if word == "last" else ORDINALS.get(word)
        unit = UNITS.get(self.word(at + 1)) if number is not None else None
        if number is None or unit not in (Grain.day, Grain.week, Grain.month) or self.word(at + 1).endswith("s"):
            return None
        if self.word(at + 2) not in ("of", "in"):
            return None
        inner = self._stretch(self._skip(at + 3))
        if inner is None:
            return None
        end = inner.end
        weekday: int | None = None
        if unit is Grain.week and (self.word(end) in WEEKDAYS or self.word(end) == "on" and self.word(end + 1) in WEEKDAYS):
            end = end + 1 if self.word(end) == "on" else end
            weekday, end = WEEKDAYS[self.word(end)], end + 1

        def build(period: Period) -> Period:
            found = self._nth(period, unit, number)
            return found if weekday is None else self._whole(Grain.day, self._in_week(found.first, weekday))

        return self._both(at, end, inner, build, unit if weekday is None else Grain.day)

    def _nth(self, period: Period, unit: Grain, number: int) -> Period:
        if unit is Grain.day:
            day = period.end - timedelta(days=1) if number < 0 else period.first + timedelta(days=number - 1)
            return self._whole(Grain.day, day)
        if unit is Grain.month:
            first = add_months(period.end, -1) if number < 0 else add_months(period.first, number - 1)
            return self._whole(Grain.month, first)
        day = period.end - timedelta(days=1) if number < 0 else period.first
        week = self.calendar.start_of(Grain.week, day)
        middle = week + timedelta(days=3)
        if number < 0 and middle >= period.end:
            week -= timedelta(days=7)
        if number > 0:
            week += timedelta(days=7 * ((middle < period.first) + number - 1))
        return self._whole(Grain.week, week)

    def _stretch(self, at: int) -> When | None:
        """A month, quarter or year, also "the month" for this one."""
        found = self._unit(at) or self._quarter(at) or self._half(at) or self._month(at) or self._year(at)
        if found is not None:
            return found
        grain = UNITS.get(self.word(at))
        if grain is None or self.word(at).endswith("s"):
            return None
        return When(at, at + 1, self._whole(grain, self.today), grain=grain)

    def _numbered_day(self, at: int) -> When | None:
        """``the 18th``, ``Mon 13th``, ``Tuesday the eleventh``, ``the 26th day of next month``."""
        start = at
        weekday = WEEKDAYS.get(self.word(at))
        if weekday is not None:
            at = at + 2 if self.word(at + 1) == "the" else at + 1
        said = self.word(at)
        number, after = self._spelled_day(at)
        if number is not None and weekday is None and self.word(after) in ("of", "in") and self.word(after + 1) in (*LAST, *THIS, *NEXT):
            inner = self._unit(after + 1)
            if inner is not None and inner.grain is Grain.month and number <= inner.period.days:  # "the 4th of next month"
                return When(start, inner.end, self._whole(Grain.day, inner.period.first + timedelta(days=number - 1)), grain=Grain.day)
        if number is None or said.isdecimal() or said in ("first", "second", "third", "fourth") and weekday is None:
            return None
        before = self.word(start - 1) if start else ""
        if self.word(after) == "day" and self.word(after + 1) == "of":
            inner = self._stretch(self._skip(after + 2))
            if inner is None or inner.period.days < number:
                return None
            return self._both(start, inner.end, inner, lambda period: self._whole(Grain.day, period.first + timedelta(days=number - 1)), Grain.day)
        if weekday is None and before not in ("the", "on", "by", "until", "since", "before", "after", "from", "to", "and", "of"):
            return None
        if (
            self.word(after) in MONTHS
            or self.word(after) in UNITS
            or self.word(after) in ("of", "place", "time", "one", "half", "call", "meeting", "deal", "ticket", "contact")
        ):
            return None
        past, ahead = self._months_with(number, weekday, -1), self._months_with(number, weekday, 1)
        if past is None or ahead is None:
            return None
        return When(start, after, past, ahead if ahead != past else None, grain=Grain.day)

    def _months_with(self, number: int, weekday: int | None, step: int) -> Period | None:
        """The nearest day of that number (on that weekday), back up to today or ahead from tomorrow."""
        month = date(self.today.year, self.today.month, 1)
        for _ in range(120):
            day = month + timedelta(days=number - 1)
            near = day.month == month.month and (day <= self.today if step < 0 else day >= self.today)
            if near and weekday in (None, day.weekday()):
                return self._whole(Grain.day, day)
            month = add_months(month, step)
        return None

    def _weekday_of_week(self, at: int) -> When | None:
        """``Monday of next week``, ``next week Wednesday``, ``previous week, Monday``."""
        if self.word(at) in WEEKDAYS:
            after = at + 1
            if self.word(after) not in ("of", "in"):
                return None
            inner = self._unit(self._skip(after + 1))
            end = inner.end if inner is not None else 0
            weekday = WEEKDAYS[self.word(at)]
        else:
            inner = self._unit(at)
            if inner is None:
                return None
            place = inner.end + 1 if self.word(inner.end) in (",", "on", "-") else inner.end
            if self.word(place) not in WEEKDAYS:
                return None
            weekday, end = WEEKDAYS[self.word(place)], place + 1
        if inner is None or inner.grain is not Grain.week:
            return None
        return When(at, end, self._whole(Grain.day, self._in_week(inner.period.first, weekday)), grain=Grain.day)

    def _in_week(self, first: date, weekday: int) -> date:
        return first + timedelta(days=(weekday - self.calendar.week_start) % 7)

    def _part(self, at: int) -> When | None:
        """``early June``, ``mid-October``, ``late Q3``, ``earlier this month``, ``later this year``."""
        word = self.word(at)
        if word in ("earlier", "later"):
            return self._side(at, word)
        glued = re.fullmatch(r"(mid|early|late)-?(\w+)", word)
        third = word if word in ("early", "mid", "middle", "late") else ""
        after = at + 1
        if third == "middle" and self.word(after) == "of":
            after += 1
        if not third:
            return self._glued(at, glued) if glued else None
        inner = self._stretch(self._skip(after))
        if inner is None or inner.period.days < 7:
            return None
        return self._both(at, inner.end, inner, lambda period: self._third(period, third), None)

    def _side(self, at: int, word: str) -> When | None:
        """What of a stretch lies before today or from today on; of one that holds no today, its first or second half."""
        if self.word(at - 1 if at else at) in ("pushed", "moved", "postponed", "shifted", "push", "move", "date", "out"):
            return None  # "the close date was pushed later this year": later is where it went
        inner = self._stretch(self._skip(at + 1)) if self.word(at + 1) in ("in", *THIS, *LAST, *NEXT) else None
        if inner is None:
            return None
        period = inner.period
        cut = self.today if period.first <= self.today < period.end else period.first + timedelta(days=period.days // 2)
        return When(at, inner.end, Period(period.first, cut) if word == "earlier" else Period(cut, period.end))

    def _glued(self, at: int, match: re.Match[str]) -> When | None:
        """``mid-October`` as one token."""
        kept = self.words[at]
        self.words[at] = match.group(2)
        try:
            inner = self._month(at) if match.group(2) not in ("may", "march") or "-" in kept else None
        finally:
            self.words[at] = kept
        return self._both(at, inner.end, inner, lambda period: self._third(period, match.group(1)), None) if inner is not None else None

    def _third(self, period: Period, place: str) -> Period:
        """The first, middle or last third: of a month by tens of days, of longer stretches by whole months."""
        if 27 < period.days < 32:
            first = {"early": 0, "mid": 10, "middle": 10, "late": 20}[place]
            start = period.first + timedelta(days=first)
            return Period(start, period.end if place == "late" else start + timedelta(days=10), "")
        months = round(period.days / 30.4)
        if months >= 3:
            step = months // 3
            first = {"early": 0, "mid": step, "middle": step, "late": 2 * step}[place]
            return Period(add_months(period.first, first), period.end if place == "late" else add_months(period.first, first + step), "")
        days = {"early": (0, 2), "mid": (2, 4), "middle": (2, 4), "late": (4, period.days)}[place]
        return Period(period.first + timedelta(days=days[0]), period.first + timedelta(days=days[1]), "")

    def _rest(self, at: int) -> When | None:
        """``the rest of the quarter``, ``the remainder of this year``: from today on."""
        if self.word(at) not in ("rest", "remainder", "remaining", "balance") or self.word(at + 1) != "of":
            return None
        inner = self._stretch(self._skip(at + 2))
        if inner is None or not inner.period.first <= self.today < inner.period.end:
            return None
        return When(at, inner.end, Period(self.today, inner.period.end, ""))

    def _weekend(self, at: int) -> When | None:
        """``the weekend``, ``last weekend``: Saturday and Sunday."""
        step, after = 0, at
        if self.word(at) in (*LAST, *THIS, *NEXT):
            step, after = (-1 if self.word(at) in LAST else 1 if self.word(at) in NEXT else 0), at + 1
        if self.word(after) not in ("weekend", "weekends"):
            return None
        saturday = self.today + timedelta(days=_SATURDAY - self.today.weekday() + 7 * step)
        period = Period(saturday, saturday + timedelta(days=2), format_span(saturday, saturday + timedelta(days=2)))
        return When(at, after + 1, period)

    def _holiday(self, at: int) -> When | None:
        """``Easter``, ``independence day of this year``, ``before Christmas``."""
        for size in range(LONGEST, 0, -1):
            name = " ".join(self.words[at : at + size])
            if name in HOLIDAYS and len(self.words[at : at + size]) == size:
                return self._holiday_named(at, size, HOLIDAYS[name])
        return None

    def _holiday_named(self, at: int, size: int, day_in: Callable[[int], date]) -> When:
        year, after = self._year_after(at + size)
        return self._named(at, after, year, lambda y: self._whole(Grain.day, day_in(y)), self.today.year, Grain.day)

    def _in_the(self, at: int) -> When | None:
        """``in the month``, ``for the year``, ``of the week``: this one; "day of the week" is no time."""
        if self.word(at) not in ("in", "for", "during", "of") or self.word(at + 1) != "the":
            return None
        grain = UNITS.get(self.word(at + 2))
        if grain is None or self.word(at + 2).endswith("s") or self.word(at + 3) in _NOT_THIS_ONE:
            return None
        if re.fullmatch(r"\d+|" + "|".join(ORDINALS), self.word(at + 3)):
            return None
        before = self.word(at - 1) if at else ""
        if before in ("day", "days", "time", "times", "hour", "end", "start", "beginning", "rest", "week", "weeks", "month", "months", "quarter"):
            return None
        return When(at, at + 3, self._whole(grain, self.today), grain=grain)

    def _hence(self, at: int) -> When | None:
        """``in two weeks``, ``3 days from today``, ``two days after tomorrow``, ``a week before Christmas``."""
        start = at + 1 if self.word(at) == "in" else at
        counted = self._count(start)
        if counted is None or counted[0] > 4000:
            return None
        count, after = counted
        grain = UNITS.get(self.word(after))
        if grain is None:
            return None
        count *= 2 if self.word(after) == "fortnight" else 1
        base = self.today
        end = after + 1
        if self.word(end) in ("before", "after") and (named := self._holiday(self._skip(end + 1))) is not None:
            if at and self.word(at - 1) in ("the", "last", "final", "first", "in", "within", "over", "during", "for"):
                return None  # "in the three days before Christmas" are a stretch
            count = -count if self.word(end) == "before" else count

            def moved(period: Period) -> Period:
                return self._whole(Grain.day, self.calendar.add(grain, period.first, count))

            return When(at, named.end, moved(named.period), moved(named.ahead) if named.ahead is not None else None, grain=Grain.day)
        elif self.word(end) in ("from", "after"):
            anchor = self._relative_day(self._skip(end + 1))
            if anchor is None and self.word(end + 1) != "now":
                return None
            base, end = (anchor.period.first, anchor.end) if anchor is not None else (self.today, end + 2)
        elif start == at or self.word(at) != "in":
            return None
        return When(at, end, self._whole(Grain.day, self.calendar.add(grain, base, count)), grain=Grain.day)
