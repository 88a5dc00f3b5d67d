"""New records put into words: "create a deal with Globex for 20k, closing in March, called Globex renewal"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from assistant.language.dialogue import Dialogue
from assistant.language.frames import Command, Entity, Frame
from assistant.language.grammar.edits.phrases import ASKS, trimmed
from assistant.language.grammar.edits.targets import Targets
from assistant.language.grammar.edits.values import Unfit, Values, amount_said, day_said
from assistant.language.grammar.lacking import lacking
from crm_core.context import Context
from crm_core.services.catalog import CATALOG
from crm_core.services.records import picklists
from crm_core.text import fold

_KINDS = {
    "deal": r"deal|opportunity|opp|bid",
    "contact": r"contact|person",
    "ticket": r"ticket|support ticket|case|support case|issue",
    "lead": r"lead|prospect",
    "company": r"company|account|customer|organi[sz]ation",
}
_KIND = "|".join(f"(?P<{noun}>{words})" for noun, words in _KINDS.items())
_VERB = r"(?:create|add|open|make|set up|start|enter|register|log|raise|file|record|put in|build|book|save)"
_NEW = re.compile(
    rf"^(?:{_VERB}\s+(?:(?:me|us)\s+)?(?:(?:a|an|the|another|one|this|in a)\s+)?(?P<fresh>(?:brand[ -])?new\s+|fresh\s+)(?P<before>(?:[\w$€£.,-]+\s+){{0,4}}?)"
    rf"|{_VERB}\s+(?:(?:me|us)\s+)?(?:a|an|another)\s+(?P<before2>(?:[\w$€£.,-]+\s+){{0,4}}?)|(?:create|add|log|raise|register|set up)\s+|(?:a\s+)?(?P<bare>(?:brand[ -])?new)\s+"
    rf"|(?:we(?:'ve| have)?|i(?:'ve| have)?)\s+(?:got|have)?\s*a\s+(?P<have>new)\s+)(?:{_KIND})(?:\s+record)?\b\s*(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_AS_A = re.compile(
    rf"^(?:create|add|enter|register|put|save|record|set up)\s+(?P<what>.+?)\s+(?:as|in as|down as)\s+(?:a|an|our|another|the)\s+(?:new\s+)?(?:{_KIND})\b\s*(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
#: "There is a new buyer at Acme, Jo Quill: add him", "make her a lead, source fair": somebody who was told of.
_TOLD_OF = re.compile(
    rf"^(?:add|enter|register|save|create|put|take)\s+(?:him|her|them)(?:\s+(?:in|down|on file|to the crm|to (?:our|the|my) contacts))*(?:\s+as\s+(?:a|an|our)\s+(?:new\s+)?(?:{_KIND}))?(?P<rest>[\s.,!]*$|\s*[,;]\s*\S.*$)"
    rf"|^(?:make|turn)\s+(?:him|her|them)\s+(?:into\s+)?(?:a|an|our)\s+(?:new\s+)?(?:{_KIND.replace('?P<', '?P<a_')})\b(?:\s+for\s+(?:me|us))?\s*(?P<rest2>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile(r"[\"“”«]([^\"“”«»]{2,200})[\"”»]")
_TYPED = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\+?\d[\d ()./-]{6,}\d")
_SLOT = r"for|at|from|with|worth|called|named|titled|closing|closes|expected|due|about|as|assigned|owned|owner|owns|priority|prio|phone|mobile|tel|cell|email|e-mail|mail|category|stage|amount|value|valued|source|title|subject|name|in|of|by|on|to|regarding|re|saying|because|company|contact|city|industry|employees|region|forecast|next step|it's|its|his|her|their|they|he|she|who|and|name it|call it|reported|working|works"
_PARTS = re.compile(rf"\s*[,;\n]\s*(?:and\s+)?|\.\s+(?=[A-Z])|\s+[-–—]\s+|\s*[()]\s*|\s+(?=(?:{_SLOT})\b)", re.IGNORECASE)
_CLOSING = re.compile(
    r"^(?:(?:and|it|it's|its|which|should|will|is|we|expect|to)\s+)*(?:closing|closes|close|decision|decides?|signature|signs?|signing|start(?:s|ing)?|go(?:es)? live|needed|expected(?: to)?(?: close)?|due|close date|closing date|should close|will close|by|on|in|for|around|(?:expected )?close date(?: is)?)\s*(?:on|by|in|around|for|is|:|at|=)?\s*",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"^(?:(?:and|it|it's|its|is|we)\s+)*(?:worth|amount|value|valued|for|at|of|price|around|about|over|budget|to the tune of)\s*(?:is|of|at|:|=|about|around)?\s*",
    re.IGNORECASE,
)
_WHOSE = re.compile(
    r"^(?:(?:and|is|she|he|they|who)\s+)*(?:for|at|from|with|by|of|to|in|company(?: is)?:?|customer:?|account:?|working (?:at|for)|works (?:at|for)|reported by|on)\s+(?:the\s+)?(?:company\s+|customer\s+|account\s+)?",
    re.IGNORECASE,
)
_OWNED = re.compile(
    r"^(?:and\s+)?(?:assigned|assign it|assign this|hand it|assign|owned|owner(?: is)?:?|for|give it)\s*(?:to|by|:|=|is)?\s+", re.IGNORECASE
)
_CALLED = re.compile(
    r"^(?:(?:and|it|is|we|with|the|his|her|their|please|let's)\s+)*(?:called|call it|call this|name it|name this|title it|named|titled|name(?:d)?(?: is)?|subject(?: is)?|title(?: is)?|about|saying|regarding|re|says)\s*[:=]?\s*",
    re.IGNORECASE,
)
_NAMED = re.compile(r"^(?:called|named|titled|name it|call it)\s+\S", re.IGNORECASE)
_TITLED = re.compile(
    r"^(?:(?:and|is|she|he|they|who|their|our|his|her)\s+)*(?:as|title(?: is)?:?|role:?|position:?|is|the|job title:?)\s+(?:(?:the|their|our|a|an)\s+)?",
    re.IGNORECASE,
)
#: Words by which a job is known.
_JOB = re.compile(
    r"\b(?:chief|head|director|manager|officer|lead|engineer|vp|svp|evp|c[a-z]o|ciso|president|founder|owner|partner|buyer|purchas\w+|procurement|analyst|consultant|assistant|"
    r"coordinator|specialist|supervisor|foreman|secretary|accountant|controller|architect|developer|administrator|executive|principal|doctor|professor|nurse|chef|planner|scientist|technician)\b",
    re.IGNORECASE,
)
_STARTS = re.compile(
    r"^(?:(?:and|it|they|can|could|should|will|is|goes?|go|already|put|start(?:s|ing)?|straight|right|directly|at|in|into|on|to|the|already|stage|with|make it|mark it|set it)\s+)+",
    re.IGNORECASE,
)
_ANNOUNCING = re.compile(rf"(?:(?:{_SLOT}|close|date|expected to|should|is|a|the|give it|hand it|assign it|it goes|goes|put it)\s*)+", re.IGNORECASE)
_LOOSE = re.compile(
    r"^(?:called|named|titled|and|with|it|it's|its|is|the|a|an|in|as|by|on|to|of|for|at|from|he|she|they|their|his|her|that|who|please|new|:|,|\.)*$",
    re.IGNORECASE,
)


@dataclass
class _Draft:
    """A new record while its words are being placed."""

    noun: str
    arguments: dict[str, Any] = field(default_factory=dict)
    company: Entity | None = None
    left: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The argument that holds what the record is called."""
        return "subject" if self.noun == "ticket" else "name"


#: How the details of a new record begin, where only "new deal" was said.
_DETAILED = re.compile(r"^(?:[:,;–-]|$|for\b|with\b|at\b|from\b|called\b|named\b|[\"“])", re.IGNORECASE)


def makes_new(clause: str) -> bool:
    """Whether a clause begins as one that makes a new record."""
    text = trimmed(clause)
    match = _NEW.match(text)
    return (
        match is not None
        and not (match["bare"] and not _DETAILED.match(match["rest"]))
        or _AS_A.match(text) is not None
        or _TOLD_OF.match(text) is not None
    )


def created(ctx: Context, clause: str, dialogue: Dialogue) -> Frame | None:
    """The frame that makes a new record, or asks for what it lacks; None where the clause makes none or holds words that have no place."""
    text = trimmed(clause)
    if ASKS.match(text) or text.endswith("?"):
        return None
    if (told := _TOLD_OF.match(text)) is not None:
        return _made_of(ctx, told, clause, dialogue)
    match = _NEW.match(text)
    as_a = _AS_A.match(text) if match is None or not (match["fresh"] or match["bare"] or match["have"]) else None
    match = as_a or match
    if match is None or as_a is None and match["bare"] and not _DETAILED.match(match["rest"]):
        return None  # "new lead count last week" asks
    noun = next(name for name in _KINDS if match[name])
    draft, reader = _Draft(noun), _Placing(ctx, dialogue, noun)
    rest = f"{match['what']}, {match['rest']}" if as_a is not None else match["rest"]
    quoted = _QUOTED.search(rest)
    if quoted is not None:
        draft.arguments[draft.label] = quoted[1].strip(" .,")
        rest = f"{rest[: quoted.start()]}, {rest[quoted.end() :]}"
    head, colon, body = (
        rest.partition(":")
        if not re.match(r"^[^:]*\b(?:phone|email|mail|title|subject|name|tel|mobile|priority|amount)\s*:", rest, re.IGNORECASE)
        else (rest, "", "")
    )
    before = "" if as_a is not None else match["before"] or match["before2"]
    head = re.sub(r"\b(?:for|with|about|of)\s+(?:him|her|them|it|this|that)\b", "", head, flags=re.IGNORECASE)
    try:
        for part in [*_before(reader, draft, before or ""), *_split(head)]:
            if not reader.place(draft, part.strip(" .,")):
                draft.left.append(part.strip(" .,"))
        if colon:
            _body(reader, draft, body)
        _from_around(reader, draft, dialogue)
    except Unfit as error:
        return Frame(intent="unknown", detail=str(error))
    return _frame(clause, draft)


def _made_of(ctx: Context, told: re.Match[str], clause: str, dialogue: Dialogue) -> Frame | None:
    """The person that was told of before the command, with what is said besides; None where nobody was."""
    noun = next((name for name in _KINDS if told[name] or told[f"a_{name}"]), "contact")
    draft, reader = _Draft(noun), _Placing(ctx, dialogue, noun)
    _from_around(reader, draft, dialogue)
    if draft.label not in draft.arguments:
        return None
    try:
        for part in _split(told["rest"] or told["rest2"] or ""):
            if not reader.place(draft, part.strip(" .,")):
                return None
    except Unfit as error:
        return Frame(intent="unknown", detail=str(error))
    return _frame(clause, draft)


_PERSON = re.compile(r"\b(?P<name>[A-ZÀ-Ý][\w'’-]+(?:\s+(?:(?:de|van|von|der|la|al|bin)\s+)?[A-ZÀ-Ý][\w'’-]+){1,2})\b(?P<rest>(?:[^.!]|\.(?=\S))*)")
_CAPITALS = re.compile(r"[A-ZÀ-Ý][\w'’&-]*(?:\s+(?:[A-ZÀ-Ý&][\w'’&-]*|of|and|de|van|von))*")
MOST_TITLE_WORDS = 6
_OF_WHOM = re.compile(r"\b(?:from|at|of|with)\s+(?P<company>[A-ZÀ-Ý][\w'’&-]+(?:\s+[A-ZÀ-Ý&][\w'’&-]*){0,3})")


def _from_around(reader: _Placing, draft: _Draft, dialogue: Dialogue) -> None:
    """What the new record is called and whose it is, where that was told before: "Met Ana Ruiz from Acme. Create a lead for her"."""
    around = dialogue.around.strip(" ,.")
    if not around or draft.label in draft.arguments or draft.noun == "deal":
        return
    spoken = dialogue.meant(reader.ctx, ("company",))
    if draft.noun == "ticket":
        if spoken is not None and "company_id" not in draft.arguments:
            draft.arguments["company_id"], draft.company = spoken.id, spoken
        draft.arguments["subject"] = around[:300]
        return
    named = (match for match in _PERSON.finditer(around) if reader.targets.find(match["name"], ("company",)) is None)
    person = next(named, None)
    if person is None or draft.noun == "company":
        return
    draft.arguments["name"] = person["name"]
    whose = _OF_WHOM.search(person["rest"])
    for part in _split(person["rest"]):
        if whose is None or part.strip() != whose.group().strip():
            told = part.strip(" .,")
            if _TYPED.search(part) or _PHONE.search(part):
                reader.place(draft, told)
            elif "title" in reader.fields and "title" not in draft.arguments and _JOB.search(told) and len(told.split()) <= MOST_TITLE_WORDS:
                draft.arguments["title"] = _TITLED.sub("", told)
            elif draft.noun == "lead" and whose is None and "company_name" not in draft.arguments and _CAPITALS.fullmatch(told):
                draft.arguments["company_name"] = told
    if draft.noun == "lead" and whose is not None and "company_name" not in draft.arguments:
        draft.arguments["company_name"] = whose["company"]
    elif draft.noun == "contact" and "company_id" not in draft.arguments and spoken is not None:
        draft.arguments["company_id"], draft.company = spoken.id, spoken


def _before(reader: _Placing, draft: _Draft, text: str) -> list[str]:
    """The words before "deal" or "ticket", each as the value that it is ("high priority billing"); what is none stays together."""
    words, left, place = text.split(), [], 0
    while place < len(words):
        for size in (3, 2, 1):
            said = " ".join(words[place : place + size])
            if place + size <= len(words) and (size == 1 or reader.is_value(said)) and reader.place_value(draft, said):
                place += size
                break
        else:
            if not reader.values.field_named(draft.noun, words[place]):
                left.append(words[place])
            place += 1
    return [" ".join(left)] if left else []


def _split(text: str) -> list[str]:
    """The words between commas and before those that begin a new detail; a word that only announces one stays with what follows."""
    parts: list[str] = []
    for part in _PARTS.split(text):
        if not part or not part.strip(" .,"):
            continue
        if parts and (_ANNOUNCING.fullmatch(parts[-1]) or part.lower().startswith("of ")):
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part.strip())
    return parts


def _body(reader: _Placing, draft: _Draft, body: str) -> None:
    """What stands after a colon: the name or subject first, then what can be placed; what cannot goes on with the name."""
    segments = [part.strip() for part in re.split(r"\s*[,;\n]\s*|\.\s+(?=[A-Z])", body) if part.strip()]
    if draft.noun in ("contact", "lead", "company") or draft.label in draft.arguments:
        for segment in segments:
            for part in _split(segment) if draft.noun != "ticket" else [segment]:
                if not reader.place(draft, part.strip(" .,")):
                    draft.left.append(part.strip(" .,"))
        return
    if draft.noun == "deal" and len(segments) > 1 and all(reader.place_value(draft, part) for part in _split(segments[0])):
        segments = segments[1:]  # "30 kW on tin, 42k": details from the first on, and no name
    else:
        draft.arguments[draft.label] = _CALLED.sub("", segments.pop(0)).strip(" .")
    for segment in segments:
        if reader.place(draft, segment.strip(" .")):
            continue
        if draft.noun != "ticket":
            draft.left.append(segment)
        else:
            draft.arguments[draft.label] = f"{draft.arguments[draft.label]}, {segment}".strip(" .")


class _Placing:
    """Puts a stretch of words into the argument that it can be."""

    def __init__(self, ctx: Context, dialogue: Dialogue, noun: str) -> None:
        self.ctx, self.noun, self.values, self.targets = ctx, noun, Values(ctx), Targets(ctx, dialogue)
        self.fields = CATALOG[f"create_{noun}"].arguments.model_fields

    def place(self, draft: _Draft, part: str) -> bool:
        """Whether the words found their place."""
        part = part.strip()
        if not part or _LOOSE.match(part):
            return True
        if _NAMED.match(part) and self._called(draft, part):
            return True  # even where "called" is a status of the company's
        found = self._typed(draft, part) or self._named_field(draft, part) or self._money(draft, part) or self._day(draft, part)
        return found or self._whose(draft, part) or self._choice(draft, part) or self._called(draft, part)

    def is_value(self, said: str) -> bool:
        """Whether words are one of the company's values in full."""
        return any(fold(said) == fold(value) for values in picklists(self.ctx, self.noun).values() for value in values)

    def place_value(self, draft: _Draft, part: str) -> bool:
        """Whether the words are a detail and not what the record is called."""
        part = part.strip(" .,")
        if not part or _LOOSE.match(part):
            return True
        return self._named_field(draft, part) or self._money(draft, part) or self._day(draft, part) or self._choice(draft, part)

    def _set(self, draft: _Draft, name: str, value: Any) -> bool:
        if name == "custom" and name in draft.arguments:
            if set(value) & set(draft.arguments[name]):
                return False
            draft.arguments[name] |= value
            return True
        if name not in self.fields or name in draft.arguments:
            return False
        draft.arguments[name] = value
        return True

    def _typed(self, draft: _Draft, part: str) -> bool:
        """An address or number that is told by its form."""
        for name, pattern in (("email", _TYPED), ("phone", _PHONE)):
            match = pattern.search(part)
            if match is not None and name in self.fields:
                rest = re.sub(
                    rf"\b(?:{name}|e-?mail|mail|phone|mobile|tel|cell|number|address|is|at|on|her|his|their|and|reach|reachable)\b|[:.]",
                    "",
                    part[: match.start()] + part[match.end() :],
                    flags=re.IGNORECASE,
                ).strip()
                return self._set(draft, name, match.group().strip()) and (not rest or self.place(draft, rest))
        return False

    def _named_field(self, draft: _Draft, part: str) -> bool:
        """ "Priority high", "amount: 20k", "high priority"."""
        words = re.sub(r"^(?:and|with|it|is|the|its|in|at|of)\s+", "", part, flags=re.IGNORECASE).split()
        for size in (2, 1):
            if len(words) <= size:
                continue
            for name_words, value in ((words[:size], words[size:]), (words[-size:], words[:-size])):
                name = self.values.field_named(self.noun, " ".join(name_words).strip(":="))
                if not name or name in ("name", "subject"):
                    continue
                said = re.sub(r"^(?:is|to|of|at|:|=)\s+", "", " ".join(value).strip(" :="), flags=re.IGNORECASE)
                try:
                    return self._take(draft, name, said)
                except Unfit:
                    continue
        return False

    def _take(self, draft: _Draft, name: str, said: str) -> bool:
        if name == "stage":
            stage = self.values.set_to("deal", "stage", said).calls
            return bool(stage) and stage[0].tool == "move_deal" and self._set(draft, "stage", stage[0].arguments["stage"])
        if name == "owner":
            return self._set(draft, "owner_id", self.values.person(said))
        calls = self.values.set_to(self.noun, name, said).calls
        return bool(calls) and all(self._set(draft, key, value) for key, value in calls[0].arguments.items())

    def _money(self, draft: _Draft, part: str) -> bool:
        if self.noun != "deal":
            return False
        bare = _MONEY.sub("", part)
        number = amount_said(re.sub(r"\s+(?:deal|value|worth|total)$", "", bare, flags=re.IGNORECASE))
        if number is None or number[0] < 100 and not number[1] and bare == part:
            return False
        if day_said(self.ctx, bare) is not None and not number[1] and number[0] < 3000:
            return False
        done = self._set(draft, "amount", str(number[0]))
        if done and number[1]:
            self._set(draft, "currency", number[1])
        return done

    def _day(self, draft: _Draft, part: str) -> bool:
        if self.noun != "deal":
            return False
        day = day_said(self.ctx, _CLOSING.sub("", part)) or day_said(self.ctx, part)
        return day is not None and self._set(draft, "expected_close_on", day.isoformat())

    def _whose(self, draft: _Draft, part: str) -> bool:
        """ "For Globex", "at Globex", "from Dana", "assigned to Tom"."""
        owned = _OWNED.match(part)
        if owned is not None and "owner_id" in self.fields and (person := self.values.person(part[owned.end() :])) is not None:
            return self._set(draft, "owner_id", person)
        cue = _WHOSE.match(part)
        name = part[cue.end() :] if cue is not None else ""
        if not name:
            return False
        if self.noun == "lead":
            return self._set(draft, "company_name", name) if not re.match(r"^(?:in|on|to|of)\b", part, re.IGNORECASE) else False
        if self.noun == "company":
            return "city" in self.fields and re.match(r"^(?:in|at|from)\b", part, re.IGNORECASE) is not None and self._set(draft, "city", name)
        target = self.targets.find(name, ("company",))
        if target is not None and len(target.found) == 1 and target.noun == "company":
            draft.company = target.found[0]
            return self._set(draft, "company_id", target.found[0].id)
        if target is not None and len(target.found) > 1 and target.noun == "company":
            raise Unfit(f"Which {name} do you mean: {', '.join(item.label for item in target.found[:5])}?")
        people = self.targets.find(name, ("contact",)) if "contact_id" in self.fields else None
        if people is not None and len(people.found) == 1:
            return self._set(draft, "contact_id", people.found[0].id)
        return False

    def _choice(self, draft: _Draft, part: str) -> bool:
        if self.noun == "ticket" and draft.label in draft.arguments and re.match(r"^(?:in|on|of|at|to|into)\b", part, re.IGNORECASE):
            return False  # "water in the inverter": goes on with what it is about
        setting = self.values.guess(self.noun, _STARTS.sub("", part))
        if setting is None or not setting.calls:
            return False
        call = setting.calls[0]
        if call.tool == "move_deal":
            return self._set(draft, "stage", call.arguments["stage"])
        return call.tool == f"update_{self.noun}" and all(self._set(draft, key, value) for key, value in call.arguments.items())

    def _called(self, draft: _Draft, part: str) -> bool:
        cue = _CALLED.match(part)
        if cue is not None and draft.label not in draft.arguments and cue.end() < len(part):
            return self._set(draft, draft.label, part[cue.end() :].strip())
        titled = _TITLED.match(part)
        if draft.label in draft.arguments and "title" in self.fields and len(part.split()) <= 6 and (titled is not None or _JOB.search(part)):
            return self._set(draft, "title", part[titled.end() :] if titled is not None else part)
        if draft.label in draft.arguments or re.match(rf"^(?:{_SLOT}|give|hand|assign|put|set|move|make)\b", part, re.IGNORECASE):
            return False
        return self._set(draft, draft.label, re.sub(r"^(?:a|an|the)\s+", "", part, flags=re.IGNORECASE))


def _frame(clause: str, draft: _Draft) -> Frame | None:
    """The call, or the question for what is missing; None where words are left without a place."""
    if draft.left and draft.label in draft.arguments and draft.noun in ("deal", "ticket"):
        named = f"{draft.arguments[draft.label]} {' '.join(draft.left)}" if draft.noun == "ticket" else ""
        if not named:
            return None
        draft.arguments[draft.label], draft.left = named, []
    if draft.left and draft.label not in draft.arguments and draft.noun in ("deal", "ticket"):
        draft.arguments[draft.label], draft.left = " ".join(draft.left), []
    if draft.left:
        return None
    if draft.label not in draft.arguments:
        if draft.noun == "deal" and draft.company is not None:
            draft.arguments["name"] = f"{draft.company.label} deal"
        else:
            what = {"ticket": "What is the ticket about?"}.get(draft.noun, f"What is the {draft.noun} called?")
            return lacking(what, clause, ", about" if draft.noun == "ticket" else ", called")
    value = str(draft.arguments[draft.label])
    draft.arguments[draft.label] = value[:1].upper() + value[1:] if draft.noun == "ticket" else value
    frame = Frame(intent="command", calls=[Command(tool=f"create_{draft.noun}", arguments=draft.arguments)])
    frame.entities = [draft.company] if draft.company is not None else []
    return frame
