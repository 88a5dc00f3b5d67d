"""Stretches of days, and what is added to a question: "the year before", "plus January", the days of a list."""

from __future__ import annotations

import re
from datetime import date, timedelta

from assistant.language.frames import Frame
from assistant.language.grammar.behind import Behind, between
from assistant.language.grammar.pieces import as_days
from assistant.language.saying import say_conditions
from assistant.language.states import STATE_FILTERS
from crm_core.metrics.definitions import shape_of
from crm_core.metrics.fields import Shape, shape_for
from crm_core.metrics.filters import Condition, Filter
from crm_core.metrics.question import Days
from crm_core.periods import Grain, add_months, preceding, whole, year_before

#: "The quarter before", "the one before that", "the previous month" at the end of a message.
LATER = re.compile(r"\b(?:one|a|the) (year|quarter|month|week) (?:later|after|after that)\b|\bthe (?:following|next) (year|quarter|month|week|one)$")
EARLIER = re.compile(
    r"\b(?:one|a|the) (?P<back>year|quarter|month|week) (?:earlier|before|prior|previously)\b|"
    r"\b(?:the|that|one) (day|week|month|quarter|year|one|period)? ?(?:before|prior)(?: that)?$|\bthe (?:preceding|previous) (day|week|month|quarter|year|one|period)$"
)
_SAME_LAST_YEAR = re.compile(
    r"\bsame (?:fiscal )?(?:quarter|month|week|period|time|days|stretch)(?: (?:of|in|a|the))* (?:last year|year ago|year before|year earlier|previous year|prior year)\b"
)


class Stretching(Behind):
    """How the days and the values of a question grow and move."""

    def _part_of(self, period: Days | None) -> Days | None:
        """ "Only Q4 of that": the month or quarter of that name in the period of the question before, where no year is said."""
        when = self.parts.times[0][0]
        if period is None or when.grain not in (Grain.month, Grain.quarter) or re.search(r"\d{4}|\b(?:this|last|next|fy\d+)\b", self.parts.phrases):
            return None
        for years in range(-3, 4):
            first, end = add_months(when.period.first, 12 * years), add_months(when.period.end, 12 * years)
            if period.first <= first and end <= period.end and (first, end) != (period.first, period.end):
                return as_days(whole(when.grain, first, self.ctx.calendar)) if years else as_days(when.period)
        return None

    def _shift_listed(self, frame: Frame, shape: Shape) -> None:
        """ "And the day before?", of a list: the same stretch of days before or after the one that it is narrowed to."""
        listed = listed_period(frame, shape)
        if listed is None or self.parts.times:
            return
        name, days = listed
        if (moved := self._year_before(days) or self._earlier(days)) is not None:
            kept = [item for item in frame.filters if not (isinstance(item, Filter) and item.field == name)]
            self._keep_only(frame, [*kept, *between(moved, name)])
            self.frame_unknown = []

    def _add_to(self, frame: Frame, shape: Shape) -> bool:
        """ "Plus January", "plus Probable", "plus the closed ones": what is named comes to the conditions of the same sort.

        True where everything that is named found what it is added to; a figure or list cannot grow by anything else.
        """
        parts, placed = self.parts, 0
        wanted = len(parts.filters) + len(parts.times) + len(parts.states)
        for raw in list(parts.filters):
            held = next((item for item in frame.filters if isinstance(item, Filter) and item.field == raw.field and item.op == "is"), None)
            if held is not None and raw.op == "is" and not raw.negated:
                both = [*held.values, *(value for value in raw.values if value not in held.values)]
                self._keep_only(frame, [item.model_copy(update={"values": both}) if item is held else item for item in frame.filters])
                parts.filters.remove(raw)
                placed += 1
        for when, cue in list(parts.times):
            spans = [as_days(span) for span in (when.period, when.ahead) if span is not None]
            listed = listed_period(frame, shape)
            grown = next(
                (whole for span in spans for held in (frame.period, listed[1] if listed else None) if held and (whole := together(held, span))), None
            )
            if grown is not None and frame.period is not None:
                frame.period = grown
            elif grown is not None and listed is not None:
                kept = [item for item in frame.filters if not (isinstance(item, Filter) and item.field == listed[0])]
                self._keep_only(frame, [*kept, *between(grown, listed[0])])
            else:
                continue
            parts.times.remove((when, cue))
            placed += 1
        for state in list(parts.states):
            for name, op, values, _said in STATE_FILTERS.get((shape.name, state), []):
                held = next((item for item in frame.filters if isinstance(item, Filter) and item.field == name), None)
                if held is None:
                    continue
                both = [*held.values, *(value for value in values if value not in held.values)]
                opposite = {held.op, op} == {"empty", "not_empty"} or name == "status" and {"open", "won", "lost"} <= set(both)
                grown_filters = [item.model_copy(update={"values": both, "op": "is"}) if item is held else item for item in frame.filters]
                self._keep_only(frame, [item for item in frame.filters if item is not held] if opposite else grown_filters)
                parts.states.remove(state)
                placed += 1
                break
        return placed == wanted

    def _keep_only(self, frame: Frame, kept: list[Condition]) -> None:
        """Leave only these conditions, and say them anew: what was said cannot be told apart where some of it goes."""
        shape = shape_for(self.ctx, shape_of(frame.metric) if frame.intent == "metric" else frame.noun or "activity")
        frame.filters, frame.said = kept, say_conditions(self.ctx, shape, kept)

    def _plain_phrases(self) -> str:
        return re.sub(r"\b(?:fiscal|financial) ", "", self.parts.phrases)

    def _year_before(self, period: Days | None) -> Days | None:
        """ "And in the same quarter last year?"."""
        if period is None or not _SAME_LAST_YEAR.search(self.parts.phrases):
            return None
        return as_days(year_before(period.period(self.ctx.calendar), self.ctx.calendar))

    def _earlier(self, period: Days | None) -> Days | None:
        """ "And the quarter before?", "the one before that": the stretch before the period of the question before."""
        later = LATER.search(self._plain_phrases())
        if later is not None and isinstance(period, Days):
            span = period.period(self.ctx.calendar)
            grain = span.grain or Grain.day
            if (later.group(1) or later.group(2)) == "year" and grain is not Grain.year:
                first, end = add_months(span.first, 12), add_months(span.end, 12)
                return Days(first=first, end=end)
            return as_days(whole(grain, span.end, self.ctx.calendar))
        match = EARLIER.search(self._plain_phrases())
        if match is None or not isinstance(period, Days):
            return None
        calendar = self.ctx.calendar
        said = period.period(calendar)
        named = next((word for word in match.groups() if word), "")
        if said.grain is None and named in Grain.__members__ and named != "year":
            return as_days(whole(Grain(named), calendar.start_of(Grain(named), said.first) - timedelta(days=1), calendar))
        earlier = year_before if named == "year" and said.grain is not Grain.year else preceding
        return as_days(earlier(said, calendar))


def together(first: Days, second: Days) -> Days | None:
    """Two stretches as one, where no day lies between them."""
    if first.end < second.first or second.end < first.first:
        return None
    return Days(first=min(first.first, second.first), end=max(first.end, second.end))


def listed_period(frame: Frame, shape: Shape) -> tuple[str, Days] | None:
    """The one stretch of days that a list is narrowed to, and its field."""
    spans = [
        item
        for item in frame.filters
        if isinstance(item, Filter) and item.op == "between" and item.field in shape.fields and shape.fields[item.field].is_time
    ]
    if len(spans) != 1:
        return None
    first, end = (date.fromisoformat(str(value)[:10]) for value in spans[0].values)
    return spans[0].field, Days(first=first, end=end)


def time_of(frame: Frame, shape: Shape) -> str:
    """The time field that a list is narrowed by already, or that its state is about."""
    bounded = [item for item in frame.filters if isinstance(item, Filter) and item.op not in ("empty", "not_empty")]
    fields = [item.field for item in bounded if item.field in shape.fields and shape.fields[item.field].is_time]
    status = [item.values for item in frame.filters if isinstance(item, Filter) and item.field == "status" and item.op == "is"]
    return next(iter(fields), "closed" if shape.name == "deal" and status and "open" not in status[0] else "")
