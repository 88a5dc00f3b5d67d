"""Changes that are asked for in words: on one deal, ticket or contact, a task, or what happened.

"Move the Globex renewal to Negotiation and push its close date to 30 June", "log a call with Dana: she wants the security
review", "remind me on Thursday to send the contract". Each becomes calls of the catalog's verbs; they are proposed with
their preview, never applied here. What is said and has no place in a call makes the command one that is not understood.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from assistant.language.entities import Name
from assistant.language.frames import Command, Entity, Frame, Pending
from assistant.language.grammar.lacking import BECAUSE, lacking, why_lost
from assistant.language.grammar.pieces import settled
from assistant.language.grammar.telling import LOG_A, Telling
from assistant.language.written_numbers import COUNTS
from crm_core.access import visible
from crm_core.models import Deal, Stage, Ticket
from crm_core.money import format_money
from crm_core.periods import add_months
from crm_core.services.search import Match
from crm_core.text import fold

_GIVING = frozenset("give hand assign reassign transfer pass move".split())
_ENDING = frozenset("mark set close win lose update change put make".split())
_AMOUNTS = frozenset("set change update make raise lower increase decrease reduce bump put edit cut drop".split())
_DONE = frozenset("close resolve solve mark complete set".split())
_TASK = re.compile(
    r"\b(?:remind (?P<who>me|us|\w+)|put on (?P<theirs>\w+)(?: \w+)?['’]s (?:to-?do )?(?:list|plate|desk)|(?:i want|i need|i'?d like|give me|set me|get me) an? (?:reminder|task|to-?do)|(?:add|create|make|put|set up|set)\b[^,.:;]{0,20}?\b(?:tasks?|to-?dos?|to do|reminders?|follow-?ups?)(?: tasks?| to-?dos?)?(?: for (?P<whom>\w+)| (?:on|onto|to) (?P<whose>\w+)(?: \w+)?['’]s (?:to-?do )?(?:list|plate|desk))?)\b(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_NEXT_STEP = re.compile(r"\bnext step\b.*?(?::|\bto\b|\bis\b|=)\s*(?P<step>\S.*)$", re.IGNORECASE | re.DOTALL)
#: Without a verb only the plain form sets a next step: "next step for Globex: send the contract".
_NEXT_STEP_IS = re.compile(r"(?:the )?next step\b[^:?]*:\s*\S", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:him|her|he|she)\b", re.IGNORECASE)
#: Somebody, and not what is theirs.
_HIM = re.compile(r"\b(?:him|her)\b(?=$|[.,;!]|\s+(?:about|on|again|back|up|and|to|if|for|with|by|when|at|in)\b)", re.IGNORECASE)
#: Words before a next step that say nothing else.
_SETTING_WORDS = frozenset(
    "set change update make put edit deal deals opportunity its it that this s their ok ticket new so now let us lets renewal".split()
)
_SHIFT = re.compile(
    r"\b(?:back|out|by|another|forward)\s+(?:by\s+|another\s+)?(?P<count>a|an|one|two|three|four|five|six|\d+)\s+(?P<unit>day|week|month|quarter)s?\b"
)
MOST_CANDIDATES = 8


class Commands(Telling):
    """Which verbs of the catalog, with what."""

    def _command(self) -> Frame | None:
        """ "Move the Globex renewal to Negotiation", "log a call with Dana: ...", "remind me on Thursday to ..."."""
        verb = self.parts.write_verb
        told = self._tells() is not None
        asked = LOG_A.match(self.parts.phrases) is not None or _TASK.match(self.parts.message) is not None
        if not (verb or told or asked or _NEXT_STEP_IS.match(self.parts.message)):
            return None
        for build in (self._new_task, self._logged, self._on_a_ticket, self._on_a_contact, self._on_a_deal):
            frame = build(verb)
            if frame is not None:
                self.frame_unknown = []
                return frame
        return None

    # --- tasks and what happened ------------------------------------------------------------------------

    def _new_task(self, _verb: str) -> Frame | None:
        parts = self.parts
        match = _TASK.search(parts.message)
        if match is None:
            return None
        arguments: dict[str, Any] = {}
        who, rest = match["who"] or match["whom"] or match["whose"] or match["theirs"], match["rest"]
        if match["whom"] and any(fold(match["whom"]) in fold(said).split() for said in parts.said_times):
            who, rest = "", f"for {match['whom']}{rest}"  # "a reminder for Friday to ring her"
        names = list(parts.names)
        if who and who.lower() not in ("me", "us"):
            called = [
                (place, people) for place, people in enumerate(parts.colleagues) if len(people) == 1 and fold(who) in fold(people[0][1]).split()
            ]
            if len(parts.people) == 1:
                arguments["owner_id"] = parts.people[0][0]
            elif called and called[0][0] < len(names):
                arguments["owner_id"] = called[0][1][0][0]
                del names[called[0][0]]
            else:
                return None  # a task of somebody who is no colleague
        day = self._day_ahead()
        if day is not None:
            arguments["due_on"] = day.isoformat()
        rest = self._without_times(rest, 1).strip()
        if "owner_id" in arguments:  # the rest of the colleague's name
            label = next((people[0][1] for people in parts.colleagues if people), "") or parts.people[0][1]
            rest = re.sub(rf"^(?:{'|'.join(re.escape(word) for word in label.split())})\b\s*", "", rest, flags=re.IGNORECASE)
        begun = re.match(r"(?:[:,–-]\s*)?(?:to|that|about|for)\b[\s:]*|[:–-]\s*", rest, re.IGNORECASE)
        if begun is None and match["who"] and rest:
            return None  # "remind me what my quota is" asks
        subject = re.sub(r"^(?:for )?(?:me|us) to ", "", rest[begun.end() if begun is not None else 0 :].strip(" .,!"))
        if not rest and match["who"]:
            return lacking("What is to be done?", parts.message, " to")
        if len(subject) < 3 or subject.endswith("?"):
            return None
        frame = Frame(intent="command", calls=[Command(tool="add_task", arguments=arguments | {"subject": subject[:1].upper() + subject[1:]})])
        return self._about(frame, names)

    def _about(self, frame: Frame, names: list[Name]) -> Frame:
        """Link what is made to the records that are named or pointed at; of several of one name one is asked for."""
        call = frame.calls[0]
        if not names and _PERSON.search(self.parts.message) and (person := self.dialogue.meant(self.ctx, ("contact",))) is not None:
            call.arguments.setdefault("contact_id", person.id)  # "remind me to ring her"
            frame.entities.append(person)
        for _place, name in self._narrow(list(enumerate(names)))[:3]:
            matches = [match for match in name.matches if match.noun in ("company", "contact", "deal", "lead", "ticket")]
            nouns = {match.noun for match in matches}
            if len(matches) == 1:
                call.arguments.setdefault(f"{matches[0].noun}_id", matches[0].id)
                frame.entities.append(Entity(noun=matches[0].noun, id=matches[0].id, label=matches[0].label))
            elif len(nouns) == 1 and frame.pending is None:
                call.waiting = f"{nouns.pop()}_id"
                candidates = [Entity(noun=match.noun, id=match.id, label=match.label) for match in matches[:MOST_CANDIDATES]]
                frame.pending = Pending(name=self._spoken(name), candidates=candidates, hints=[match.hint for match in matches[:MOST_CANDIDATES]])
        people = [item for item in frame.entities if item.noun == "contact"]
        if call.tool == "add_task" and len(people) == 1:  # a task is read long after what it leans on
            call.arguments["subject"] = _HIM.sub(people[0].label, str(call.arguments["subject"]), count=1)
        return frame

    # --- one record -------------------------------------------------------------------------------------

    def _on_a_ticket(self, verb: str) -> Frame | None:
        """ "Close the ticket of Vector Textiles", "mark it resolved", of a ticket."""
        parts = self.parts
        meant = self.dialogue.meant(self.ctx, ("ticket",)) if not parts.names else None
        solved = {"resolved", "closed", "closing", "completed"} & set(parts.states)
        if verb not in _DONE or not ("ticket" in parts.nouns or meant is not None and solved) or parts.plural_noun:
            return None
        if parts.filters or parts.times or parts.unknown and set(parts.unknown) - {verb}:
            return None
        query = select(Ticket.id, Ticket.subject).where(Ticket.resolved_at.is_(None), Ticket.archived_at.is_(None), visible(self.ctx, Ticket))
        if parts.names:
            ids = [match.id for match in parts.names[0].matches if match.noun == "company"]
            query = query.where(Ticket.company_id.in_(ids))
        elif meant is not None:
            query = query.where(Ticket.id == meant.id)
        else:
            return None
        found = [Entity(noun="ticket", id=row.id, label=row.subject) for row in self.ctx.session.execute(query.order_by(Ticket.id))]
        return self._on(found, [Command(tool="resolve_ticket", waiting="id")], "open ticket")

    def _on_a_contact(self, _verb: str) -> Frame | None:
        """ "Change Dana's title to CFO", "set the phone of Dana Grant to +1 555 ..."."""
        parts = self.parts
        wanted = [name for name in parts.fields if name in ("title", "phone", "email", "city")]
        if len(wanted) != 1 or not parts.names or parts.names[0].noun != "contact" or parts.message.rstrip().endswith("?"):
            return None
        match = re.search(r"\bto\s+(?P<value>\S.*)$", parts.message)
        if match is None:
            return None
        found = [Entity(noun="contact", id=item.id, label=item.label) for item in parts.names[0].matches if item.noun == "contact"]
        call = Command(tool="update_contact", arguments={wanted[0]: match["value"].strip(" .!")}, waiting="id")
        return self._on(found, [call], self._spoken(parts.names[0]), [item.hint for item in parts.names[0].matches])

    def _on_a_deal(self, verb: str) -> Frame | None:
        """All that is said of one deal: stage, outcome, amount, close date, next step, forecast, owner."""
        parts = self.parts
        many = (
            parts.plural_noun
            or parts.groups
            or parts.metrics
            or parts.relations
            or {"all", "every", "each", "both", "those", "these", "them"} & parts.words_seen
        )
        used: list[int] = []
        calls: list[Command] = []
        fields: dict[str, Any] = {}
        step = _NEXT_STEP.search(parts.message)
        if step is not None and self._says_more(parts.message[: step.start()], list(parts.names), _SETTING_WORDS):
            return None  # "close date becomes 15 January, and the next step is ..." says two things
        if step is not None:
            fields["next_step"] = step["step"].strip(" .")
        for place, raw in enumerate(parts.filters):
            if raw.negated or raw.op != "is" and not (raw.field == "amount" and raw.op == "at_most" and " up to " in parts.phrases):
                continue
            if raw.field == "amount" and verb in _AMOUNTS:
                fields["amount"] = str(raw.values[0])
            elif raw.field == "forecast_category":
                fields["forecast_category"] = raw.values[0]
            elif raw.field == "stage":
                kinds = set(self.ctx.session.scalars(select(Stage.kind).where(Stage.id.in_(raw.values))))
                if kinds == {"open"}:
                    calls.append(Command(tool="move_deal", arguments={"stage": raw.said}, waiting="id"))
                elif kinds <= {"won", "lost"} and len(kinds) == 1:
                    parts.states.append(kinds.pop())
                else:
                    continue
            elif raw.field == "owner" and verb in _GIVING and len(raw.values) == 1:
                calls.append(Command(tool="reassign", arguments={"noun": "deal", "owner_id": raw.values[0]}, waiting="id"))
            elif raw.field != "loss_reason":
                continue
            used.append(place)
        if "amount" in fields and parts.currencies:
            if len(parts.currencies) > 1:
                return None
            fields["currency"] = next(iter(parts.currencies))
        to_whom = [people[0] for people in parts.colleagues if len(people) == 1]
        if "owner" in parts.fields and verb in _ENDING and not any(call.tool == "reassign" for call in calls):
            whom = [*parts.people, *to_whom][:1]
            calls += [Command(tool="reassign", arguments={"noun": "deal", "owner_id": key}, waiting="id") for key, _label in whom]
            used += [place for place, raw in enumerate(parts.filters) if raw.field == "owner"]
        moved = self._moved_date()
        if moved:
            fields |= moved
        if fields:
            calls.insert(0, Command(tool="update_deal", arguments=fields, waiting="id"))
        if "won" in parts.states and verb in _ENDING:
            calls.append(Command(tool="win_deal", waiting="id"))
        elif "lost" in parts.states and verb in _ENDING:
            reason = next((raw.values[0] for raw in parts.filters if raw.field == "loss_reason"), "")
            if not reason:
                named = not many and bool(self._deals()[0])
                return lacking(why_lost(self.ctx), parts.message, BECAUSE) if named else None
            calls.append(Command(tool="lose_deal", arguments={"reason": reason}, waiting="id"))
        strange = {word for word in parts.unknown if word.lower() != verb} if "next_step" not in fields else set()
        unused = [raw for place, raw in enumerate(parts.filters) if place not in used and "next_step" not in fields]
        told = bool(parts.times) and "expected_close_on" not in fields and "next_step" not in fields
        if not calls or strange or many or unused or told:
            return None
        found, hints, spoken = self._deals()
        return self._on(found, calls, spoken, hints) if found else None

    def _deals(self) -> tuple[list[Entity], list[str], str]:
        """The open deals that can be meant: named, of a company that is named, or spoken of."""
        parts = self.parts
        name = next((item for item in parts.names if item.noun in ("deal", "company")), None)
        if name is None:
            if parts.names:
                return [], [], ""
            meant = self.dialogue.meant(self.ctx, ("deal",)) or self.dialogue.meant(self.ctx, ("company",))
            if meant is None or meant.noun == "deal":
                return ([meant], [""], meant.label) if meant is not None else ([], [], "")
            name = Name(0, 0, (Match(noun="company", id=meant.id, label=meant.label, score=100),), True)
        query = select(Deal.id, Deal.name, Deal.amount_minor, Deal.currency).where(
            Deal.status == "open", Deal.archived_at.is_(None), visible(self.ctx, Deal)
        )
        ids = [match.id for match in name.matches if match.noun == name.noun]
        query = query.where((Deal.id if name.noun == "deal" else Deal.company_id).in_(ids)).order_by(Deal.id)
        rows = self.ctx.session.execute(query.limit(MOST_CANDIDATES + 1)).all()
        hints = [format_money(row.amount_minor, row.currency) if row.amount_minor is not None else "no amount" for row in rows]
        spoken = self._spoken(name) if name.noun == "deal" else f"open deal of {self._spoken(name)}"
        return [Entity(noun="deal", id=row.id, label=row.name) for row in rows], hints, spoken

    def _on(self, found: list[Entity], calls: list[Command], spoken: str, hints: list[str] | None = None) -> Frame:
        """The calls on the one record that is meant, or the question which."""
        frame = Frame(intent="command", calls=calls)
        if not found:
            return Frame(intent="unknown", detail=f"I find no {spoken} that you may see, so there is nothing to change.")
        if len(found) == 1:
            return settled(frame, found[0])
        frame.pending = Pending(name=spoken, candidates=found[:MOST_CANDIDATES], hints=(hints or [""] * len(found))[:MOST_CANDIDATES])
        return frame

    # --- times ------------------------------------------------------------------------------------------

    def _moved_date(self) -> dict[str, Any]:
        """The close date that is named, or the one now moved by so much."""
        parts = self.parts
        pushed = parts.write_verb in ("push", "postpone", "delay", "shift") and _SHIFT.search(parts.phrases)
        about = (
            pushed
            or "expected_close" in parts.fields
            or bool({"slipped", "closing"} & set(parts.states))
            or re.search(r"\bclos(?:e|ing)\b", parts.phrases)
        )
        if not about:
            return {}
        shift = _SHIFT.search(parts.phrases)
        if shift is not None:
            found, _hints, _spoken = self._deals()
            now = self.ctx.session.get(Deal, found[0].id) if len(found) == 1 else None
            if now is None or now.expected_close_on is None:
                return {}
            count = COUNTS.get(shift["count"]) or int(shift["count"])
            day, unit = now.expected_close_on, shift["unit"]
            days = {"day": 1, "week": 7}.get(unit)
            later = day + timedelta(days=count * days) if days else add_months(day, count * (3 if unit == "quarter" else 1))
            parts.times = []
            return {"expected_close_on": later.isoformat()}
        ahead = self._day_ahead()
        return {"expected_close_on": ahead.isoformat()} if ahead is not None else {}

    def _day_ahead(self) -> date | None:
        """The day that a time means for what is still to come: a month or quarter by its last day."""
        if not self.parts.times:
            return None
        when, _cue = self.parts.times[0]
        return when.day_ahead(self.ctx.today)
