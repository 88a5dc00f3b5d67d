"""Into the figure before: the records of one part, its highest part, whose they are, and two answers as one."""

from __future__ import annotations

import re

from assistant.language.frames import Frame
from assistant.language.grammar.behind import between
from assistant.language.grammar.pieces import as_days
from assistant.language.grammar.pointing import PERSON, Pointing
from assistant.language.grammar.stretching import listed_period, time_of, together
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.metrics.definitions import METRICS, Unit, shape_of
from crm_core.metrics.fields import Shape, shape_for
from crm_core.metrics.filters import Filter
from crm_core.periods import Grain

_WITH_WHICH = re.compile(r"^(?:and |so |ok |but )*(?:with|for|in|from|at|to|of|by|on|about) (?:which|what|whom)\b")
_WHOSE = re.compile(
    r"^(?:(?:and|so|ok|okay|right|well|now|then|fair enough|good|great|thanks|sorry|hm) )*(?:who|whose(?: (?:are|were|is|was) (?:they|those|these|it|that))?"
    r"|who (?:owns|has|holds|owned|had|got|gets|took|handles|handled|won|lost|closed|made|brought|brings|created|booked|did|logged|sold|landed|raised|contributed)"
    r" (?:all )?(?:them|those|these|that|it|which)(?: (?:in|up|for us|all))?)(?: (?:value|in value|worth|number each|how many(?: each)?|each|count))?$"
)
_WHICH_ONES = re.compile(
    r"^(?:and |so |ok |okay )*(?:which|what) (?:\w+)(?: (?:are|were|is|was) (?:they|those|these|that|it|in (?:there|it|that)))?(?: exactly| please)?$"
)


class Drilling(Pointing):
    """What lies in a figure or list that was just given."""

    def _drilled(self) -> Frame | None:
        """ "List the deals we lost on price", "Declan's, please", "how many on Lloyd's?": one part of the split figure before."""
        parts, base = self.parts, self.dialogue.previous
        if base is None or base.intent != "metric" or len(base.group_by) != 1 or base.pending is not None:
            return None
        month = base.group_by[0] in Grain.__members__ and len(parts.times) == 1 and {"list", "rows"} & set(parts.cues)
        if month and not (parts.filters or parts.names or parts.metrics or parts.aggregates or parts.groups or parts.order or parts.states):
            when = parts.times[0][0]
            if when.grain is not None and when.grain.value == base.group_by[0]:  # "open up June", of a figure by month
                spans = [as_days(span) for span in (when.period, when.ahead) if span is not None]
                inside = [span for span in spans if base.period is None or base.period.first <= span.first and span.end <= base.period.end]
                if inside:
                    return self.as_list(base.model_copy(deep=True, update={"period": inside[0], "limit": None, "groups": [], "group_by": []}))
        part = [raw for raw in parts.filters if raw.field == base.group_by[0] and raw.op == "is" and not raw.negated]
        own = (
            parts.times
            or parts.groups
            or parts.wh_groups
            or parts.compare
            or parts.names
            or parts.relations
            or parts.keeps
            or parts.order
            or parts.me
        )
        if not part or len(part) != len(parts.filters) or own or parts.first_words[:1] in (["only"], ["just"]):
            return None
        known = STATE_OF_METRIC.get(base.metric)
        same = {"", "created", *([known[1]] if known is not None else [])}
        stated = {STATE_OF_METRIC[name][1] if name in STATE_OF_METRIC else name for name in parts.metrics} | set(parts.states)
        noun = METRICS[base.metric].rows
        if not stated <= same or not set(parts.nouns) <= {noun} or parts.negated_states or self.frame_unknown:
            return None
        counting = set(parts.aggregates)
        rows = {"list", "which", "rows"} & set(parts.cues) or parts.possessed or {"lot", "ones", "their"} & parts.words_seen
        if rows and not counting:
            behind = self.as_list(base.model_copy(deep=True, update={"limit": None, "groups": []}))
            if behind is not None:
                self._narrow_frame(behind, shape_for(self.ctx, behind.noun))
            return behind
        if counting in ({"count"}, {"sum"}, {"total"}) and known is not None and (parts.nouns or parts.metrics) and parts.words <= 8:
            frame = base.model_copy(deep=True, update={"group_by": [], "order": None, "limit": None, "groups": [], "salient": [], "shown": []})
            counts, sums = STATE_METRICS[known[:2]]
            frame.metric = counts if counting == {"count"} or not sums else sums
            fresh = Frame(intent="metric", noun=frame.noun, metric=frame.metric)
            self._conditions(fresh, shape_for(self.ctx, shape_of(frame.metric)), metric=True)
            self._replace_filters(frame, fresh)
            return frame
        return None

    def _facts_of_several(self) -> Frame | None:
        """ "Her e-mail?", after two people of whom either can be meant: the fact of each."""
        parts, base = self.parts, self.dialogue.previous
        if self.pointed or base is None or base.intent != "list" or base.noun not in ("contact", "lead") or not 1 < len(base.shown) <= 5:
            return None
        own = parts.names or parts.people or parts.filters or parts.times or parts.metrics or parts.groups or parts.states or parts.aggregates
        if not PERSON & parts.words_seen or own and parts.states != ["created"] or parts.words > 8:
            return None  # "got" is what they say for having
        fields = shape_for(self.ctx, base.noun).fields
        asked = [name for name in (*parts.fields, *parts.kinds) if name in fields] or (
            ["phone"] if "number" in parts.words_seen and "phone" in fields else []
        )
        frame = self.as_list(base) if asked else None
        if frame is not None:
            frame.columns, self.pointed = list(dict.fromkeys(["name", *asked])), True
        return frame

    def _narrow_frame(self, frame: Frame, shape: Shape) -> None:
        """Add the message's conditions to a list; of the same sort they take the place of the old ones."""
        self._prefer_fields_of(frame)
        self.time_hint = time_of(frame, shape)
        fresh = Frame(intent="list", noun=frame.noun, metric=frame.metric)
        self._conditions(fresh, shape, metric=False)
        self._state_filters(fresh, shape)
        if not frame.metric:
            fresh.metric = ""
        held = [item.values for item in frame.filters if isinstance(item, Filter) and item.op == "between"]
        spans = [(when, cue) for when, cue in self.parts.times if [when.period.first.isoformat(), when.period.end.isoformat()] not in held]
        self.parts.times = spans  # "which of the October leads": what the list holds already
        fresh.filters += self._period_filters(shape)
        fresh.said += self._said_times(shape)
        self._replace_filters(frame, fresh)
        frame.pending = fresh.pending
        frame.entities += fresh.entities

    def _ranked_again(self) -> Frame | None:
        """ "Which stage has the most?", after a figure: its highest part, not another figure's."""
        parts, base = self.parts, self.dialogue.previous
        if base is not None and base.intent == "list":
            base = self._as_metric(base)
        if base is None or base.intent != "metric" or base.pending is not None or self.pointed:
            return None
        led = _WITH_WHICH.search(parts.phrases)
        if led and parts.wh_groups == ["customer"]:
            parts.wh_groups, parts.metrics, parts.customer = ["company"], [], False  # "with which customers?"
        times = [when for when, _cue in parts.times if when.end > when.first]  # "in that period" is the one before
        own = parts.metrics or times or parts.names or parts.aggregates or parts.filters or parts.unknown or parts.relations
        same = {STATE_OF_METRIC[base.metric][1]} if base.metric in STATE_OF_METRIC else set()
        if own or parts.groups or set(parts.states) - {"occurred"} - same:
            return None
        if parts.keeps and base.group_by and not parts.order and set(parts.wh_groups) <= set(base.group_by):
            parts.wh_groups = []
            return self._merged(base)  # "who is under 30%?"
        if parts.order_field == "amount" and (known := STATE_OF_METRIC.get(base.metric)) is not None and not known[2]:
            base = base.model_copy(update={"metric": STATE_METRICS[known[:2]][1] or base.metric})  # "who lost the biggest?"
        lasting = METRICS[base.metric].unit in (Unit.days, Unit.hours)
        ranked = parts.order in ("highest", "lowest") and parts.order_field in ("", "amount", *(["duration"] if lasting else []))
        if ranked and "who" in parts.cues and not parts.wh_groups and not parts.nouns:
            parts.wh_groups.append("owner")
        if len(set(parts.wh_groups)) != 1 or not (ranked or led):
            return None
        if led:
            parts.nouns.clear()
        return self._merged(base)

    def _which_ones(self) -> Frame | None:
        """ "Which deals?", "whose were they?", right after a figure or list: those behind it, or their owners."""
        parts, base = self.parts, self.dialogue.previous
        if base is None or base.intent not in ("metric", "list") or base.pending is not None or self.pointed:
            return None
        if _WHOSE.search(parts.phrases) and not (base.intent == "list" and (base.total == 1 or base.limit == 1)):
            self.frame_unknown, parts.unknown = [], []
            counted = (
                self._as_metric(base) if base.intent == "list" else base.model_copy(deep=True, update={"salient": [], "shown": [], "groups": []})
            )
            if counted is not None:
                counted.group_by, counted.order, counted.limit = ["owner"], None, None
                known = STATE_OF_METRIC.get(counted.metric)
                if known is not None and not known[2] and {"value", "worth"} & parts.words_seen:
                    counted.metric = STATE_METRICS[known[:2]][1] or counted.metric
            return counted
        if _WHICH_ONES.search(parts.phrases) and parts.wh_groups and not (parts.states or parts.filters or parts.times or parts.names or parts.order):
            parts.wh_groups = ["company" if name == "customer" else name for name in parts.wh_groups]
            parts.nouns, parts.metrics, parts.customer = [], [], False
            split = self._as_metric(base) if base.intent == "list" else base
            return self._merged(split) if split is not None else None  # "which products?"
        if _WHICH_ONES.search(parts.phrases) and not (parts.states or parts.filters or parts.times or parts.names or parts.order):
            noun = self._noun() or (STATE_OF_METRIC[parts.metrics[0]][0] if parts.metrics and parts.metrics[0] in STATE_OF_METRIC else "")
            behind = self.as_list(base)
            return behind if behind is not None and noun in ("", behind.noun) else None
        return None

    def _both(self) -> Frame | None:
        """ "Both of them together": the two figures just given, as one."""
        parts, frames = self.parts, [frame for frame in self.dialogue.frames if frame.intent in ("metric", "list")]
        named = parts.named_pipeline and parts.metrics == ["open_pipeline"]
        if "both" not in parts.words_seen or len(frames) < 2 or parts.metrics and not named or parts.nouns:
            return None
        first, second = frames[-2:]
        if {"months", "quarters", "weeks", "years", "periods", "days"} & parts.words_seen and first.intent == second.intent:
            parts.metrics = []  # the pipeline that is named is a condition
            return self._both_periods(first, second)
        if parts.filters or "list" in (first.intent, second.intent):
            return None
        if first.metric != second.metric or first.group_by or second.group_by:
            return None
        merged = second.model_copy(deep=True, update={"salient": [], "shown": []})
        differing = 0
        for mine in merged.filters:
            theirs = next(
                (item for item in first.filters if isinstance(item, Filter) and isinstance(mine, Filter) and item.field == mine.field), None
            )
            if isinstance(mine, Filter) and isinstance(theirs, Filter) and theirs.values != mine.values:
                mine.values, differing = [*theirs.values, *mine.values], differing + 1
        merged.said = list(dict.fromkeys([*first.said, *second.said]))
        self.frame_unknown = []
        return merged if differing == 1 else None

    def _both_periods(self, first: Frame, second: Frame) -> Frame | None:
        """ "Both months together": the question once more over the two stretches of days before."""
        merged = second.model_copy(deep=True, update={"salient": [], "shown": [], "groups": []})
        shape = shape_for(self.ctx, shape_of(second.metric) if second.intent == "metric" else second.noun)
        if first.period is not None and second.period is not None:
            whole = together(first.period, second.period)
            if whole is None:
                return None
            merged.period = whole
        else:
            mine, theirs = listed_period(second, shape), listed_period(first, shape)
            whole = together(mine[1], theirs[1]) if mine is not None and theirs is not None and mine[0] == theirs[0] else None
            if mine is None or whole is None:
                return None
            kept = [item for item in merged.filters if not (isinstance(item, Filter) and item.field == mine[0])]
            self._keep_only(merged, [*kept, *between(whole, mine[0])])
        self.frame_unknown = []
        return self._merged(merged) if self.parts.filters or self.parts.groups else merged
