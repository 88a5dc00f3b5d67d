"""From parts to a reading: what is asked, of which records, in which period, split how.

Constructions are tried in the order of how much evidence they need; the first that fits makes the frame. Each is
one method with a docstring that gives an example, so that a construction is added by adding a method. A frame
whose content words were not all understood is turned into an honest refusal rather than a guess.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from assistant.language.chart import Chart, build_chart
from assistant.language.dates import Clock, When
from assistant.language.entities import Name
from assistant.language.frames import Entity, Frame, Pending
from assistant.language.parts import STATE_TIME, Parts, RawFilter, collect
from crm_core.access import teams_below
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.definitions import METRICS, Composite, Metric
from crm_core.metrics.fields import (
    Field,
    Kind,
    Shape,
    custom_fields,
    field_of,
    shape_for,
)
from crm_core.metrics.filters import Filter, FilterGroup
from crm_core.metrics.query import Days
from crm_core.models import NOUNS, Contact
from crm_core.money import MAX_MINOR
from crm_core.periods import FAR_FUTURE, FAR_PAST, Grain, Period, preceding, whole, year_before
from crm_core.services.activities import user_name
from crm_core.services.search import Match
from crm_core.text import join_words

#: (noun, state) -> metric that counts it, metric that sums it.
STATE_METRICS: dict[tuple[str, str], tuple[str, str]] = {
    ("deal", ""): ("deals", "open_pipeline"),
    ("deal", "open"): ("open_deals", "open_pipeline"),
    ("deal", "closing"): ("open_deals", "open_pipeline"),
    ("deal", "won"): ("won_deals", "won_value"),
    ("deal", "closed"): ("won_deals", "won_value"),
    ("deal", "lost"): ("lost_deals", "lost_value"),
    ("deal", "created"): ("deals", "new_pipeline"),
    ("deal", "slipped"): ("slipped_deals", "slipped_value"),
    ("ticket", ""): ("tickets_opened", ""),
    ("ticket", "open"): ("open_tickets", ""),
    ("ticket", "created"): ("tickets_opened", ""),
    ("ticket", "resolved"): ("tickets_resolved", ""),
    ("ticket", "closed"): ("tickets_resolved", ""),
    ("ticket", "incomplete"): ("open_tickets", ""),
    ("lead", ""): ("leads", ""),
    ("lead", "created"): ("leads", ""),
    ("lead", "converted"): ("converted_leads", ""),
    ("company", ""): ("companies", ""),
    ("company", "created"): ("companies", ""),
    ("contact", ""): ("contacts", ""),
    ("contact", "created"): ("contacts", ""),
    ("activity", ""): ("activities", ""),
    ("activity", "occurred"): ("activities", ""),
    ("activity", "created"): ("activities", ""),
    ("activity", "completed"): ("activities", ""),
    ("lead", "unconverted"): ("leads", ""),
}
#: Shares that "what percentage of" may mean: (noun, state of the part).
SHARES: dict[tuple[str, str], str] = {
    ("deal", "won"): "win_rate",
    ("deal", "closed"): "win_rate",
    ("lead", "converted"): "lead_conversion",
    ("lead", ""): "lead_conversion",
}
#: Metrics that count or sum a state, read back: metric -> (noun, state, sum?).
_METRIC_STATES: dict[str, tuple[str, str, bool]] = {}
for (_noun, _state), (_count, _sum) in STATE_METRICS.items():
    _METRIC_STATES.setdefault(_count, (_noun, _state, False))
    if _sum:
        _METRIC_STATES[_sum] = (_noun, _state if _state else "open", True)
STATE_OF_METRIC = _METRIC_STATES
_METRIC_STATES |= {
    "deals": ("deal", "created", False),
    "open_pipeline": ("deal", "open", True),
    "tickets_opened": ("ticket", "created", False),
    "won_deals": ("deal", "won", False),
    "won_value": ("deal", "won", True),
}
#: Words that alone make a message about what was said.
_EARLIER = re.compile(
    r"\b(?:the|that|one) (day|week|month|quarter|year|one|period)? ?(?:before|prior)(?: that)?$|\bthe (?:preceding|previous) (day|week|month|quarter|year|one|period)$"
)
_ORDINAL_WORDS = (
    ("first", "1st"),
    ("second", "2nd"),
    ("third", "3rd"),
    ("fourth", "4th"),
    ("fifth", "5th"),
    ("sixth", "6th"),
    ("seventh", "7th"),
    ("eighth", "8th"),
)
STRONG_SAID = frozenset(
    "said say says saying mention mentioned mentions mentioning talk talked talking discuss discussed discussing spoke spoken complain complained complaints feedback "
    "objection objections concerns comment commented told tell".split()
)
#: "Stale" without a period means no activity for this many days.
STALE_DAYS = 30
#: Durations that "how long" or "average time" may mean, by what it is about.
_DURATIONS: tuple[tuple[str, str], ...] = (
    ("resolved", "resolution_time"),
    ("closed", "sales_cycle"),
    ("won", "sales_cycle"),
    ("closing", "sales_cycle"),
)
#: States that a list expresses as conditions: (noun, state) -> (field, op, values, how it reads).
STATE_FILTERS: dict[tuple[str, str], list[tuple[str, str, list[Any], str]]] = {
    ("deal", "open"): [("status", "is", ["open"], "open")],
    ("deal", "closing"): [("status", "is", ["open"], "open")],
    ("deal", "won"): [("status", "is", ["won"], "won")],
    ("deal", "lost"): [("status", "is", ["lost"], "lost")],
    ("deal", "closed"): [("status", "is", ["won", "lost"], "closed")],
    ("deal", "incomplete"): [("status", "is", ["open"], "open")],
    ("deal", "not_won"): [("status", "is", ["open", "lost"], "not won")],
    ("ticket", "open"): [("resolved", "empty", [], "open")],
    ("ticket", "resolved"): [("resolved", "not_empty", [], "resolved")],
    ("ticket", "closed"): [("resolved", "not_empty", [], "resolved")],
    ("ticket", "incomplete"): [("resolved", "empty", [], "open")],
    ("ticket", "unanswered"): [("first_response", "empty", [], "not answered")],
    ("lead", "open"): [("converted", "empty", [], "not converted")],
    ("lead", "converted"): [("converted", "not_empty", [], "converted")],
    ("lead", "unconverted"): [("converted", "empty", [], "not converted")],
    ("lead", "unanswered"): [("first_response", "empty", [], "not answered")],
    ("activity", "open"): [("kind", "is", ["task"], "tasks"), ("completed", "empty", [], "not done")],
    ("activity", "incomplete"): [("kind", "is", ["task"], "tasks"), ("completed", "empty", [], "not done")],
    ("activity", "due"): [("kind", "is", ["task"], "tasks"), ("completed", "empty", [], "not done")],
    ("activity", "completed"): [("kind", "is", ["task"], "tasks"), ("completed", "not_empty", [], "done")],
}
_UNASSIGNED = "without an owner"
_OPPOSITE = {"open": "closed", "closed": "open", "resolved": "open", "converted": "unconverted", "completed": "incomplete", "won": "not_won"}
_RECORD_NOUNS = ("company", "contact", "deal", "lead", "ticket")
#: Fields of a record that a question may ask for, by the field name in the lexicon.
_ASKABLE = frozenset(
    {
        "email",
        "phone",
        "title",
        "owner",
        "stage",
        "amount",
        "expected_close",
        "industry",
        "region",
        "city",
        "country",
        "next_step",
        "status",
        "employees",
        "annual_revenue",
        "domain",
        "priority",
        "category",
        "source",
        "company",
        "parent",
        "forecast_category",
        "pipeline",
        "age",
        "last_activity",
        "created",
        "closed",
        "loss_reason",
    }
)


def read(ctx: Context, message: str, previous: Frame | None) -> tuple[Frame, Chart, Parts]:
    """The best reading of a message that stands alone or leans on ``previous``; raises ``Invalid`` for impossible days."""
    chart = build_chart(ctx, message, Clock(ctx.today, ctx.calendar))
    parts = collect(chart)
    return Reader(ctx, parts, previous).frame(), chart, parts


class Reader:
    """Decides on one frame for the parts."""

    def __init__(self, ctx: Context, parts: Parts, previous: Frame | None) -> None:
        self.ctx, self.parts, self.previous = ctx, parts, previous
        self.frame_unknown = list(parts.unknown)

    def frame(self) -> Frame:
        """Try the constructions in order."""
        for construction in (
            self._talk,
            self._meta,
            self._pending_choice,
            self._write,
            self._definition,
            self._numbered,
            self._said,
            self._record_fields,
            self._ranking,
            self._shares,
            self._metric,
            self._counted,
            self._grouped_noun,
            self._record,
            self._list,
            self._leftover_search,
            self._fragment,
        ):
            frame = construction()
            if frame is not None:
                return self._finish(frame)
        return Frame(intent="nothing" if not self.parts.words else "unknown", unknown=self.parts.unknown, confidence=0.0)

    # --- constructions ----------------------------------------------------------------------------------

    def _talk(self) -> Frame | None:
        """ "Hello", "thanks"."""
        parts = self.parts
        if parts.smalltalk and not (parts.nouns or parts.metrics or parts.names or parts.unknown):
            return Frame(intent="smalltalk", detail=parts.smalltalk)
        return None

    def _meta(self) -> Frame | None:
        """ "How did you get that?", "show me the rows", "next page", "what can you do?"."""
        cues = self.parts.cues
        bare = not (self.parts.names or self.parts.people or self.parts.unknown)
        for intent in ("explain", "rows", "more"):
            if intent in cues and bare and not self.parts.metrics and (not self.parts.nouns or intent == "rows" and self.previous):
                if intent == "rows" and self.previous and self.previous.intent == "list" and not self.previous.count_only:
                    return None if self.parts.times or self.parts.filters else Frame(intent="rows")
                if not (self.parts.times or self.parts.filters):
                    return Frame(intent=intent)
        if "help" in cues and bare and not self.parts.metrics and not self.parts.nouns:
            return Frame(intent="help")
        return None

    def _pending_choice(self) -> Frame | None:
        """ "The second one", "the Berlin one", a candidate's name: an answer to what was asked back."""
        if self.previous is None or self.previous.pending is None:
            return None
        entity = self._chosen(self.previous.pending)
        if entity is None:
            return None
        self.frame_unknown = []
        resumed = self.previous.model_copy(deep=True, update={"pending": None})
        return with_entity(self.ctx, resumed, entity)

    def _chosen(self, pending: Pending) -> Entity | None:
        parts = self.parts
        candidates = pending.candidates
        for name in parts.names:
            ids = {(match.noun, match.id) for match in name.matches}
            fitting = [item for item in candidates if (item.noun, item.id) in ids]
            if len(fitting) == 1:
                return fitting[0]
        text = " ".join(parts.topic + [item.said for item in parts.filters] + parts.unknown).lower()
        if parts.words <= 4:
            ordinal = {"last": len(candidates) - 1} | {word: place for place, pair in enumerate(_ORDINAL_WORDS) for word in pair}
            for word in parts.first_words:
                if ordinal.get(word, len(candidates)) < len(candidates):
                    return candidates[ordinal[word]]
            if parts.limit is not None and 1 <= parts.limit <= len(candidates):
                return candidates[parts.limit - 1]
        places = {match.label.lower() for name in parts.names for match in name.matches}
        there = [item for item, hint in zip(candidates, pending.hints, strict=False) if any(place in hint.lower() for place in places)]
        if len(there) == 1:
            return there[0]
        hits = [
            item
            for item, hint in zip(candidates, pending.hints, strict=False)
            if text and any(word in f"{item.label} {hint}".lower() for word in text.split() if len(word) > 2)
        ]
        return hits[0] if len(hits) == 1 else None

    def _write(self) -> Frame | None:
        """ "Log a call with Dana": a change, which this part only recognises."""
        verb = self.parts.write_verb
        if not verb:
            return None
        if verb in ("email", "phone") and self.parts.names and self.parts.words <= 1 + self.parts.names[0].end - self.parts.names[0].first:
            self.parts.fields.append(verb)
            self.parts.kinds.clear()
            self.parts.nouns.clear()
            return None  # "email Dana Beckett", nothing more: the address is wanted
        if verb in ("email", "mail", "close", "call", "note") and (
            {"of", "for", "address", "date", "from", "with"} & set(self.parts.first_words[1:2])
        ):
            return None
        if verb in ("write", "draft", "compose") and not self.parts.names and not self.parts.nouns:
            return Frame(intent="unknown", unknown=self.parts.unknown)
        asks = {"list", "which", "who", "about"} & set(self.parts.cues) or self.parts.aggregates or "?" in self.parts.first_words
        if verb in ("open", "close", "book", "call", "mail", "email", "note", "make", "put", "give", "post", "add", "set", "mark", "hand") and (
            self.parts.first_words[1:2] in (["me"], ["us"]) or self.parts.words < 2
        ):
            return None
        if asks or self.parts.metrics and verb not in ("log", "create", "update", "set", "change"):
            return None
        if (
            verb in ("call", "email", "mail", "note", "book", "close", "make")
            and self.parts.first_words[1:2]
            and self.parts.kinds[:1] == [verb]
            and self.parts.times
        ):
            return None
        return Frame(intent="write", detail=verb)

    def _definition(self) -> Frame | None:
        """ "What does weighted pipeline mean?"."""
        if "define" in self.parts.cues and len(self.parts.metrics) == 1 and not (self.parts.times or self.parts.filters or self.parts.groups):
            wants = {"mean", "definition", "define", "defined", "meant", "calculated", "computed"} & set(
                self.parts.first_words
            ) or "define" in self.parts.cues
            if wants and not self.parts.aggregates:
                return Frame(intent="define", metric=self.parts.metrics[0])
        return None

    def _numbered(self) -> Frame | None:
        """ "Deal 123", "what is ticket #45 about"."""
        if not self.parts.record_numbers:
            return None
        noun, number = self.parts.record_numbers[0]
        if noun not in (*_RECORD_NOUNS, "product", "activity"):
            return None
        return Frame(intent="record", entity=Entity(noun=noun, id=number, label=f"{noun} {number}"), asked_fields=self._asked())

    def _said(self) -> Frame | None:
        """ "What did Dana say about pricing?", "any mention of a competitor at Acme?", "last call with Acme"."""
        parts = self.parts
        spoken = "said" in parts.cues or "heard" in parts.cues
        speakers = [name for name in parts.metrics if name in METRICS and METRICS[name].rows == "company"]
        if spoken and STRONG_SAID & parts.words_seen and not parts.aggregates and speakers == parts.metrics:
            parts.metrics.clear()  # "what did customers say": whoever they are
            for noun in ("company", "contact"):
                if noun in parts.nouns:
                    parts.nouns.remove(noun)
        about = "topic" in parts.cues and (parts.nouns == ["activity"] or bool(parts.names) and not parts.nouns)
        content = about and (parts.topic or parts.unknown) and not parts.metrics
        counting = "count" in parts.aggregates
        if counting or parts.metrics and not spoken:
            return None
        if "about" in parts.cues and parts.names and not spoken:
            return None
        if parts.nouns and parts.nouns != ["activity"] and spoken and not parts.names and any(n in ("deal", "lead", "company") for n in parts.nouns):
            return None
        if parts.names and len(parts.names) == 1 and self._asked() == ["owner"] and not parts.unknown:
            return None
        latest_contact = "heard" in parts.cues and "said" not in parts.cues and not self._topic()
        if spoken and parts.kinds and parts.order == "newest" and not self._topic_words():
            spoken = False  # "what did he write in his latest mail": that mail
        single = (
            parts.nouns == ["activity"] and parts.order in ("newest", "oldest") and not parts.plural_noun and not parts.groups and not parts.limit
        )
        if latest_contact or single and not content and not spoken:
            frame = self._frame_list("activity")
            frame.filters += self._period_filters(shape_for(self.ctx, "activity"))
            frame.limit, frame.order_by, frame.descending, frame.latest = 1, "occurred", parts.order != "oldest", True
            if not any(isinstance(item, Filter) and item.field == "kind" for item in frame.filters):
                frame.filters.append(Filter(field="kind", op="is_not", values=["task"]))
            return frame
        if not (spoken or content):
            return None
        bare = not parts.names and parts.nouns != ["activity"] and not content
        if bare and (parts.nouns or parts.metrics or parts.aggregates or parts.groups or parts.wh_groups or not STRONG_SAID & parts.words_seen):
            return None  # "I was asked for the pipeline" is not about what was said
        return self._search()

    def _search(self) -> Frame:
        """A search over what was said, with everything that narrows it."""
        parts = self.parts
        frame = Frame(intent="interactions", topic=self._topic(), kinds=list(parts.kinds), latest=parts.order == "newest")
        self._attach_names(frame, shape_for(self.ctx, "activity"), subject=True)
        frame.filters += [
            self._filter(shape_for(self.ctx, "activity"), raw)
            for raw in parts.filters
            if raw.field in ("region", "industry", "direction", "outcome", "owner", "team", "country")
            and self._fits(shape_for(self.ctx, "activity"), raw)
        ]
        frame.said += [raw.said for raw in parts.filters if raw.field in ("region", "industry", "owner", "team")]
        self._mine(frame)
        frame.period = self._days(planned=False)
        self.frame_unknown = []
        return frame

    def _topic_words(self) -> list[str]:
        """Unknown words and topics beyond those that merely ask."""
        return [word for word in (*self.parts.topic, *self.parts.unknown) if word.lower() not in ("came", "come")]

    def _topic(self) -> str:
        """What to search for by meaning, in the asker's words."""
        if not (self._topic_words() or self.parts.filters or self.parts.metrics or self.parts.fields or self.parts.states):
            return ""
        return " ".join(self.parts.content)

    def _record_fields(self) -> Frame | None:
        """ "Dana's phone number", "who owns Acme?", "what stage is the Globex deal in?"."""
        parts = self.parts
        asked = self._asked()
        if parts.names and parts.names[0].noun == "contact" and parts.nouns == ["company"] and not parts.plural_noun and not parts.filters:
            parts.nouns.clear()  # "what company is she at?"
            asked = ["company", *asked]
        if "sum" in parts.aggregates and parts.names and parts.names[0].noun == "deal" and not parts.states and not parts.metrics:
            parts.aggregates.remove("sum")
            asked = ["amount", *asked]
        if "count" in parts.aggregates and asked == ["employees"] and not parts.metrics:
            parts.aggregates.remove("count")
        wanted = [name for name in (*parts.fields, *parts.wh_groups) if name in ("team", "role", "email")]
        if (
            len(parts.people) == 1
            and not parts.names
            and wanted
            and not parts.metrics
            and parts.nouns in ([], ["user"])
            and not parts.aggregates
            and not any(raw.op == "empty" for raw in parts.filters)
        ):
            user_id, label = parts.people[0]
            return Frame(intent="record", entity=Entity(noun="user", id=user_id, label=label), asked_fields=wanted)
        if parts.contacts_at or any(raw.op == "empty" for raw in parts.filters):
            return None
        if (
            not parts.names
            or not asked
            or parts.aggregates
            or parts.metrics
            or parts.order
            or parts.groups
            or "list" in parts.cues
            and parts.plural_noun
        ):
            return None
        if len(parts.names) > 2 or any(raw.op != "is" or raw.field != "owner" for raw in parts.filters):
            return None
        frame = Frame(intent="record", asked_fields=asked)
        if parts.names[0].noun == "company" and parts.plural_noun and "parent" in asked:
            return None
        deals_of_company = parts.nouns == ["deal"] and parts.names[0].noun == "company"
        if deals_of_company:
            frame = self._frame_list("deal")
            frame.asked_fields = asked
            return frame
        self._subject(frame)
        return frame if frame.entity or frame.pending else None

    def _asked(self) -> list[str]:
        asked = [
            name
            for name in (*self.parts.fields, *(self.parts.wh_groups if self.parts.names else []))
            if name in _ASKABLE or name in self._custom_names()
        ]
        words = self.parts.first_words
        if "who" in self.parts.cues and not asked and {"owns", "own", "manages", "handles", "responsible"} & set(words):
            asked.append("owner")
        if self.parts.kinds == ["email"] and not self.parts.plural_noun and self.parts.names and not asked and "said" not in self.parts.cues:
            asked = ["email"] if self.parts.order == "" and "email" in " ".join(words) else []
        return list(dict.fromkeys(asked))

    def _custom_names(self) -> set[str]:
        noun = self.parts.names[0].noun if self.parts.names else ""
        return set(custom_fields(self.ctx, NOUNS[noun])) if noun in NOUNS else set()

    def _ranking(self) -> Frame | None:
        """ "Top 5 reps by win rate", "which region lost the most?", "who closed the biggest deal"."""
        parts = self.parts
        groups = parts.wh_groups
        if {"mean", "median"} & set(parts.aggregates) and not parts.metrics and (averaged := self._measured()) is not None:
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
        if not groups or parts.names and "about" in parts.cues:
            return None
        metrics = [name for name in parts.metrics if name not in ("companies", "contacts", "customers")]
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
        if metric in _METRIC_STATES and not _METRIC_STATES[metric][2] and summing and "count" not in parts.aggregates:
            metric = STATE_METRICS[_METRIC_STATES[metric][:2]][1] or metric
        if not metric:
            return None
        frame = self._frame_metric(metric)
        frame.group_by = self._group_fields(frame, list(dict.fromkeys([*groups[:1], *parts.groups])))
        if parts.order or not metrics:
            frame.order = self._metric_order(metric)
        single = not self._plural_group() and not any(word in ("top", "bottom") for word in parts.first_words) or parts.limit == 1
        frame.limit = parts.limit
        if ordered and frame.limit is None and not parts.groups:
            frame.limit = 1 if single else 5 if {"top", "bottom"} & set(parts.first_words) else None
        return frame

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
        noun = self._noun() or next((_METRIC_STATES[name][0] for name in parts.metrics if name in _METRIC_STATES), "")
        told = [*parts.states, *(_METRIC_STATES[name][1] for name in parts.metrics if name in _METRIC_STATES)]
        states = ["won" if "won" in told else "", *told]
        if any(raw.field == "stage" for raw in parts.filters) and noun in ("deal", "") and not parts.states:
            return self._with_groups(self._frame_metric("stage_conversion"))
        if "go on" in " ".join(parts.first_words) or any(raw.field == "stage" for raw in parts.filters):
            return self._with_groups(self._frame_metric("stage_conversion"))
        for state in states:
            metric = SHARES.get((noun or "deal", state))
            if metric == "win_rate" and {"value", "amount", "dollar", "dollars", "money", "amounts"} & parts.words_seen:
                metric = "win_rate_value"
            if metric:
                return self._with_groups(self._frame_metric(metric))
        return None

    def _grouped_noun(self) -> Frame | None:
        """ "Leads by source this year", "calls per rep last week", "companies by industry": a count without saying so."""
        parts = self.parts
        noun = self._noun()
        if not noun or not parts.groups or parts.names and parts.nouns == []:
            return None
        state = self._state(noun)
        if (noun, state) not in STATE_METRICS:
            return None
        if noun == "deal" and not state:
            state = "open" if not parts.times else "created"
        if noun == "ticket" and not state and not parts.times:
            state = "open"
        return self._with_groups(self._frame_metric(STATE_METRICS[(noun, state)][0], state=state))

    def _leftover_search(self) -> Frame | None:
        """ "Globex - data storage discussion?": a name and content words that no other construction used."""
        parts = self.parts
        if (
            not parts.names
            or not parts.unknown
            or parts.metrics
            or parts.aggregates
            or any(noun not in ("activity", parts.names[0].noun) for noun in parts.nouns)
        ):
            return None
        return self._search()

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
        strong = [name for name in metrics if name not in _METRIC_STATES and name != "customers"]
        metrics = strong + [name for name in metrics if name not in strong]
        reached = {"achieved", "reached", "hit", "achieve", "reach", "percent", "percentage", "attained", "attain", "fulfilled"} & parts.words_seen
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
            and metric in _METRIC_STATES
            and not _METRIC_STATES[metric][2]
            and "count" not in parts.aggregates
        ):
            metric = STATE_METRICS[_METRIC_STATES[metric][:2]][1] or metric if "sum" in parts.aggregates or metric == "open_deals" else metric
        if metric in ("deals", "leads", "companies", "contacts", "activities"):  # "number of deals won": the state says which deals
            noun = _METRIC_STATES[metric][0]
            told = next((state for state in parts.states if (noun, state) in STATE_METRICS and state not in ("created", "occurred")), "")
            sums = bool({"sum"} & set(parts.aggregates)) and noun == "deal"
            counts, summed = STATE_METRICS[(noun, told)] if told else (metric, "new_pipeline" if sums else "")
            metric = summed if sums and summed else counts
        if "weighted" in parts.aggregates and metric in ("open_pipeline", "open_deals"):
            metric = "weighted_pipeline"
        if metric == "open_pipeline" and "created" in parts.states:
            metric = "new_pipeline"
        if "mean" in parts.aggregates and "stage" in (*parts.groups, *parts.wh_groups) and metric in ("open_deals", "deals"):
            metric = "time_in_stage"
        if parts.why and metric == "lost_deals" and not parts.groups:
            parts.groups.append("loss_reason")
        if "count" in parts.aggregates and metric in _METRIC_STATES and _METRIC_STATES[metric][2] and "deal" in parts.nouns:
            metric = STATE_METRICS[(_METRIC_STATES[metric][0], _METRIC_STATES[metric][1])][0]
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
        if metric == "average_deal_size" and "open" in parts.states:
            return None
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

    def _is_plain_count(self, name: str) -> bool:
        """Metrics that are the name of a list as well: "open deals", "new leads", "customers"."""
        metric = METRICS[name]
        if name not in _METRIC_STATES and name != "customers" or "count" in self.parts.words_seen:
            return False
        listing = bool({"list", "which"} & set(self.parts.cues))
        if (
            isinstance(metric, Metric)
            and metric.span is not None
            and self.parts.times
            and not listing
            and metric.name in ("open_tickets", "customers")
        ):
            return False
        return (
            isinstance(metric, Metric)
            and metric.counted != ""
            and not self.parts.aggregates
            and (bool({"list", "which"} & set(self.parts.cues)) or self.parts.order != "" or self._list_like())
        )

    def _list_like(self) -> bool:
        """Whether a bare "open deals over 20k" reads as a list: it names records with conditions, and asks for no figure."""
        return not (self.parts.groups or self.parts.compare)

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
        happened = {"won", "lost", "slipped", "closed"} & set(parts.states)
        if (
            not aggregate
            and happened
            and not parts.nouns
            and not parts.names
            and not parts.order
            and (parts.times or parts.filters)
            and not parts.follow_up
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
        if aggregate == "mean" and noun == "deal":
            if state in ("", "won", "closed"):
                return self._with_groups(self._frame_metric("average_deal_size"))
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
        if (noun, state) not in STATE_METRICS:
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

    def _record(self) -> Frame | None:
        """ "What's going on with Acme?", "who is Dana Beckett?", "Acme"."""
        parts = self.parts
        if not parts.names or parts.groups or parts.wh_groups or parts.order or parts.limit or parts.metrics or parts.aggregates:
            return None
        noun = parts.names[0].noun
        other = [item for item in parts.nouns if item != noun]
        about = {"about", "who_is"} & set(parts.cues)
        if other and not (about and other == ["activity"]) or parts.plural_noun:
            return None
        if (
            parts.filters
            and not about
            or any(raw.field in ("title", "deal_role") for raw in parts.filters)
            or parts.unknown
            and not about
            or parts.contacts_at
        ):
            return None
        if parts.states and not about or parts.times and not about:
            return None
        if not about and not parts.cues and len(parts.names) > 1:
            return None
        if parts.follow_up and self.previous is not None and self.previous.intent in ("metric", "list", "interactions") and not about:
            return None
        frame = Frame(intent="record")
        self._subject(frame)
        return frame if frame.entity or frame.pending else None

    def _list(self) -> Frame | None:
        """ "My deals closing this month over 20k", "open urgent tickets at Acme", "contacts at Globex"."""
        parts = self.parts
        noun = self._noun()
        if not noun and parts.wh_groups[:1] == ["company"]:
            noun = "company"
        if parts.customer and not noun:
            noun = "company"
        if not noun and parts.metrics and self._is_plain_count(parts.metrics[0]):
            noun = _METRIC_STATES.get(parts.metrics[0], ("", "", False))[0] or ("company" if parts.metrics[0] == "customers" else "")
        sold = {"open", "won", "lost", "closing", "closed"} & set(parts.states)
        if not noun and sold and (parts.names or parts.order):
            noun = "deal"  # "what do we have open with Acme?", "our biggest win this year"
        if not noun:
            return None
        if parts.names and noun == "activity" and parts.unknown:
            return None  # "the redlines note for Sierra": the unknown words are what to look for
        if noun == "user" and not ({"list", "which", "who"} & set(parts.cues)) and not parts.filters and not parts.names:
            return None
        return self._frame_list(noun)

    def _fragment(self) -> Frame | None:
        """ "And in EMEA?", "by rep?", "what about last year?", "only open ones": leans on the question before."""
        parts, previous = self.parts, self.previous
        if previous is None or parts.unknown_capital:
            return None
        something = (
            parts.groups
            or parts.times
            or parts.filters
            or parts.names
            or parts.states
            or parts.order
            or parts.compare
            or parts.me
            or parts.limit
            or parts.my_team
            or parts.wh_groups
            or parts.fields
            or self._asked()
            or _EARLIER.search(parts.phrases)
        )
        if not something:
            return None
        return merge(self, previous)

    # --- pieces -----------------------------------------------------------------------------------------

    def _noun(self) -> str:
        nouns = self.parts.nouns
        if self.parts.contacts_at or any(raw.field in ("deal_role", "title") for raw in self.parts.filters) and not nouns:
            return "contact"
        counted = [_METRIC_STATES[name][0] for name in self.parts.metrics if name in _METRIC_STATES and _METRIC_STATES[name][0] != "company"]
        if counted and nouns in (["company"], ["contact"], ["product"]):
            return counted[0]  # "open deals with companies in EMEA"
        if not nouns:
            return ""
        if len(nouns) > 1 and nouns[0] == "company" and self.parts.customer:
            return next(item for item in nouns if item != "company")
        if len(nouns) > 1 and nouns[0] in self.parts.wh_groups and nouns[1] in ("deal", "ticket", "lead", "activity"):
            return nouns[1]
        return nouns[0]

    def _state(self, noun: str) -> str:
        for state in self.parts.states:
            if (noun or "deal", state) in STATE_METRICS or (noun or "deal", state) in STATE_FILTERS:
                return state
        for name in self.parts.metrics:
            known = _METRIC_STATES.get(name)
            if known and known[0] == noun:
                return "" if known[1] == "created" and name not in ("leads", "tickets_opened") else known[1]
        return ""

    def _frame_metric(self, name: str, *, state: str = "") -> Frame:
        """A metric frame with the filters, period and comparison of the message."""
        metric = METRICS[name]
        shape_name = metric.shape if isinstance(metric, Metric) else METRICS[metric.inputs[0]].shape  # type: ignore[union-attr]
        shape = shape_for(self.ctx, shape_name)
        sells_product = any(raw.field in ("product", "product_family") for raw in self.parts.filters)
        if sells_product and name in ("won_value", "won_deals") and {"quantity", "units", "pieces", "seats"} & self.parts.words_seen:
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
        planned = isinstance(metric, Metric) and metric.when == "expected_close"
        if not self.parts.times:
            return
        when, cue = self.parts.times[0]
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
        frame.period = _as_days(period)

    def _which_comparison(self) -> Any:
        first, second = self.parts.times[0][0].period, self.parts.times[1][0].period
        return (
            "year_before"
            if abs((first.first - second.first).days - 365) < 10 or abs((first.first - second.first).days - 366) < 10 and first.days < 300
            else "previous"
        )

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
        frame.group_by = self._group_fields(frame, groups)
        if "who" in parts.cues and not groups and not parts.names and "said" not in parts.cues and ("count" in parts.aggregates or parts.order):
            frame.group_by = ["owner"]
        if parts.order in ("highest", "lowest") and frame.group_by:
            frame.order = self._metric_order(frame.metric)
            frame.limit = parts.limit
        elif parts.limit and frame.group_by:
            frame.limit, frame.order = parts.limit, "highest"
        return frame

    def _group_fields(self, frame: Frame, words: list[str]) -> list[str]:
        """The fields that grouping words mean for the frame's metric; a word that fits none is not understood."""
        declared = METRICS[frame.metric]
        shape = shape_for(self.ctx, declared.shape if isinstance(declared, Metric) else METRICS[declared.inputs[0]].shape)  # type: ignore[union-attr]
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

    def _frame_list(self, noun: str) -> Frame:
        """A list frame with filters, order and limit of the message."""
        parts = self.parts
        shape = shape_for(self.ctx, noun)
        frame = Frame(intent="list", noun=noun)
        for name in parts.metrics:
            known = _METRIC_STATES.get(name)
            if (
                known
                and known[0] == noun
                and known[1]
                and known[1] not in parts.states
                and (known[1] != "created" or name == "deals" and "created" in parts.phrases or name != "deals")
            ):
                parts.states.append(known[1])
        self._conditions(frame, shape, metric=False)
        self._state_filters(frame, shape)
        if noun == "activity" and parts.kinds and not any(isinstance(item, Filter) and item.field == "kind" for item in frame.filters):
            frame.filters.append(Filter(field="kind", values=list(parts.kinds)))
            frame.said.append(" or ".join(f"{kind}s" for kind in parts.kinds))
        if parts.customer and noun == "company":
            frame.filters.append(Filter(field="customer", values=[True]))
            frame.said.append("customers")
        if noun == "activity" and not parts.kinds and not {"due", "overdue", "incomplete", "open", "completed"} & set(parts.states):
            frame.filters.append(FilterGroup(any_of=[Filter(field="kind", op="is_not", values=["task"]), Filter(field="completed", op="not_empty")]))
        if not frame.latest and frame.metric != "slipped_deals":
            frame.filters += [item for item in self._period_filters(shape) if item not in frame.filters]
        self._list_order(frame, shape)
        frame.limit = parts.limit
        if parts.sort:
            try:
                frame.order_by = field_of(shape, parts.sort).name
                frame.descending = (
                    shape.fields[frame.order_by].kind in (Kind.money, Kind.number)
                    and "ascending" not in parts.words_seen
                    or "descending" in parts.words_seen
                )
            except Invalid:
                self.frame_unknown.append(parts.sort)
        if parts.order and parts.order not in ("newest",) and not parts.plural_noun and parts.limit is None:
            frame.limit = 1
        if (
            parts.order
            and {"was", "is"} & parts.words_seen
            and not {"were", "are"} & parts.words_seen
            and "which" in parts.cues
            and parts.limit is None
        ):
            frame.limit = 1  # "which of these was the largest?"
        if parts.order == "newest" and not parts.plural_noun and not parts.order_is_soft and parts.limit is None:
            frame.limit = 1
        return frame

    def _list_order(self, frame: Frame, shape: Shape) -> None:
        parts = self.parts
        amount = "amount" if "amount" in shape.fields else ""
        created = "occurred" if shape.name == "activity" else "created"
        if parts.order in ("highest", "lowest"):
            name = next(
                (
                    item
                    for item in (*parts.fields, *([parts.sort] if parts.sort else []))
                    if item in shape.fields and shape.fields[item].kind in (Kind.number, Kind.money)
                ),
                "",
            )
            hint = parts.order_field if parts.order_field in shape.fields else ""
            if parts.order_field == "amount" and shape.name == "company":
                hint = "employees"
            if parts.order_field == "duration" and "age" in shape.fields:
                hint = "age"
            frame.order_by = name or hint or amount or created
            frame.descending = parts.order == "highest"
        elif parts.order in ("oldest", "newest"):
            frame.order_by, frame.descending = created, parts.order == "newest"
            if shape.name == "deal" and ({"won", "lost", "closed"} & set(parts.states)):
                frame.order_by = "closed"
        elif parts.order == "soonest":
            frame.order_by, frame.descending = ("due" if shape.name == "activity" else "expected_close" if amount else created), False
        elif (
            shape.name == "activity"
            and {"due", "overdue", "incomplete", "open"} & set(parts.states)
            or shape.name == "activity"
            and parts.kinds == ["task"]
        ):
            frame.order_by, frame.descending = "due", False

    def _state_filters(self, frame: Frame, shape: Shape) -> None:
        noun = shape.name
        states = [*self.parts.states, *(_OPPOSITE.get(item, "") for item in self.parts.negated_states)]
        for name in self.parts.metrics:
            known = _METRIC_STATES.get(name)
            if known and known[0] == noun and known[1] and known[1] != "created":
                states.append(known[1])
            elif name == "customers" and noun == "company":
                self.parts.customer = True
        if noun == "activity" and "task" in self.parts.kinds and not {"completed", "incomplete", "due", "overdue", "open", "created"} & set(states):
            states.append("incomplete")
        if noun == "deal" and "closed" in states and {"won", "lost"} & set(states):
            states = [state for state in states if state != "closed"]  # "closed as won"
        several = [STATE_FILTERS[(noun, item)] for item in dict.fromkeys(states) if (noun, item) in STATE_FILTERS and (noun, item) != (noun, "due")]
        if len(several) > 1 and noun == "deal" and all(group[0][0] == "status" for group in several):
            values = list(dict.fromkeys(value for group in several for value in group[0][2]))
            if {"open", "closing"} & set(states) and len({*values}) > 1 and "closing" in states:
                values = ["open"]
            frame.filters.append(Filter(field="status", values=values))
            frame.said.append(" or ".join(str(value) for value in values))
        else:
            for group in several:
                for name, op, values, said in group:
                    item = Filter(field=name, op=op, values=values)
                    if item not in frame.filters:
                        frame.filters.append(item)
                        frame.said.append(said)
        if (noun, "due") in STATE_FILTERS and "due" in states and not several:
            frame.filters += [Filter(field=name, op=op, values=values) for name, op, values, _ in STATE_FILTERS[(noun, "due")]]
            frame.said.append("not done")
        if "unassigned" in states:
            frame.filters.append(Filter(field="owner", op="empty"))
            frame.said.append(_UNASSIGNED)
        if "overdue" in states:
            self._overdue(frame, shape)
        if "slipped" in states and noun == "deal":
            frame.metric = "slipped_deals"
            frame.period = self._days(planned=False)

    def _overdue(self, frame: Frame, shape: Shape) -> None:
        today = self.ctx.today.isoformat()
        if shape.name == "deal":
            frame.filters += [Filter(field="status", values=["open"]), Filter(field="expected_close", op="less_than", values=[today])]
            frame.said.append("open past their expected close day")
        elif shape.name == "activity":
            frame.filters += [
                Filter(field="kind", values=["task"]),
                Filter(field="completed", op="empty"),
                Filter(field="due", op="less_than", values=[today]),
            ]
            frame.said.append("overdue tasks")
            frame.filters = list({item.model_dump_json(): item for item in frame.filters}.values())

    def _conditions(self, frame: Frame, shape: Shape, *, metric: bool) -> None:
        """Filters, names, mine, untouched: what narrows the rows."""
        self._attach_names(frame, shape, subject=False)
        self._attach_values(frame, shape)
        self._mine(frame)
        untouched = self.parts.untouched
        quiet_days = self.parts.untouched_days or (STALE_DAYS if "stale" in self.parts.states else 0)
        if untouched is None and quiet_days:
            first = self.ctx.today - timedelta(days=min(quiet_days, 36_500) - 1)
            untouched = When(0, 0, Period(first, self.ctx.today + timedelta(days=1), f"last {quiet_days} days"))
        if untouched is not None and "last_activity" in shape.fields:
            since = untouched.period.first.isoformat()
            frame.filters.append(
                FilterGroup(any_of=[Filter(field="last_activity", op="less_than", values=[since]), Filter(field="last_activity", op="empty")])
            )
            frame.said.append(f"no activity since {untouched.period.describe()}")
        del metric

    def _attach_values(self, frame: Frame, shape: Shape) -> None:
        groups: dict[str, list[RawFilter]] = {}
        for raw in self.parts.filters:
            if raw.noun == "ambiguous":
                frame.pending = self._pending_people(raw)
                continue
            if self._fits(shape, raw):
                groups.setdefault(f"{raw.field}/{raw.op}/{raw.negated}", []).append(raw)
        placed = {raw.said for items in groups.values() for raw in items}
        for raw in self.parts.filters:
            if raw.said not in placed and raw.noun != "ambiguous":
                self.frame_unknown.append(raw.said)
        for items in groups.values():
            values = list(dict.fromkeys(value for raw in items for value in raw.values))
            first = items[0]
            merged = RawFilter(first.field, first.op, values, " or ".join(dict.fromkeys(raw.said for raw in items)), first.noun, first.negated)
            frame.filters.append(self._filter(shape, merged))
            frame.said.append(f"not {merged.said}" if merged.negated else merged.said)

    def _pending_people(self, raw: RawFilter) -> Pending:
        people = [Entity(noun="user", id=value, label=user_name(self.ctx, value) or raw.said) for value in raw.values]
        return Pending(name=raw.said, candidates=people, hints=[""] * len(people))

    def _fits(self, shape: Shape, raw: RawFilter) -> bool:
        """Whether the shape has this field, and the value belongs to it."""
        if raw.field == "stage" and shape.name not in ("deal", "line_item", "stage_entry"):
            return False
        try:
            item = field_of(shape, raw.field)
        except Invalid:
            return False
        if not raw.noun or raw.noun == shape.name or item.custom:
            return True
        other = (
            shape_for(self.ctx, raw.noun).fields.get(raw.field)
            if raw.noun in ("company", "contact", "lead", "deal", "ticket", "activity", "line_item", "product")
            else None
        )
        return other is not None and (other.picklist == item.picklist or shape.noun.__noun__ == raw.noun)

    def _filter(self, shape: Shape, raw: RawFilter) -> Filter:
        item: Field = field_of(shape, raw.field)
        op: Any = raw.op
        if raw.negated and op == "is":
            op = "is_not"
        if any(isinstance(value, Decimal) and abs(value) > MAX_MINOR for value in raw.values):
            raise Invalid("That number is larger than anything the CRM holds. Which number do you mean?")
        values = [value if isinstance(value, str | int | bool) else float(value) if value % 1 else int(value) for value in raw.values]
        return Filter(field=item.name, op=op, values=values)

    def _mine(self, frame: Frame) -> None:
        if self.parts.my_team and self.ctx.actor.team_id is not None:
            teams = sorted(teams_below(self.ctx.session, self.ctx.actor.team_id))
            frame.filters.append(Filter(field="team", values=list(teams)))
            frame.said.append("your team")
        elif self.parts.me and self.ctx.actor.user_id is not None and (frame.noun not in ("user", "product") or frame.metric == "target"):
            frame.filters.append(Filter(field="owner", values=[self.ctx.actor.user_id]))
            frame.said.append("yours")

    # --- names ------------------------------------------------------------------------------------------

    def _attach_names(self, frame: Frame, shape: Shape, *, subject: bool) -> None:
        """Names become filters of the shape: a company, a contact, a colleague as owner."""
        names = self._narrow(list(enumerate(self.parts.names)))
        for index, name in names:
            colleagues = self.parts.colleagues[index]
            if colleagues and (not subject or not name.exact) and self._prefers_colleague(name, shape):
                if len(colleagues) == 1:
                    frame.filters.append(Filter(field="owner", values=[colleagues[0][0]]))
                    frame.said.append(colleagues[0][1])
                else:
                    people = [Entity(noun="user", id=key, label=label) for key, label in colleagues]
                    frame.pending = Pending(name=people[0].label.split()[0], candidates=people, hints=[""] * len(people))
                continue
            matches = self._fitting(name, shape)
            if not matches:
                self.frame_unknown.append(" ".join(match.label for match in name.matches[:1]))
                continue
            entities = [Entity(noun=match.noun, id=match.id, label=match.label) for match in matches]
            if len(entities) > 1:
                frame.pending = Pending(name=self._spoken(name), candidates=entities[:8], hints=[match.hint for match in matches[:8]])
                continue
            self._add_entity(frame, shape, entities[0], negated=index in self.parts.negated_names)
        if self.parts.pronoun and not self.parts.names and self.previous is not None:
            known = self.previous.entity or (self.previous.entities[-1] if self.previous.entities else None)
            if known is not None and {"their", "its", "it", "them", "they", "her", "his", "him", "she", "he"} & set(self._all_words()):
                self._add_entity(frame, shape, known, negated=False)

    def _all_words(self) -> list[str]:
        return [*self.parts.first_words, *(["their"] if self.parts.pronoun else [])]

    def _prefers_colleague(self, name: Name, shape: Shape) -> bool:
        if "owner" not in shape.fields:
            return False
        return name.noun in ("contact", "lead")

    def _spoken(self, name: Name) -> str:
        words = [match.label.split() for match in name.matches]
        common = [word for word in words[0] if all(word in other for other in words)]
        return " ".join(common) or name.matches[0].label

    def _fitting(self, name: Name, shape: Shape) -> list[Match]:
        """The matches that the shape can filter by."""
        accepted = {noun for noun in ("company", "contact", "deal", "product") if noun in shape.fields or shape.name == noun}
        if shape.name == "deal":
            accepted |= {"contact"}
        return [match for match in name.matches if match.noun in accepted]

    def _narrow(self, names: list[tuple[int, Name]]) -> list[tuple[int, Name]]:
        """ "Dana at Acme": a person named with a company is looked for there."""
        companies = [name for _, name in names if name.noun == "company" and len(name.matches) == 1]
        if not companies:
            return names
        company_id = companies[0].matches[0].id
        narrowed: list[tuple[int, Name]] = []
        for index, name in names:
            if name.noun == "contact" and len(name.matches) > 1:
                ids = [match.id for match in name.matches]
                inside = set(self.ctx.session.scalars(select(Contact.id).where(Contact.id.in_(ids), Contact.company_id == company_id)))
                kept = tuple(match for match in name.matches if match.id in inside)
                name = Name(name.first, name.end, kept or name.matches, name.exact)
            narrowed.append((index, name))
        return narrowed

    def _add_entity(self, frame: Frame, shape: Shape, entity: Entity, *, negated: bool) -> None:
        name = "id" if entity.noun == shape.name and entity.noun not in shape.fields else entity.noun
        if shape.name == "company" and entity.noun == "company" and (self.parts.subsidiary or "parent" in self.parts.fields):
            name = "parent"
        if entity.noun == "user":
            name = "owner"
        frame.filters.append(Filter(field=name, op="is_not" if negated else "is", values=[entity.id]))
        frame.entities.append(entity)
        frame.said.append(f"not {entity.label}" if negated else entity.label)

    def _subject(self, frame: Frame) -> None:
        """The one record that the message is about."""
        names = self._narrow(list(enumerate(self.parts.names)))
        people = [(index, name) for index, name in names if name.noun == "contact"]
        index, name = people[0] if people and len(names) > 1 else names[0]
        del index
        matches = list(name.matches)
        if len(matches) == 1:
            frame.entity = Entity(noun=matches[0].noun, id=matches[0].id, label=matches[0].label)
        else:
            entities = [Entity(noun=match.noun, id=match.id, label=match.label) for match in matches[:8]]
            frame.pending = Pending(name=self._spoken(name), candidates=entities, hints=[match.hint for match in matches[:8]])

    # --- time -------------------------------------------------------------------------------------------

    def _time_field(self, shape: Shape, cue: str) -> str:
        """The time field that a cue before the time expression names."""
        kind, _, value = cue.partition(":")
        if kind == "field" and value in shape.fields:
            return value
        if kind == "field" and value == "created" and "occurred" in shape.fields:
            return "occurred"
        if kind == "state":
            known = STATE_TIME.get((shape.noun.__noun__, value), "")
            if known in shape.fields:
                return known
            if value == "created":
                return "occurred" if "occurred" in shape.fields else "created"
            if value == "occurred" and "occurred" in shape.fields:
                return "occurred"
        return ""

    def _period_filters(self, shape: Shape) -> list[Filter]:
        filters = []
        for when, cue in self.parts.times:
            name = self._time_field(shape, cue) or self._default_time(shape)
            filters.append(self._time_filter(shape, name, when))
        return filters

    def _default_time(self, shape: Shape) -> str:
        states = self.parts.states
        for state in states:
            named = STATE_TIME.get((shape.name, state))
            if named:
                return named
        if shape.name == "activity" and self.parts.kinds == ["task"]:
            return "due"
        if shape.name == "deal" and "created" in states:
            return "created"
        if shape.name in ("company", "contact") and "last_activity" in self.parts.fields:
            return "last_activity"
        return shape.time

    def _time_filter(self, shape: Shape, name: str, when: When) -> Filter:
        planned = name in ("expected_close", "due")
        period = when.reading(planned)
        if period.first <= FAR_PAST:
            return Filter(field=name, op="less_than", values=[period.end.isoformat()])
        if period.end >= FAR_FUTURE:
            return Filter(field=name, op="at_least", values=[period.first.isoformat()])
        return Filter(field=name, op="between", values=[period.first.isoformat(), period.end.isoformat()])

    def _days(self, *, planned: bool) -> Days | None:
        return _as_days(self.parts.times[0][0].reading(planned)) if self.parts.times else None

    # --- last check -------------------------------------------------------------------------------------

    def _finish(self, frame: Frame) -> Frame:
        """Refuse where content was not understood: an answer to another question is worse than none."""
        if frame.metric in ("slipped_deals", "slipped_value") and len(self.parts.times) > 1 and not frame.compare:
            spans = join_words([when.period.describe() for when, _field in self.parts.times[:2]], "or")
            return Frame(intent="unknown", detail=f"You name two periods, and I can compute what slipped in one of them. Which do you mean: {spans}?")
        if frame.intent in ("metric", "list", "record", "rows", "more", "explain", "fragment") and self.frame_unknown and frame.pending is None:
            serious = [word for word in self.frame_unknown if len(word) > 2]
            if serious:
                return Frame(intent="unknown", unknown=serious, confidence=0.2, noun=frame.noun, metric=frame.metric)
        return frame


def _as_days(period: Period) -> Days:
    return Days(first=period.first, end=period.end, label=period.label)


def with_entity(ctx: Context, frame: Frame, entity: Entity) -> Frame:
    """The frame with a name settled: as its subject, or as a filter."""
    frame.entities.append(entity)
    frame.said.append(entity.label)
    if frame.intent == "record":
        frame.entity = entity
        return frame
    if frame.intent == "interactions":
        frame.filters.append(Filter(field="owner" if entity.noun == "user" else entity.noun, values=[entity.id]))
        return frame
    shape_name = frame.noun
    shape = shape_for(ctx, shape_name)
    name = "owner" if entity.noun == "user" else "id" if entity.noun == shape.name and entity.noun not in shape.fields else entity.noun
    frame.filters.append(Filter(field=name, values=[entity.id]))
    return frame


def merge(reader: Reader, previous: Frame) -> Frame | None:
    """The previous question with the new parts in place of the old ones of the same sort."""
    parts = reader.parts
    frame = previous.model_copy(deep=True, update={"pending": None, "offset": 0})
    if previous.intent == "record":
        if parts.names and not (parts.groups or parts.times):
            fresh = Frame(intent="record", asked_fields=reader._asked() or previous.asked_fields)
            reader._subject(fresh)
            return fresh
        if reader._asked() and previous.entity:
            return Frame(intent="record", entity=previous.entity, asked_fields=reader._asked())
        return None
    if previous.intent not in ("metric", "list", "interactions"):
        return None
    if previous.intent == "metric":
        metric = _metric_with_state(parts, previous.metric)
        frame.metric = metric
        declared = METRICS[metric]
        shape_name = declared.shape if isinstance(declared, Metric) else METRICS[declared.inputs[0]].shape  # type: ignore[union-attr]
        shape = shape_for(reader.ctx, shape_name)
        planned = isinstance(declared, Metric) and declared.when == "expected_close"
        if parts.times:
            if parts.compare == "against" and len(parts.times) == 1:
                frame.compare = "previous"
            else:
                frame.period = reader._days(planned=planned)
        elif declared.name != previous.metric and planned and frame.period:
            frame.period = None
        groups = list(dict.fromkeys([*parts.groups, *parts.wh_groups]))
        if groups:
            frame.group_by = groups[:2]
            frame.order, frame.limit = None, None
        if parts.order in ("highest", "lowest"):
            frame.order = parts.order  # type: ignore[assignment]
        if parts.limit:
            frame.limit = parts.limit
        if parts.compare in ("previous", "year_before"):
            frame.compare = parts.compare  # type: ignore[assignment]
            if frame.period is None:
                reader._default_comparison_period(frame)
    else:
        shape = shape_for(reader.ctx, "activity" if previous.intent == "interactions" else previous.noun)
        if parts.order and previous.intent == "list":
            reader._list_order(frame, shape)
        if parts.limit:
            frame.limit = parts.limit
        if parts.topic and previous.intent == "interactions":
            frame.topic = reader._topic()
    fresh = Frame(intent=frame.intent, noun=frame.noun, metric=frame.metric)
    reader._conditions(fresh, shape, metric=previous.intent == "metric")
    if previous.intent == "list":
        reader._state_filters(fresh, shape)
        fresh.filters += reader._period_filters(shape)
    elif previous.intent == "interactions" and parts.times:
        frame.period = reader._days(planned=False)
    earlier = _earlier(reader, previous.period) if not parts.times else None
    if earlier is not None:
        frame.period = earlier
        reader.frame_unknown = []
    _replace_filters(frame, fresh)
    frame.pending = fresh.pending
    frame.entities += fresh.entities
    return frame


def _earlier(reader: Reader, period: Days | None) -> Days | None:
    """ "And the quarter before?", "the one before that": the stretch before the period of the question before."""
    match = _EARLIER.search(reader.parts.phrases)
    if match is None or not isinstance(period, Days):
        return None
    calendar = reader.ctx.calendar
    said = period.period(calendar)
    earlier = year_before if (match.group(1) or match.group(2)) == "year" and said.grain is not Grain.year else preceding
    return _as_days(earlier(said, calendar))


def _metric_with_state(parts: Parts, metric: str) -> str:
    """ "And lost?" after won value is lost value; a metric named anew replaces the old one."""
    if parts.metrics:
        return parts.metrics[0]
    known = _METRIC_STATES.get(metric)
    if known and parts.states:
        pair = STATE_METRICS.get((known[0], parts.states[0]))
        if pair:
            return pair[1] if known[2] and pair[1] else pair[0]
    return metric


def _replace_filters(frame: Frame, fresh: Frame) -> None:
    """New conditions replace old ones on the same field; company and contact and owner each stand for themselves."""
    new = {item.field for item in fresh.filters if isinstance(item, Filter)}
    if "team" in new:
        new.add("owner")
    if "owner" in new:
        new.add("team")
    kept = [item for item in frame.filters if not (isinstance(item, Filter) and item.field in new)]
    frame.filters = [*kept, *fresh.filters]
    frame.said = [*frame.said, *fresh.said] if kept else list(fresh.said)
