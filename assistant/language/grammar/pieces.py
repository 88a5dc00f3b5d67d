"""What all constructions share: conditions, names and time, turned into filters of one kind of record."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from assistant.language.dates import When
from assistant.language.dialogue import Dialogue
from assistant.language.entities import Name
from assistant.language.frames import Entity, Frame, Pending
from assistant.language.lexicon import FILLER
from assistant.language.parts import STATE_TIME, Parts, RawFilter
from assistant.language.saying import say_conditions
from assistant.language.states import STATE_FILTERS, STATE_METRICS, STATE_OF_METRIC
from crm_core.access import teams_below
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.fields import Field, Shape, field_of, shape_for
from crm_core.metrics.filters import Condition, Filter, FilterGroup, Related
from crm_core.metrics.question import Days
from crm_core.metrics.relations import pairs
from crm_core.models import Contact
from crm_core.money import MAX_MINOR
from crm_core.periods import FAR_FUTURE, FAR_PAST, Period, format_day
from crm_core.services.history import user_name
from crm_core.services.search import Match
from crm_core.text import fold

#: Conditions that every kind of records has: where they fit not here, they fit nowhere.
_OF_EVERYBODY = frozenset({"owner", "team", "region", "industry", "country", "city", "created", "name", "amount", "age"})
#: "Stale" without a period means no activity for this many days.
STALE_DAYS = 30


def as_days(period: Period) -> Days:
    """A period as the typed questions take it."""
    return Days(first=period.first, end=period.end, label=period.label, grain=period.grain)


class Pieces(ABC):
    """The parts of the message, and how they narrow the rows of a shape."""

    def __init__(self, ctx: Context, parts: Parts, dialogue: Dialogue) -> None:
        self.ctx, self.parts, self.dialogue = ctx, parts, dialogue
        self.previous = dialogue.previous
        #: Whether the message points at a record that was spoken of before.
        self.pointed = False
        #: The time field of the question before, which a bare time goes on to narrow.
        self.time_hint = ""
        self.frame_unknown = list(parts.unknown)

    def _noun(self) -> str:
        nouns = self.parts.nouns
        if self.parts.contacts_at or any(raw.field in ("deal_role", "title") for raw in self.parts.filters) and not nouns and not self.parts.metrics:
            return "contact"
        counted = [STATE_OF_METRIC[name][0] for name in self.parts.metrics if name in STATE_OF_METRIC and STATE_OF_METRIC[name][0] != "company"]
        if counted and nouns in (["company"], ["contact"], ["product"]):
            return counted[0]  # "open deals with companies in EMEA"
        if counted == ["activity"] and nouns == ["deal"]:
            return "activity"  # "open tasks on deals in negotiation"
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
        if noun in ("deal", "") and (outcome := self._stage_state()):
            return outcome  # "dropped deals", where a stage of that name loses them
        for name in self.parts.metrics:
            known = STATE_OF_METRIC.get(name)
            if known and known[0] == noun:
                return "" if known[1] == "created" and name not in ("leads", "tickets_opened") else known[1]
        return ""

    def _conditions(self, frame: Frame, shape: Shape, *, metric: bool) -> None:
        """Filters, names, mine, untouched: what narrows the rows."""
        self._read_silence(shape)
        self._attach_names(frame, shape, subject=False)
        self._attach_values(frame, shape)
        self._attach_relations(frame, shape)
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
            self._open_only(frame, shape)
        del metric

    def _read_silence(self, shape: Shape) -> None:
        """ "Companies nobody contacted in 8 weeks": without an activity for so long."""
        parts = self.parts
        if "unanswered" not in parts.states or (shape.name, "unanswered") in STATE_FILTERS or "last_activity" not in shape.fields or not parts.times:
            return
        when, _cue = parts.times.pop(0)
        parts.states.remove("unanswered")
        ahead = (when.period.first - self.ctx.today).days
        if ahead > 0:
            parts.untouched_days = ahead
        else:
            parts.untouched = when

    def _open_only(self, frame: Frame, shape: Shape) -> None:
        """Deals that nobody attends to are open ones, where nothing else is said: what is closed wants no attention."""
        told = {*self.parts.states, *self.parts.negated_states, *(STATE_OF_METRIC[name][1] for name in self.parts.metrics if name in STATE_OF_METRIC)}
        if shape.name == "deal" and not {"won", "lost", "closed", "open", "closing"} & told:
            frame.filters.append(Filter(field="status", values=["open"]))
            frame.said.append("open")

    def _attach_values(self, frame: Frame, shape: Shape) -> None:
        groups: dict[str, list[RawFilter]] = {}
        told: set[str] = set()
        for raw in self.parts.filters:
            if raw.noun == "ambiguous":
                frame.pending = self._pending_people(raw)
                continue
            if raw.field == "currency" and raw.values == [self.ctx.home_currency] and f"in {raw.said.lower()}" in self.parts.phrases:
                told.add(raw.said.lower())  # "in CHF": how figures are shown anyway
            elif self._fits(shape, raw) or self._turned(shape, raw):
                groups.setdefault(f"{raw.field}/{raw.op}/{raw.negated}", []).append(raw)
        placed = {raw.said.lower() for items in groups.values() for raw in items}
        left = [raw for raw in self.parts.filters if raw.said.lower() not in placed | told and raw.noun != "ambiguous"]
        self._relate(frame, shape, left)
        for items in groups.values():
            values = list(dict.fromkeys(value for raw in items for value in raw.values))
            first = items[0]
            merged = RawFilter(first.field, first.op, values, " or ".join(dict.fromkeys(raw.said for raw in items)), first.noun, first.negated)
            frame.filters.append(self._filter(shape, merged))
            frame.said.append(f"not {merged.said}" if merged.negated else merged.said)
        _joined(frame)

    def _turned(self, shape: Shape, raw: RawFilter) -> bool:
        """Take a value for the other thing that its words name, where only that fits: a team of the same name as a region."""
        for name, value in raw.alternatives:
            other = RawFilter(name, raw.op, list(value) if isinstance(value, tuple) else [value], raw.said, "", raw.negated)
            if self._fits(shape, other):
                raw.field, raw.values, raw.noun = other.field, other.values, ""
                return True
        return False

    def _relate(self, frame: Frame, shape: Shape, left: list[RawFilter]) -> None:
        """ "Companies that bought a Press", "contacts on open deals in Bid": conditions that only a related kind of records can meet.

        Values of one kind stand for one related record, denied ones each for its absence; what fits nothing is not understood.
        """
        root = shape.noun.__noun__
        kinds: dict[tuple[str, str], list[RawFilter]] = {}
        for raw in left:
            noun = next(
                (
                    noun
                    for noun in ("deal", "ticket", "lead")
                    if shape.name == root and pairs(root, noun) is not None and self._fits(shape_for(self.ctx, noun), raw)
                ),
                "",
            )
            if fold(raw.said) in FILLER and raw.op == "is" and not raw.negated:
                continue  # "has she reached her target", where an outcome is called Reached
            if not noun or raw.field in _OF_EVERYBODY:
                self.frame_unknown.append(raw.said)
            else:
                kinds.setdefault((noun, raw.said if raw.negated else ""), []).append(raw)
        for (noun, denied), raws in kinds.items():
            states = [state for state in self.parts.states if (noun, state) in STATE_FILTERS]
            if noun == "deal" and not states and any(raw.field in ("product", "product_family") for raw in raws):
                states = ["won"]
            parts = Parts(nouns=[noun], filters=[replace(raw, negated=False) for raw in raws], states=states, words_seen=set(self.parts.words_seen))
            bought = (
                noun == "deal"
                and states
                and not self.time_hint
                and not any(cue.startswith("field:") or cue == "state:created" for _, cue in self.parts.times)
            )
            if bought and len(kinds) == 1:  # "customers that bought it last year": when they bought, not when they were entered
                parts.times, self.parts.times = self.parts.times, []
            inner = type(self)(self.ctx, parts, Dialogue()).related_list(noun)
            condition = Related(related=noun, filters=inner.filters, none=bool(denied))
            frame.filters.append(condition)
            frame.said += say_conditions(self.ctx, shape, [condition])

    def _attach_relations(self, frame: Frame, shape: Shape) -> None:
        """Related records that must be there, or must not; those of a company in between through that company."""
        for raw in self.parts.relations:
            asked = type(self)(self.ctx, raw.parts, Dialogue())
            inner = asked.related_list(raw.noun)
            self.frame_unknown += asked.frame_unknown
            if inner.metric:
                self.frame_unknown.append(raw.said)  # what only a metric can tell of them
            frame.pending = frame.pending or inner.pending
            condition = Related(related=raw.noun, filters=inner.filters, none=raw.denied, at_least=raw.at_least)
            root = shape.noun.__noun__
            if raw.root != root:
                if pairs(root, raw.root) is None:
                    self.frame_unknown.append(raw.said)
                    continue
                condition = Related(related=raw.root, filters=[condition])
            frame.filters.append(condition)
            frame.said.append(raw.said)
            if raw.denied and raw.noun == "activity":
                self._open_only(frame, shape)

    @abstractmethod
    def _stage_state(self) -> str:
        """ "won" or "lost" where the stages that are named close a deal; the constructions of lists know how."""

    @abstractmethod
    def past_day(self, when: When, cue: str) -> date | None:
        """The past day that a time names as the moment of looking; the constructions that look back know how."""

    @abstractmethod
    def related_list(self, noun: str) -> Frame:
        """The conditions on related records, as a list of them would have; the constructions of lists know how."""

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

    def _attach_names(self, frame: Frame, shape: Shape, *, subject: bool) -> None:
        """Names become filters of the shape: a company, a contact, a colleague as owner."""
        names = self._narrow(list(enumerate(self.parts.names)))
        for index, name in names:
            colleagues = self.parts.colleagues[index]
            if colleagues and (not subject or not name.exact) and self._prefers_colleague(name, shape):
                if len(colleagues) == 1:
                    denied = index in self.parts.negated_names
                    frame.filters.append(Filter(field="owner", op="is_not" if denied else "is", values=[colleagues[0][0]]))
                    frame.said.append(f"not {colleagues[0][1]}" if denied else colleagues[0][1])
                else:
                    people = [Entity(noun="user", id=key, label=label) for key, label in colleagues]
                    frame.pending = Pending(name=people[0].label.split()[0], candidates=people, hints=[""] * len(people))
                continue
            matches = self._fitting(name, shape)
            if not matches:
                said = " ".join(self.parts.phrases.split()[name.first : name.end])
                self.frame_unknown.append(said or name.matches[0].label)
                continue
            entities = [Entity(noun=match.noun, id=match.id, label=match.label) for match in matches]
            if len(entities) > 1:
                frame.pending = Pending(name=self._spoken(name), candidates=entities[:8], hints=[match.hint for match in matches[:8]])
                continue
            self._add_entity(frame, shape, entities[0], negated=index in self.parts.negated_names)
        _joined(frame)

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
        if shape.name == "contact":
            accepted |= {"deal"}
        return [match for match in name.matches if match.noun in accepted]

    def _narrow(self, names: list[tuple[int, Name]]) -> list[tuple[int, Name]]:
        """ "Dana at Acme": a person named with a company is looked for there."""
        names = [(index, self._placed(name)) for index, name in names]
        there = {match.id for _, name in names if name.noun == "company" for match in name.matches if match.noun == "company"}
        if not there:
            return names
        narrowed: list[tuple[int, Name]] = []
        homes: set[int] = set()
        for index, name in names:
            if name.noun == "contact":
                ids = [match.id for match in name.matches]
                query = select(Contact.id, Contact.company_id).where(Contact.id.in_(ids), Contact.company_id.in_(there))
                inside = {row.id: row.company_id for row in self.ctx.session.execute(query)}
                kept = tuple(match for match in name.matches if match.id in inside) or self._of_such(name, names)
                name = Name(name.first, name.end, kept or name.matches, name.exact)
                homes |= {int(inside[match.id]) for match in kept if match.id in inside} if len(kept) == 1 else set()
            narrowed.append((index, name))
        return [(index, self._at_home(name, homes)) for index, name in narrowed]

    def _of_such(self, name: Name, names: list[tuple[int, Name]]) -> tuple[Match, ...]:
        """ "Nils at Spruce": of several the one whose company begins so, whichever company "Spruce" alone would be."""
        words = self.parts.phrases.split()
        spoken = {" ".join(words[other.first : other.end]) for _, other in names if other.noun == "company"} - {""}
        kept = tuple(
            match for match in name.matches if any(fold(part).startswith(said) for part in re.split(r"[,()]", match.hint) for said in spoken)
        )
        return kept if len(kept) == 1 else ()

    def _at_home(self, name: Name, homes: set[int]) -> Name:
        """Of several companies of one name the one whose person was named with it."""
        kept = tuple(match for match in name.matches if match.noun == "company" and match.id in homes)
        return Name(name.first, name.end, kept, name.exact) if name.noun == "company" and len(name.matches) > 1 and len(kept) == 1 else name

    def _placed(self, name: Name) -> Name:
        """ "The Oak in Singapore": of several of one name, the one whose place, title or company is said as well."""
        if len(name.matches) < 2:
            return name
        said = (
            set(self.parts.states) & {"open", "won", "lost"}
            | {fold(word) for word in self.parts.unknown}
            | {fold(raw.said) for raw in self.parts.filters}
            | {fold(match.label) for other in self.parts.names if other is not name for match in other.matches[:1]}
        )
        kept = [match for match in name.matches if said & {fold(part) for part in re.split(r"[,()]", match.hint)} - {""}]
        if not 0 < len(kept) < len(name.matches):
            return name
        told = {fold(part) for match in kept for part in re.split(r"[,()]", match.hint)}
        self.parts.unknown = [word for word in self.parts.unknown if fold(word) not in told]
        self.frame_unknown = [word for word in self.frame_unknown if fold(word) not in told]
        self.parts.unknown_capital = [word for word in self.parts.unknown_capital if fold(word) not in told]
        self.parts.filters = [raw for raw in self.parts.filters if fold(raw.said) not in told]
        self.parts.states = [state for state in self.parts.states if state not in told]
        return Name(name.first, name.end, tuple(kept), name.exact)

    def _add_entity(self, frame: Frame, shape: Shape, entity: Entity, *, negated: bool) -> None:
        name = "id" if entity.noun == shape.name and entity.noun not in shape.fields else entity.noun
        if shape.name == "company" and entity.noun == "company" and (self.parts.subsidiary or "parent" in self.parts.fields):
            name = "parent"
        if entity.noun == "user":
            name = "owner"
        if shape.name == "contact" and entity.noun == "deal":  # "the decision maker on that deal"
            frame.filters.append(Related(related="deal", filters=[Filter(field="id", values=[entity.id])], none=negated))
            frame.entities.append(entity)
            frame.said.append(f"{'not ' if negated else ''}on {entity.label}")
            return
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
        filters: list[Filter] = []
        for when, cue in self.parts.times:
            name = self._time_field(shape, cue) or self._default_time(shape)
            item = self._time_filter(shape, name, when)
            before = next((other for other in filters if other.field == name and other.op == item.op == "between"), None)
            if before is not None and before.values[1] == item.values[0]:  # "this month or next month"
                before.values[1] = item.values[1]
            else:
                filters.append(item)
        return filters

    def _said_times(self, shape: Shape) -> list[str]:
        """How the times of a list read: "closed in Q3 2026", "expected close from 1 Dec 2026 on"."""
        said = []
        for when, cue in self.parts.times:
            name = self._time_field(shape, cue) or self._default_time(shape)
            period = when.reading(name in ("expected_close", "due"))
            if period.first <= FAR_PAST and period.end >= FAR_FUTURE:
                continue
            if period.first <= FAR_PAST:
                span = f"before {format_day(period.end)}"
            elif period.end >= FAR_FUTURE:
                span = f"from {format_day(period.first)} on"
            else:
                span = period.describe() if period.days > 1 or period.label else format_day(period.first)
            said.append(f"{shape.fields[name].title} {span}")
        return said

    def _default_time(self, shape: Shape) -> str:
        states = self.parts.states or ([outcome] if (outcome := self._stage_state()) and shape.name == "deal" else [])
        if self.time_hint in shape.fields and not states:
            return self.time_hint
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
        return as_days(self.parts.times[0][0].reading(planned)) if self.parts.times else None


def _joined(frame: Frame) -> None:
    """Names of one sort are alternatives: "bookings of Rosa and Wanda" are those of either, for no deal is of both."""
    kept: list[Condition] = []
    for item in frame.filters:
        twin = next(
            (other for other in kept if isinstance(item, Filter) and isinstance(other, Filter) and (other.field, other.op) == (item.field, item.op)),
            None,
        )
        if isinstance(twin, Filter) and isinstance(item, Filter) and item.op in ("is", "is_not"):
            twin.values = list(dict.fromkeys([*twin.values, *item.values]))
        else:
            kept.append(item)
    frame.filters = kept


def settled(frame: Frame, entity: Entity) -> Frame:
    """A command on the record that is meant."""
    for call in frame.calls:
        if call.waiting:
            call.arguments[call.waiting], call.waiting = entity.id, ""
    frame.entity = entity
    return frame


def with_entity(ctx: Context, frame: Frame, entity: Entity) -> Frame:
    """The frame with a name settled: as its subject, or as a filter."""
    frame.entities.append(entity)
    frame.said.append(entity.label)
    if frame.intent == "command":
        return settled(frame, entity)
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
