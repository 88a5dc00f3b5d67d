"""Constructions that ask for a figure: metrics by name, counts, sums, shares, durations, rankings."""

from __future__ import annotations

import re

from assistant.language.frames import Frame
from assistant.language.grammar.measuring import Measuring
from assistant.language.grammar.shares import IN_MONEY
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.fields import Field, shape_for
from crm_core.metrics.filters import Filter

#: Durations that "how long" or "average time" may mean, by what it is about.
_DURATIONS: tuple[tuple[str, str], ...] = (
    ("resolved", "resolution_time"),
    ("closed", "sales_cycle"),
    ("won", "sales_cycle"),
    ("closing", "sales_cycle"),
)


_KINDS_OF_CUSTOMERS = frozenset({"new", "lost", "first", "former", "returning"})
_BETTER = frozenset({"better", "worse", "higher", "lower"})


class Figures(Measuring):
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
        if asks_who and not groups and not parts.groups and not parts.order and parts.metrics and _BETTER & parts.words_seen:
            parts.order = "lowest" if {"worse", "lower"} & parts.words_seen else "highest"  # "who has the better win rate?"
        bought = re.search(
            r"\bwho\b.*\b(?:won|win|made|earned|got|sold) (?:\w+ ){0,3}(?:from|to)(?:$| (?:last|this|in|since))|\bwho bought\b", parts.phrases
        )
        if not groups and asks_who and parts.order in ("highest", "lowest") and bought:
            groups = ["company"]  # "the five we won the most dollars from"
        if not groups and asks_who and parts.order in ("highest", "lowest"):
            groups = ["company"] if "company" in parts.nouns and parts.plural_noun else ["owner"]
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
        summing = (
            {"sum", "total"} & set(parts.aggregates) or parts.sort == "amount" or parts.order_field == "amount" and "customer" in str(parts.phrases)
        )
        if metric in STATE_OF_METRIC and not STATE_OF_METRIC[metric][2] and summing and "count" not in parts.aggregates:
            metric = STATE_METRICS[STATE_OF_METRIC[metric][:2]][1] or metric
        if not metric:
            return None
        if metric == "won_value" and groups[0] in ("product", "product_family"):
            metric = "product_revenue"  # "top 3 products by revenue"
        if metric == "product_revenue" and {"quantity", "units", "pieces"} & parts.words_seen and not parts.metrics:
            metric = "units_sold"
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

    def _implied_metric(self, group: str) -> str:
        """The metric that a ranking without one means: by its states and nouns, else won value."""
        parts = self.parts
        noun = next((item for item in parts.nouns if item in ("deal", "ticket", "lead", "activity")), "")
        if parts.order_field == "duration":
            return "resolution_time" if noun == "ticket" or "resolved" in parts.states else "sales_cycle"
        state = parts.states[0] if parts.states else self._stage_state()
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
        if parts.multiplicity is not None and "slipped" in parts.states:
            return None  # "how many open deals had their close date pushed back at least once": a count of a list
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
        if metric == "customers":
            self.frame_unknown += sorted(_KINDS_OF_CUSTOMERS & parts.words_seen)  # only how many there are is known
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
        if IN_MONEY.search(parts.phrases) and "count" not in parts.aggregates and metric in STATE_OF_METRIC and not STATE_OF_METRIC[metric][2]:
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
        named = {STATE_OF_METRIC[name][1] for name in parts.metrics if name in STATE_OF_METRIC and STATE_OF_METRIC[name][0] == "deal"}
        state = next((item for item in ("open", "lost") if item in (*parts.states, *named)), "")
        if "mean" in parts.aggregates and metric in ("open_deals", "open_pipeline", "lost_deals", "lost_value"):
            metric = "average_amount"  # "the average of the open deals"
        if metric in ("average_deal_size", "average_amount") and state:
            frame = self._frame_metric("average_amount")
            frame.filters.append(Filter(field="status", values=[state]))
            frame.said.append(state)
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
        if parts.metrics == ["average_deal_size"] and "duration" in parts.aggregates and "stage" in (*parts.groups, *parts.wh_groups, *parts.fields):
            parts.metrics, parts.nouns = [], ["deal"]  # "how many days on average our deals stay in each stage"
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
        if (
            not aggregate
            and "open" in parts.states
            and not parts.nouns
            and not (parts.names or parts.order or parts.limit)
            and IN_MONEY.search(parts.phrases)
        ):
            aggregate = "sum"  # "what is open in my crew, in dollars"
        happened = {"won", "lost", "slipped", "closed"} & set(parts.states) or {self._stage_state()} - {""} and bool(parts.groups)
        listed = {"list", "which"} & set(parts.cues)
        if happened and listed and not parts.nouns and any(raw.field == "pipeline" for raw in parts.filters):
            parts.nouns.append("deal")  # "which renewals slipped": the pipeline's name stands for its deals
        several = [raw for raw in parts.filters if raw.field == "owner" and not raw.negated]
        if not aggregate and happened and len(several) > 1 and {"more", "most", "better"} & parts.words_seen and parts.nouns in ([], ["deal"]):
            parts.groups = parts.groups or ["owner"]  # "did Elif or Rafael win more?"
            aggregate = "sum"
        if (
            not aggregate
            and happened
            and not parts.nouns
            and not parts.names
            and not parts.order
            and (parts.times or parts.filters)
            and (not parts.follow_up or "what" in parts.words_seen and {"did", "have", "has"} & parts.words_seen)
            and not (parts.metrics and listed)
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
        if aggregate == "sum" and noun in ("company", "contact", "product", "user"):
            return None  # how many there are is no sum
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
