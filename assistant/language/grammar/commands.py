"""Changes that are asked for in words: on one deal, ticket or contact, a task, or what happened.

"Move the Globex renewal to Negotiation and push its close date to 30 June", "log a call with Dana: she wants the security
review", "remind me on Thursday to send the contract". Each becomes calls of the catalog's verbs; they are proposed with
their preview, never applied here. What is said and has no place in a call makes the command one that is not understood.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select

from assistant.language.entities import Name
from assistant.language.frames import Command, Entity, Frame, Pending
from assistant.language.grammar.lacking import BECAUSE, lacking, why_lost
from assistant.language.grammar.pieces import Pieces, settled
from assistant.language.written_numbers import COUNTS
from crm_core.access import visible
from crm_core.models import Deal, Stage, Ticket
from crm_core.money import format_money
from crm_core.periods import add_months
from crm_core.services.records import picklists
from crm_core.services.search import Match
from crm_core.text import fold

_LOGGING = frozenset("log note record enter add".split())
_KINDS = frozenset("call email meeting note".split())
_GIVING = frozenset("give hand assign reassign transfer pass move".split())
_ENDING = frozenset("mark set close win lose update change put make".split())
_AMOUNTS = frozenset("set change update make raise lower increase decrease reduce bump put edit cut drop".split())
_DONE = frozenset("close resolve solve mark complete set".split())
_TASK = re.compile(
    r"\b(?:remind (?P<who>me|us|\w+)|put on (?P<theirs>\w+)(?: \w+)?['’]s (?:to-?do )?(?:list|plate|desk)|(?:i want|i need|i'?d like|give me|set me|get me) an? (?:reminder|task|to-?do)|(?:add|create|make|put|set up|set)\b[^,.:;]{0,20}?\b(?:tasks?|to-?dos?|to do|reminders?|follow-?ups?)(?: tasks?| to-?dos?)?(?: for (?P<whom>\w+)| (?:on|onto|to) (?P<whose>\w+)(?: \w+)?['’]s (?:to-?do )?(?:list|plate|desk))?)\b(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
BODY = re.compile(r"(?::|[,;.] | [-–—] )\s*(?P<body>\S.*)$", re.DOTALL)
_NEXT_STEP = re.compile(r"\bnext step\b.*?(?::|\bto\b|\bis\b|=)\s*(?P<step>\S.*)$", re.IGNORECASE | re.DOTALL)
#: Without a verb only the plain form sets a next step: "next step for Globex: send the contract".
_NEXT_STEP_IS = re.compile(r"(?:the )?next step\b[^:?]*:\s*\S", re.IGNORECASE)
#: What happened, told without asking to log it: "had a call with Dana: she is happy", "met Acme today, they want a discount".
_TOLD = re.compile(
    r"(?:(?:so|ok|okay|well|hey|hi|just|i|we|have|ive|i've|we've|finally|earlier|today|this morning|this afternoon|quick|short|long|great|good|another|first|second)[ ,]+)*"
    r"(?:(?:(?:had|did|finished|held|got off|came off|came out of|came from|out of|back from|off|from|a) )*(?:a |an |my |our |the )?(?:\w+ ){0,2}?"
    r"(?P<kind>call|phone call|meeting|demo|visit|chat|lunch|coffee|dinner|breakfast|workshop|session|catch up|video call|site visit) (?:with|at|w|to) "
    r"|(?:got off|came off|off|been on|was on) the phone (?P<phone>with|to) "
    r"|(?P<verb>met|saw|visited|spoke|talked|called|rang|phoned|emailed|mailed|wrote)(?: up)?(?: with| to)? "
    r"|had (?P<who>[^,.;:]{2,60}?) on the (?:phone|line)\b)"
)
_LOG_A = re.compile(
    r"(?:(?:please|pls|can you|could you|kindly|just) )*(?:log|record|note|enter|register|save|put down|write down|add)(?: down)? (?:a |an |the |my |our |this |today's |yesterday's )?"
    r"(?:\w+ ){0,2}?(?P<kind>call|phone call|meeting|demo|visit|chat|lunch|coffee|dinner|breakfast|workshop|video call|site visit|email|mail)\b(?! (?:task|reminder|list|rate))"
)
_PUT_IT_IN = re.compile(
    r"[\s,.;]*\b(?:can you|could you|please|pls|so)\s+(?:please\s+)?(?:log|put|note|record|enter|save|add)\s+(?:that|it|this)(?:\s+\w+){0,3}[\s.?!]*$",
    re.IGNORECASE,
)
_ASKED_IN_IT = re.compile(r"(?:^|[,;.:]\s*)(?:when|what|which|who|whose|where|why|how)\b", re.IGNORECASE)
_OUTCOME = re.compile(r"\b(?:outcome|result)(?: is| was)?\s*:?\s+(?P<said>[\w' ]{2,40}?)(?=\s*[,.;:()]|\s+[–-]|\s*$)", re.IGNORECASE)
_MEETINGS = frozenset("meeting demo visit lunch coffee dinner breakfast workshop session met saw visited".split()) | {"site visit"}
_MAILED = frozenset(("emailed", "mailed", "wrote"))
_TOPIC = re.compile(r"\b(?:about|regarding|re) (?P<topic>\S.*)$", re.IGNORECASE)
#: "Note that down" points at what was said before it.
_NOTE_THAT = re.compile(
    r"^\W*(?:please |pls |can you |could you )*(?:note|log|record|save|enter) (?:that|this|it)\b(?! (?:call|meeting|email|mail))", re.IGNORECASE
)
_PERSON = re.compile(r"\b(?:him|her|he|she)\b", re.IGNORECASE)
#: Somebody, and not what is theirs.
_HIM = re.compile(r"\b(?:him|her)\b(?=$|[.,;!]|\s+(?:about|on|again|back|up|and|to|if|for|with|by|when|at|in)\b)", re.IGNORECASE)
_THAT = re.compile(r"\bthat (?P<said>\S.*)$", re.IGNORECASE | re.DOTALL)
#: Words of a log that tell nothing by themselves.
_LOG_WORDS = (
    _LOGGING
    | frozenset("a an the my our with at to from by of in on for as and please just new short quick today s i we can could you had have did".split())
    | frozenset("call calls phone email mail e meeting note demo visit chat met spoke talked called rang phoned activity".split())
)
#: Words before a next step that say nothing else.
_SETTING_WORDS = frozenset(
    "set change update make put edit deal deals opportunity its it that this s their ok ticket new so now let us lets renewal".split()
)
_SHIFT = re.compile(
    r"\b(?:back|out|by|another|forward)\s+(?:by\s+|another\s+)?(?P<count>a|an|one|two|three|four|five|six|\d+)\s+(?P<unit>day|week|month|quarter)s?\b"
)
#: How long something took: "25 min", "for an hour", "half an hour", "1.5 hours".
_LASTED = re.compile(
    r"\b(?P<most>three quarters of an hour)\b|\b(?P<half>half an hour)\b|\b(?P<quarter>quarter of an hour)\b|\b(?P<number>\d+(?:[.,]\d)?|an?|one|two|three|five|ten|fifteen|twenty|thirty|forty(?:[ -]five)?|fifty|sixty|ninety)(?:\s|-)?(?P<unit>minutes?|mins?|hours?|hrs?|h)\b(?!\s+(?:ago|later|before|after|earlier|from))",
    re.IGNORECASE,
)
_LONG = 90
MOST_CANDIDATES = 8
#: Words from which a message without stops tells more than whom it was with.
LONG_TOLD = 12
#: Words of a log within which stands whom it was with, where its beginning does not say it.
WHOM = 14


_IN_WORDS = {"ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60, "ninety": 90}


def _minutes(match: re.Match[str]) -> int:
    if match["most"]:
        return 45
    if match["half"] or match["quarter"]:
        return 30 if match["half"] else 15
    said = match["number"].lower().replace(" ", "-")
    number = float(said.replace(",", ".")) if said[0].isdigit() else _IN_WORDS.get(said) or COUNTS.get(said, 1)
    return round(number * (60 if match["unit"].lower().startswith("h") else 1))


class Commands(Pieces):
    """Which verbs of the catalog, with what."""

    def _command(self) -> Frame | None:
        """ "Move the Globex renewal to Negotiation", "log a call with Dana: ...", "remind me on Thursday to ..."."""
        verb = self.parts.write_verb
        told = self._tells() is not None
        asked = _LOG_A.match(self.parts.phrases) is not None or _TASK.match(self.parts.message) is not None
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

    def _tells(self) -> re.Match[str] | None:
        """What happened, told and not asked for: with more than whom it was with."""
        message = self.parts.message
        if "?" in message or _ASKED_IN_IT.search(message) or BODY.search(message) is None and len(message.split()) < LONG_TOLD:
            return None
        told = _TOLD.match(self.parts.phrases)
        if told is None or told["who"]:
            return told
        whom = len(told.group().split())  # "met a Jo Quill at the fair in Lyon": who is known in Lyon was not met
        return told if any(name.first <= whom + 1 for name in self.parts.names) else None

    def _logged(self, verb: str) -> Frame | None:
        parts = self.parts
        told = self._tells() if not verb or verb == "call" else None
        kinds = [kind for kind in parts.kinds if kind in _KINDS]
        if told is not None:
            word = told["kind"] or told["verb"] or ""
            kinds = ["meeting" if word in _MEETINGS else "email" if word in _MAILED else "call"]
        asked = _LOG_A.match(parts.phrases)
        if asked is not None:
            verb = "log"
            kinds = ["meeting" if asked["kind"] in _MEETINGS else "email" if "mail" in asked["kind"] else "call"]
        kind = next((kind for kind in kinds if kind != verb), kinds[0] if kinds else "")  # "note a call with ..."
        if verb not in _LOGGING and told is None or not kind or _NOTE_THAT.match(parts.message):
            return None
        match = BODY.search(parts.message)
        body = match["body"].strip() if match is not None else ""
        head = parts.message[: match.start()] if match is not None else parts.message
        said = len(head.split())
        first = re.split(r"(?<=[.!?])\s", body)[0] if body else ""
        first = self._without_stamps(first)
        names = [name for name in parts.names if name.first < said] or [name for name in parts.names if name.first < WHOM]
        about = f" with {names[0].matches[0].label}" if names and len(names[0].matches) == 1 else ""
        topic = _TOPIC.search(self._without_times(head))
        plain = f"{kind.capitalize()} about {topic['topic'].strip(' .')}" if topic is not None else f"{kind.capitalize()}{about}"
        if told is not None and match is None:
            body, first, plain = _PUT_IT_IN.sub("", parts.message.strip()), "", f"{kind.capitalize()}{about}"  # told in one breath
        elif self._says_more(head, names):  # "log a call with Dana she wants the security review": nothing of it may be lost
            clause = _THAT.search(parts.message) if _THAT.search(head) else None
            body = clause["said"].strip() if clause is not None else parts.message.strip()
            first = body if clause is not None else ""
        if names and re.match(r"(?:with|w/|to|at)\s", first, re.IGNORECASE):
            first = ""
        subject = first if 3 <= len(first) <= _LONG else plain[:_LONG]
        arguments: dict[str, Any] = {"kind": kind, "subject": subject[:1].upper() + subject[1:]}
        if body and body != subject:
            arguments["body"] = body
        lasted = _LASTED.search(head) or next(
            (found for part in re.split(r"[,;:.()]\s*|\s+[–—-]\s+", parts.message) if (found := _LASTED.fullmatch(part.strip()))), None
        )
        if lasted is not None:
            arguments["duration_minutes"] = _minutes(lasted)
        outcome = _OUTCOME.search(parts.message)
        if outcome is not None:
            named = [value for value in picklists(self.ctx, "activity").get("outcome", []) if fold(value) == fold(outcome["said"])]
            arguments |= {"outcome": named[0]} if named else {}
        day = next((when.period.first for when, _cue in parts.times if when.first < said and when.period.days == 1), None)
        day = day or self._day_alone()
        if day is not None and day < self.ctx.today:
            arguments["occurred_at"] = datetime.combine(day, time(12), self.ctx.zone).isoformat()
        frame = self._about(Frame(intent="command", calls=[Command(tool="log_activity", arguments=arguments)]), names)
        if told is not None and not (frame.entities or frame.pending):
            return None  # "spoke to our CFO, she wants the pipeline by region" tells why something is asked
        return frame

    def _without_stamps(self, text: str) -> str:
        """What was said, without the day and the length before it: "Mon 16th, 45 min, she wants the review"."""
        while (stamp := re.match(r"(?P<said>[^,;–—]{1,30}?)\s*(?:[,;]|\s[–—-])\s+(?=\S)", text)) is not None:
            said = stamp["said"].strip()
            if _LASTED.fullmatch(said) is None and said not in self.parts.said_times:
                break
            text = text[stamp.end() :]
        return text

    def _day_alone(self) -> date | None:
        """A day gone by that stands between stops by itself: "call with Dana, Mon 16th, 30 min"."""
        pieces = {re.sub(r"^(?:on|from|this|last) ", "", piece.strip().lower()) for piece in re.split(r"[,;:()]|\s[–-]\s", self.parts.message)}
        alone = [when for (when, _cue), said in zip(self.parts.times, self.parts.said_times, strict=False) if said.lower() in pieces]
        return next((when.period.first for when in alone if when.period.days == 1 and when.period.first < self.ctx.today), None)

    def _says_more(self, head: str, names: list[Name], plain: frozenset[str] = frozenset()) -> bool:
        """Whether the words around the names of a log say something beyond its kind, its topic and its day, and ``plain`` words."""
        left = fold(_TOPIC.sub("", self._without_times(head))) if not _THAT.search(head) else fold(head)
        known = {word for name in names for item in (self._spoken(name), *(match.label for match in name.matches)) for word in fold(item).split()}
        return any(word not in known | _LOG_WORDS | plain for word in re.findall(r"[^\W_]+", left))

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

    def _without_times(self, text: str, most: int | None = None) -> str:
        """The text without the words of its times, or the first of them: "call Dana" of "on Thursday to call Dana"."""
        for said in self.parts.said_times[:most]:
            text = re.sub(rf"\s*\b(?:(?:on|by|at|for|until|before|due|in|this|the)\s+)?{re.escape(said)}", " ", text, count=1, flags=re.IGNORECASE)
        return " ".join(text.split())
