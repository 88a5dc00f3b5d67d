"""Stretches of days: counted, to date, quarters, halves, ends."""

from __future__ import annotations

import re
from datetime import timedelta

from assistant.language.dates.days import Days, full_year
from assistant.language.dates.model import When
from assistant.language.dates.words import END_OF, LAST, MONTHS, NEXT, ORDINALS, THIS, TO_DATE, UNITS, WEEKDAYS
from crm_core.errors import Invalid
from crm_core.periods import Grain, Period, add_months, whole


class Stretches(Days):
    """A stretch of days at a token."""

    def _ago(self, at: int) -> When | None:
        counted = self._count(at)
        if counted is None:
            return None
        count, after = counted
        grain = UNITS.get(self.word(after))
        if grain is None or self.word(after + 1) not in ("ago", "back"):
            return None
        if self.word(after) == "fortnight":
            count *= 2
        day = self.calendar.add(grain, self.today, -count)
        period = self._whole(Grain.day if grain in (Grain.day, Grain.week) else grain, day)
        return When(at, after + 2, period, grain=period.grain)

    def _to_date(self, at: int) -> When | None:
        word = self.word(at)
        if word in TO_DATE:
            return When(at, at + 1, self._until_now(TO_DATE[word]))
        grain = UNITS.get(word)
        if grain and self.words[at + 1 : at + 3] == ["to", "date"]:
            return When(at, at + 3, self._until_now(grain))
        if word in THIS and (grain := UNITS.get(self.word(at + 1))) and self.words[at + 2 : at + 4] in (["so", "far"], ["to", "date"]):
            return When(at, at + 4, self._until_now(grain))
        return None

    def _end_of(self, at: int) -> When | None:
        word = self.word(at)
        if word in END_OF:
            last = self._whole(END_OF[word], self.today).end - timedelta(days=1)
            return When(at, at + 1, self._whole(Grain.day, last), grain=Grain.day)
        if word not in ("end", "start", "beginning") or self.word(at + 1) != "of":
            return None
        inner = self.point_at(self._skip(at + 2))
        if inner is None:
            grain = UNITS.get(self.word(self._skip(at + 2)))
            if grain is None:
                return None
            inner = When(at, self._skip(at + 2) + 1, self._whole(grain, self.today))

        def edge(period: Period) -> Period:
            return self._whole(Grain.day, period.end - timedelta(days=1) if word == "end" else period.first)

        return When(at, inner.end, edge(inner.period), edge(inner.ahead) if inner.ahead else None, grain=Grain.day)

    def _counted(self, at: int) -> When | None:
        """``last 90 days``, ``next two weeks``, ``rolling 12 months``, ``90 days``-long things only with a direction."""
        word = self.word(at)
        direction = -1 if word in {*LAST, "rolling", "trailing"} else 1 if word in NEXT else 0
        if not direction:
            return None
        counted = self._count(at + 1)
        if counted is None:
            return None
        count, after = counted
        whole_ones = self.word(after) in ("full", "whole", "complete", "completed")
        if whole_ones:
            after += 1
        grain = UNITS.get(self.word(after))
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
            first = tomorrow if self.clock.next_from_tomorrow else self.today
            period = Period(first, self.calendar.add(grain, first, count), f"next {count} {name}")
        return When(at, after + 1, period)

    def _unit(self, at: int) -> When | None:
        """``this quarter``, ``last month``, ``next year``, and the one after a weekday or month name: ``last Friday``."""
        word = self.word(at)
        step = -1 if word in LAST else 0 if word in THIS else 1 if word in NEXT else None
        if word in ("whole", "entire", "full", "all") and self.word(at + 1) in ("year", "quarter", "month") and self.word(at - 1) in ("the", ""):
            return When(at, at + 2, self._whole(UNITS[self.word(at + 1)], self.today), grain=UNITS[self.word(at + 1)])
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
        grain = UNITS.get(name)
        if grain is None or name.endswith("s") and word not in THIS and word not in ("last", "next"):
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
        elif self.clock.last_is_of_last_week:
            day = this_week + timedelta(days=offset - 7)
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
        elif word in ORDINALS and self.word(at + 1) in ("quarter", "qtr"):
            number, after = ORDINALS[word], at + 2
        elif word in ("quarter", "qtr") and self.word(at + 1) in ("1", "2", "3", "4"):
            number, after = int(self.word(at + 1)), at + 2
        if number is None or number > 4:
            return None
        if not year_text:
            year, after = self._year_after(after, self.calendar.fiscal_year(self.today))
        else:
            year = full_year(year_text)
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
            number, after = ORDINALS[self.word(at)], at + 2
        else:
            return None
        year, after = self._year_after(after, self.calendar.fiscal_year(self.today))

        def build(y: int) -> Period:
            first = self.calendar.quarter_start(y, 1 if number == 1 else 3)
            return Period(first, add_months(first, 6), f"H{number} {y}")

        return self._named(at, after, year, build, self.calendar.fiscal_year(self.today), None)

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
