"""What happened, asked to be logged or only told: "log a call with Dana: ...", "met Acme today, they want a discount", "call w/ Jo, 30 min"."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any

from assistant.language.entities import Name
from assistant.language.frames import Command, Frame
from assistant.language.grammar.pieces import Pieces
from assistant.language.written_numbers import COUNTS
from crm_core.services.records import picklists
from crm_core.text import fold

#: What an interaction is called, by its kind; the first that stands in a text tells the kind.
_CALLS = "phone call|video call|call|phone|phoned|rang|spoke|spoken|talked|called|chat|chatted|dial|hung up|off the line|on the line"
_MEETINGS = (
    "meeting|met|site visit|on ?site|in person|sat down|sat|saw|visited|visit|demo|workshop|session|lunch|coffee|dinner|breakfast|catch[ -]?up|showed"
)
_MAILS = "emailed|mailed|wrote|replied|e-?mail|mail"
_KINDS = (("call", _CALLS), ("meeting", _MEETINGS), ("email", _MAILS))
_THING = r"phone call|video call|call|meeting|demo|site visit|visit|chat|lunch|coffee|dinner|breakfast|workshop|session|catch[ -]?up"
_LOGGING = frozenset("log note record enter add".split())
#: What was said, after a stop.
BODY = re.compile(r"(?::|[,;.] | [-–—] )\s*(?P<body>\S.*)$", re.DOTALL)
_TOLD = re.compile(
    r"(?:(?:so|ok|okay|well|hey|hi|just|i|we|have|ive|i've|we've|finally|earlier|today|this morning|this afternoon|quick|short|long|great|good|another|first|second)[ ,]+)*"
    r"(?:(?:(?:had|did|finished|held|got off|came off|came out of|came from|out of|back from|off|from|a) )*(?:a |an |my |our |the )?(?:\w+ ){0,2}?"
    rf"(?P<kind>{_THING}) (?:with|at|w|to) "
    r"|(?:got off|came off|off|been on|was on) the phone (?P<phone>with|to) "
    r"|(?P<verb>met|saw|visited|sat|spoke|talked|called|rang|phoned|emailed|mailed|wrote)(?: up| down)?(?: with| to)? "
    r"|had (?P<who>[^,.;:]{2,60}?) on the (?:phone|line)\b)"
)
#: That it is to be logged: at the beginning, in a clause of its own, or at the end.
LOG_A = re.compile(
    r"(?:(?:please|pls|can you|could you|kindly|just) )*(?:log|record|note|enter|register|save|put down|write down|add)(?: down)? (?:a |an |the |my |our |this |today's |yesterday's )?"
    rf"(?:\w+ ){{0,2}}?(?P<kind>{_THING}|email|mail)\b(?! (?:task|reminder|list|rate))"
)
LOG_COLON = re.compile(r"^\W*(?:please |pls )?(?:log|note|record|to log|for the log)(?: this| that)?\s*[:–-]\s*", re.IGNORECASE)
LOG_IT = re.compile(
    r"^(?:log|note|record|save|enter|put) (?:it|this|that|all that|that call|that down|it down)(?: down| in| (?:as|for) (?:a )?(?:call|meeting|note|email)"
    r"| (?:on|under|to|at|for|with) (?:the |that |this |their |her |his )?(?P<what>deal|company|account|contact|opportunity|ticket))?(?: please| pls| for me)?[\s.!]*$",
    re.IGNORECASE,
)
_PUT_IT_IN = re.compile(
    r"[\s,.;]*\b(?:can you|could you|please|pls|so)\s+(?:please\s+)?(?:log|put|note|record|enter|save|add)\s+(?:that|it|this)(?:\s+\w+){0,3}[\s.?!]*$",
    re.IGNORECASE,
)
#: "Note that down" points at what was said before it.
_NOTE_THAT = re.compile(
    r"^\W*(?:please |pls |can you |could you )*(?:note|log|record|save|enter) (?:that|this|it)\b(?! (?:call|meeting|email|mail))", re.IGNORECASE
)
_ASKED_IN_IT = re.compile(r"(?:^|[,;.:]\s*)(?:when|what|which|who|whose|where|why|how)\b", re.IGNORECASE)
_OUTCOME = re.compile(r"(?:outcome|result)(?: is| was)?\s*:?\s*", re.IGNORECASE)
_TOPIC = re.compile(r"\b(?:about|regarding|re) (?P<topic>\S.*)$", re.IGNORECASE)
_THAT = re.compile(r"\bthat (?P<said>\S.*)$", re.IGNORECASE | re.DOTALL)
#: The parts of a log between stops.
_SEGMENT = re.compile(r"[,;:()]\s*|\.\s+|\.$|\s+[–—-]\s+")
#: Words of a log that tell nothing by themselves.
_LOG_WORDS = (
    _LOGGING
    | frozenset("a an the my our with at to from by of in on for as and please just new short quick today s i we can could you had have did".split())
    | frozenset("call calls phone email mail e meeting note demo visit chat met spoke talked called rang phoned activity".split())
)
#: How long something took: "25 min", "for an hour", "half an hour", "1.5 hours".
_LASTED = re.compile(
    r"\b(?P<most>three quarters of an hour)\b|\b(?P<half>half an hour)\b|\b(?P<quarter>quarter of an hour)\b|\b(?P<number>\d+(?:[.,]\d)?|an?|one|two|three|five|ten|fifteen|twenty|thirty|forty(?:[ -]five)?|fifty|sixty|ninety)(?:\s|-)?(?P<unit>minutes?|mins?|hours?|hrs?|h)\b(?!\s+(?:ago|later|before|after|earlier|from))",
    re.IGNORECASE,
)
_IN_WORDS = {"ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60, "ninety": 90}
_LONG = 90
#: Words from which a message without stops tells more than whom it was with.
LONG_TOLD = 12
#: Words of a log within which stands whom it was with, where its beginning does not say it.
WHOM = 14


def kind_told(text: str) -> str:
    """What kind of interaction a text tells of; a note where it tells none."""
    return next((kind for kind, words in _KINDS if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)), "note")


def _minutes(match: re.Match[str]) -> int:
    if match["most"]:
        return 45
    if match["half"] or match["quarter"]:
        return 30 if match["half"] else 15
    said = match["number"].lower().replace(" ", "-")
    number = float(said.replace(",", ".")) if said[0].isdigit() else _IN_WORDS.get(said) or COUNTS.get(said, 1)
    return round(number * (60 if match["unit"].lower().startswith("h") else 1))


class Telling(Pieces):
    """Logs: of which kind, with whom, when, how long, and what was said."""

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
        """ "Log a call with Dana yesterday, 25 min: she wants the review", "met Acme today, they want a discount"."""
        parts = self.parts
        told = self._tells() if not verb or verb == "call" else None
        asked = LOG_A.match(parts.phrases)
        kind = self._kind(verb, told, asked)
        if not kind or _NOTE_THAT.match(parts.message) or told is None and asked is None and verb not in _LOGGING:
            return None
        match = BODY.search(parts.message)
        head = parts.message[: match.start()] if match is not None else parts.message
        names = [name for name in parts.names if name.first < len(head.split())] or [name for name in parts.names if name.first < WHOM]
        subject, body = self._words_of(
            kind, head, match["body"].strip() if match is not None else "", names, in_one_breath=told is not None and not match
        )
        arguments: dict[str, Any] = {"kind": kind, "subject": subject[:1].upper() + subject[1:], **self._stamps(head)}
        if body and body != subject:
            arguments["body"] = body
        frame = self._about(Frame(intent="command", calls=[Command(tool="log_activity", arguments=arguments)]), names)
        if told is not None and not (frame.entities or frame.pending):
            return None  # "spoke to our CFO, she wants the pipeline by region" tells why something is asked
        return frame

    def _about(self, frame: Frame, names: list[Name]) -> Frame:
        """Link what is made to the records that are named; see ``Commands``."""
        raise NotImplementedError

    def _kind(self, verb: str, told: re.Match[str] | None, asked: re.Match[str] | None) -> str:
        """The kind of interaction; empty where none is spoken of."""
        if asked is not None:
            return kind_told(asked["kind"])
        if told is not None:
            return kind_told(told["kind"] or told["verb"] or "call")
        kinds = [kind for kind in self.parts.kinds if kind in ("call", "email", "meeting", "note")]
        return next((kind for kind in kinds if kind != verb), kinds[0] if kinds else "")  # "note a call with ..."

    def _words_of(self, kind: str, head: str, body: str, names: list[Name], *, in_one_breath: bool) -> tuple[str, str]:
        """Subject and body: nothing that was said may be lost, and the subject tells it shortly."""
        message = self.parts.message.strip()
        about = f" with {names[0].matches[0].label}" if names and len(names[0].matches) == 1 else ""
        topic = _TOPIC.search(self._without_times(head))
        plain = f"{kind.capitalize()}{about}"
        first = self._without_stamps(re.split(r"(?<=[.!?])\s", body)[0]) if body else ""
        if in_one_breath:
            return plain[:_LONG], _PUT_IT_IN.sub("", message)
        if self._says_more(head, names):  # "log a call with Dana she wants the security review"
            clause = _THAT.search(message) if _THAT.search(head) else None
            body = clause["said"].strip() if clause is not None else message
            first = body if clause is not None else ""
        if names and re.match(r"(?:with|w/|to|at)\s", first, re.IGNORECASE):
            first = ""
        if topic is not None:
            plain = f"{kind.capitalize()} about {topic['topic'].strip(' .')}"
        return (first if 3 <= len(first) <= _LONG else plain[:_LONG]), body

    def _stamps(self, head: str) -> dict[str, Any]:
        """How long it took, how it ended and when it was, said at the beginning or between stops."""
        found: dict[str, Any] = {}
        segments = [segment.strip() for segment in _SEGMENT.split(self.parts.message) if segment and segment.strip()]
        lasted = _LASTED.search(head) or next(
            (_LASTED.search(segment) for segment in segments if _LASTED.search(segment) and self._is_stamp(segment)), None
        )
        if lasted is not None:
            found["duration_minutes"] = _minutes(lasted)
        outcomes = {fold(value): value for value in picklists(self.ctx, "activity").get("outcome", [])}
        ended = next((outcomes[fold(_OUTCOME.sub("", segment))] for segment in segments if fold(_OUTCOME.sub("", segment)) in outcomes), "")
        if ended:
            found["outcome"] = ended
        days = [when for when, _cue in self.parts.times if when.period.days == 1 and when.period.first <= self.ctx.today]
        alone = {segment.lower() for segment in segments if self._is_stamp(segment)}
        day = next((when.period.first for when in days if when.first < len(head.split())), None) or next(
            (
                when.period.first
                for (when, _cue), said in zip(self.parts.times, self.parts.said_times, strict=False)
                if when in days and any(said.lower() in segment for segment in alone)
            ),
            None,
        )
        if day is not None and day < self.ctx.today:
            found["occurred_at"] = datetime.combine(day, time(12), self.ctx.zone).isoformat()
        return found

    def _is_stamp(self, segment: str) -> bool:
        """Whether words between stops say nothing but when it was and how long it took: "Mon 16th", "today 10 min"."""
        left = self._without_times(_LASTED.sub(" ", segment))
        return not re.sub(r"\b(?:on|from|this|last|for|about|around|roughly|some)\b|\W", "", left, flags=re.IGNORECASE)

    def _without_stamps(self, text: str) -> str:
        """What was said, without the day, the length and the company before it: "Mon 16th, 45 min, she wants the review"."""
        labels = {fold(word) for name in self.parts.names for match in name.matches[:1] for word in (match.label, self._spoken(name))}
        while (stamp := re.match(r"(?P<said>[^,;–—]{1,30}?)\s*(?:[,;]|\s[–—-])\s+(?=\S)", text)) is not None:
            said = stamp["said"].strip()
            if not self._is_stamp(said) and fold(said) not in labels and not any(label.startswith(f"{fold(said)} ") for label in labels):
                break
            text = text[stamp.end() :]
        return text

    def _says_more(self, head: str, names: list[Name], plain: frozenset[str] = frozenset()) -> bool:
        """Whether the words around the names of a log say something beyond its kind, its topic and its day, and ``plain`` words."""
        left = fold(_TOPIC.sub("", self._without_times(head))) if not _THAT.search(head) else fold(head)
        known = {word for name in names for item in (self._spoken(name), *(match.label for match in name.matches)) for word in fold(item).split()}
        return any(word not in known | _LOG_WORDS | plain for word in re.findall(r"[^\W_]+", left))

    def _without_times(self, text: str, most: int | None = None) -> str:
        """The text without the words of its times, or the first of them: "call Dana" of "on Thursday to call Dana"."""
        for said in self.parts.said_times[:most]:
            text = re.sub(rf"\s*\b(?:(?:on|by|at|for|until|before|due|in|this|the)\s+)?{re.escape(said)}", " ", text, count=1, flags=re.IGNORECASE)
        return " ".join(text.split())
