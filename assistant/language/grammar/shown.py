"""What was shown and can be pointed at: the parts of a split figure, the rows of a list, the period and the place of a question before."""

from __future__ import annotations

import re
from datetime import date

from sqlalchemy import select

from assistant.language.dates import When
from assistant.language.entities import Name
from assistant.language.frames import Entity, Frame, ShownGroup
from assistant.language.grammar.merging import Merging
from assistant.language.lexicon import FILLER
from assistant.language.parts.model import RawFilter
from assistant.language.states import STATE_OF_METRIC
from crm_core.errors import NotFound
from crm_core.metrics.definitions import METRICS
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Filter
from crm_core.models import Company, Deal
from crm_core.money import exponent
from crm_core.periods import Grain, whole
from crm_core.services.history import user_name
from crm_core.services.records import load
from crm_core.services.search import Match
from crm_core.text import fold, join_words

#: "In that quarter", "the same year": the period of a question before.
THAT_PERIOD = re.compile(r"\b(?:that|the same|same|this same) (?:fiscal )?(year|quarter|month|week|time|period|timeframe|range|window|days)\b")
_THAT_MONTH = re.compile(
    r"\b(?:that|the same|same|that same) (?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec|q[1-4])\b"
)
_THE_TWO = re.compile(r"\b(?:those|these|the) two\b|\bboth of them\b|\bboth (?:reps|sellers|people|regions|teams)\b")
_THE_ONE = re.compile(r"\bthe (?:[\w.'&]+ ){1,3}one\b")
#: "On the Tamarack renewal", "for the Blast Freezer deal".
_THE_RECORD = re.compile(r"\b(?:on|for|of|about|with|in|to|is|was|does|did|has) (?:the|that|this) (?:[\w.'&]+ ?){1,6}")
_THEIRS = re.compile(
    r"\b(?:their|theirs|of (?:those|these|the) (?:two|three|four|five|six|ten)|those (?:two|three|four|five|six|ten)|of (?:those|these|them) (?:reps|sellers|people|companies|customers|accounts|regions|products))\b"
)
THERE_IS = re.compile(r"\b(?:is|are|was|were) there\b|\bthere (?:is|are|was|were|any)\b")
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


class Shown(Merging):
    """Parts, rows, periods and places of the answers before."""

    def _that_period(self) -> None:
        """ "In that quarter", "that month": the period that was spoken of last, or the one that came out on top."""
        said = THAT_PERIOD.search(self.parts.phrases)
        if self.parts.times:
            self._that_month()
        if said is None or self.parts.times:
            return
        wanted = said.group(1) if said.group(1) in Grain.__members__ else ""
        top = next(iter(self._groups_shown()), None)
        if wanted and top is not None and top.field == wanted:
            period = whole(Grain(wanted), date.fromisoformat(str(top.value)), self.ctx.calendar)
        else:
            base = self.dialogue.latest(
                lambda before: before.period is not None and (not wanted or before.period.period(self.ctx.calendar).grain in (Grain(wanted), None))
            )
            if base is None or base.period is None:
                return
            period = base.period.period(self.ctx.calendar)
        self.parts.times.append((When(0, 0, period, None, "", period.grain), ""))
        self.parts.wh_groups = [name for name in self.parts.wh_groups if name != wanted]

    def _that_month(self) -> None:
        """ "Still that October": the one that was spoken of, not the nearest."""
        said = _THAT_MONTH.search(self.parts.phrases)
        if said is None or len(self.parts.times) != 1:
            return
        when, cue = self.parts.times[0]
        for frame in reversed(self.dialogue.frames):
            period = frame.period.period(self.ctx.calendar) if frame.period is not None else None
            if period is not None and period.grain is when.grain and period.first.month == when.period.first.month and when.grain is not None:
                self.parts.times = [(When(when.first, when.end, period, None, "", period.grain), cue)]
                return

    def _groups_shown(self) -> list[ShownGroup]:
        """The parts of the figure before, where it was split and ranked, or has one part only."""
        previous = self.dialogue.previous
        if previous is None or previous.intent != "metric" or previous.pending is not None:
            return []
        return previous.groups if previous.order or len(previous.groups) == 1 else []

    def _prefer_shown_people(self) -> None:
        """ "Give me Hanna's", after a figure by rep: the colleague of that name who stands in it, whoever else bears it."""
        previous = self.dialogue.previous
        if previous is None or previous.intent != "metric" or "owner" not in previous.group_by:
            return
        shown = {int(group.value) for group in previous.groups if group.field == "owner"}
        for place, colleagues in reversed(list(enumerate(self.parts.colleagues))):
            meant = [(key, label) for key, label in colleagues if key in shown]
            if len(meant) == 1 and place < len(self.parts.names):
                del self.parts.names[place], self.parts.colleagues[place]
                self.parts.people.append(meant[0])
                self.parts.filters.append(RawFilter("owner", "is", [meant[0][0]], meant[0][1]))
        for raw in self.parts.filters:
            if raw.field == "owner" and raw.noun == "ambiguous" and len(meant_ids := [value for value in raw.values if value in shown]) == 1:
                raw.noun, raw.values = "", meant_ids
                raw.said = user_name(self.ctx, meant_ids[0]) or raw.said

    def _take_groups(self) -> bool:
        """ "Their deals", "the win rate of those three", after a ranking: the parts that it left."""
        previous, parts = self.dialogue.previous, self.parts
        if self._take_the_two():
            return True
        if previous is None or previous.intent != "metric" or not previous.limit or len(previous.groups) < 2 or parts.names or parts.people:
            return False
        field, shown = previous.groups[0].field, previous.groups[: previous.limit]
        if not _THEIRS.search(parts.phrases) or field in Grain.__members__ or not (parts.nouns or parts.metrics or parts.aggregates):
            return False
        parts.filters.append(RawFilter(field, "is", [group.value for group in shown], join_words([group.label for group in shown], "or")))
        if parts.metrics and not (parts.groups or {"list", "which"} & set(parts.cues)):
            declared = METRICS[parts.metrics[0]]
            if declared.rows != "" and parts.metrics[0] not in (*STATE_OF_METRIC, previous.metric):
                parts.groups.append(field)  # each of theirs
        parts.limit = None
        self.pointed = True
        return True

    def _take_the_two(self) -> bool:
        """ "Win rate of those two, side by side": the two people, regions or the like that the last two questions were narrowed to."""
        parts, frames = self.parts, [frame for frame in self.dialogue.frames if frame.intent in ("metric", "list")][-2:]
        if len(frames) < 2 or not _THE_TWO.search(parts.phrases) or parts.names or parts.people or parts.filters:
            return False
        if not (parts.nouns or parts.metrics or parts.aggregates):
            return False
        first, second = (
            {item.field: item.values[0] for item in frame.filters if isinstance(item, Filter) and item.op == "is" and len(item.values) == 1}
            for frame in frames
        )
        differing = [name for name in first if name in second and first[name] != second[name] and name != "status"]
        if len(differing) != 1:
            return False
        name = differing[0]
        labels = [user_name(self.ctx, int(value)) or str(value) if name == "owner" else str(value) for value in (first[name], second[name])]
        parts.filters.append(RawFilter(name, "is", [first[name], second[name]], join_words(labels, "or")))
        if not parts.groups and not {"together", "both", "combined"} & parts.words_seen:
            parts.groups.append(name)
        parts.limit = None
        self.pointed = True
        return True

    def _take_group(self) -> bool:
        """ "What did that one bring?", "the second one by team", "deals in that region": a part of the split figure before."""
        shown, said = self._groups_shown(), self.parts.phrases
        if not shown or shown[0].field in Grain.__members__:
            return False
        titles = {"owner": r"rep|seller|person|owner|guy|colleague", "company": r"company|account|customer|client"}
        word = titles.get(shown[0].field, re.escape(shown[0].field.replace("_", " ")))
        place = 0
        if (nth := re.search(r"\bthe (first|second|third|1st|2nd|3rd) (?:one|" + word + r")\b", said)) is not None:
            place = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2}[nth.group(1)]
        elif not re.search(r"\b(?:that|this) (?:one|" + word + r")\b|\bthe (?:top|winning|leading) (?:one|" + word + r")\b", said):
            return False
        if place >= len(shown) or self.parts.names:
            return False
        group = shown[place]
        if group.field == "owner":
            self._inject(Entity(noun="user", id=int(group.value), label=group.label))
        else:
            self.parts.filters.append(RawFilter(group.field, "is", [group.value], group.label))
        self.parts.wh_groups = [name for name in self.parts.wh_groups if name != group.field]
        self.parts.nouns = [noun for noun in self.parts.nouns if noun != group.field]
        self.parts.fields = [name for name in self.parts.fields if name != group.field]
        self.parts.order, self.parts.limit = "", None
        self.pointed = True
        return True

    def _take_named(self) -> bool:
        """ "Which open deals have this product?", "that team": the value that a question before named for the field."""
        said = re.search(
            r"\b(?:this|that|the same) (product|team|region|industry|stage|source|pipeline|category|city|country|priority)\b", self.parts.phrases
        )
        if said is None:
            return False
        name = said.group(1)
        for frame in reversed(self.dialogue.frames):
            held = next(
                (item for item in frame.filters if isinstance(item, Filter) and item.field == name and item.op == "is" and len(item.values) == 1),
                None,
            )
            if held is not None:
                self.parts.filters.append(RawFilter(name, "is", list(held.values), name))
                self.parts.nouns = [noun for noun in self.parts.nouns if noun != name]
                self.parts.fields = [field for field in self.parts.fields if field != name]
                self.parts.wh_groups = [group for group in self.parts.wh_groups if group != name]
                self.pointed = True
                return True
        return False

    def _take_place(self) -> bool:
        """ "How many deals did we win there?": the region, city or country that the question before was narrowed to."""
        parts, base = self.parts, self.dialogue.question()
        if "there" not in parts.words_seen or base is None or base.entities or THERE_IS.search(parts.phrases) or parts.filters:
            return False
        places = [item for item in base.filters if isinstance(item, Filter) and item.op == "is" and item.field in ("region", "city", "country")]
        if len(places) != 1 or not (parts.nouns or parts.metrics or parts.aggregates):
            return False
        parts.filters.append(RawFilter(places[0].field, "is", list(places[0].values), join_words([str(value) for value in places[0].values], "or")))
        self.pointed = True
        return True

    def _row_by_trait(self) -> None:
        """ "The Iron Ceramics one", "the 35k one": the one row of the list before that is this company's, or worth so much."""
        parts, previous = self.parts, self.dialogue.previous
        lists = [frame for frame in self.dialogue.frames[-4:] if frame.intent == "list" and len(frame.shown) > 1 and frame.pending is None]
        if any(self._row_by_words(frame) for frame in reversed(lists)):
            return
        if previous is None or previous.intent != "list" or len(previous.shown) < 2:
            return
        if previous.noun != "deal" or not _THE_ONE.search(parts.phrases):
            return
        query = select(Deal.id, Deal.name).where(Deal.id.in_([item.id for item in previous.shown]))
        bound = next((raw for raw in parts.filters if raw.field == "amount" and raw.op == "is"), None)
        company = next((name for name in parts.names if name.noun == "company"), None)
        if company is not None:
            query = query.where(Deal.company_id.in_([match.id for match in company.matches]))
        elif bound is not None:
            minor = int(bound.values[0] * 10 ** exponent(self.ctx.home_currency))
            query = query.where(Deal.amount_minor.between(minor * 97 // 100, minor * 103 // 100))
        else:
            return
        rows = self.ctx.session.execute(query).all()
        if len(rows) != 1:
            return
        if company is not None:
            place = parts.names.index(company)
            del parts.names[place], parts.colleagues[place]
        parts.filters = [raw for raw in parts.filters if raw is not bound]
        self.pointed = True
        self._inject(Entity(noun="deal", id=rows[0].id, label=rows[0].name))

    def _row_by_words(self, previous: Frame) -> bool:
        """ "The next step on the Tamarack renewal": the one row shown whose name has the words that would mean nothing else."""
        parts = self.parts
        asks = bool(parts.fields) or {"who", "who_is", "about"} & set(parts.cues) or parts.first_words[:1] == ["when"]
        own = parts.metrics or parts.aggregates or parts.groups or parts.people or parts.order or parts.limit
        if not asks or own or not _THE_RECORD.search(parts.phrases):
            return False
        names = {word for item in previous.shown for word in fold(item.label).split() if word not in FILLER}
        said = [word for word in parts.phrases.split() if word in names]
        strange = {fold(word) for word in parts.unknown}
        if (
            not said
            or not strange <= set(said)
            or any(len(fold(name.matches[0].label).split()) > len(said) + 1 and name.exact for name in parts.names)
        ):
            return False
        spoken = {fold(word) for name in parts.names for word in parts.phrases.split()[name.first : name.end]}
        fitting = [item for item in previous.shown if {*said, *spoken} <= set(fold(item.label).split())]
        if len(fitting) != 1 or len(said) < 2 and not strange and not parts.names:
            return False
        parts.names, parts.colleagues, parts.unknown = [], [], []
        parts.filters = [raw for raw in parts.filters if not set(fold(raw.said).split()) <= set(fold(fitting[0].label).split())]
        parts.nouns = [noun for noun in parts.nouns if noun != previous.noun]
        self.frame_unknown, self.pointed = [], True
        self._inject(fitting[0].model_copy())
        return True

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
        parts = self.parts
        address = (
            parts.kinds in (["email"], ["call"]) and parts.words <= 5 and not (parts.aggregates or parts.times or parts.states or parts.plural_noun)
        )
        return bool({"email", "phone", "team", "role", "title"} & set(parts.fields)) or address  # "her email?"

    def _ask_of_pointed(self, entity: Entity) -> None:
        """ "The contact on that ticket", "which company is she with": a related record that is asked for as a fact."""
        parts = self.parts
        fields = shape_for(self.ctx, entity.noun).fields
        if parts.first_words[:1] == ["when"] or "when" in parts.words_seen:
            told = next((state for state in parts.states if state in _WHEN), "")
            name = _WHEN.get(told, "expected_close" if "expect" in parts.words_seen else "")
            if name in fields and not any(item in fields for item in parts.fields):
                parts.fields = [name]
                parts.states.clear()
        if (
            entity.noun == "ticket"
            and {"who", "who_is"} & set(parts.cues)
            and {"reported", "raised", "opened", "filed", "submitted", "reports"} & parts.words_seen
        ):
            parts.fields.append("contact")
            parts.states.clear()
        if (
            entity.noun == "deal"
            and {"bought", "buy", "ordered", "buying"} & parts.words_seen
            and {"who", "who_is"} & set(parts.cues)
            and not parts.fields
        ):
            parts.fields.append("company")  # "who bought it?"
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
