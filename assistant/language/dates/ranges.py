"""Ranges: from, to, between, since, until."""

from __future__ import annotations

import re
from dataclasses import replace

from assistant.language.dates.model import Clock, When
from assistant.language.dates.portions import Portions
from assistant.language.dates.words import LAST, NEXT, UNITS
from assistant.language.tokens import Token
from crm_core.errors import Invalid
from crm_core.periods import FAR_FUTURE, FAR_PAST, Grain, Period, add_months


class Ranges(Portions):
    """The longest expression at a token."""

    def range_at(self, at: int) -> When | None:
        """The longest expression that starts at a token."""
        word = self.word(at)
        if word in ("between", "from"):
            joined = self._joined(at)
            if joined is not None:
                return joined
        if word in ("since", "after", "from", "starting", "beginning") and not (word == "beginning" and self.word(at + 1) == "of"):
            span = self._edge(at, "since", after=word == "after")
            return replace(span, ahead=None) if span is not None and word == "since" else span  # "since" looks back, whatever is planned
        if word == "up" and self.word(at + 1) in ("to", "until", "till"):
            return self._edge(at + 1, "until", after=True, start=at)
        if word in ("before", "until", "till", "by", "through", "til"):
            return self._edge(at, "until", after=word in ("until", "till", "by", "through", "til"))
        if word == "as" and self.word(at + 1) == "of":
            return self._edge(at + 1, "until", after=True, start=at)
        if word in ("over", "within") and self.word(at + 1) in ("the", *LAST, *NEXT):
            inner = self.point(self._skip(at + 1))
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
        point = self._bare_day(at) or self.point(at)
        if point is None:
            return None
        return self._dash(point) or point

    def point(self, at: int) -> When | None:
        """A portion or a whole day or stretch at a token."""
        return self.portion_at(at) or self.point_at(at)

    def _end_point(self, at: int) -> When | None:
        """An end of a range: a point, or now."""
        if self.word(at) == "now":
            return When(at, at + 1, self._whole(Grain.day, self.today), grain=Grain.day)
        return self.point(at)

    def _bare_day(self, at: int) -> When | None:
        """``9`` in "between 9 and 15 November": a day whose month follows after the second day."""
        day = self._day_number(at)
        if day is None or self.word(at + 1) not in ("and", "to", "until", "till", "through"):
            return None
        right = self.point(self._skip(at + 2))
        if right is None or right.grain is not Grain.day:
            return None
        first = right.period.first
        return When(at, at + 1, self._day(first.year, first.month, day, self.texts[at]), grain=Grain.day)

    def _joined(self, at: int) -> When | None:
        """``between A and B``, ``from A to B``, both ends included."""
        start = self._skip(at + 1)
        left = self._bare_day(start) or self._end_point(start)
        if left is None or self.word(left.end) not in ("and", "to", "until", "till", "through"):
            return None
        right = self._right_end(left)
        if right is None:
            return None
        span = self._span(at, left, right)
        return replace(span, edge="from") if span is not None and self.word(at) == "from" else span

    def _dash(self, left: When) -> When | None:
        """``May to July``, ``Q1 through Q2``."""
        if self.word(left.end) not in ("to", "through", "until", "till"):
            return None
        right = self._right_end(left)
        return self._span(left.first, left, right) if right is not None else None

    def _right_end(self, left: When) -> When | None:
        """The second end; after a day a bare number is a day of the same month: ``April 9th through 17th``."""
        at = self._skip(left.end + 1)
        right = self._end_point(at)
        if right is not None or left.grain is not Grain.day:
            return right
        day, after = self._spelled_day(at)
        if day is None or self.word(after) in UNITS:
            return None
        written = " ".join(self.texts[left.first : after])

        def same_month(period: Period) -> Period:
            return self._day(period.first.year, period.first.month, day, written)

        return When(at, after, same_month(left.period), same_month(left.ahead) if left.ahead else None, grain=Grain.day)

    def _span(self, first: int, left: When, right: When) -> When | None:
        start, stop = left.period, right.period
        if left.ahead is None and right.ahead is not None and stop.end <= start.first:
            stop = right.ahead  # "between now and 15 November"
        elif left.ahead is not None and right.ahead is not None and left.grain is right.grain is Grain.day and stop.end <= start.first:
            return When(first, right.end, Period(start.first, right.ahead.end))  # "from 1 October to 7 November", asked in between
        if left.ahead is not None and right.ahead is None and left.grain is not None and re.search(r"(?:19|20|21)\d{2}$", self.word(right.end - 1)):
            start = self._moved(start, stop)  # "March 3 to April 10, 2027": the year said last holds for both
        elif stop.first.year != start.first.year and left.ahead is not None and left.ahead.first.year == stop.first.year:
            start = left.ahead
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
        elif left.ahead and right.ahead and left.period.first < right.ahead.end and (right.ahead.end - left.period.first).days < 366:
            ahead = Period(left.period.first, right.ahead.end)  # "October to December", asked in between
        return When(first, right.end, past, ahead)

    def _moved(self, start: Period, stop: Period) -> Period:
        """The same day, month or quarter, in the last year in which it begins before the other one."""
        years = stop.first.year - start.first.year
        if add_months(start.first, 12 * years) > stop.first:
            years -= 1
        return Period(add_months(start.first, 12 * years), add_months(start.end, 12 * years), "", start.grain)

    def _edge(self, at: int, edge: str, *, after: bool, start: int | None = None) -> When | None:
        point = self.point(self._skip(at + 1))
        if point is None:
            return None
        first = at if start is None else start

        starts, ends = self.word(self._skip(at + 1)) in ("start", "beginning"), self.word(self._skip(at + 1)) == "end"

        def cut(period: Period) -> Period:
            if edge == "since":  # "after the beginning of March" is in March
                return Period(period.end if after and not starts else period.first, FAR_FUTURE)
            return Period(FAR_PAST, period.end if after or ends else period.first)  # "before the end of the year" is in it

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


def find_times(tokens: list[Token], clock: Clock) -> list[When]:
    """Every time expression, longest first at each place, none overlapping; raises ``Invalid`` for impossible days."""
    found: list[When] = []
    at = 0
    while at < len(tokens):
        when = Ranges(tokens, clock).range_at(at)
        if when is not None and when.end > at:
            found.append(when)
            at = when.end
        else:
            at += 1
    return found
