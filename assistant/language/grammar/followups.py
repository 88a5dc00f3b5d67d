"""A message that leans on the conversation before.

Three ways to lean, tried in this order:

- It *points at a record* ("her phone?", "who owns it?", "their open tickets", "that company"): the record that was
  spoken of takes the place of a name, and the message is read as if it had been said.
- It *points at the records shown* ("which of these ...", "the biggest one?", "how much is that in total?"): the
  question before becomes a list, narrowed, ordered, counted or summed.
- It *changes the question before* ("by rep?", "and last year?", "no, only open ones"): new parts take the place of
  old ones of the same sort. A question that was asked earlier can be returned to by naming it.
"""

from __future__ import annotations

import re

from assistant.language.dialogue import SETS
from assistant.language.frames import Frame
from assistant.language.grammar.merging import FORGET, FORGETTING, OVERALL
from assistant.language.grammar.returning import Returning
from assistant.language.grammar.shown import THAT_PERIOD
from assistant.language.grammar.stretching import EARLIER, LATER, listed_period
from assistant.language.planner import PAGE
from assistant.language.saying import say_conditions
from assistant.language.states import STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Metric, Unit, shape_of
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Filter

_FOR_THOSE = re.compile(
    r"^(?:and |so |ok |what about |how about |same |the same )*(?:for|of|with|on|in) (?:the |all )?(?:\w+ ){0,2}(?:deals|tickets|leads)\b"
)
_NARROWING = frozenset("only just without except exclude excluding drop remove leave take ignore keep limit restrict filter minus skip".split())
#: "The priciest of the lost ones" is one.
_ONE_OF = re.compile(r"\bthe \w+(?: one)? (?:of|among) (?:the|these|those|them|all)\b")
_ARE_THEY = re.compile(r"\b(?:are|were|is|was|do|did) (?:they|those|these)\b")
_OF_THESE = re.compile(r"\bhow many of (?:these|those|them)\b")
_OF_THE_SET = re.compile(r"\b(?:of|among) (?:these|those|them)\b|\b(?:these|those|which ones|the ones)\b")
_OF_IT = re.compile(r"\b(?:from|for|of|in|on|with) it\b")
_WAS_THAT = re.compile(r"\b(?:was|is|were|are|does|did|would) (?:that|this|it|those|these|they)\b")
#: Fields whose conditions say in which state or when, rather than of which sort: they do not carry over to another measure.
_OF_STATE = frozenset({"status", "resolved", "converted", "completed", "expected_close", "closed", "created", "occurred", "due", "slips"})


#: What stands before the step itself: "hang on, leave out ...".
_BEFORE_THE_STEP = frozenset(
    "hang on right ok okay hm hmm no sorry and but so now please well actually oh ah wait then also good great thanks alright fine yes yeah".split()
)


class FollowUps(Returning):
    """What the message changes in the questions before."""

    def _leading(self) -> str:
        """The first word of the step, whatever is said to gain time."""
        return next((word for word in self.parts.phrases.split() if word not in _BEFORE_THE_STEP), "")

    def _regrouped(self, base: Frame) -> bool:
        """Whether "the two best" are groups of the split figure before, not records behind it."""
        parts = self.parts
        of_records = (
            parts.order_field == "amount" and base.intent == "metric" and (METRICS[base.metric].unit is Unit.count or bool(parts.states))
        )  # "the biggest one", of a count
        split = base.intent == "metric" and bool(base.group_by) and bool(parts.order or parts.limit)
        return split and not of_records and not (parts.nouns or parts.aggregates)

    def _of_the_shown(self) -> Frame | None:
        """ "Which of these have no next step?", "the biggest one?", "how much is that in total?", "how many of those are urgent?"."""
        parts = self.parts
        if parts.why and "lost" in parts.states and not parts.cues:
            return None  # "why did I lose the ones I lost in March?": the reasons
        if self.pointed and not _OF_THE_SET.search(parts.phrases):
            return None  # "when did we last talk to them": those spoken of, not the rows
        known = all(name in STATE_OF_METRIC or name == "average_amount" for name in parts.metrics)
        if not self.dialogue.frames or not known or not self._points_at_set():
            return None
        self._described_by_customers()
        noun = self._noun()
        last = self.dialogue.previous
        asks_of_one = _WAS_THAT.search(parts.phrases) is not None and last is not None and last.intent == "list" and last.total == 1
        base = self.dialogue.latest(lambda frame: (_is_plural(frame) or asks_of_one and frame is last) and (not noun or frame.noun == noun))
        if base is None or parts.compare:
            return None
        measured = self._asked_measure((METRICS[base.metric].rows if base.intent == "metric" else base.noun,), base.measure)
        if measured is not None:
            counted = self._as_metric(base) if base.intent == "list" else self.counting(base)
            merged = self._merged(counted.model_copy(update={"limit": None, "order": None})) if counted is not None else None
            if merged is not None and merged.intent == "metric":
                merged.measure = measured[1]  # "total headcount on those?"
            return merged
        if parts.groups:
            counted = self._as_metric(base) if base.intent == "list" else None
            return self._merged(counted) if counted is not None and not parts.metrics else None  # "count them by owner"
        if "who" in parts.cues and {"count", "sum"} & set(parts.aggregates) and not (parts.names or parts.order):
            counted = self._as_metric(base) if base.intent == "list" else base.model_copy(deep=True, update={"salient": [], "shown": []})
            if counted is not None:
                counted.group_by, counted.limit, counted.order = ["owner"], None, None  # "who had how many of them?", "who owns them, in value"
                parts.cues, parts.aggregates, parts.nouns = [], [], []
                return self._merged(counted) if parts.filters or parts.times else counted
        if parts.wh_groups and parts.order or self._regrouped(base):
            return self._merged(base)
        if (asked := self._asked_of_each(base)) and (counted := self._as_metric(base) if base.intent == "list" else base) is not None:
            parts.wh_groups, parts.fields = asked, [name for name in parts.fields if name not in asked]
            return self._merged(counted)  # "which industries are they in?"
        bare = not ({"list", "which"} & set(parts.cues) or parts.aggregates or parts.nouns or parts.order or parts.fields)
        narrowing = "of that" in parts.phrases or base.group_by and parts.first_words[:1] in (["only"], ["just"], ["without"], ["except"])
        of_these = not parts.nouns or parts.nouns == [base.noun] and self._leading() in _NARROWING
        denials = bool(parts.filters) and all(raw.negated for raw in parts.filters) and not {"list", "which"} & set(parts.cues) and bool(of_these)
        stated = bool(parts.states or parts.negated_states) and bare and not (parts.filters or parts.names or parts.times)
        if stated and parts.states:
            parts.negated_states = []
        if base.intent == "metric" and base.group_by and (denials and not parts.aggregates or stated):
            return self._merged(base)  # "leave out the ones where the site closed", "the lost ones, not won", of a split figure
        rate = base.intent == "metric" and METRICS[base.metric].unit not in (Unit.count, Unit.money)
        if rate and bare and (parts.times or parts.filters) and not parts.states:
            return self._merged(base)  # "I wanted this year for those", of a win rate
        counted_again = base.intent == "metric" and bool(base.group_by) and METRICS[base.metric].unit is Unit.count and parts.aggregates == ["count"]
        plain = not ({"list", "which"} & set(parts.cues) or parts.nouns or parts.order or parts.fields or parts.states)
        if counted_again and plain and parts.filters and {"only", "just"} & parts.words_seen:
            parts.aggregates.clear()
            return self._merged(base)  # "count only those that were urgent", of counts by month
        if base.intent == "metric" and base.group_by and "each" in parts.words_seen and not parts.names:
            return self._merged(base)  # "how many deals is that for each?"
        if base.intent == "metric" and bare and (parts.times or parts.filters) and narrowing:
            return self._merged(base)  # "only Q4 of that"
        share = "of that" in parts.phrases and parts.aggregates == ["sum"] or _OF_THESE.search(parts.phrases) and parts.aggregates == ["count"]
        if (
            base.intent == "metric"
            and share
            and parts.filters
            and not (parts.nouns or parts.order or parts.fields or parts.states)
            and not base.group_by
        ):
            sums = METRICS[base.metric].unit is Unit.money
            if sums == (parts.aggregates == ["sum"]):
                parts.aggregates.clear()
                return self._merged(base)  # "how much of that is in EMEA?"
        if (
            ("mean" in parts.aggregates or "average_amount" in parts.metrics)
            and base.noun == "deal"
            and (averaged := self.as_list(base)) is not None
            and not averaged.metric
        ):
            return Frame(
                intent="metric", noun="deal", metric="average_amount", filters=averaged.filters, said=averaged.said, entities=averaged.entities
            )
        if (
            "weighted" in parts.aggregates
            and base.noun == "deal"
            and (weighted := self._as_metric(base) if base.intent == "list" else None) is not None
        ):
            weighted.metric = "weighted_pipeline"  # "what is the weighted value of these?"
            return self._merged(weighted)
        frame = self.as_list(base)
        if frame is None:
            return None
        frame.columns, frame.order_by, frame.descending, frame.limit = (
            [],
            base.order_by,
            base.descending,
            base.limit if base.intent == "list" else None,
        )
        shape = shape_for(self.ctx, frame.noun)
        self._one_of_two(frame)
        self._forget(frame)
        if {"now", "today", "currently"} & parts.words_seen:
            frame.as_of = None  # "and how many are open there now?", after a look back
        self._narrow_frame(frame, shape)
        if parts.order or parts.sort:
            self._list_order(frame, shape)
            self._sort(frame, shape)
            plural = {"ones", "deals", "tickets", "leads", "contacts", "companies"} & parts.words_seen and not _ONE_OF.search(parts.phrases)
            single = "which" in parts.cues and "is" in parts.words_seen and "are" not in parts.words_seen
            frame.limit = parts.limit or (None if plural and not single or parts.sort or parts.sorting else 1)
        elif parts.limit:
            frame.limit = parts.limit
        self._shift_listed(frame, shape)
        if facts := self._facts_of_rows(shape):
            frame.columns = list(dict.fromkeys([*shape.columns[:1], *facts]))
        if parts.aggregates == ["sum"] and parts.order in ("highest", "lowest"):
            frame.count_only, frame.detail = False, ""  # "the three with the highest amount"
        elif "sum" in parts.aggregates or "total" in parts.aggregates and frame.noun == "deal":
            frame.count_only, frame.detail = True, "sum" if frame.noun == "deal" else ""
        elif {"count", "total"} & set(parts.aggregates):
            frame.count_only, frame.detail = True, ""
        else:
            frame.count_only, frame.detail = False, ""
        return frame

    def _described_by_customers(self) -> None:
        """ "Which of these came from customers in the South?", of tickets: the customers say which tickets."""
        parts, base = self.parts, self.dialogue.previous
        if base is None or base.intent not in ("metric", "list") or not _OF_THE_SET.search(parts.phrases):
            return
        noun = METRICS[base.metric].rows if base.intent == "metric" else base.noun
        described = (parts.customer or parts.nouns == ["company"]) and set(parts.nouns) <= {"company"} and set(parts.metrics) <= {"customers"}
        if described and noun in ("deal", "ticket", "activity", "lead", "contact") and (parts.filters or parts.names) and not parts.relations:
            parts.customer, parts.metrics = False, []
            parts.nouns = [name for name in parts.nouns if name != "company"]

    def _asked_of_each(self, base: Frame) -> list[str]:
        """The one field that "which industries are they in" asks of records, to split them by it."""
        parts = self.parts
        of_those = {"those", "these", "they", "them"} & parts.words_seen
        if (
            parts.aggregates
            or parts.order
            or parts.filters
            and not of_those
            or parts.states
            or parts.times
            or parts.names
            or parts.nouns
            or parts.groups
        ):
            return []
        shape = shape_for(self.ctx, base.noun) if base.intent == "list" else shape_for(self.ctx, shape_of(base.metric))
        asked = [name for name in dict.fromkeys([*parts.wh_groups, *parts.fields]) if name in shape.fields and shape.fields[name].groupable]
        return (
            asked
            if len(asked) == 1
            and (of_those and parts.wh_groups or parts.first_words[:1] in (["which"], ["what"], ["in"], ["from"], ["and"], ["at"]))
            and _ARE_THEY.search(parts.phrases)
            else []
        )

    def _changed(self) -> Frame | None:
        """A question of its own that goes on with the one before: "and how long is our sales cycle, same year", "now the won value"."""
        parts, base = self.parts, self.dialogue.previous
        if base is None or base.intent not in ("metric", "list") or base.pending is not None or not (parts.metrics or parts.aggregates):
            return None
        aside = re.search(
            r"\b(?:in between|quick (?:other )?question|other question|by the way|different question|another question)\b", parts.phrases
        )
        of_a_group = self.pointed and bool(base.groups)
        if aside or parts.unknown_capital or self.pointed and not of_a_group:
            return None
        if base.intent == "list" and parts.words <= 8 and not (parts.times or parts.filters or parts.names):
            if self._names_records_of(base) and (counted := self.as_list(base)) is not None:
                counted.count_only = True  # "the number of deals, please"
                return counted
            if "weighted" in parts.aggregates and base.noun == "deal" and (weighted := self._as_metric(base)) is not None:
                weighted.metric = "weighted_pipeline"
                return self._merged(weighted)
        fresh = self._ranking() or self._metric() or self._counted()
        if fresh is None or fresh.intent != "metric" or fresh.pending is not None or self.frame_unknown:
            return None
        if base.intent == "list":
            base = self.dialogue.latest(lambda frame: frame.intent == "metric" and frame.noun == fresh.noun) or base
        instead = bool(re.search(r"\b(?:instead|rather|same for|same with|same but|in terms of)\b|^as\b|^in\b", parts.phrases))
        theirs = "their" in parts.words_seen and base.intent == "metric" and base.group_by and not (parts.nouns or parts.filters)
        if theirs and not (parts.groups or parts.wh_groups):
            fresh.group_by, parts.follow_up = list(base.group_by), True  # "and what were their targets?"
        if instead and base.intent == "metric" and not (parts.groups or parts.wh_groups):
            fresh.group_by = fresh.group_by or list(base.group_by)
            fresh.metric = "product_revenue" if fresh.metric == "won_value" and {"product", "product_family"} & set(fresh.group_by) else fresh.metric
            parts.follow_up = True
        bare = not (parts.groups or parts.wh_groups or parts.times or parts.filters or parts.names or parts.aggregates)
        if parts.follow_up and bare and parts.words <= 6 and base.intent == "metric":
            fresh.group_by = fresh.group_by or [
                name for name in base.group_by if name != "loss_reason" or fresh.metric.startswith("lost")
            ]  # "and unweighted?"
            fresh.period = fresh.period or base.period
        said = any(when.end > when.first for when, _cue in parts.times)
        told = bool(parts.filters or parts.names or parts.me) and bool(parts.states or parts.metrics or parts.nouns)
        whole = said and told and "who" not in parts.cues  # "ok back to Leeds, what was the won total last year": all is said anew
        terse = bare and parts.words <= 3  # "units?"
        opened = (
            parts.follow_up and not whole or terse or bool({"same", "also", "too", "instead", "those", "them", "these", "both"} & parts.words_seen)
        )
        opened = opened or _OF_IT.search(parts.phrases) is not None  # "how many deals did we win from it"
        declared = METRICS[fresh.metric]
        happened = isinstance(declared, Metric) and declared.when not in (None, "expected_close")
        happened = happened or fresh.metric in ("quota_attainment", "target", "slipped_value", "slipped_deals")
        same = re.search(r"\bsame (?:time|period|quarter|month|year|week|days|range|timeframe|window)\b", parts.phrases)
        happened = happened or same is not None
        if fresh.period is None and not parts.times and base.period is not None and base.intent == "metric" and happened:
            before = METRICS[base.metric]
            if not (isinstance(before, Metric) and before.when == "expected_close"):
                fresh.period = self._earlier(base.period) or base.period  # "in the quarter after that"
        listed = listed_period(base, shape_for(self.ctx, base.noun)) if base.noun == fresh.noun and base.period is None else None
        if listed is not None and fresh.period is None and not parts.times and happened and parts.follow_up and listed[0] in ("closed", "created"):
            fresh.period = listed[1]  # "so what is my win rate?", after what was lost this year
        if not of_a_group and (opened or fresh.metric == base.metric and not parts.groups):
            self._carry(fresh, base)
        return fresh

    def _carry(self, fresh: Frame, base: Frame) -> None:
        """Keep what narrowed the question before, where the new one does not say otherwise."""
        shape = shape_for(self.ctx, shape_of(fresh.metric))
        told = {item.field for item in fresh.filters if isinstance(item, Filter)}
        told |= {"owner", "team"} if {"owner", "team"} & told else set()
        places = {"company", "contact"} & told
        carried = False
        for item in base.filters:
            across = (
                fresh.noun == base.noun or isinstance(item, Filter) and item.field in ("owner", "team", "company", "region", "industry", "country")
            )
            if (
                isinstance(item, Filter)
                and across
                and item.field in shape.fields
                and (item.field != "loss_reason" or fresh.metric.startswith("lost"))
                and item.field not in told | _OF_STATE | set(self.parts.released)
                and not (places and item.field in ("company", "contact"))
            ):
                fresh.filters.append(item)
                carried = True
        fresh.said = say_conditions(self.ctx, shape, fresh.filters) if carried else fresh.said
        several = [item.field for item in fresh.filters if isinstance(item, Filter) and item.op == "is" and len(item.values) > 1]
        if not fresh.group_by and several and {"side", "each", "two", "both", "separately"} & self.parts.words_seen:
            fresh.group_by = several[:1]  # "win rate for those two, side by side"
        if not fresh.group_by and "same" in self.parts.words_seen and base.group_by:
            fresh.group_by = list(base.group_by)

    def _fragment(self) -> Frame | None:
        """ "And in EMEA?", "by rep?", "what about last year?", "only open ones": leans on the question before."""
        parts, previous = self.parts, self.dialogue.previous
        if previous is None or parts.unknown_capital:
            return None
        if previous.intent in ("record", "history") and parts.filters and not (self._asked() or parts.names or self.pointed):
            previous = self.dialogue.question() or previous  # "now Proposal instead", after a deal of the list was looked at
        something = (
            parts.groups
            or parts.times
            or parts.filters
            or parts.names
            or parts.states
            or parts.negated_states
            or parts.order
            or parts.compare
            or parts.me
            or parts.limit
            or parts.sort
            or OVERALL.search(parts.phrases)
            or previous.metric == "target"
            and ({"percent", "percentage"} & parts.words_seen or "how far" in parts.phrases)
            or parts.why
            and previous.metric.startswith("lost")
            or parts.my_team
            or parts.wh_groups
            or parts.fields
            or parts.kinds
            or parts.relations
            or parts.multiplicity
            or parts.untouched
            or parts.untouched_days
            or self._swaps_measure(previous)
            or self._asked()
            or {"latter", "former"} & parts.words_seen
            or LATER.search(self._plain_phrases())
            or THAT_PERIOD.search(parts.phrases)
            or EARLIER.search(self._plain_phrases())
        )
        if not something:
            return None
        return self._merged(previous)

    def _small_change(self) -> bool:
        """Whether the message only changes the question before: an opener, a bare condition, no question of its own."""
        parts, previous = self.parts, self.dialogue.previous
        if previous is None or previous.intent not in SETS or previous.pending is not None:
            return False
        if parts.why and "lost" in parts.states and not previous.metric.startswith("lost"):
            return False  # "why did I lose the ones I lost in March?": a question of its own
        asks = "what" in parts.words_seen and {"did", "have", "has"} & parts.words_seen and {"won", "lost", "closed"} & set(parts.states)
        if (parts.me or asks) and parts.times and parts.states and "what" in parts.words_seen and not {"same", "only", "just"} & parts.words_seen:
            return False  # "and what have I closed so far this year?": whole in itself
        told = bool(parts.names and parts.names[0].noun == "company" or {"stuff", "everything", "anything"} & parts.words_seen and parts.filters)
        if told and {"open", "won", "lost"} & set(parts.states) and parts.first_words[:1] in (["what"], ["is"], ["do"]) and not parts.metrics:
            return False  # "what have we got open with Pearl Retail right now?": a question of its own
        if parts.write_verb and not (parts.write_verb == "make" and parts.first_words[1:2] in (["it"], ["that"], ["this"])):
            return False
        held = {item.field for item in previous.filters if isinstance(item, Filter)}
        if (
            FORGET.search(parts.phrases)
            and (parts.words <= 5 or any(raw.op == "empty" and raw.field in held for raw in parts.filters))
            and not {"without", "no", "empty", "missing"} & parts.words_seen
        ):
            emptied = [raw for raw in parts.filters if raw.op == "empty"]  # "drop the stage" reads as "without stage"
            parts.filters = [raw for raw in parts.filters if raw.op != "empty"]
            parts.fields += [raw.field for raw in emptied if raw.field not in parts.fields]
            parts.unknown = [word for word in parts.unknown if word.lower() not in FORGETTING]  # "forget the region"
            self.frame_unknown = list(parts.unknown)
        if (
            "share" in parts.aggregates
            and (previous.part or previous.intent == "metric" and METRICS[previous.metric].unit is Unit.percent)
            and not parts.metrics
        ):
            parts.aggregates.remove("share")  # "was that share the same in August?"
            if parts.times or parts.filters:
                parts.nouns = [noun for noun in parts.nouns if noun != previous.noun]
                return not parts.nouns
        counts = previous.intent == "list" or METRICS[previous.metric].unit is Unit.count if previous.metric or previous.intent == "list" else False
        if (
            counts
            and parts.aggregates == ["count"]
            and (self._leading() in _NARROWING or self._leading() == "count" and {"only", "just"} & parts.words_seen)
        ):
            parts.aggregates.clear()  # "leave out X, just count Y", of a count
        swapped = self._swaps_measure(previous)
        if parts.names and self._asked() and previous.intent != "record":
            return False
        shares = "who" in parts.cues and bool({"sum", "count"} & set(parts.aggregates)) and previous.intent == "metric" and not parts.names
        if shares:
            parts.groups.append("owner")  # "who contributed how much?"
            parts.cues = [cue for cue in parts.cues if cue != "who"]
            parts.aggregates.clear()
        if swapped and parts.words <= 8 and _WAS_THAT.search(parts.phrases):
            return True  # "how many deals was that?"
        if parts.metrics and not parts.aggregates and _FOR_THOSE.search(parts.phrases) and previous.metric and previous.metric not in STATE_OF_METRIC:
            if all(name in STATE_OF_METRIC and STATE_OF_METRIC[name][0] == previous.noun for name in parts.metrics):
                parts.metrics, parts.nouns, parts.states = [], [], []  # "and for deals won in 2025?", of a sales cycle
        if (
            (parts.customer or "customers" in parts.metrics)
            and previous.noun not in ("company", "contact")
            and (parts.filters or parts.names)
            and parts.first_words[:1] in (["only"], ["just"])
        ):
            parts.customer = False  # "only customers in EMEA", of deals or tickets
            parts.nouns = [noun for noun in parts.nouns if noun != "company"]
            parts.metrics = [name for name in parts.metrics if name != "customers"]
            return True
        if not swapped and (parts.metrics or parts.aggregates) or {"who", "who_is", "about", "said", "topic"} & set(parts.cues):
            return False
        if {"which", "list"} & set(parts.cues) and (parts.nouns and parts.names or "list" in parts.cues and parts.times and parts.filters):
            return False
        if parts.kinds and parts.nouns == ["activity"] and previous.noun == "activity":
            parts.nouns.clear()  # "calls?" after meetings
        described = parts.nouns == ["company"] and previous.intent == "metric" and previous.noun != "company" and (parts.filters or parts.names)
        if described and not {"which", "list"} & set(parts.cues):
            parts.nouns.clear()  # "only companies from Automotive", of a figure about deals
            parts.metrics = [name for name in parts.metrics if name != "companies"]
        own = [
            noun for noun in parts.nouns if noun not in (previous.noun, "line_item") and {"user": "owner"}.get(noun, noun) not in previous.group_by
        ]
        if own or parts.record_numbers or parts.unknown:
            return False
        if self._leading() in _NARROWING and parts.words <= 14:
            return True  # "take out the deals whose source is Dealer"
        narrowed = {item.field for item in previous.filters if isinstance(item, Filter)} | set(previous.group_by)
        if "all" in parts.words_seen and parts.nouns == ["product"] and "product" in narrowed and previous.intent == "metric":
            parts.groups, parts.nouns, parts.cues = ["product"], [], []
            return True  # "show all products", after the figure of one
        if not parts.nouns or parts.nouns[0] in previous.group_by:
            return parts.words <= 12 and ("which" not in parts.cues or bool(parts.follow_up))
        return parts.follow_up and parts.words <= 12

    def _changed_a_little(self) -> Frame | None:
        """ "Only the EMEA team, please", "and lost ones?", "top 3 only": tried before the message is read alone."""
        if self.pointed or not self._small_change():
            return None
        return self._fragment()

    def _paged(self, frame: Frame) -> Frame:
        """ "Show me them", "next page": the list that is meant, in full or further on."""
        base = self.dialogue.question()
        if base is None:
            return frame
        if frame.intent == "rows":
            shown = self.as_list(base) if base.intent != "interactions" else None
            return frame if shown is None else shown.model_copy(update={"limit": base.limit if base.intent == "list" and base.limit else 25})
        if base.intent != "list":
            return frame
        return base.model_copy(deep=True, update={"offset": base.offset + (base.limit or PAGE), "salient": []})


def _is_plural(frame: Frame) -> bool:
    """Whether a question was about several records."""
    single = frame.limit == 1 and not (frame.intent == "metric" and frame.groups)
    return frame.intent in ("list", "metric") and frame.pending is None and not single and (frame.total or 2) > 1
