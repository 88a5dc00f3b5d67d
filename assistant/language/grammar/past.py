"""Constructions that look back: what the pipeline was, what moved it, who changed what, how long a deal has stood."""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlalchemy import select

from assistant.language.dates import When
from assistant.language.frames import Entity, Frame, Pending
from assistant.language.grammar.lists import Lists
from assistant.language.grammar.pieces import as_days
from assistant.language.states import STATE_OF_METRIC
from crm_core.access import visible
from crm_core.errors import Invalid
from crm_core.metrics.fields import shape_for
from crm_core.metrics.filters import Filter
from crm_core.models import NOUNS, Deal
from crm_core.periods import Grain, Period, add_months
from crm_core.services.history import column_of

#: How people say that deals came into a stage.
_ENTERED = re.compile(
    r"\b(?:enter(?:ed|ing)?|(?:moved?|moving|came|come|went|got|get|advanced?|progress(?:ed)?|jumped|passed|gone|made it|make it|taken|brought|pushed) (?:\w+ )?(?:in)?to"
    r"|arrived (?:at|in)|reach(?:ed)?) (?:the |stage |the stage )?"
)
_WHEN_WAS_THAT = re.compile(r"^(?:and |so |ok )*when (?:was|did) (?:that|it|this)(?: happen| change| move)?$")
#: "What was it before?", "what was the amount originally": a value that has been replaced.
_REPLACED = re.compile(
    r"\bwhat (?:was|were) (?:it|that|this|its|the|her|his|their)\b.*\b(before|originally|previously|formerly|initially|at first|at the (?:start|beginning)|earlier)\b"
    r"|\bwhat did (?:it|that) use to be\b|\b(?:previous|former|old|original|initial) (?:amount|value|close|expected|stage|owner|date)\b"
)
_FROM_THE_START = frozenset("originally initially original initial first start beginning".split())
_ENTERING = frozenset(
    "entered entering enter moved move moving came come went got advanced advance progressed progress jumped passed arrived reached reach pushed gone".split()
)
NO_ENTERED_VALUE = "How many deals came into a stage I can count; what they are worth I can tell of those that are in it now. Ask for one of the two."
#: Metrics of what is open, which a past day can be asked for.
OPEN_METRICS = frozenset({"open_pipeline", "weighted_pipeline", "open_deals", "forecast", "coverage"})
#: Nouns of a change between two moments.
_MOVEMENTS = frozenset("waterfall bridge movement movements walk".split())
_HAPPENED = frozenset("changed change changes changing move moved happened developed develop evolved evolve differ different".split())
_COMPARED = frozenset("compare compared compares vs versus against than".split())
_PAST_TENSE = frozenset("was were looked look stood".split())
#: Verbs of one who changes a field, with the field that they mean by themselves.
_CHANGED: dict[str, str] = {
    "moved": "",
    "move": "",
    "change": "",
    "shift": "",
    "changed": "",
    "changes": "",
    "pushed": "expected_close",
    "postponed": "expected_close",
    "shifted": "expected_close",
    "updated": "",
    "edited": "",
    "modified": "",
    "altered": "",
    "touched": "",
    "set": "",
    "reassigned": "owner",
    "transferred": "owner",
    "raised": "amount",
    "lowered": "amount",
    "increased": "amount",
    "reduced": "amount",
    "cut": "amount",
}
_LOGS = ("change log", "changelog", "audit trail", "audit log", "edit history", "field history", "change history", "stage history")


class Past(Lists):
    """What was, and how it came to be what it is."""

    def _movement(self) -> Frame | None:
        """ "What changed in my pipeline since Monday?", "pipeline waterfall this quarter", "how much of Q3's commit slipped since Monday?"."""
        parts = self.parts
        about_pipeline = bool(OPEN_METRICS & set(parts.metrics)) or any(raw.field == "forecast_category" for raw in parts.filters)
        window, since = self._window_and_start()
        slipped = "slipped" in parts.states or bool({"slipped_value", "slipped_deals"} & set(parts.metrics))
        step = ""
        if slipped:
            if window is None or since is None:
                return None
            step = "moved_out"
        elif not (about_pipeline and (_MOVEMENTS & parts.words_seen or self._asks_what_changed())):
            return None
        if since is None:
            if len(parts.times) > 1 or parts.compare == "year_before":
                return None
            since, window = self._default_start(), None
        frame = Frame(intent="movement", noun="deal", step=step)
        frame.since, frame.until = self._days_of(since)
        if frame.since > self.ctx.today:
            return None
        frame.period = as_days(window.reading(planned=True)) if window is not None else None
        parts.unknown = [word for word in parts.unknown if word.lower() not in _MOVEMENTS | _HAPPENED]
        self.frame_unknown = list(parts.unknown)
        self._conditions(frame, shape_for(self.ctx, "deal"), metric=True)
        frame.filters = [item for item in frame.filters if not (isinstance(item, Filter) and item.field == "status")]
        if parts.why:
            frame.detail = "why"
        return frame

    def _asks_what_changed(self) -> bool:
        """Whether the message asks for changes, rather than for one figure beside another."""
        parts = self.parts
        compared = _COMPARED & parts.words_seen
        if not _HAPPENED & parts.words_seen and not compared:
            return False
        if parts.groups or parts.wh_groups:
            return False
        begins = any(when.edge == "since" for when, _cue in parts.times)
        past_day = any(when.period.days == 1 and when.period.first < self.ctx.today for when, _cue in parts.times)
        ago = len(parts.times) == 1 and "ago" in parts.words_seen
        return begins or past_day or ago or self._against_then() or not compared and len(parts.times) <= 1

    def _against_then(self) -> bool:
        """ "Pipeline vs last month": now against the end of a unit that is over."""
        times = self.parts.times
        lone = len(times) == 1 and times[0][0].grain is not None and not times[0][0].edge and times[0][0].period.end <= self.ctx.today
        return lone and bool(_COMPARED & self.parts.words_seen) and not self.parts.why and self.parts.compare != "year_before"

    def _window_and_start(self) -> tuple[When | None, When | None]:
        """The days in which the deals should close ("of Q3's", "out of Q3"), and the time since when it happened."""
        times = [when for when, _cue in self.parts.times]
        since = next((when for when in times if when.edge == "since"), None)
        words = self.parts.phrases.split()
        owned = [when for when in times if when is not since and (words[when.first - 1 : when.first] in (["of"], ["from"]) or when.first == 0)]
        if since is not None:
            return next((when for when in times if when is not since), None), since
        if len(times) == 2 and owned:
            return owned[0], next(when for when in times if when is not owned[0])
        if len(times) == 1 and owned and words[times[0].first - 1 : times[0].first] == ["of"] and times[0].grain in (Grain.quarter, Grain.month):
            return times[0], times[0]
        return None, times[0] if len(times) == 1 else None

    def _default_start(self) -> When:
        start = self.ctx.calendar.start_of(Grain.quarter, self.ctx.today)
        return When(0, 0, Period(start, self.ctx.today + timedelta(days=1)), grain=Grain.quarter)

    def _days_of(self, when: When) -> tuple[date, date | None]:
        """First and last day of what happened in a time: a single past day is where it starts from."""
        period = when.period
        if when.edge == "since" or period.days == 1:
            return period.first, None
        if "ago" in self.parts.words_seen and when.grain is not None:
            return self._so_long_ago(period, when.grain), None
        if self._against_then():
            return period.end, None
        last = period.end - timedelta(days=1)
        return period.first, last if last < self.ctx.today else None

    def past_day(self, when: When, cue: str) -> date | None:
        """The past day that a time names as the moment of looking, such as "as of 1 August", "on the 1st", "a month ago"; or none."""
        parts = self.parts
        said = parts.phrases
        if cue.removeprefix("field:") in ("expected_close", "created", "closed", "last_activity"):
            return None
        period = when.period
        if when.edge == "until" and ("as of" in said or "as at" in said):
            day = period.end - timedelta(days=1)
        elif when.edge:
            return None
        elif "ago" in parts.words_seen and period.days > 1 and when.grain in (Grain.month, Grain.year, Grain.week, Grain.quarter):
            day = self._so_long_ago(period, when.grain)
        elif period.days == 1:
            day = period.first
        elif (_PAST_TENSE & parts.words_seen or " back in " in said) and period.end <= self.ctx.today and "closing" not in parts.states:
            day = period.end - timedelta(days=1)
        else:
            return None
        return day if day < self.ctx.today else None

    def _so_long_ago(self, period: Period, grain: Grain) -> date:
        """ "A month ago" as a day: the same day of that month."""
        today = self.ctx.today
        if grain is Grain.week:
            return today - timedelta(days=7 * round((today - period.first).days / 7))
        return add_months(today, -((today.year - period.first.year) * 12 + today.month - period.first.month))

    def _changed_by(self) -> Frame | None:
        """ "Who moved Acme's close date and when?", "change log of the Globex deal", "what changed on deal 12 since Monday?"."""
        parts = self.parts
        if self.previous is not None and self.previous.intent == "history" and _WHEN_WAS_THAT.search(parts.phrases):
            return self.previous.model_copy(deep=True)
        if (replaced := self._replaced()) is not None:
            return replaced
        verbs = [word for word in _CHANGED if word in parts.words_seen]
        logs = [phrase for phrase in _LOGS if phrase in parts.phrases]
        begun = parts.first_words[:1]
        if verbs and parts.aggregates == ["sum"] and "amount" in parts.words_seen:
            parts.aggregates, parts.fields = [], [*parts.fields, "amount"]  # "who last changed the amount"
        asks = logs or verbs and ("who" in parts.cues or begun in (["when"], ["what"]) or "when" in parts.words_seen)
        if not asks or not (parts.names or parts.record_numbers or self._meant_before()) or parts.aggregates:
            return None
        wanted = [name for name in (*parts.fields, *parts.groups, *parts.wh_groups) if name not in ("owner",) or "who" not in parts.cues]
        wanted = wanted or [_CHANGED[verb] for verb in verbs if _CHANGED[verb]] or (["stage"] if "stage history" in logs else [])
        if any(raw.field == "stage" for raw in parts.filters) and not wanted:
            wanted = ["stage"]
        if "slipped" in parts.states and not wanted:
            wanted = ["expected_close"]
        frame = Frame(intent="history")
        self._changed_record(frame, wanted)
        if frame.entity is None and frame.pending is None:
            return None
        noun = frame.entity.noun if frame.entity is not None else "deal"
        frame.asked_fields = [name for name in dict.fromkeys(wanted) if self._is_kept(noun, name)]
        times = [when for when, _cue in parts.times]
        if times:
            frame.since = times[0].period.first
        ours = {*verbs, "log", "trail", "audit", "history"}
        self.frame_unknown = [word for word in parts.unknown if word.lower() not in ours]
        return frame

    def _replaced(self) -> Frame | None:
        """ "What was it before?", "what was the close date originally?": the value that was, from the record's changes."""
        parts, before = self.parts, self.previous
        if not _REPLACED.search(parts.phrases) or parts.times or parts.metrics or parts.groups:
            return None
        asked = [*parts.fields, *(["amount"] if "sum" in parts.aggregates or "amount" in parts.words_seen else [])]
        leaning = before.asked_fields or before.columns[1:] if before is not None and before.intent in ("record", "history", "list") else []
        frame = Frame(intent="history", detail="original" if _FROM_THE_START & parts.words_seen else "before")
        self._changed_record(frame, asked or leaning)
        if frame.entity is None:
            return None
        noun = frame.entity.noun
        frame.asked_fields = [name for name in dict.fromkeys(asked or leaning) if self._is_kept(noun, name)][:1]
        if not frame.asked_fields:
            return None
        told = {*_FROM_THE_START, *_CHANGED, "before", "previously", "formerly", "earlier", "always"}
        self.frame_unknown = [word for word in parts.unknown if word.lower() not in told]
        return frame

    def _is_kept(self, noun: str, name: str) -> bool:
        try:
            column_of(NOUNS[noun], name)
        except Invalid:
            return False
        return True

    def _changed_record(self, frame: Frame, wanted: list[str]) -> None:
        """The record whose changes are asked for: a deal of the company that is named, where the field is a deal's."""
        parts = self.parts
        if parts.record_numbers:
            noun, number = parts.record_numbers[0]
            frame.entity = Entity(noun=noun, id=number, label=f"{noun} {number}")
            return
        if parts.names:
            self._subject(frame)
        else:
            frame.entity = self._meant_before()
        company = frame.entity
        if company is None or company.noun != "company":
            return
        of_deals = "deal" in parts.nouns or any(self._is_kept("deal", name) and not self._is_kept("company", name) for name in wanted)
        if of_deals:
            self._deal_of(frame, company)

    def _meant_before(self) -> Entity | None:
        """The record that the conversation is about, where the message points at it."""
        if not (self.parts.pronoun or {"that", "this", "the"} & self.parts.words_seen):
            return None
        return self.dialogue.meant(self.ctx, ("deal", "company", "contact", "lead", "ticket"))

    def _deal_of(self, frame: Frame, company: Entity) -> None:
        """The company's one open deal, or its deals to choose from."""
        query = select(Deal.id, Deal.name, Deal.status).where(Deal.company_id == company.id, Deal.archived_at.is_(None), visible(self.ctx, Deal))
        rows = self.ctx.session.execute(query.order_by(Deal.updated_at.desc())).all()
        rows = [row for row in rows if row.status == "open"] or rows
        deals = [Entity(noun="deal", id=row.id, label=row.name) for row in rows]
        frame.entity = deals[0] if len(deals) == 1 else None
        frame.entities = [company]
        if len(deals) > 1:
            frame.pending = Pending(name=f"deal of {company.label}", candidates=deals[:8], hints=[row.status for row in rows[:8]])

    def _entered(self) -> Frame | None:
        """ "How many deals moved into Negotiation this quarter", "which deals entered Bid last week?": wherever they are now."""
        parts = self.parts
        if {"share", "mean", "median", "duration"} & set(parts.aggregates):
            return None  # how many went on, or how long it took, are other figures
        staged = any(raw.field == "stage" and not raw.negated for raw in parts.filters)
        if (
            not staged
            or parts.write_verb
            or parts.names
            or not _ENTERED.search(parts.phrases)
            or parts.metrics
            and not all(name in STATE_OF_METRIC for name in parts.metrics)
        ):
            return None
        self.frame_unknown = [word for word in self.frame_unknown if word.lower() not in _ENTERING]
        parts.metrics, parts.states, parts.times = [], [], [(when, "") for when, _cue in parts.times]
        if {"sum", "weighted"} & set(parts.aggregates):
            return Frame(intent="unknown", noun="deal", detail=NO_ENTERED_VALUE)
        shape = shape_for(self.ctx, "stage_entry")
        listed = not ("count" in parts.aggregates or parts.groups or parts.wh_groups)
        frame = Frame(intent="list" if listed else "metric", noun="deal", metric="stage_entries")
        self._conditions(frame, shape, metric=not listed)
        frame.group_by = [name for name in dict.fromkeys([*parts.groups, *parts.wh_groups]) if name in shape.fields or name in Grain.__members__]
        if parts.times:
            frame.period = as_days(parts.times[0][0].reading(False))
        if listed:
            span = f" {frame.period.period(self.ctx.calendar).describe()}" if frame.period is not None else ""
            frame.said.append(f"entered the stage{span}")
        frame.limit = parts.limit
        return frame

    def _stay(self) -> Frame | None:
        """ "How long has the Globex deal been in negotiation?", "how long has it been in its stage?"."""
        parts = self.parts
        meant = self._meant_before()
        staged = any(raw.field == "stage" for raw in parts.filters) or "stage" in (*parts.fields, *parts.groups, *parts.wh_groups)
        if "since when" in parts.phrases and "duration" not in parts.aggregates:
            parts.aggregates.append("duration")
        before = self.previous
        if meant is None and not parts.names and "since when" in parts.phrases and before is not None and before.salient and parts.words <= 7:
            meant = before.salient[0]  # "price list sent since when", of the one deal shown
        staged = staged or "there" in parts.words_seen and before is not None and "stage" in before.asked_fields  # "since when has it been there"
        asks = "duration" in parts.aggregates and (
            {"been", "has", "have", "sitting", "stuck", "sat"} & parts.words_seen or "since when" in parts.phrases
        )
        if not (asks and staged) or parts.metrics or {"mean", "median"} & set(parts.aggregates):
            return None
        if not parts.names and (meant is None or meant.noun not in ("deal", "company")):
            return None
        parts.aggregates.remove("duration")
        frame = self._frame_list("deal")
        if not parts.names and meant is not None and not any(isinstance(item, Filter) and item.field in ("id", "company") for item in frame.filters):
            self._add_entity(frame, shape_for(self.ctx, "deal"), meant, negated=False)
        if not any(isinstance(item, Filter) and item.field == "status" for item in frame.filters):
            frame.filters.append(Filter(field="status", values=["open"]))
        frame.columns = ["name", "stage", "days_in_stage", "stage_since", "owner"]
        return frame
