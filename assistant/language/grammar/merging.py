"""The question before with new parts in the place of old ones of the same sort."""

from __future__ import annotations

import re

from assistant.language.dialogue import SETS
from assistant.language.frames import Frame
from assistant.language.grammar.pieces import as_days
from assistant.language.grammar.shares import IN_MONEY
from assistant.language.grammar.stretching import Stretching, time_of
from assistant.language.lexicon import CURRENCY_WORDS, lexicon_for
from assistant.language.parts import Parts
from assistant.language.parts.model import RawFilter
from assistant.language.saying import say_conditions
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Metric, shape_of
from crm_core.metrics.fields import Kind, Shape, shape_for
from crm_core.metrics.filters import Condition, Filter
from crm_core.periods import Grain, whole
from crm_core.text import fold

SET_WORDS = frozenset("these those them ones".split())
#: "How about overall again?", "for everybody": no condition of the question before stays but its state and time.
OVERALL = re.compile(
    r"\b(?:overall|in general|across the board|without (?:any )?filters?|no filters?|for everyone|for everybody|for all of us|company ?wide)\b"
)
#: "Without any breakdown", "not split": the figure as a whole.
_UNSPLIT = re.compile(
    r"\b(?:without (?:any |the |a )?(?:breakdown|split|grouping)|no (?:breakdown|split|grouping)|not split|unsplit|all together|altogether|in one (?:figure|number))\b"
)
#: Fields of which one is a part of the other.
_FAMILIES = (frozenset({"product", "product_family"}), frozenset({"city", "region", "country"}), frozenset({"owner", "team"}))
_STATE_FIELDS = frozenset({"status", "resolved", "converted", "completed", "kind"})
#: "Is that better than last quarter?".
_THAN = re.compile(
    r"\b(?:better|worse|higher|lower|more|less|fewer|faster|slower|longer|shorter|bigger|smaller) than\b|\b(?:up|down) (?:from|on|against)\b"
)
#: "Any number of seats", "regardless of the region".
_ANY_OF = re.compile(
    r"\b(?:any number of|any \w+|regardless of(?: the| their)? \w+|no matter (?:which|what|the) \w+|whatever(?: the| their)? \w+|across all \w+)\b"
)
_BACK_IN = re.compile(r"^plus\b|\b(?:back in|in again|included|included again|including|add back|as well again)\b")
FORGET = re.compile(r"\b(?:forget|drop|remove|ignore|lift|clear|undo|take (?:away|off|out)|without the \w+ filter)\b")
FORGETTING = frozenset("forget drop remove ignore lift clear undo".split())
#: Means and medians of the same thing.
_AVERAGES = {
    "sales_cycle": {"mean": "sales_cycle", "median": "median_sales_cycle"},
    "median_sales_cycle": {"mean": "sales_cycle", "median": "median_sales_cycle"},
}


class Merging(Stretching):
    """What the message puts in the place of which part of a question before."""

    def _sort(self, frame: Frame, shape: Shape) -> None:
        if self.parts.sort and self.parts.sort not in shape.fields:
            self.frame_unknown.append(f"ordered by {self.parts.sort.replace('_', ' ')}")
        if self.parts.sort in shape.fields:
            frame.order_by = self.parts.sort
            frame.descending = shape.fields[frame.order_by].kind in (Kind.money, Kind.number) and "ascending" not in self.parts.words_seen

    def _merged(self, previous: Frame) -> Frame | None:
        """The previous question with the new parts in place of the old ones of the same sort."""
        parts = self.parts
        frame = previous.model_copy(
            deep=True,
            update={"pending": None, "offset": 0, "salient": [], "offered": [], "total": None, "columns": [], "count_only": False, "detail": ""},
        )
        if previous.intent == "record":
            if parts.names and not (parts.groups or parts.times):
                fresh = Frame(intent="record", asked_fields=self._asked() or previous.asked_fields)
                self._subject(fresh)
                return fresh
            if self._asked() and previous.entity:
                return Frame(intent="record", entity=previous.entity, asked_fields=self._asked())
            return None
        if previous.intent == "movement":
            return self._moved_again(frame)
        if previous.intent not in SETS:
            return None
        self._prefer_fields_of(previous)
        said = {raw.field for raw in parts.filters if not raw.negated}
        parts.filters = [raw for raw in parts.filters if not (raw.negated and raw.field in said)]  # "APAC, not EMEA"
        self._one_of_two(frame)
        self._keep_bound(previous)
        self._forget(frame)
        self._swap_field(frame)
        if parts.adding and (parts.filters or parts.times or parts.states):
            added_to = shape_for(self.ctx, shape_of(frame.metric) if frame.intent == "metric" else frame.noun or "activity")
            if self._add_to(frame, added_to):
                frame.count_only, frame.detail = previous.count_only, previous.detail
                return frame
        if previous.intent == "metric" and "list" in parts.cues and (parts.nouns or parts.plural_noun or parts.possessed) and not parts.groups:
            behind = self.as_list(previous)
            if behind is not None and parts.nouns in ([], [behind.noun]):
                return self._merged(behind)
        if previous.intent == "metric" and parts.order in ("soonest", "oldest", "newest") and not (parts.groups or parts.wh_groups or parts.metrics):
            behind = self.as_list(previous.model_copy(update={"limit": None}))
            if behind is not None and not behind.metric:
                return self._merged(behind)  # "due soonest", of a figure by owner
        if previous.intent == "list" and (parts.groups or parts.wh_groups and not parts.order):
            counted = self._as_metric(previous)
            return self._merged(counted) if counted is not None else None
        if previous.intent == "metric":
            self._merge_metric(frame, previous)
            shape = shape_for(self.ctx, shape_of(frame.metric))
        else:
            shape = shape_for(self.ctx, "activity" if previous.intent == "interactions" else previous.noun)
            if (parts.order or parts.sort) and previous.intent == "list":
                self._list_order(frame, shape)
                self._sort(frame, shape)
            if parts.limit:
                frame.limit = parts.limit
            elif parts.order and previous.intent == "list":
                frame.limit = 1 if not parts.sort and "first" not in parts.words_seen else frame.limit
            if parts.topic and previous.intent == "interactions":
                frame.topic = self._topic()
        fresh = Frame(intent=frame.intent, noun=frame.noun, metric=frame.metric)
        self._conditions(fresh, shape, metric=previous.intent == "metric")
        if parts.kinds and shape.name == "activity" and "kind" not in frame.group_by:
            fresh.filters.append(Filter(field="kind", values=list(parts.kinds)))
            fresh.said.append(" or ".join(parts.kinds))
        if previous.intent == "list" and self._facts_of_rows(shape) and not frame.order_by == self.parts.sort != "":
            frame.columns = list(dict.fromkeys([shape.columns[0], *self._facts_of_rows(shape)]))
        if (
            previous.intent == "list"
            and parts.multiplicity is not None
            and any(isinstance(item, Filter) and item.field == "slips" for item in previous.filters)
        ):
            op, count = parts.multiplicity  # "twice or more?", of deals that slipped
            fresh.filters.append(Filter.model_validate({"field": "slips", "op": op, "values": [count]}))
            fresh.said += say_conditions(self.ctx, shape, fresh.filters[-1:])
        if previous.intent == "list":
            self.time_hint = time_of(previous, shape)
            self._state_filters(fresh, shape)
            if frame.metric and parts.times:
                frame.period = self._days(planned=False)  # deals that slipped in another month
            else:
                fresh.filters += self._period_filters(shape)
                fresh.said += self._said_times(shape)
        elif previous.intent == "interactions" and parts.times:
            frame.period = self._days(planned=False)
        told = any(
            when.end > when.first and 1 < when.period.days < 360 for when, _cue in parts.times
        )  # "the same quarter a year ago, July to September 2025"
        if "overdue" in parts.states and previous.intent == "metric" and frame.metric == "open_tasks":
            fresh.filters.append(Filter(field="due", op="less_than", values=[self.ctx.today.isoformat()]))
            fresh.said.append("overdue")
        earlier = None if told else self._year_before(previous.period) or self._earlier(previous.period)
        if earlier is not None and {"compare", "compared", "vs", "versus", "against"} & parts.words_seen and previous.intent == "metric":
            frame.compare = "year_before" if "year" in parts.words_seen else "previous"
            self.frame_unknown = []
        elif earlier is not None:
            frame.period, frame.compare = earlier, None
            self.frame_unknown = []
        self._replace_filters(frame, fresh)
        if previous.intent == "list" and earlier is None:
            self._shift_listed(frame, shape)
        if {"whole", "everyone", "everybody", "everyones", "all"} & parts.words_seen and {
            "team",
            "company",
            "reps",
            "everyone",
            "everybody",
        } & parts.words_seen:
            self._keep_only(frame, [item for item in frame.filters if not (isinstance(item, Filter) and item.field == "owner")])
        frame.pending = fresh.pending
        frame.entities += fresh.entities
        return frame

    def _name_currency(self) -> None:
        """ "Euro ones now", after a list of deals: those that were agreed in that currency."""
        parts, previous = self.parts, self.dialogue.previous
        named = [word for word in parts.unknown if word.lower() in CURRENCY_WORDS]
        if previous is None or previous.intent != "list" or "currency" not in shape_for(self.ctx, previous.noun).fields or len(named) != 1:
            return
        code = CURRENCY_WORDS[named[0].lower()]
        parts.filters.append(RawFilter("currency", "is", [code], code))
        parts.unknown.remove(named[0])
        self.frame_unknown = [word for word in self.frame_unknown if word != named[0]]

    def _replace_filters(self, frame: Frame, fresh: Frame) -> None:
        """New conditions replace old ones on the same field; company and contact and owner each stand for themselves."""
        shared = {item.field for item in frame.part if isinstance(item, Filter)}
        if shared and any(isinstance(item, Filter) and item.field in shared for item in fresh.filters):  # "and Dairies?", of a share
            told = [item for item in fresh.filters if isinstance(item, Filter) and item.field in shared]
            replaced = {item.field for item in told}
            frame.part = [*(item for item in frame.part if not (isinstance(item, Filter) and item.field in replaced)), *told]
            shape = shape_for(self.ctx, shape_of(frame.metric) if frame.metric else frame.noun)
            frame.said_part = say_conditions(self.ctx, shape, frame.part)
            fresh.filters = [item for item in fresh.filters if item not in told]
            fresh.said = say_conditions(self.ctx, shape, fresh.filters)
        for item in list(fresh.filters):  # "drop ambient", of frozen, chilled and ambient: the others stay
            held = next((old for old in frame.filters if isinstance(old, Filter) and isinstance(item, Filter) and old.field == item.field), None)
            if held is None or not isinstance(item, Filter) or (held.op, item.op) != ("is", "is_not"):
                continue
            left = [value for value in held.values if value not in item.values]
            if left and len(left) < len(held.values):
                self._keep_only(frame, [old.model_copy(update={"values": left}) if old is held else old for old in frame.filters])
                fresh.filters.remove(item)
                fresh.said = say_conditions(
                    self.ctx, shape_for(self.ctx, shape_of(frame.metric) if frame.metric else frame.noun or "activity"), fresh.filters
                )
        new = {item.field for item in fresh.filters if isinstance(item, Filter)}
        denied = {item.field for item in fresh.filters if isinstance(item, Filter) and item.op == "is_not"}
        if "team" in new - denied:
            new.add("owner")
        if "owner" in new - denied:
            new.add("team")
        if "stage" in new - denied:
            new.add("status")  # a stage says whether a deal is open, won or lost
        beside = [item for item in fresh.filters if isinstance(item, Filter) and item.op == "is_not"]

        def stays(item: Condition) -> bool:
            """Whether a new denial only narrows an old condition: "in Bid", and then "not those in Nord" or "not Scoping"."""
            denied = [other for other in beside if isinstance(item, Filter) and other.field == item.field]
            return bool(denied) and isinstance(item, Filter) and item.op == "is" and not any(set(other.values) & set(item.values) for other in denied)

        reopened = any(isinstance(item, Filter) and item.field == "status" and item.values == ["open"] for item in fresh.filters)
        if reopened:
            new.add("closed")  # what is open has not been closed in any period
        kept = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in new) or stays(item)]
        if kept != frame.filters:
            self._keep_only(frame, kept)
        frame.said = [*frame.said, *(word for word in fresh.said if word not in frame.said)]
        frame.filters = [*kept, *[item for item in fresh.filters if item not in kept]]

    def _in_money(self) -> bool:
        """ "In euros", "in value": the sum is wanted."""
        return bool({"sum", "total"} & set(self.parts.aggregates)) or IN_MONEY.search(self.parts.phrases) is not None

    def _swaps_measure(self, previous: Frame) -> bool:
        """ "And in value?", "the number, please", "the median?": counting instead of summing, or the other way round."""
        if previous.intent == "metric" and {"mean", "median"} & set(self.parts.aggregates) and previous.metric in _AVERAGES:
            return True
        if "weighted" in self.parts.aggregates and previous.intent == "metric" and previous.metric in ("open_pipeline", "open_deals"):
            return True
        known = STATE_OF_METRIC.get(previous.metric) if previous.intent == "metric" else None
        if known is None or not STATE_METRICS[known[:2]][1] or SET_WORDS & self.parts.words_seen or self.parts.names:
            return False
        counts = "count" in self.parts.aggregates or self._names_records_of(previous)
        return known[2] if counts else not known[2] and self._in_money() and (bool(previous.group_by) or "sum" not in self.parts.aggregates)

    def _names_records_of(self, previous: Frame) -> bool:
        """ "The number of deals": the plain count of the kind of records that the question before was about."""
        return self.parts.metrics == [{"deal": "deals", "ticket": "tickets_opened", "lead": "leads"}.get(previous.noun, "")]

    def _prefer_fields_of(self, previous: Frame) -> None:
        """A word for two things ("North" the team, "North" the region) means what the question before was narrowed by."""
        used = {item.field for item in previous.filters if isinstance(item, Filter)} | set(previous.group_by)
        people = {"folks", "guys", "people", "reps", "sellers", "crowd", "colleagues", "everyone", "everybody"} & self.parts.words_seen
        for raw in self.parts.filters:
            for name, value in raw.alternatives:
                if name in used and raw.field not in used or people and name == "team" and raw.field == "region":
                    raw.field, raw.noun = name, ""
                    raw.values = list(value) if isinstance(value, tuple) else [value]

    def _forget(self, frame: Frame) -> None:
        """ "All industries again", "forget the region": a field's conditions, or the split by it, are taken back."""
        if OVERALL.search(self.parts.phrases) and not (self.parts.filters or self.parts.names or self.parts.fields):
            shape = shape_for(self.ctx, shape_of(frame.metric) if frame.intent == "metric" else frame.noun)
            kept: list[Condition] = [
                item for item in frame.filters if isinstance(item, Filter) and (item.field in _STATE_FIELDS or shape.fields[item.field].is_time)
            ]
            if len(kept) == len(frame.filters):
                frame.group_by, frame.order, frame.limit = [], None, None
            self._keep_only(frame, kept)
        if _UNSPLIT.search(self.parts.phrases) and frame.intent == "metric":
            frame.group_by, frame.order, frame.limit = [], None, None
        if "all" in self.parts.words_seen and {"together", "combined", "altogether", "overall"} & self.parts.words_seen:
            whole = [name for name in self.parts.groups if any(isinstance(item, Filter) and item.field == name for item in frame.filters)]
            self._keep_only(frame, [item for item in frame.filters if not (isinstance(item, Filter) and item.field in whole)])
            self.parts.groups = [name for name in self.parts.groups if name not in whole]  # "now for all teams together"
        if _BACK_IN.search(self.parts.phrases):
            left_out = {
                value for item in frame.filters if isinstance(item, Filter) and item.op == "is_not" and item.field == "owner" for value in item.values
            }
            for place, colleagues in reversed(list(enumerate(self.parts.colleagues))):
                if place < len(self.parts.names) and any(key in left_out for key, _label in colleagues):  # "put Dana's back in"
                    self._keep_only(frame, [item for item in frame.filters if not (isinstance(item, Filter) and item.field == "owner")])
                    del self.parts.names[place], self.parts.colleagues[place]
            for raw in list(self.parts.filters):  # "put Dana's back in", "renewals included"
                denied = [
                    item
                    for item in frame.filters
                    if isinstance(item, Filter) and item.op == "is_not" and item.field == raw.field and set(item.values) & set(raw.values)
                ]
                if denied:
                    self._keep_only(frame, [item for item in frame.filters if item not in denied])
                    self.parts.filters.remove(raw)
        told = FORGET.search(self.parts.phrases) or _ANY_OF.search(self.parts.phrases)
        if FORGET.search(self.parts.phrases):
            for raw in list(self.parts.filters):  # "drop the retail filter"
                held = next(
                    (item for item in frame.filters if isinstance(item, Filter) and item.field == raw.field and item.values == raw.values), None
                )
                if held is not None and not self.parts.fields:
                    self._keep_only(frame, [item for item in frame.filters if item is not held])
                    self.parts.filters = [other for other in self.parts.filters if other.values != raw.values]
        if not told and ("all" not in self.parts.words_seen or {"list", "which"} & set(self.parts.cues)):
            return
        for name in list(self.parts.fields):
            if any(isinstance(item, Filter) and item.field == name for item in frame.filters):
                self._keep_only(frame, [item for item in frame.filters if not (isinstance(item, Filter) and item.field == name)])
                self.parts.fields.remove(name)
            elif told and name in frame.group_by:
                frame.group_by = [item for item in frame.group_by if item != name]
                self.parts.fields.remove(name)

    def _keep_bound(self, previous: Frame) -> None:
        """ "Make it 100k": another number for the bound that was set."""
        bounds = {
            item.field: item.op
            for item in previous.filters
            if isinstance(item, Filter) and item.op in ("more_than", "at_least", "less_than", "at_most")
        }
        for raw in self.parts.filters:
            if raw.op == "is" and raw.field in bounds and raw.field == "amount":
                raw.op = bounds[raw.field]
                raw.said = say_conditions(self.ctx, shape_for(self.ctx, "deal"), [Filter(field="amount", op=raw.op, values=raw.values)])[0]

    def _swap_field(self, frame: Frame) -> None:
        """ "I meant the team, not the region": the same name, taken for the other thing that it names."""
        parts = self.parts
        wanted = [name for name in parts.fields if name in ("team", "region", "pipeline", "product_family")]
        if len(wanted) != 1 or not {"not", "meant", "mean", "instead"} & parts.words_seen:
            return
        lexicon = lexicon_for(self.ctx)
        for item in frame.filters:
            if not isinstance(item, Filter) or item.field == wanted[0] or len(item.values) != 1:
                continue
            said = next((word for word in frame.said if lexicon.get(fold(word))), "")
            other = next((sense for sense in lexicon.get(fold(said)) if sense.field == wanted[0]), None)
            if other is not None:
                item.field, item.values = wanted[0], list(other.value) if isinstance(other.value, tuple) else [other.value]
                parts.fields.clear()
                parts.filters = [raw for raw in parts.filters if raw.op != "empty"]

    def _one_of_two(self, frame: Frame) -> None:
        """ "The latter": of two values that the question before named, the one said last."""
        words = {"latter", "former"} & self.parts.words_seen
        if len(words) != 1:
            return
        earlier = self.dialogue.latest(lambda before: len(_of_two(before)) == 1)
        two = _of_two(frame)
        if not two and earlier is not None:  # "and the former?" after the latter
            both = _of_two(earlier)[0]
            two = [item for item in frame.filters if isinstance(item, Filter) and item.field == both.field]
            if len(two) == 1:
                two[0].values = list(both.values)
        if len(two) == 1:
            two[0].values = [two[0].values[-1 if words == {"latter"} else 0]]
            frame.said = [word for word in frame.said if " or " not in word] + [str(two[0].values[0])]
            frame.group_by = [name for name in frame.group_by if name != two[0].field]
            self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in words]
            self.parts.unknown = [word for word in self.parts.unknown if word.lower() not in words]

    def _merge_metric(self, frame: Frame, previous: Frame) -> None:
        """The measure, period, groups and order of a figure, as the message changes them."""
        parts = self.parts
        if frame.measure is not None and (parts.metrics or parts.aggregates):
            frame.measure = None  # "how many deals is that?", after the headcount of them
        frame.metric = _metric_with_state(parts, previous.metric)
        if self._swaps_measure(previous) and previous.metric in _AVERAGES:
            frame.metric = _AVERAGES[previous.metric]["median" if "median" in parts.aggregates else "mean"]
        elif self._swaps_measure(previous) and "weighted" in parts.aggregates:
            frame.metric = "weighted_pipeline"
        elif self._swaps_measure(previous):
            counts, sums = STATE_METRICS[STATE_OF_METRIC[previous.metric][:2]]
            frame.metric = counts if "count" in parts.aggregates or self._names_records_of(previous) else sums
            self.frame_unknown = []
            each = {"each", "every"} & parts.words_seen
            if each:
                frame.order, frame.limit = None, None
            elif previous.limit == 1 and previous.groups and not parts.order:  # "how many deals was that?": of the one on top
                top = self._of_the_top(previous)
                frame.filters, frame.said, frame.period = list(top.filters), list(top.said), top.period
                frame.group_by, frame.order, frame.limit = [], None, None
        declared = METRICS[frame.metric]
        planned = _is_planned(frame.metric)
        if parts.times:
            if (parts.compare == "against" or _THAN.search(parts.phrases)) and len(parts.times) == 1:
                asked = (
                    frame.period.period(self.ctx.calendar) if frame.period is not None else whole(Grain.quarter, self.ctx.today, self.ctx.calendar)
                )
                other = parts.times[0][0].period
                if other.first >= asked.end:
                    frame.period, frame.compare = as_days(other), None  # "vs since July", of the year before it
                else:
                    frame.compare = self._which_comparison(asked, other)
            else:
                frame.as_of = None
                shape = shape_for(self.ctx, shape_of(frame.metric))
                frame.filters = [
                    item
                    for item in frame.filters
                    if not (isinstance(item, Filter) and item.field in shape.fields and shape.fields[item.field].is_time)
                ]
                kept, frame.period = frame.period, None
                if not self._looks_back(frame, declared):
                    frame.period = self._part_of(kept) or self._days(planned=planned)
                elif len(parts.times) == 1 and previous.as_of is not None:
                    frame.period = kept
        elif declared.name != previous.metric and planned and frame.period and not _is_planned(previous.metric):
            frame.period = None
        groups = list(dict.fromkeys([*parts.groups, *parts.wh_groups]))
        if parts.why and not groups and frame.metric.startswith("lost"):
            top = self._of_the_top(previous)
            frame.filters, frame.said, frame.limit, frame.order, groups = list(top.filters), list(top.said), None, None, ["loss_reason"]
        denied = [raw for raw in parts.filters if raw.op == "empty" and raw.field in previous.group_by]
        if not groups and parts.fields and (denied or parts.words <= 3) and all(self._splits(name, frame.metric) for name in parts.fields):
            groups = list(parts.fields)  # "team not rep", "and owners"
            parts.filters = [raw for raw in parts.filters if raw not in denied]
        if not groups and {"list", "which"} & set(parts.cues) and not parts.nouns:
            groups = list(parts.fields)  # "show me all the teams"
        if {"product", "product_family"} & set(groups) and frame.metric == "won_value":
            frame.metric = "product_revenue"
        if groups:
            frame.group_by = self._group_fields(frame, groups)
            if "all" in parts.words_seen:
                beside = {other for family in _FAMILIES if set(frame.group_by) & family for other in family}
                others = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in beside)]
                if len(others) < len(frame.filters):
                    self._keep_only(frame, others)  # "all product families", after one product
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in frame.group_by)]
            frame.order, frame.limit = None, None
        if parts.order in ("highest", "lowest"):
            frame.order = parts.order  # type: ignore[assignment]
            if not parts.limit and not parts.plural_group and not parts.sorting:
                frame.limit = 1
            elif parts.sorting:
                frame.limit = parts.limit or previous.limit
        if parts.limit:
            frame.limit = parts.limit
            frame.order = frame.order or "highest"
        elif "all" in parts.words_seen and frame.limit:
            frame.limit = None
        if parts.compare in ("previous", "year_before"):
            frame.compare = parts.compare  # type: ignore[assignment]
            if frame.period is None:
                self._default_comparison_period(frame)
        if parts.keeps:
            frame.keep = []
            self._keep(frame)

    def _splits(self, name: str, metric: str) -> bool:
        """Whether a figure can be split by a field."""
        fields = shape_for(self.ctx, shape_of(metric)).fields
        return name in fields and fields[name].groupable

    def _moved_again(self, frame: Frame) -> Frame | None:
        """Another time, owner or window of a movement: "and since the start of the year?", "only mine"."""
        if self.parts.times:
            frame.since, frame.until = self._days_of(self.parts.times[0][0])
        fresh = Frame(intent="movement", noun="deal")
        self._conditions(fresh, shape_for(self.ctx, "deal"), metric=True)
        self._replace_filters(frame, fresh)
        return frame


def _is_planned(metric: str) -> bool:
    """Whether a figure's period is when deals are expected to close."""
    declared = METRICS[metric]
    return isinstance(declared, Metric) and declared.when == "expected_close"


def _of_two(frame: Frame) -> list[Filter]:
    """The conditions of a question that name two values."""
    return [item for item in frame.filters if isinstance(item, Filter) and item.op == "is" and len(item.values) == 2]


def _metric_with_state(parts: Parts, metric: str) -> str:
    """ "And lost?" after won value is lost value; a metric named anew replaces the old one."""
    if parts.metrics:
        return parts.metrics[0]
    if metric == "target" and ({"percent", "percentage"} & parts.words_seen or "how far" in parts.phrases or "share" in parts.aggregates):
        return "quota_attainment"  # "and how far did we get, in percent of it?"
    known = STATE_OF_METRIC.get(metric)
    if known is None and {"won", "closed", "lost"} & set(parts.states) and metric in ("target", "quota_attainment", "forecast"):
        return "lost_value" if "lost" in parts.states else "won_value"  # "closed so far?" after a target
    if known and parts.states:
        pair = STATE_METRICS.get((known[0], parts.states[0]))
        if pair:
            return pair[1] if known[2] and pair[1] else pair[0]
    return metric
