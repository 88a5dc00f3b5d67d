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
from collections.abc import Iterable

from assistant.language.dialogue import SETS
from assistant.language.entities import Name
from assistant.language.frames import Entity, Frame
from assistant.language.grammar.figures import Figures
from assistant.language.grammar.pieces import as_days
from assistant.language.grammar.records import Records
from assistant.language.lexicon import lexicon_for
from assistant.language.parts import Parts
from assistant.language.parts.model import RawFilter
from assistant.language.planner import PAGE
from assistant.language.states import STATE_METRICS, STATE_OF_METRIC
from crm_core.errors import NotFound
from crm_core.metrics.definitions import METRICS, Metric, shape_of
from crm_core.metrics.fields import Kind, Shape, shape_for
from crm_core.metrics.filters import Condition, Filter
from crm_core.metrics.question import Days
from crm_core.models import Company
from crm_core.periods import Grain, add_months, preceding, whole, year_before
from crm_core.services.history import user_name
from crm_core.services.records import load
from crm_core.services.search import Match
from crm_core.text import fold

#: "The quarter before", "the one before that", "the previous month" at the end of a message.
_LATER = re.compile(r"\b(?:one|a|the) (year|quarter|month|week) (?:later|after|after that)\b|\bthe (?:following|next) (year|quarter|month|week|one)$")
#: "In that quarter", "the same year": the period of a question before.
_THAT_PERIOD = re.compile(r"\b(?:that|the same|same|this same) (?:fiscal )?(year|quarter|month|week|time|period|timeframe|range|window|days)\b")
_EARLIER = re.compile(
    r"\b(?:one|a|the) (?P<back>year|quarter|month|week) (?:earlier|before|prior|previously)\b|"
    r"\b(?:the|that|one) (day|week|month|quarter|year|one|period)? ?(?:before|prior)(?: that)?$|\bthe (?:preceding|previous) (day|week|month|quarter|year|one|period)$"
)
_PERSON = frozenset("he him his she her hers".split())
_THING = frozenset("it its".split())
_THEY = frozenset("they them their theirs there".split())
_SET = frozenset("these those them ones".split())
#: "With them", "from them": those who were spoken of, not the records shown.
_WITH_THEM = re.compile(r"\b(?:with|for|from|at|to|about|by|call|ring|email|mail) (?:them|they)\b")
_SET_PHRASES = re.compile(
    r"\b(?:is there one|are there any|is any of|the one (?:without|with|in|that|from|which)|which (?:is|are|one|of)|they together|any of|how many of|what are they|are they|that in total|how (?:much|many) (?:\w+ )?is that|in there|of that)\b"
)
#: Nouns that "that ..." and "this ..." can point at, by their words.
_POINTED = {
    "company": ("company", "account", "customer", "client", "firm", "business"),
    "contact": ("contact", "person", "guy", "man", "woman", "lady"),
    "deal": ("deal", "opportunity", "opp"),
    "ticket": ("ticket", "case", "issue"),
    "lead": ("lead",),
}
#: The field that "when" asks for, by what happened.
_WHEN = {
    "created": "created",
    "closing": "expected_close",
    "due": "due",
    "closed": "closed",
    "won": "closed",
    "lost": "closed",
    "resolved": "resolved",
    "completed": "completed",
}
#: Means and medians of the same thing.
_AVERAGES = {
    "sales_cycle": {"mean": "sales_cycle", "median": "median_sales_cycle"},
    "median_sales_cycle": {"mean": "sales_cycle", "median": "median_sales_cycle"},
}
#: Fields whose conditions say in which state or when, rather than of which sort: they do not carry over to another measure.
_OF_STATE = frozenset({"status", "resolved", "converted", "completed", "expected_close", "closed", "created", "occurred", "due", "slips"})


class FollowUps(Records, Figures):
    """What the message changes in the questions before."""

    # -- pointing at a record ------------------------------------------------------------------------------------

    def resolve(self) -> None:
        """Put the record that the message points at in the place of a name."""
        if not self.dialogue.frames:
            return
        if self._other():
            self._take_other()
        if self.parts.names:
            return
        entity = self._pointed_at()
        if entity is not None:
            entity = self._with_the_field(entity)
            self.pointed = True
            self._inject(entity)

    def _with_the_field(self, entity: Entity) -> Entity:
        """The record pointed at, or the one spoken of before it that has the fact asked for: "the next step there" is a deal's."""
        asked = self.parts.fields
        if not asked or entity.noun == "user":
            return entity

        def has(item: Entity) -> bool:
            return item.noun != "user" and all(name in shape_for(self.ctx, item.noun).fields for name in asked)

        if has(entity) or self.parts.nouns:
            return entity
        return next((item for item in self.dialogue.salient() if has(item)), entity)

    def _pointed_at(self) -> Entity | None:
        parts, words = self.parts, self.parts.words_seen
        for noun, said in _POINTED.items():
            hit = next((word for word in said if re.search(rf"\b(?:that|this|the same|at the|their) {word}\b", parts.phrases)), None)
            if hit is not None and (entity := self.dialogue.meant(self.ctx, (noun,))) is not None:
                self._drop_noun(noun)
                return entity
        if (row := self._row_pointed_at()) is not None:
            return row
        if re.search(r"\b(?:that|this|the) one\b", parts.phrases) and self._single_shown():
            return self.dialogue.meant(self.ctx, ("deal", "ticket", "lead", "company", "contact"))
        if _WITH_THEM.search(parts.phrases):
            return self._holder()
        if (self._asks_a_fact() or {"who", "who_is"} & set(parts.cues) and parts.words <= 8) and (
            pointed := re.search(r"\bthe (company|account|customer|deal|ticket|contact|lead)\b", parts.phrases)
        ):
            noun = next(name for name, forms in _POINTED.items() if pointed.group(1) in forms)
            if (entity := self.dialogue.meant(self.ctx, (noun,))) is not None:
                self._drop_noun(noun)
                return entity
        if _PERSON & words:
            return self.dialogue.meant(self.ctx, ("contact", "user", "lead"))
        if _SET & words and not self._single_shown() or self._points_at_set() and not _THING & words:
            return self._holder() if _THEY & words and self._speaks_of_others() else None
        if _THEY & words:
            existential = re.search(r"\b(?:is|are|was|were) there\b|\bthere (?:is|are|was|were|any)\b", parts.phrases)
            if words & _THEY == {"there"} and existential:
                return None
            return self._holder()
        if _THING & words or re.search(r"\b(?:is|was|of|with|for|on|at) (?:this|that)(?: (?:with|for|at|of|about|now|by))?$", parts.phrases):
            return self.dialogue.meant(self.ctx, ("deal", "ticket", "company", "lead", "activity"))
        if self._asks_a_fact():
            return next(iter(self.dialogue.salient()), None) if self._single_shown() else None
        return None

    def _row_pointed_at(self) -> Entity | None:
        """ "The first one", "the second deal", "the last one": a row of the list just shown."""
        previous = self.dialogue.previous
        if previous is None or previous.intent != "list" or len(previous.shown) < 2 or previous.pending is not None:
            return None
        said = re.search(
            r"\bthe (first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th|last) (?:one|deal|ticket|lead|contact|company|account|task)\b",
            self.parts.phrases,
        )
        if said is None or self.parts.times or self.parts.metrics:
            return None
        place = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4, "last": -1}[
            said.group(1)
        ]
        if place >= len(previous.shown):
            return None
        self.parts.order, self.parts.limit = "", None
        self.parts.nouns = [noun for noun in self.parts.nouns if noun != previous.noun]
        return previous.shown[place]

    def _holder(self) -> Entity | None:
        """Whom "they" and "there" mean: the company spoken of, or else the person."""
        return self.dialogue.meant(self.ctx, ("company",)) or self.dialogue.meant(self.ctx, ("user", "contact", "lead"))

    def _speaks_of_others(self) -> bool:
        """Whether the message names another kind of records than the list before holds."""
        base = self.dialogue.question()
        return base is None or bool(self.parts.nouns) and self.parts.nouns[0] != base.noun

    def _single_shown(self) -> bool:
        """Whether the answer before was about one record."""
        previous = self.dialogue.previous
        if previous is None or previous.intent not in ("record", "history", "list"):
            return False
        return previous.intent != "list" or bool(previous.salient) and previous.salient[0].noun == previous.noun

    def _asks_a_fact(self) -> bool:
        """A bare "email?", "and the next step": a fact of the record just shown."""
        parts = self.parts
        bare = not (parts.metrics or parts.aggregates or parts.groups or parts.filters or parts.times or parts.states or parts.order or parts.names)
        asked = [*parts.fields, *parts.wh_groups, *(["email"] if parts.kinds == ["email"] else []), *(["phone"] if parts.kinds == ["call"] else [])]
        return (
            bare
            and bool(asked)
            and parts.words <= 8
            and not parts.unknown
            and (not parts.nouns or parts.nouns == ["activity"] or not parts.plural_noun and len(parts.nouns) == 1)
        )

    def _drop_noun(self, noun: str) -> None:
        """A noun that points is no noun that is asked for."""
        parts = self.parts
        if parts.nouns[:1] == [noun] or noun in parts.nouns:
            parts.nouns.remove(noun)
        if noun == "company":
            parts.customer = False
        parts.wh_groups = [name for name in parts.wh_groups if name != noun]

    def _inject(self, entity: Entity) -> None:
        parts = self.parts
        parts.pronoun = False
        if entity.noun == "user":
            entity.label = user_name(self.ctx, entity.id) or "this colleague"
            parts.people.append((entity.id, entity.label))
            if not self._asked_of_person():
                parts.filters.append(RawFilter("owner", "is", [entity.id], entity.label))
            return
        parts.names.append(Name(0, 0, (Match(noun=entity.noun, id=entity.id, label=entity.label, score=100),), True))
        parts.colleagues.append([])
        self._ask_of_pointed(entity)

    def _asked_of_person(self) -> bool:
        return bool({"email", "phone", "team", "role", "title"} & set(self.parts.fields)) or self.parts.kinds in (["email"], ["call"])

    def _ask_of_pointed(self, entity: Entity) -> None:
        """ "The contact on that ticket", "which company is she with": a related record that is asked for as a fact."""
        parts = self.parts
        fields = shape_for(self.ctx, entity.noun).fields
        if parts.first_words[:1] == ["when"] or "when" in parts.words_seen:
            told = next((state for state in parts.states if state in _WHEN), "")
            name = _WHEN.get(told, "expected_close" if "expect" in parts.words_seen else "")
            if name in fields and not parts.fields:
                parts.fields.append(name)
                parts.states.clear()
        if (
            entity.noun == "ticket"
            and {"who", "who_is"} & set(parts.cues)
            and {"reported", "raised", "opened", "filed", "submitted", "reports"} & parts.words_seen
        ):
            parts.fields.append("contact")
            parts.states.clear()
        if "whose" in parts.words_seen and not parts.fields and "owner" in fields:
            parts.fields.append("owner")
            parts.nouns.clear()
            parts.metrics.clear()
        if entity.noun == "contact" and "role" in parts.words_seen and not parts.fields:
            parts.fields.append("title")
        if "parent" in parts.fields and len(parts.fields) > 1 or "parent" in parts.fields and "who" in parts.cues and entity.noun == "company":
            entity = self._parent_of(entity)
            parts.names[-1] = Name(0, 0, (Match(noun="company", id=entity.id, label=entity.label, score=100),), True)
            parts.fields = [name for name in parts.fields if name != "parent"]
        if parts.why and entity.noun == "deal" and "lost" in parts.states:
            parts.fields.append("loss_reason")  # "why did we lose it?"
            parts.states.clear()
        if (
            {"who", "who_is"} & set(parts.cues)
            and not (parts.fields or parts.wh_groups or parts.nouns)
            and "owner" in fields
            and entity.noun != "contact"
        ):
            parts.fields.append("owner")  # "who is working on it?"
            parts.states.clear()
            parts.people.clear()
        if parts.kinds == ["email"] and "email" in fields and "said" not in parts.cues and not parts.order and "from" not in parts.words_seen:
            parts.fields.append("email")
            parts.kinds.clear()
            parts.nouns = [noun for noun in parts.nouns if noun != "activity"]
        singular_noun = parts.nouns[:1] if not parts.plural_noun and not parts.states and not parts.filters and not parts.aggregates else []
        for noun in singular_noun:
            if noun in fields and fields[noun].key is not None:
                parts.nouns.remove(noun)
                parts.fields = parts.fields or [noun]

    def _parent_of(self, company: Entity) -> Entity:
        """The company above, where it may be seen; else the company itself."""
        try:
            key = load(self.ctx, Company, company.id).parent_id
            above = load(self.ctx, Company, key) if key is not None else None
        except NotFound:
            return company
        return Entity(noun="company", id=above.id, label=above.name) if above is not None else company

    def _other(self) -> bool:
        return "other" in self.parts.words_seen and len(self.parts.names) == 1

    def _take_other(self) -> None:
        """ "The other Sue Grant": the namesake that was offered and not chosen."""
        name = self.parts.names[0]
        left = self.dialogue.others(name.matches[0].label)
        if len(left) == 1:
            match = Match(noun=left[0].noun, id=left[0].id, label=left[0].label, score=100)
            self.parts.names[0] = Name(name.first, name.end, (match,), True)

    # -- pointing at the records shown ---------------------------------------------------------------------------

    def _points_at_set(self) -> bool:
        parts = self.parts
        if _SET & parts.words_seen or _SET_PHRASES.search(parts.phrases):
            return True
        if re.search(
            r"\b(?:biggest|largest|smallest|oldest|newest|latest|cheapest|highest|lowest|first|last) (?:one|deal|ticket|lead)?\s?(?:there|of them)?$",
            parts.phrases,
        ):
            return not parts.metrics and not parts.times and parts.words <= 7
        base = self.dialogue.question()
        if base is not None and self._swaps_measure(base) or "who" in parts.cues and not _SET & parts.words_seen:
            return False
        total = {"sum", "total", "count", "mean"} & set(parts.aggregates) and not (
            parts.nouns or parts.metrics or parts.times or parts.states or parts.names
        )
        return bool(total) and parts.words <= 8

    def _regrouped(self, base: Frame) -> bool:
        """Whether "the two best" are groups of the split figure before, not records behind it."""
        parts = self.parts
        return base.intent == "metric" and bool(base.group_by) and bool(parts.order or parts.limit) and not (parts.nouns or parts.aggregates)

    def _of_the_shown(self) -> Frame | None:
        """ "Which of these have no next step?", "the biggest one?", "how much is that in total?", "how many of those are urgent?"."""
        parts = self.parts
        if (
            not self.dialogue.frames
            or not self._points_at_set()
            or parts.metrics
            and not all(name in STATE_OF_METRIC or name == "average_amount" for name in parts.metrics)
        ):
            return None
        noun = self._noun()
        base = self.dialogue.latest(lambda frame: _is_plural(frame) and (not noun or frame.noun == noun))
        if base is None or parts.groups or parts.compare:
            return None
        if "who" in parts.cues and "count" in parts.aggregates and not parts.names:
            counted = self._as_metric(base) if base.intent == "list" else base.model_copy(deep=True, update={"salient": [], "shown": []})
            if counted is not None:
                counted.group_by = ["owner"]  # "who had how many of them?"
                return counted
        if parts.wh_groups and parts.order or self._regrouped(base):
            return self._merged(base)
        bare = not ({"list", "which"} & set(parts.cues) or parts.aggregates or parts.nouns or parts.order or parts.fields)
        narrowing = "of that" in parts.phrases or base.group_by and parts.first_words[:1] in (["only"], ["just"], ["without"], ["except"])
        if base.intent == "metric" and base.group_by and "each" in parts.words_seen and not parts.names:
            return self._merged(base)  # "how many deals is that for each?"
        if base.intent == "metric" and bare and (parts.times or parts.filters) and narrowing:
            return self._merged(base)  # "only Q4 of that"
        if (
            ("mean" in parts.aggregates or "average_amount" in parts.metrics)
            and base.noun == "deal"
            and (averaged := self.as_list(base)) is not None
            and not averaged.metric
        ):
            return Frame(
                intent="metric", noun="deal", metric="average_amount", filters=averaged.filters, said=averaged.said, entities=averaged.entities
            )
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
        self._narrow_frame(frame, shape)
        if parts.order or parts.sort:
            self._list_order(frame, shape)
            self._sort(frame, shape)
            plural = {"ones", "deals", "tickets", "leads", "contacts", "companies"} & parts.words_seen
            frame.limit = parts.limit or (None if plural or parts.sort and not parts.order else 1)
        elif parts.limit:
            frame.limit = parts.limit
        if "sum" in parts.aggregates or "total" in parts.aggregates and frame.noun == "deal":
            frame.count_only, frame.detail = True, "sum" if frame.noun == "deal" else ""
        elif {"count", "total"} & set(parts.aggregates):
            frame.count_only, frame.detail = True, ""
        else:
            frame.count_only, frame.detail = False, ""
        return frame

    def _sort(self, frame: Frame, shape: Shape) -> None:
        if self.parts.sort in shape.fields:
            frame.order_by = self.parts.sort
            frame.descending = shape.fields[frame.order_by].kind in (Kind.money, Kind.number) and "ascending" not in self.parts.words_seen

    def _narrow_frame(self, frame: Frame, shape: Shape) -> None:
        """Add the message's conditions to a list; of the same sort they take the place of the old ones."""
        self.time_hint = _time_of(frame, shape)
        fresh = Frame(intent="list", noun=frame.noun, metric=frame.metric)
        self._conditions(fresh, shape, metric=False)
        self._state_filters(fresh, shape)
        if not frame.metric:
            fresh.metric = ""
        fresh.filters += self._period_filters(shape)
        fresh.said += self._said_times(shape)
        _replace_filters(frame, fresh)
        frame.pending = fresh.pending
        frame.entities += fresh.entities

    def as_list(self, base: Frame) -> Frame | None:
        """The records that a question was about, as a list; a figure's are those behind it."""
        if base.intent == "list":
            return base.model_copy(deep=True, update={"pending": None, "offset": 0, "salient": [], "offered": [], "count_only": False, "detail": ""})
        if base.intent != "metric":
            return None
        declared = METRICS[base.metric]
        noun = declared.rows
        plain = _STATES_AS_FILTERS.get(base.metric)
        frame = Frame(intent="list", noun=noun, filters=list(base.filters), said=list(base.said), entities=list(base.entities), as_of=base.as_of)
        if (
            plain is not None
            and (plain[1] or base.period is None)
            and shape_for(self.ctx, noun).fields.keys() >= {item.field for item in base.filters if isinstance(item, Filter)}
        ):
            shape = shape_for(self.ctx, noun)
            state, time = plain
            frame.filters += [Filter(field=name, op=op, values=list(values)) for name, op, values in state]
            if base.period is not None and time:
                frame.filters += _between(base.period, time)
            frame.order_by, frame.descending = ("amount", True) if "amount" in shape.fields else ("", True)
            return frame
        frame.metric, frame.period, frame.said = base.metric, base.period, list(base.said)
        return frame

    # -- changing the question before ----------------------------------------------------------------------------

    def _returned(self) -> Frame | None:
        """ "The first list again", "back to the win rate, by team", "all my open deals again"."""
        parts = self.parts
        if not self.dialogue.frames or not re.search(
            r"\b(?:back to|go back|return to|again|earlier list|first list|previous list|original list)\b", parts.phrases
        ):
            return None
        base: Frame | None = None
        if "list" in parts.phrases and re.search(r"\b(?:first|original|earlier|previous|initial|full) list\b", parts.phrases):
            lists = [frame for frame in self.dialogue.frames if frame.intent in ("list", "metric")]
            narrowed = lists[-1] if lists else None
            run = [frame for frame in lists if narrowed is not None and frame.noun == narrowed.noun and frame.intent == "list"]
            base = run[0] if run else None
            parts.order = ""
        elif (
            "list" in parts.phrases and (bound := next((raw for raw in parts.filters if raw.field == "amount" and raw.op == "is"), None)) is not None
        ):
            value = float(bound.values[0])
            parts.filters.remove(bound)  # "the 80k list from before"
            base = self.dialogue.latest(lambda frame: value in _bounds(frame))
        elif parts.metrics:
            base = self.dialogue.latest(lambda frame: frame.intent == "metric" and frame.metric in parts.metrics)
        elif parts.nouns:
            noun = self._noun()
            base = self.dialogue.latest(lambda frame: frame.intent in SETS and frame.noun == noun and frame.limit != 1)
        if base is None:
            return None
        self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in ("list", "again", "back")]
        return self._merged(base)

    def _changed(self) -> Frame | None:
        """A question of its own that goes on with the one before: "and how long is our sales cycle, same year", "now the won value"."""
        parts, base = self.parts, self.dialogue.previous
        if base is None or base.intent not in ("metric", "list") or base.pending is not None or not (parts.metrics or parts.aggregates):
            return None
        aside = re.search(
            r"\b(?:in between|quick (?:other )?question|other question|by the way|different question|another question)\b", parts.phrases
        )
        if aside or parts.unknown_capital or self.pointed:
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
        if instead and base.intent == "metric" and not (parts.groups or parts.wh_groups):
            fresh.group_by = fresh.group_by or list(base.group_by)
            fresh.metric = "product_revenue" if fresh.metric == "won_value" and {"product", "product_family"} & set(fresh.group_by) else fresh.metric
            parts.follow_up = True
        bare = not (parts.groups or parts.wh_groups or parts.times or parts.filters or parts.names or parts.aggregates)
        if parts.follow_up and bare and parts.words <= 6 and base.intent == "metric":
            fresh.group_by = fresh.group_by or list(base.group_by)  # "and unweighted?"
            fresh.period = fresh.period or base.period
        opened = parts.follow_up or bool({"same", "also", "too", "instead"} & parts.words_seen)
        declared = METRICS[fresh.metric]
        happened = isinstance(declared, Metric) and declared.when not in (None, "expected_close")
        happened = happened or fresh.metric in ("quota_attainment", "target", "slipped_value", "slipped_deals")
        same = re.search(r"\bsame (?:time|period|quarter|month|year|week|days|range|timeframe|window)\b", parts.phrases)
        happened = happened or same is not None
        if fresh.period is None and not parts.times and base.period is not None and base.intent == "metric" and happened:
            before = METRICS[base.metric]
            if not (isinstance(before, Metric) and before.when == "expected_close"):
                fresh.period = base.period
        if opened or fresh.metric == base.metric and not parts.groups:
            self._carry(fresh, base)
        return fresh

    def _carry(self, fresh: Frame, base: Frame) -> None:
        """Keep what narrowed the question before, where the new one does not say otherwise."""
        shape = shape_for(self.ctx, shape_of(fresh.metric))
        told = {item.field for item in fresh.filters if isinstance(item, Filter)}
        told |= {"owner", "team"} if {"owner", "team"} & told else set()
        places = {"company", "contact"} & told
        for item in base.filters:
            across = (
                fresh.noun == base.noun or isinstance(item, Filter) and item.field in ("owner", "team", "company", "region", "industry", "country")
            )
            if (
                isinstance(item, Filter)
                and across
                and item.field in shape.fields
                and item.field not in told | _OF_STATE
                and not (places and item.field in ("company", "contact"))
            ):
                fresh.filters.append(item)
        fresh.said += [word for word in base.said if word not in fresh.said and any(isinstance(item, Filter) for item in fresh.filters)]
        if not fresh.group_by and "same" in self.parts.words_seen and base.group_by:
            fresh.group_by = list(base.group_by)

    def _fragment(self) -> Frame | None:
        """ "And in EMEA?", "by rep?", "what about last year?", "only open ones": leans on the question before."""
        parts, previous = self.parts, self.dialogue.previous
        if previous is None or parts.unknown_capital:
            return None
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
            or parts.my_team
            or parts.wh_groups
            or parts.fields
            or parts.kinds
            or parts.relations
            or parts.untouched
            or parts.untouched_days
            or self._swaps_measure(previous)
            or self._asked()
            or {"latter", "former"} & parts.words_seen
            or _LATER.search(self._plain_phrases())
            or _THAT_PERIOD.search(parts.phrases)
            or _EARLIER.search(self._plain_phrases())
        )
        if not something:
            return None
        return self._merged(previous)

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

    def _small_change(self) -> bool:
        """Whether the message only changes the question before: an opener, a bare condition, no question of its own."""
        parts, previous = self.parts, self.dialogue.previous
        if previous is None or previous.intent not in SETS or previous.pending is not None or parts.write_verb:
            return False
        swapped = self._swaps_measure(previous)
        if parts.names and self._asked() and previous.intent != "record":
            return False
        shares = "who" in parts.cues and bool({"sum", "count"} & set(parts.aggregates)) and previous.intent == "metric" and not parts.names
        if shares:
            parts.groups.append("owner")  # "who contributed how much?"
            parts.cues = [cue for cue in parts.cues if cue != "who"]
            parts.aggregates.clear()
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
        own = [noun for noun in parts.nouns if noun != previous.noun and {"user": "owner"}.get(noun, noun) not in previous.group_by]
        if own or parts.record_numbers or parts.unknown:
            return False
        if not parts.nouns or parts.nouns[0] in previous.group_by:
            return parts.words <= 12 and ("which" not in parts.cues or bool(parts.follow_up))
        return parts.follow_up and parts.words <= 12

    def _changed_a_little(self) -> Frame | None:
        """ "Only the EMEA team, please", "and lost ones?", "top 3 only": tried before the message is read alone."""
        if self.pointed or not self._small_change():
            return None
        return self._fragment()

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
        if previous.intent == "metric" and "list" in parts.cues and (parts.nouns or parts.plural_noun) and not parts.groups:
            behind = self.as_list(previous)
            if behind is not None and parts.nouns in ([], [behind.noun]):
                return self._merged(behind)
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
        if previous.intent == "list" and self._facts_of_rows(shape):
            frame.columns = list(dict.fromkeys([shape.columns[0], *self._facts_of_rows(shape)]))
        if previous.intent == "list":
            self.time_hint = _time_of(previous, shape)
            self._state_filters(fresh, shape)
            if frame.metric and parts.times:
                frame.period = self._days(planned=False)  # deals that slipped in another month
            else:
                fresh.filters += self._period_filters(shape)
                fresh.said += self._said_times(shape)
        elif previous.intent == "interactions" and parts.times:
            frame.period = self._days(planned=False)
        earlier = self._earlier(previous.period)
        if earlier is not None and {"compare", "compared", "vs", "versus", "against"} & parts.words_seen and previous.intent == "metric":
            frame.compare = "year_before" if "year" in parts.words_seen else "previous"
            self.frame_unknown = []
        elif earlier is not None:
            frame.period = earlier
            self.frame_unknown = []
        _replace_filters(frame, fresh)
        if {"whole", "everyone", "everybody", "everyones", "all"} & parts.words_seen and {
            "team",
            "company",
            "reps",
            "everyone",
            "everybody",
        } & parts.words_seen:
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field == "owner")]
            frame.said = [word for word in frame.said if word != "yours"]
        frame.pending = fresh.pending
        frame.entities += fresh.entities
        return frame

    def _in_money(self) -> bool:
        """ "In euros", "in value": the sum is wanted."""
        return (
            bool({"sum", "total"} & set(self.parts.aggregates))
            or re.search(r"\b(?:in|by|as) (?:euros?|dollars?|money|value|chf|francs|pounds|amount|volume|revenue terms)\b", self.parts.phrases)
            is not None
        )

    def _swaps_measure(self, previous: Frame) -> bool:
        """ "And in value?", "the number, please", "the median?": counting instead of summing, or the other way round."""
        if previous.intent == "metric" and {"mean", "median"} & set(self.parts.aggregates) and previous.metric in _AVERAGES:
            return True
        if "weighted" in self.parts.aggregates and previous.intent == "metric" and previous.metric in ("open_pipeline", "open_deals"):
            return True
        known = STATE_OF_METRIC.get(previous.metric) if previous.intent == "metric" else None
        if known is None or not STATE_METRICS[known[:2]][1] or _SET & self.parts.words_seen or self.parts.names:
            return False
        counts = "count" in self.parts.aggregates or self._names_records_of(previous)
        return known[2] if counts else not known[2] and self._in_money() and (bool(previous.group_by) or "sum" not in self.parts.aggregates)

    def _names_records_of(self, previous: Frame) -> bool:
        """ "The number of deals": the plain count of the kind of records that the question before was about."""
        return self.parts.metrics == [{"deal": "deals", "ticket": "tickets_opened", "lead": "leads"}.get(previous.noun, "")]

    def _prefer_fields_of(self, previous: Frame) -> None:
        """A word for two things ("North" the team, "North" the region) means what the question before was narrowed by."""
        used = {item.field for item in previous.filters if isinstance(item, Filter)}
        for raw in self.parts.filters:
            for name, value in raw.alternatives:
                if name in used and raw.field not in used:
                    raw.field, raw.noun = name, ""
                    raw.values = list(value) if isinstance(value, tuple) else [value]

    def _forget(self, frame: Frame) -> None:
        """ "All industries again": a field's conditions are taken back."""
        if "all" not in self.parts.words_seen or {"list", "which"} & set(self.parts.cues):
            return
        for name in list(self.parts.fields):
            if any(isinstance(item, Filter) and item.field == name for item in frame.filters):
                frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field == name)]
                frame.said = []
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
        two = [item for item in frame.filters if isinstance(item, Filter) and item.op == "is" and len(item.values) == 2]
        if len(words) == 1 and len(two) == 1:
            two[0].values = [two[0].values[-1 if words == {"latter"} else 0]]
            frame.said = [word for word in frame.said if " or " not in word] + [str(two[0].values[0])]
            frame.group_by = [name for name in frame.group_by if name != two[0].field]
            self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in words]
            self.parts.unknown = [word for word in self.parts.unknown if word.lower() not in words]

    def _both(self) -> Frame | None:
        """ "Both of them together": the two figures just given, as one."""
        parts, frames = self.parts, [frame for frame in self.dialogue.frames if frame.intent == "metric"]
        if "both" not in parts.words_seen or len(frames) < 2 or parts.metrics or parts.nouns or parts.filters:
            return None
        first, second = frames[-2:]
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

    def _merge_metric(self, frame: Frame, previous: Frame) -> None:
        """The measure, period, groups and order of a figure, as the message changes them."""
        parts = self.parts
        frame.metric = _metric_with_state(parts, previous.metric)
        if self._swaps_measure(previous) and previous.metric in _AVERAGES:
            frame.metric = _AVERAGES[previous.metric]["median" if "median" in parts.aggregates else "mean"]
        elif self._swaps_measure(previous) and "weighted" in parts.aggregates:
            frame.metric = "weighted_pipeline"
        elif self._swaps_measure(previous):
            counts, sums = STATE_METRICS[STATE_OF_METRIC[previous.metric][:2]]
            frame.metric = counts if "count" in parts.aggregates or self._names_records_of(previous) else sums
            self.frame_unknown = []
        declared = METRICS[frame.metric]
        planned = isinstance(declared, Metric) and declared.when == "expected_close"
        if parts.times:
            if parts.compare == "against" and len(parts.times) == 1:
                frame.compare = "previous"
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
        elif declared.name != previous.metric and planned and frame.period:
            frame.period = None
        groups = list(dict.fromkeys([*parts.groups, *parts.wh_groups]))
        if not groups and {"list", "which"} & set(parts.cues) and not parts.nouns:
            groups = list(parts.fields)  # "show me all the teams"
        if groups:
            frame.group_by = self._group_fields(frame, groups)
            frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in frame.group_by)]
            frame.order, frame.limit = None, None
        if parts.order in ("highest", "lowest"):
            frame.order = parts.order  # type: ignore[assignment]
            if not parts.limit and not parts.plural_group:
                frame.limit = 1
        if parts.limit:
            frame.limit = parts.limit
            frame.order = frame.order or "highest"
        elif "all" in parts.words_seen and frame.limit:
            frame.limit = None
        if parts.compare in ("previous", "year_before"):
            frame.compare = parts.compare  # type: ignore[assignment]
            if frame.period is None:
                self._default_comparison_period(frame)

    def _moved_again(self, frame: Frame) -> Frame | None:
        """Another time, owner or window of a movement: "and since the start of the year?", "only mine"."""
        if self.parts.times:
            frame.since, frame.until = self._days_of(self.parts.times[0][0])
        fresh = Frame(intent="movement", noun="deal")
        self._conditions(fresh, shape_for(self.ctx, "deal"), metric=True)
        _replace_filters(frame, fresh)
        return frame

    def _facts_of_rows(self, shape: Shape) -> list[str]:
        """ "Only the one in qualification: next step?": fields to show of the rows that stay."""
        return [
            name for name in self.parts.fields if name in shape.fields and shape.fields[name].key is not None and not shape.fields[name].groupable
        ]

    def _as_metric(self, base: Frame) -> Frame | None:
        """A list as a figure that can be split: how many there are, or what they are worth where that was asked."""
        if base.metric:
            return base.model_copy(deep=True, update={"intent": "metric", "limit": None, "order": None, "count_only": False, "detail": ""})
        counted = {
            "deal": "deals",
            "ticket": "tickets_opened",
            "lead": "leads",
            "company": "companies",
            "contact": "contacts",
            "activity": "activities",
        }
        if base.noun not in counted:
            return None
        name = counted[base.noun]
        filters = list(base.filters)
        if base.noun == "activity" and Filter(field="kind", values=["task"]) in filters and Filter(field="completed", op="empty") in filters:
            name = "open_tasks"
            filters = [item for item in filters if item not in (Filter(field="kind", values=["task"]), Filter(field="completed", op="empty"))]
        if base.noun == "deal":
            status = next((item for item in filters if isinstance(item, Filter) and item.field == "status" and item.op == "is"), None)
            state = str(status.values[0]) if status is not None and len(status.values) == 1 else ""
            counts, sums = STATE_METRICS.get(("deal", state), ("deals", "new_pipeline")) if state else ("deals", "new_pipeline")
            name = sums if base.detail == "sum" or "sum" in self.parts.aggregates else counts
            filters = [item for item in filters if item is not status]
        elif base.noun == "ticket" and any(isinstance(item, Filter) and item.field == "resolved" and item.op == "empty" for item in filters):
            name = "open_tickets"
            filters = [item for item in filters if not (isinstance(item, Filter) and item.field == "resolved")]
        return Frame(intent="metric", noun=base.noun, metric=name, filters=filters, said=list(base.said), entities=list(base.entities))

    def _plain_phrases(self) -> str:
        return re.sub(r"\b(?:fiscal|financial) ", "", self.parts.phrases)

    def _earlier(self, period: Days | None) -> Days | None:
        """ "And the quarter before?", "the one before that": the stretch before the period of the question before."""
        later = _LATER.search(self._plain_phrases())
        if later is not None and isinstance(period, Days):
            span = period.period(self.ctx.calendar)
            grain = span.grain or Grain.day
            if (later.group(1) or later.group(2)) == "year" and grain is not Grain.year:
                first, end = add_months(span.first, 12), add_months(span.end, 12)
                return Days(first=first, end=end)
            return as_days(whole(grain, span.end, self.ctx.calendar))
        match = _EARLIER.search(self._plain_phrases())
        if match is None or not isinstance(period, Days):
            return None
        calendar = self.ctx.calendar
        said = period.period(calendar)
        named = next((word for word in match.groups() if word), "")
        earlier = year_before if named == "year" and said.grain is not Grain.year else preceding
        return as_days(earlier(said, calendar))

    # -- paging ----------------------------------------------------------------------------------------------------

    def same_period(self, frame: Frame) -> None:
        """Give a figure of "that quarter" the period that the conversation was about."""
        said = _THAT_PERIOD.search(self.parts.phrases)
        if said is None or self.parts.times or frame.period is not None or frame.intent != "metric" or not self.dialogue.frames:
            return
        wanted = said.group(1) if said.group(1) in Grain.__members__ else ""

        def fits(before: Frame) -> bool:
            return before.period is not None and (not wanted or before.period.period(self.ctx.calendar).grain in (Grain(wanted), None))

        base = self.dialogue.latest(fits)
        if base is not None:
            frame.period = base.period

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


#: Metrics that a list of plain conditions tells as well: the state's conditions, and the field of its period.
_STATES_AS_FILTERS: dict[str, tuple[tuple[tuple[str, str, tuple[str, ...]], ...], str]] = {
    "open_deals": ((("status", "is", ("open",)),), "expected_close"),
    "open_pipeline": ((("status", "is", ("open",)),), "expected_close"),
    "weighted_pipeline": ((("status", "is", ("open",)),), "expected_close"),
    "won_deals": ((("status", "is", ("won",)),), "closed"),
    "won_value": ((("status", "is", ("won",)),), "closed"),
    "lost_deals": ((("status", "is", ("lost",)),), "closed"),
    "lost_value": ((("status", "is", ("lost",)),), "closed"),
    "deals": ((), "created"),
    "new_pipeline": ((), "created"),
    "leads": ((), "created"),
    "tickets_opened": ((), "created"),
    "open_tickets": ((("resolved", "empty", ()),), ""),
}


def _is_plural(frame: Frame) -> bool:
    """Whether a question was about several records."""
    return frame.intent in ("list", "metric") and frame.pending is None and frame.limit != 1 and (frame.total or 2) > 1


def _time_of(frame: Frame, shape: Shape) -> str:
    """The time field that a list is narrowed by already, or that its state is about."""
    fields = [item.field for item in frame.filters if isinstance(item, Filter) and item.field in shape.fields and shape.fields[item.field].is_time]
    status = [item.values for item in frame.filters if isinstance(item, Filter) and item.field == "status" and item.op == "is"]
    return next(iter(fields), "closed" if shape.name == "deal" and status and "open" not in status[0] else "")


def _bounds(frame: Frame) -> list[float]:
    """The amounts that a question is bounded by."""
    return [float(item.values[0]) for item in frame.filters if isinstance(item, Filter) and item.field == "amount" and item.values]


def _between(period: Days, field: str) -> list[Condition]:
    return [Filter(field=field, op="between", values=[period.first.isoformat(), period.end.isoformat()])]


def _metric_with_state(parts: Parts, metric: str) -> str:
    """ "And lost?" after won value is lost value; a metric named anew replaces the old one."""
    if parts.metrics:
        return parts.metrics[0]
    known = STATE_OF_METRIC.get(metric)
    if known is None and {"won", "closed", "lost"} & set(parts.states) and metric in ("target", "quota_attainment", "forecast"):
        return "lost_value" if "lost" in parts.states else "won_value"  # "closed so far?" after a target
    if known and parts.states:
        pair = STATE_METRICS.get((known[0], parts.states[0]))
        if pair:
            return pair[1] if known[2] and pair[1] else pair[0]
    return metric


def _replace_filters(frame: Frame, fresh: Frame) -> None:
    """New conditions replace old ones on the same field; company and contact and owner each stand for themselves."""
    new = {item.field for item in fresh.filters if isinstance(item, Filter)}
    denied = {item.field for item in fresh.filters if isinstance(item, Filter) and item.op == "is_not"}
    if "team" in new - denied:
        new.add("owner")
    if "owner" in new - denied:
        new.add("team")
    if "stage" in new - denied:
        new.add("status")  # a stage says whether a deal is open, won or lost
    kept = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in new)]
    frame.said = [*_still_said(frame, kept), *fresh.said]
    frame.filters = [*kept, *[item for item in fresh.filters if item not in kept]]


def _still_said(frame: Frame, kept: Iterable[Condition]) -> list[str]:
    """What was said of the conditions that stay; it cannot be told apart where some go, so that then nothing is said twice."""
    return list(frame.said) if list(kept) == list(frame.filters) else []
