"""The frame of a figure: its period, what it is compared with, its groups and their order."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal

from assistant.language.dates import When
from assistant.language.frames import Frame
from assistant.language.grammar.past import OPEN_METRICS, Past
from assistant.language.grammar.pieces import as_days
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, Composite, Metric, shape_of
from crm_core.metrics.fields import Shape, field_of, shape_for
from crm_core.metrics.filters import Filter
from crm_core.metrics.question import Days, GroupCondition
from crm_core.periods import FAR_PAST, Grain, Period, add_months, preceding, whole, year_before

_INTO = re.compile(r"\b(?:split|divided|broken|break|divide|separated) (?:\w+ )?(?:into|between|among|up into)\b")


_LAST_UNITS = re.compile(r"^last (\d+) (week|month|year)s?$")


class FigureFrames(Past):
    """How a figure that was decided on is asked for."""

    def _metric_order(self, metric: str) -> Any:
        order = self.parts.order or "highest"
        better = METRICS[metric].higher_is_better
        words = set(self.parts.first_words)
        if {"best", "worst", "fastest", "slowest", "quickest", "strongest", "weakest"} & words and not better:
            return "lowest" if {"best", "fastest", "quickest", "strongest"} & words else "highest"
        return order if order in ("highest", "lowest") else "highest"

    def _frame_metric(self, name: str, *, state: str = "") -> Frame:
        """A metric frame with the filters, period and comparison of the message."""
        metric = METRICS[name]
        shape = shape_for(self.ctx, shape_of(name))
        sells_product = any(raw.field in ("product", "product_family") for raw in self.parts.filters)
        units = {"quantity", "units", "pieces"} & self.parts.words_seen or (
            name == "won_deals" and "count" in self.parts.aggregates and not {"deals", "deal", "orders", "opportunities"} & self.parts.words_seen
        )
        if sells_product and name in ("won_value", "won_deals") and units:
            return self._frame_metric("units_sold")
        if sells_product and name == "won_value":
            return self._frame_metric("product_revenue")
        frame = Frame(intent="metric", metric=name, noun=shape.noun.__noun__)
        self._conditions(frame, shape, metric=True)
        self._implicit_filters(frame, shape, name, state)
        self._metric_period(frame, metric, shape)
        compare = self.parts.compare
        if compare in ("previous", "year_before"):
            frame.compare = compare  # type: ignore[assignment]
        elif compare == "against" and len(self.parts.times) > 1:
            first, *others = [when.period for when, _cue in self.parts.times]
            frame.compare = self._which_comparison(first, next((other for other in others if other != first), first))
        elif compare == "against" and len(self.parts.times) == 1:
            self._compare_with_lone_time(frame)
        elif not compare and len(self.parts.times) == 2:
            self._compare_named(frame)
        if frame.compare and frame.period is None and frame.intent == "metric":
            self._default_comparison_period(frame)
        return frame

    def _implicit_filters(self, frame: Frame, shape: Shape, name: str, state: str) -> None:
        if shape.name == "activity" and self.parts.kinds and "kind" not in self.parts.groups:
            frame.filters.append(Filter(field="kind", values=list(self.parts.kinds)))
            frame.said.append(" or ".join(self.parts.kinds))
        if ("overdue" in self.parts.states or state == "overdue") and name == "open_tasks":
            frame.filters.append(Filter(field="due", op="less_than", values=[self.ctx.today.isoformat()]))
            frame.said.append("overdue")
        if state == "overdue" and shape.name == "deal":
            frame.filters.append(Filter(field="expected_close", op="less_than", values=[self.ctx.today.isoformat()]))
        del name

    def _metric_period(self, frame: Frame, metric: Metric | Composite, shape: Shape) -> None:
        planned = isinstance(metric, Metric) and metric.when in ("expected_close", "due") or metric.name in ("forecast", "coverage")
        if not self.parts.times:
            return
        if self._looks_back(frame, metric):
            return
        when, cue = self._whole_run()
        own = metric.when if isinstance(metric, Metric) else "closed"
        if len(self.parts.times) > 1 and self.parts.compare == "against" and self.parts.times[1][0].period.first > when.period.first:
            when, cue = self.parts.times[1]  # "ahead of last quarter so far this quarter?": the later one is asked for
        named = self._time_field(shape, cue) if cue.startswith("field:") or cue == "state:created" else ""
        if shape.name == "stage_entry" and named == "created":
            named = "entered"
        if named and own and named != own and isinstance(metric, Metric) and named in shape.fields and metric.span is None:
            frame.filters.append(self._time_filter(shape, named, when))
            frame.said.append(f"{shape.fields[named].title} {when.reading(named in ('expected_close', 'due')).describe()}")
            return
        period = when.reading(planned)
        if isinstance(metric, Metric) and metric.name in ("retention_rate", "churn_rate") and period.days == 1 and when.edge == "":
            grain = next((item for item in (Grain.quarter, Grain.month) if item.value in self.parts.words_seen), Grain.year)
            period = whole(grain, period.first, self.ctx.calendar)  # "customers at the start of 2025": over 2025
        today = self.ctx.today
        if planned and period.days == 1 and period.first > today and ("end of" in self.parts.phrases or "year end" in self.parts.phrases):
            period = Period(today, period.end)  # "pipeline end of year": what closes by then
        now_said = period.days == 1 and period.first == today or when.edge == "until" and period.end == today + timedelta(days=1)
        if planned and now_said:
            return  # "pipeline today" is the pipeline as it is, not what closes today
        if isinstance(metric, Metric) and metric.span is not None and when.edge == "until":
            period = Period(FAR_PAST, period.end)
        frame.period = as_days(period)

    def _whole_run(self) -> tuple[When, str]:
        """The first time; months or quarters that follow each other, "July, August, September", are one."""
        times = self.parts.times
        when, cue = times[0]
        if self.parts.compare or len(times) < 2 or any(other.edge or other.grain not in (Grain.month, Grain.quarter) for other, _cue in times):
            return when, cue
        runs = all(later.period.first == earlier.period.end for (earlier, _), (later, _) in pairwise(times))
        return (replace(when, period=Period(when.period.first, times[-1][0].period.end), ahead=None), cue) if runs else (when, cue)

    def _looks_back(self, frame: Frame, metric: Metric | Composite) -> bool:
        """Take a past day as the moment that the figure is meant for, and another time beside it as its period."""
        if metric.name not in OPEN_METRICS or self.parts.compare:
            return False
        days = [(when, day) for when, cue in self.parts.times if (day := self.past_day(when, cue)) is not None]
        if len(days) != 1 and not (days and len(self.parts.times) == 2):
            return False
        when, frame.as_of = min(days, key=lambda pair: pair[0].period.days)
        others = [other for other, _cue in self.parts.times if other is not when]
        if others:
            past, ahead = others[0].period, others[0].ahead or others[0].period
            frame.period = as_days(past if past.end > frame.as_of else ahead)
        return True

    def _which_comparison(self, later: Period, earlier: Period) -> Literal["previous", "year_before"]:
        """How the earlier period lies to the later one; raises ``Invalid`` where it is neither the one before nor the year before.

        A whole year stands for the same part of it ("this month vs last year").
        """
        if later.first < earlier.first:
            later, earlier = earlier, later
        if "same" in self.parts.words_seen and earlier.grain is later.grain and earlier.end <= add_months(later.end, -10):
            return "year_before"  # "last month vs the same month last year"
        if (earlier.first, earlier.end) == (later.first, later.end):
            return "previous"  # "last quarter, against the previous quarter": the one before it
        if earlier.first == preceding(later, self.ctx.calendar).first or earlier.end == later.first:
            return "previous"
        back = year_before(later, self.ctx.calendar).first
        if earlier.first == back or earlier.grain is Grain.year and earlier.first <= back < earlier.end:
            return "year_before"
        raise Invalid(
            "I compare a period with the one just before it, or with the same one a year earlier. "
            f"Ask for {earlier.describe()} by itself to set the two side by side."
        )

    def _compare_named(self, frame: Frame) -> None:
        """ "Was Q3 2026 better than Q3 2025?": two periods by name, where one is the other's predecessor or its year before."""
        if {"add", "sum", "together", "combined", "altogether"} & self.parts.words_seen and len(self.parts.times) > 1:
            run, _cue = self._whole_run()
            if run is not self.parts.times[0][0]:
                frame.period = as_days(run.period)  # "add up Q2 and Q3"
                return
        named = (as_days(when.period).period(self.ctx.calendar) for when, _cue in self.parts.times)  # July to September is a quarter
        later, earlier = sorted(named, key=lambda period: period.first, reverse=True)
        words = {"better", "worse", "compare", "compared", "than", "ahead", "behind", "vs", "versus", "against"} & self.parts.words_seen
        if words and later.grain is not None and later.grain is earlier.grain and earlier.end <= later.first:
            frame.period, frame.compare = as_days(later), self._which_comparison(later, earlier)
            return
        for name, before in (("previous", preceding), ("year_before", year_before)):
            other = before(later, self.ctx.calendar)
            if (other.first, other.end) == (earlier.first, earlier.end):
                frame.period, frame.compare = as_days(later), name  # type: ignore[assignment]
                return

    def _compare_with_lone_time(self, frame: Frame) -> None:
        """ "Bookings this quarter vs last quarter" has two times; "pipeline vs last quarter" means now against then."""
        when = self.parts.times[0][0]
        if when.grain is None:
            return
        current = whole(when.grain, self.ctx.today, self.ctx.calendar)
        if when.period.first < current.first:
            frame.period, frame.compare = as_days(current), self._which_comparison(current, when.period)

    def _default_comparison_period(self, frame: Frame) -> None:
        start = self.ctx.calendar.start_of(Grain.year if frame.compare == "year_before" else Grain.quarter, self.ctx.today)
        frame.period = Days(
            first=start, end=self.ctx.today + timedelta(days=1), label="year to date" if frame.compare == "year_before" else "quarter to date"
        )

    def _with_groups(self, frame: Frame) -> Frame:
        parts = self.parts
        groups = list(dict.fromkeys([*parts.groups, *parts.wh_groups]))
        if frame.metric == "won_value" and {"product", "product_family", "family"} & set(groups):
            return self._with_groups(self._frame_metric("product_revenue"))
        if (
            frame.metric == "stage_conversion"
            and not groups
            and not any(isinstance(item, Filter) and item.field == "stage" for item in frame.filters)
        ):
            groups = ["stage"]
        frame.group_by = self._group_fields(frame, groups) or self._compared_values(frame)
        if _INTO.search(parts.phrases) and len(frame.group_by) < 2:  # "split into renewals and new business"
            several = [item.field for item in frame.filters if isinstance(item, Filter) and item.op == "is" and len(item.values) > 1]
            frame.group_by = list(dict.fromkeys([*frame.group_by, *self._group_fields(frame, several)]))[:2]
        if groups and parts.filters:  # "are fairs worth it? win rate per source": the value belongs to what was said before
            aside = {raw.field for raw in parts.filters if raw.clause < parts.group_clauses.get(raw.field, 0)}
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in aside & set(frame.group_by))]
        if "andothers" in parts.words_seen:  # "hospitals, universities and so on": examples of the groups
            named = [item.field for item in frame.filters if isinstance(item, Filter) and item.op == "is" and len(item.values) > 1]
            frame.group_by = frame.group_by or [name for name in named if name in shape_for(self.ctx, shape_of(frame.metric)).fields][:1]
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in frame.group_by)]
        self._whole_units(frame)
        self._keep(frame)
        if "who" in parts.cues and not groups and not parts.names and "said" not in parts.cues and ("count" in parts.aggregates or parts.order):
            frame.group_by = ["owner"]
        if parts.order in ("highest", "lowest") and frame.group_by:
            frame.order = self._metric_order(frame.metric)
            frame.limit = parts.limit
        elif parts.limit and frame.group_by:
            frame.limit, frame.order = parts.limit, "highest"
        return frame

    def _whole_units(self, frame: Frame) -> None:
        """ "In each of the last two weeks", split by week: the two whole weeks before this one, not parts of three."""
        said = _LAST_UNITS.match(frame.period.label) if frame.period is not None else None
        grain = next((Grain(name) for name in frame.group_by if name in Grain.__members__), None)
        if said is None or grain is None or said.group(2) != grain.value or {"so", "rolling", "current", "including"} & self.parts.words_seen:
            return
        first = whole(grain, self.ctx.today, self.ctx.calendar).first
        if frame.period is not None and frame.period.end > first:
            frame.period = Days(first=self.ctx.calendar.add(grain, first, -int(said.group(1))), end=first, label=frame.period.label)

    def _compared_values(self, frame: Frame) -> list[str]:
        """ "EMEA vs APAC", "compare Ruth and Wanda": values of one field that are compared are groups, not one sum."""
        each = {"each", "respectively", "apiece", "separately", "separate"} & self.parts.words_seen
        joined = each or {"vs", "versus", "compare", "compared", "comparing", "against", "than"} & self.parts.words_seen
        people = {"and"} & self.parts.words_seen and not {"or"} & self.parts.words_seen
        shape = shape_for(self.ctx, shape_of(frame.metric))
        for item in frame.filters:
            if isinstance(item, Filter) and item.op == "is" and len(item.values) > 1 and item.field in shape.fields and not frame.compare:
                field = shape.fields[item.field]
                if field.groupable and (joined or people and (item.field in ("owner", "company") or len(item.values) > 2)):
                    return [item.field]
        return []

    def _keep(self, frame: Frame) -> None:
        """Conditions on the groups; a figure that is not split has no groups to leave out."""
        for raw in self.parts.keeps:
            if not frame.group_by:
                self.frame_unknown.append(raw.said)
                continue
            metric = raw.metric if raw.metric != frame.metric else ""
            frame.keep.append(GroupCondition(metric=metric, op=raw.op, value=raw.value))
            frame.said.append(f"{METRICS[raw.metric or frame.metric].title} {raw.said}" if raw.metric != "quota_attainment" else raw.said)

    def _group_fields(self, frame: Frame, words: list[str]) -> list[str]:
        """The fields that grouping words mean for the frame's metric; a word that fits none is not understood."""
        shape = shape_for(self.ctx, shape_of(frame.metric))
        names: list[str] = []
        for word in words:
            if word in Grain.__members__:
                names.append(word)
                continue
            try:
                item = field_of(shape, word)
            except Invalid:
                self.frame_unknown.append(word.replace("_", " "))
                continue
            if item.groupable:
                names.append(item.name)
            else:
                self.frame_unknown.append(word.replace("_", " "))
        return list(dict.fromkeys(names))[:2]
