"""Constructions that ask for a figure: metrics by name, counts, sums, shares, durations, rankings."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from assistant.language.dates import When
from assistant.language.frames import Frame
from assistant.language.grammar.past import OPEN_METRICS, Past
from assistant.language.grammar.pieces import as_days
from assistant.language.states import SHARES, STATE_METRICS, STATE_OF_METRIC
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, Composite, Metric, shape_of
from crm_core.metrics.fields import Field, Shape, field_of, shape_for
from crm_core.metrics.filters import Filter
from crm_core.metrics.question import Days, GroupCondition
from crm_core.periods import FAR_PAST, Grain, Period, preceding, whole, year_before

#: Durations that "how long" or "average time" may mean, by what it is about.
_DURATIONS: tuple[tuple[str, str], ...] = (
    ("resolved", "resolution_time"),
    ("closed", "sales_cycle"),
    ("won", "sales_cycle"),
    ("closing", "sales_cycle"),
)


#: What is said of a share that no metric is.
NO_SHARE = (
    "I do not compute that share as one figure yet. Ask for the figure split by what you want the share of, such as 'bookings by source this year': "
    "the total stands beside each part."
)


class Figures(Past):
    """Which metric, split how, in which period, compared with which."""

    def _ranking(self) -> Frame | None:
        """ "Top 5 reps by win rate", "which region lost the most?", "who closed the biggest deal"."""
        parts = self.parts
        groups = parts.wh_groups
        if "share" in parts.aggregates:
            return None
        if (
            {"mean", "median"} & set(parts.aggregates)
            and all(name in STATE_OF_METRIC for name in parts.metrics)
            and (averaged := self._measured()) is not None
        ):
            return averaged
        asks_who = "who" in parts.cues and not parts.names and "said" not in parts.cues and "heard" not in parts.cues
        if not groups and asks_who and parts.order in ("highest", "lowest"):
            groups = ["owner"]
        if (
            not groups
            and parts.order in ("highest", "lowest")
            and parts.limit
            and not parts.groups
            and not parts.names
            and (parts.metrics or parts.states)
        ):
            if "owner" in parts.fields:  # "the three owners with the highest total"
                groups = ["owner"]
            elif "company" in parts.nouns and parts.metrics[:1] != ["companies"]:
                groups = ["company"]
        if not groups and parts.order in ("highest", "lowest") and parts.metrics and "with" in parts.words_seen and not parts.groups:
            head = [name for name in parts.fields if (item := self._deal_field(name)) is not None and item.groupable]
            groups = head[:1]  # "the industry with the highest average deal size"
        if not groups or parts.names and "about" in parts.cues:
            return None
        metrics = [name for name in parts.metrics if name not in ("companies", "contacts", "customers")]
        metrics += [keep.metric for keep in parts.keeps if keep.metric and not metrics]  # "which reps are below quota?"
        ordered = bool(parts.order) and parts.order not in ("newest", "oldest", "soonest")
        stated = any(state in ("won", "lost", "slipped", "created", "resolved", "closed", "occurred", "converted") for state in parts.states)
        if not metrics and not ordered and not (stated and groups[0] == "owner" and "who" in parts.cues):
            return None
        measured = [name for name in (*parts.fields, parts.sort) if name in ("employees", "annual_revenue", "age", "amount")]
        if not metrics and not stated and measured and groups[0] in ("company", "contact"):
            return None  # "the five companies with the most employees" are a list
        big = parts.order_field == "amount" and parts.nouns[:1] == ["deal"] and not metrics
        if big and groups[0] != "company":
            return None
        if not metrics and not stated and parts.nouns and parts.nouns[0] not in ("deal", "company", "product", "activity", "ticket", "lead", "user"):
            return None
        metric = metrics[0] if metrics else self._implied_metric(groups[0])
        summing = {"sum", "total"} & set(parts.aggregates) or parts.order_field == "amount" and "customer" in str(parts.phrases)
        if metric in STATE_OF_METRIC and not STATE_OF_METRIC[metric][2] and summing and "count" not in parts.aggregates:
            metric = STATE_METRICS[STATE_OF_METRIC[metric][:2]][1] or metric
        if not metric:
            return None
        frame = self._frame_metric(metric)
        frame.group_by = self._group_fields(frame, list(dict.fromkeys([*groups[:1], *parts.groups])))
        self._keep(frame)
        if parts.order or not metrics:
            frame.order = self._metric_order(metric)
        single = (
            not ({"each", "every"} & parts.words_seen)
            and not self._plural_group()
            and not any(word in ("top", "bottom") for word in parts.first_words)
            or parts.limit == 1
        )
        frame.limit = parts.limit
        if ordered and frame.limit is None and not parts.groups:
            frame.limit = 1 if single else 5 if {"top", "bottom"} & set(parts.first_words) else None
        return frame

    def _deal_field(self, name: str) -> Field | None:
        return shape_for(self.ctx, "line_item").fields.get(name)

    def _plural_group(self) -> bool:
        """ "Which reps have...": more than one is asked for."""
        return self.parts.plural_group

    def _metric_order(self, metric: str) -> Any:
        order = self.parts.order or "highest"
        better = METRICS[metric].higher_is_better
        words = set(self.parts.first_words)
        if {"best", "worst", "fastest", "slowest", "quickest", "strongest", "weakest"} & words and not better:
            return "lowest" if {"best", "fastest", "quickest", "strongest"} & words else "highest"
        return order if order in ("highest", "lowest") else "highest"

    def _implied_metric(self, group: str) -> str:
        """The metric that a ranking without one means: by its states and nouns, else won value."""
        parts = self.parts
        noun = next((item for item in parts.nouns if item in ("deal", "ticket", "lead", "activity")), "")
        if parts.order_field == "duration":
            return "resolution_time" if noun == "ticket" else "sales_cycle"
        state = parts.states[0] if parts.states else ""
        if not noun and state in ("won", "lost", "closed", "slipped"):
            noun = "deal"
        if noun == "deal" and state == "created" or noun == "" and state == "created":
            noun = noun or "deal"
        if noun:
            counts, sums = STATE_METRICS.get((noun, state), ("", ""))
            if noun == "deal" and not state:
                counts, sums = "open_deals", "open_pipeline"
            counted = "count" in parts.aggregates or noun in parts.nouns and "sum" not in parts.aggregates and parts.order_field != "amount"
            return counts if counted or not sums else sums
        if group == "product":
            return "units_sold" if "quantity" in parts.words_seen else "product_revenue"
        return "won_value"

    def _shares(self) -> Frame | None:
        """ "What percentage of leads from 2025 has been converted?", "what share of the deals that closed did we win?"."""
        parts = self.parts
        if "share" not in parts.aggregates or any(name not in STATE_OF_METRIC and name != "customers" for name in parts.metrics):
            return None
        if parts.customer or "customers" in parts.metrics:
            if {"still", "kept", "stayed", "remained", "retained"} & parts.words_seen:
                return self._with_groups(self._frame_metric("retention_rate"))
            if {"lost", "lose", "left", "longer"} & (parts.words_seen | set(parts.states)):
                return self._with_groups(self._frame_metric("churn_rate"))
        noun = self._noun() or next((STATE_OF_METRIC[name][0] for name in parts.metrics if name in STATE_OF_METRIC), "")
        told = [*parts.states, *(STATE_OF_METRIC[name][1] for name in parts.metrics if name in STATE_OF_METRIC)]
        states = ["won" if "won" in told else "", *told]
        if any(raw.field == "stage" for raw in parts.filters) and noun in ("deal", "") and not parts.states:
            return self._with_groups(self._frame_metric("stage_conversion"))
        if "go on" in " ".join(parts.first_words) or any(raw.field == "stage" for raw in parts.filters):
            return self._with_groups(self._frame_metric("stage_conversion"))
        for state in states:
            metric = SHARES.get((noun or "deal", state))
            if metric == "win_rate" and {"value", "amount", "dollar", "dollars", "money", "amounts"} & parts.words_seen:
                metric = "win_rate_value"
            if (
                metric == "lead_conversion"
                and not state
                and not any(word.startswith(("conver", "turn", "becom", "qualif")) for word in parts.words_seen)
            ):
                metric = None  # "what share of leads came from trade shows" is about where they came from
            if metric and any(STATE_OF_METRIC[name][2] for name in parts.metrics if name in STATE_OF_METRIC) and "closed" not in told:
                metric = None  # "what share of bookings came from referrals"
            if metric:
                return self._with_groups(self._frame_metric(metric))
        if parts.metrics or noun:
            return Frame(intent="unknown", detail=NO_SHARE)
        return None

    def _grouped_noun(self) -> Frame | None:
        """ "Leads by source this year", "calls per rep last week", "companies by industry": a count without saying so."""
        parts = self.parts
        noun = self._noun()
        if not noun or not parts.groups or parts.names and parts.nouns == []:
            return None
        state = self._state(noun)
        if noun == "activity" and parts.kinds == ["task"] and state in ("", "open", "incomplete", "due"):
            parts.kinds.clear()
            return self._with_groups(self._frame_metric("open_tasks"))  # "open tasks by owner"
        if (noun, state) not in STATE_METRICS:
            return None
        if noun == "deal" and not state:
            state = "open" if not parts.times else "created"
        if noun == "ticket" and not state and not parts.times:
            state = "open"
        return self._with_groups(self._frame_metric(STATE_METRICS[(noun, state)][0], state=state))

    def _happened_to(self, metric: str) -> str:
        """ "How much pipeline slipped": what became of it, not what is open."""
        place = {"open_deals": 0, "open_pipeline": 1}.get(metric)
        became = next((state for state in self.parts.states if state in ("slipped", "lost", "won")), "")
        if place is None or not became:
            return metric
        return STATE_METRICS[("deal", became)][place] or metric

    def _metric(self) -> Frame | None:
        """ "Win rate by rep last quarter", "pipeline in EMEA", "how did bookings change vs last year?"."""
        parts = self.parts
        listing = {"which", "list"} & set(parts.cues)
        if (
            listing
            and parts.aggregates == ["sum"]
            and (any(raw.field == "amount" for raw in parts.filters) or parts.order or parts.sort)
            and not parts.groups
        ):
            parts.aggregates.clear()  # "which deals are worth over 50k" asks for the deals
        measured = self._measured()
        if measured is not None:
            return measured
        metrics = [self._happened_to(name) for name in parts.metrics if not self._is_plain_count(name)]
        strong = [name for name in metrics if name not in STATE_OF_METRIC and name != "customers"]
        metrics = strong + [name for name in metrics if name not in strong]
        reached = {"achieved", "reached", "hit", "achieve", "reach", "percent", "percentage", "attained", "attain", "fulfilled"} & parts.words_seen
        if re.search(r"\b(?:have|has|need|needs|supposed|must|should|want)(?: to)? (?:hit|reach|make|achieve|get to|bring in|sell)\b", parts.phrases):
            reached = set()  # "the number I have to hit": the target itself
        if "target" in metrics and (reached or "share" in parts.aggregates or "quota_attainment" in metrics):
            metrics = ["quota_attainment"]
        if (
            "age" in parts.fields
            and ("mean" in parts.aggregates or "count" in parts.aggregates)
            and ("ticket" in parts.nouns or metrics[:1] == ["open_tickets"])
        ):
            return self._with_groups(self._frame_metric("backlog_age"))
        if not metrics and parts.aggregates and parts.metrics:
            metrics = parts.metrics
        if not metrics and parts.metrics and (parts.groups or parts.compare):
            metrics = parts.metrics
        if not metrics:
            return self._duration()
        metric = metrics[0]
        if metric in ("won_value", "lost_value", "average_deal_size") and len(metrics) > 1 and metrics[1] in ("product_revenue",):
            metric = metrics[1]
        if (
            {"sum", "total"} & set(parts.aggregates)
            and metric in STATE_OF_METRIC
            and not STATE_OF_METRIC[metric][2]
            and "count" not in parts.aggregates
        ):
            metric = STATE_METRICS[STATE_OF_METRIC[metric][:2]][1] or metric if "sum" in parts.aggregates or metric == "open_deals" else metric
        if metric in ("deals", "leads", "companies", "contacts", "activities"):  # "number of deals won": the state says which deals
            noun = STATE_OF_METRIC[metric][0]
            told = next((state for state in parts.states if (noun, state) in STATE_METRICS and state not in ("created", "occurred")), "")
            sums = bool({"sum"} & set(parts.aggregates)) and noun == "deal"
            counts, summed = STATE_METRICS[(noun, told)] if told else (metric, "new_pipeline" if sums else "")
            metric = summed if sums and summed else counts
        if "weighted" in parts.aggregates and metric in ("open_pipeline", "open_deals"):
            metric = "weighted_pipeline"
        if {"money"} & parts.words_seen and "count" not in parts.aggregates and metric in STATE_OF_METRIC and not STATE_OF_METRIC[metric][2]:
            metric = STATE_METRICS[STATE_OF_METRIC[metric][:2]][1] or metric
        if metric == "open_pipeline" and "created" in parts.states:
            metric = "new_pipeline"
        if "mean" in parts.aggregates and "stage" in (*parts.groups, *parts.wh_groups) and metric in ("open_deals", "deals"):
            metric = "time_in_stage"
        if parts.why and metric == "lost_deals" and not parts.groups:
            parts.groups.append("loss_reason")
        if "count" in parts.aggregates and metric in STATE_OF_METRIC and STATE_OF_METRIC[metric][2] and "deal" in parts.nouns:
            metric = STATE_METRICS[(STATE_OF_METRIC[metric][0], STATE_OF_METRIC[metric][1])][0]
        if "median" in parts.aggregates and metric == "sales_cycle":
            metric = "median_sales_cycle"
        if (
            metric == "won_value"
            and {"product", "product_family"} & {*parts.groups, *parts.wh_groups}
            or metric == "won_value"
            and any(raw.field in ("product", "product_family") for raw in parts.filters)
        ):
            metric = "product_revenue"
        if metric == "lead_conversion" and (any(raw.field == "stage" for raw in parts.filters) or "stage" in (*parts.groups, *parts.wh_groups)):
            metric = "stage_conversion"
        if metric == "first_response_time" and ("lead" in parts.nouns):
            metric = "lead_response_time"
        if metric == "average_amount" and ("won" in parts.states or "won_deals" in parts.metrics or "won_value" in parts.metrics):
            metric = "average_deal_size"
        if metric in ("average_deal_size", "average_amount") and {"open", "lost"} & set(parts.states):
            frame = self._frame_metric("average_amount")
            frame.filters.append(Filter(field="status", values=["open" if "open" in parts.states else "lost"]))
            return self._with_groups(frame)
        if "mean" in parts.aggregates and metric in ("won_value",) and "deal" in parts.nouns:
            metric = "average_deal_size"
        return self._with_groups(self._frame_metric(metric))

    def _measured(self) -> Frame | None:
        """ "Average size of won deals", "median days to win", "avg first response", "mean days in a stage": what is averaged decides."""
        parts = self.parts
        kinds = {"mean", "median", "duration"} & set(parts.aggregates)
        if not kinds or any(name not in STATE_OF_METRIC for name in parts.metrics):
            return None
        nouns = {*parts.nouns, *(STATE_OF_METRIC[name][0] for name in parts.metrics)}
        states = {*parts.states, *(STATE_OF_METRIC[name][1] for name in parts.metrics)}
        days = {"days", "long", "time", "hours", "weeks", "quickly", "fast"} & parts.words_seen or "duration" in kinds
        staged = "stage" in (*parts.groups, *parts.wh_groups, *parts.fields) or any(raw.field == "stage" for raw in parts.filters)
        if ("responding" in states or "first_response" in parts.fields) and (
            "ticket" in nouns or "lead" in nouns or "priority" in (*parts.groups, *parts.wh_groups)
        ):
            return self._with_groups(self._frame_metric("lead_response_time" if "lead" in nouns else "first_response_time"))
        if staged and days and "ticket" not in nouns:
            return self._with_groups(self._frame_metric("time_in_stage"))
        if "ticket" in nouns:
            if states & {"resolved", "closed"}:
                return self._with_groups(self._frame_metric("resolution_time"))
            if "open" in states and ("ago" in parts.words_seen or "age" in parts.fields or "old" in parts.words_seen):
                return self._with_groups(self._frame_metric("backlog_age"))
            return None
        if states & {"won", "closed", "closing"} and ("deal" in nouns or not nouns):
            if days:
                return self._with_groups(self._frame_metric("median_sales_cycle" if "median" in kinds else "sales_cycle"))
            if "mean" in kinds and states & {"won", "closed"}:
                return self._with_groups(self._frame_metric("average_deal_size"))
        return None

    def _duration(self) -> Frame | None:
        """ "How long does it take us to close a deal?", "how fast do we answer tickets?"."""
        parts = self.parts
        slow = "duration" in parts.aggregates or any(f"how {word}" in parts.phrases for word in ("fast", "quickly", "quick"))
        staged = "stage" in (*parts.groups, *parts.wh_groups) and "mean" in parts.aggregates and not parts.metrics
        if staged and ("deal" in parts.nouns or not parts.nouns):
            return self._with_groups(self._frame_metric("time_in_stage"))
        if not slow:
            return None
        if "ticket" in parts.nouns and any(state in ("resolved", "closed") for state in parts.states):
            return self._with_groups(self._frame_metric("resolution_time"))
        answering = {"first_response"} & set(parts.fields) or "responding" in parts.states
        if answering and parts.nouns:
            return self._with_groups(self._frame_metric("lead_response_time" if "lead" in parts.nouns else "first_response_time"))
        if any(raw.field == "stage" for raw in parts.filters) or "stage" in parts.fields or "stage" in parts.groups:
            frame = self._frame_metric("time_in_stage")
            return self._with_groups(frame)
        for state, metric in _DURATIONS:
            if state in parts.states:
                return self._with_groups(self._frame_metric(metric))
        return None

    def _counted(self) -> Frame | None:
        """ "How many deals did Priya lose last month?", "how much did we win?", "total value of deals closing in May"."""
        parts = self.parts
        aggregate = next((item for item in parts.aggregates if item in ("count", "sum", "mean", "total")), "")
        if parts.why and "lost" in parts.states and parts.nouns in ([], ["deal"]) and not (aggregate or parts.names or parts.order):
            aggregate = "count"  # "why did we lose deals last quarter?"
        happened = {"won", "lost", "slipped", "closed"} & set(parts.states)
        if (
            not aggregate
            and happened
            and not parts.nouns
            and not parts.names
            and not parts.order
            and (parts.times or parts.filters)
            and not parts.follow_up
            and not (parts.metrics and {"list", "which"} & set(parts.cues))
        ):
            aggregate = "sum"  # "what has the north team closed this quarter?"
        if not aggregate:
            return None
        noun = self._noun()
        state = self._state(noun)
        if not noun and state:
            noun = "deal"
        if noun in ("company", "product", "user", "contact") and set(parts.states) & {"won", "lost", "slipped", "closing", "closed"}:
            noun = "deal"
            state = self._state(noun)
        if not noun and parts.customer:
            noun = "company"
        if not noun and aggregate in ("sum", "total") and {"stage", "forecast_category", "pipeline"} & set(parts.groups):
            return self._with_groups(self._frame_metric("open_pipeline"))
        if not noun:
            return None
        if "who" in parts.cues and not parts.names and aggregate == "count" and not parts.groups and "said" not in parts.cues:
            parts.groups.append("owner")
        if parts.why and state == "lost" and not parts.groups:
            parts.groups.append("loss_reason")
        if aggregate == "total":
            aggregate = "sum" if noun == "deal" and "count" not in parts.aggregates and "number" not in parts.first_words else "count"
        if parts.customer and noun == "company" and aggregate == "count" and not (set(parts.states) - {"open"}) and len(parts.nouns) <= 1:
            return self._with_groups(self._frame_metric("customers"))
        if "weighted" in parts.aggregates and noun == "deal" and state in ("", "open", "closing"):
            return self._with_groups(self._frame_metric("weighted_pipeline"))
        if aggregate == "mean" and noun == "deal":
            if state in ("", "won", "closed"):
                return self._with_groups(self._frame_metric("average_deal_size"))
            if state in ("open", "lost", "created"):
                averaged = self._frame_metric("average_amount")
                if state != "created":
                    averaged.filters.append(Filter(field="status", values=[state]))
                    averaged.said.append(state)
                return self._with_groups(averaged)
            return None
        if aggregate == "mean" and noun == "ticket":
            return self._with_groups(self._frame_metric("resolution_time"))
        if self._countable_by_metric(noun, state):
            counts, sums = STATE_METRICS[(noun, state)]
            if aggregate == "sum" and sums:
                return self._with_groups(self._frame_metric(sums, state=state))
            if aggregate == "count" or not sums:
                return self._with_groups(self._frame_metric(counts, state=state))
        frame = self._list() if not parts.groups else None
        if frame is not None and frame.intent == "list":
            frame.count_only = True
            frame.detail = "sum" if aggregate == "sum" and noun == "deal" else ""
            return frame
        return None

    def _countable_by_metric(self, noun: str, state: str) -> bool:
        """Whether a declared metric counts just this; otherwise the list of matching records is counted."""
        if (noun, state) not in STATE_METRICS or self.parts.multiplicity is not None:
            return False
        extra = [item for item in self.parts.states if item != state]
        if extra or self.parts.negated_states or self.parts.untouched or any(raw.op in ("empty", "not_empty") for raw in self.parts.filters):
            return False
        if noun == "activity" and "task" in self.parts.kinds:
            return False
        if noun == "ticket" and not state:
            return bool(self.parts.times)
        if noun == "deal" and state == "closed":
            return True
        if noun == "deal" and not state:
            return bool(self.parts.groups) or bool(self.parts.times)
        return True

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
            frame.compare = self._which_comparison()
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

    def _which_comparison(self) -> Any:
        first, second = self.parts.times[0][0].period, self.parts.times[1][0].period
        return (
            "year_before"
            if abs((first.first - second.first).days - 365) < 10 or abs((first.first - second.first).days - 366) < 10 and first.days < 300
            else "previous"
        )

    def _compare_named(self, frame: Frame) -> None:
        """ "Was Q3 2026 better than Q3 2025?": two periods by name, where one is the other's predecessor or its year before."""
        later, earlier = sorted((when.period for when, _cue in self.parts.times), key=lambda period: period.first, reverse=True)
        words = {"better", "worse", "compare", "compared", "than", "ahead", "behind", "vs", "versus", "against"} & self.parts.words_seen
        if words and later.grain is not None and later.grain is earlier.grain and earlier.end <= later.first:
            near = abs((later.first - earlier.first).days - 365) > 10
            frame.period, frame.compare = as_days(later), "previous" if near else "year_before"
            return
        for name, before in (("previous", preceding), ("year_before", year_before)):
            other = before(later, self.ctx.calendar)
            if (other.first, other.end) == (earlier.first, earlier.end):
                frame.period, frame.compare = as_days(later), name  # type: ignore[assignment]
                return

    def _compare_with_lone_time(self, frame: Frame) -> None:
        """ "Bookings this quarter vs last quarter" has two times; "pipeline vs last quarter" means now against then."""
        when = self.parts.times[0][0]
        grain = when.grain
        if grain is None:
            return
        current = self.ctx.calendar.start_of(grain, self.ctx.today)
        if when.period.first < current:
            end = self.ctx.calendar.add(grain, current, 1)
            frame.period = Days(first=current, end=end)
            frame.compare = "previous" if self.ctx.calendar.add(grain, current, -1) == when.period.first else "year_before"

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
        if groups and parts.filters:  # "are fairs worth it? win rate per source": the value belongs to what was said before
            aside = {raw.field for raw in parts.filters if raw.clause < parts.group_clauses.get(raw.field, 0)}
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in aside & set(frame.group_by))]
        if "andothers" in parts.words_seen:  # "hospitals, universities and so on": examples of the groups
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in frame.group_by)]
        self._keep(frame)
        if "who" in parts.cues and not groups and not parts.names and "said" not in parts.cues and ("count" in parts.aggregates or parts.order):
            frame.group_by = ["owner"]
        if parts.order in ("highest", "lowest") and frame.group_by:
            frame.order = self._metric_order(frame.metric)
            frame.limit = parts.limit
        elif parts.limit and frame.group_by:
            frame.limit, frame.order = parts.limit, "highest"
        return frame

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
