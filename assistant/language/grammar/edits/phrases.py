"""How a change is put into words: what is done to what, and which value goes where.

A clause is cut at its verb and at the word that parts the records from the value: "move (the Globex renewal) to (Negotiation)",
"set (the close date) of (it) to (30 June)", "(Globex) is now (won)". Which records and which values these words mean is not
decided here: every cut that the words allow is offered, the likeliest first, and the first whose parts all mean something is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Act = Literal["set", "employ", "give", "shift", "win", "lose", "close", "reopen", "archive", "complete", "role"]


@dataclass(frozen=True)
class Wish:
    """One cut of a clause: the act, the words of the records, of the field (empty where only the value tells), and of the value."""

    act: Act
    target: str
    field: str = ""
    value: str = ""
    #: Told rather than asked for ("Globex is won", "Globex to Negotiation"): meant of one record only.
    terse: bool = False


_POLITE = (
    r"(?:hey|hi|hello|ok|okay|oh|and|also|then|so|but|please|pls|plz|kindly|now|just|quickly|right|alright|well|yes|yep|cool|great|perfect|good|thanks|thx"
    r"|quick one|one more(?: thing)?|next(?=,)|finally|lastly|meanwhile|rapport|team|actually|btw|by the way|fyi|ah|um|uh|er|hmm)"
)
_ASKING = (
    r"(?:(?:can|could|would|will) (?:you|u|we|i|somebody|someone)(?: please| pls| kindly| quickly| just| maybe)*"
    r"|(?:i|we)(?:'d|d| would)? (?:like|love|want|need|have|wish) (?:you |u )?(?:to(?: please)?|please)|(?:i|we) (?:should|must|gotta|wanna)"
    r"|let(?:'s|s| us)|go ahead and|make sure (?:to|that you|you)|be so kind (?:as to|and)|would you mind|do me a favou?r and|feel free to|time to|help me(?: to)?|you can|you may|you should|need you to"
    r"|need to|want to|have to|do)"
)
_LEAD = re.compile(rf"^\W*(?:(?:{_POLITE}[,!:.…–-]*\s+|{_ASKING}[,:]*\s+)+)", re.IGNORECASE)
_TAIL = re.compile(
    r"(?:[\s,.!–-]+(?:please|pls|plz|now|kindly|all of (?:them|those|these)|to(?:o)? be safe|thanks(?: a lot| so much)?|thank you(?: very much| so much)?|thx|ty|ta|cheers|asap|for me|will you|would you|ok|okay|right|accordingly|again"
    r"|when you (?:get|have) a (?:sec|second|min|minute|moment|chance)|when you can|in the (?:crm|system)|in crm|if you can|if you could|if possible|right away|right now|immediately|then|too|as well|at once|these days|nowadays|from now on|going forward|as of (?:now|today)"
    r"|in one go|in bulk))+[^\w)\"”'%]*$|[^\w)\"”'%+-]+$",
    re.IGNORECASE,
)
#: Questions about a change, which change nothing.
ASKS = re.compile(
    r"^\W*(?:(?:and|so|but|ok|okay|hey|hi|just wondering|wondering|i wonder|quick question|question)[,:]?\s+)*(?:what|which|who|whose|whom|when|where|why|how|did|do|does|have|has|is|are|was|were"
    r"|should|shall|would it|would that|would we|would i|may i|might|if i|if we|suppose|imagine|assuming|am i|are we|can i|could i|can we|could we|can (?:he|she|they|it)|any)\b(?!.*\b(?:then )?(?:go ahead|do it)\b)",
    re.IGNORECASE,
)

#: What is only supposed changes nothing; a change under a condition comes here without it.
_IF = re.compile(r"^(?:if|unless|in case|provided|as soon as|once)\b", re.IGNORECASE)
_COUNT = r"(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|another|a couple of|a few|half a|\d+)"
_SETTING = r"(?:set|change|update|make|edit|switch|correct|adjust|amend|fix|put|reset|modify|enter|record|revise|rewrite|replace)"
_SCALING = r"(?:raise|increase|bump|lift|lower|reduce|decrease|cut|drop|trim|shave|double|halve)"
_MOVING = r"(?:move|shift|advance|bump|promote|drag|take|bring|transition|progress|kick|slide|put|push|send|pull|return|get|flip|switch|change|set|stick|place|shove|drop)"
_MARKING = r"(?:mark|flag|tag|label|set|make|classify|categori[sz]e|put|turn)"
_GIVING = r"(?:give|hand|assign|reassign|re-assign|transfer|pass|move|shift|allocate|delegate|route|swap|turn|put|leave)"
_DATING = r"(?:push|postpone|delay|defer|slip|move|shift|extend|pull|bring|slide|kick|bump|put|reschedule|set|change|drag)"
_ENDING: tuple[tuple[Act, str], ...] = (
    ("win", r"(?:win(?!\s+(?:rate|ratio|loss|probab|percent|by))|close-?win)"),
    ("lose", r"(?:lose|give up(?: on)?|abandon|kill|drop|write off|scrap)"),
    ("reopen", r"(?:re-?open|revive|re-?activate|resurrect|bring back|restore|un-?close)"),
    ("archive", r"(?:archive|delete|remove|get rid of|bin|trash|purge|clear out)"),
    ("complete", r"(?:complete|finish|tick off|check off|cross off|done with|wrap up|tick)"),
    ("close", r"(?:close(?!\s+(?:date|rate|ratio|day|of))(?: out| down| off)?|resolve|solve|shut|settle|fix)"),
)
_TO = re.compile(
    r"\s+(?:(?:over|along|up|on|back|forward|out|down|across|straight|all the way|ahead)\s+)*(?:to|into|onto)\s+|\s*(?:->|=>|→|➔|>>)\s*",
    re.IGNORECASE,
)
_IN = re.compile(r"\s+(?:in|at|under)\s+", re.IGNORECASE)
_AS = re.compile(r"\s+(?:as|to be|down as|over to|to|into|=)\s+|\s*(?:->|=>|→|:|=)\s+", re.IGNORECASE)
_GIVEN = re.compile(r"\s+(?:over |back |across |on )*to\s+|\s*(?:->|=>|→)\s*", re.IGNORECASE)
_SETTO = re.compile(
    r"\s+(?:over |up |down |back |out |forward |from [^,;]{1,30}? )*(?:to|as|at|into|=|is|with|on|for|by)\s+|\s*(?:->|=>|→|:|=)\s*", re.IGNORECASE
)
_OF = re.compile(r"\s+(?:of|for|on|in|from|at)\s+", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?:['’]s|s['’])\s+", re.IGNORECASE)
_BECAUSE = re.compile(
    r"\s*(?:[,;:–-]+\s*|\s)(?:(?:the\s+)?(?:loss\s+)?reason(?:\s+(?:is|was|being|code))?[:=]?\s*|because(?:\s+of)?\s+|due\s+to\s+|cos\s+|cause\s+|as\s+they\s+|since\s+they\s+|with\s+(?:the\s+)?reason[:]?\s+|on\s+(?=price)|over\s+|to\s+(?=price)|for\s+)"
    r"|\s*[,;:(]\s*|\s+[–-]\s+",
    re.IGNORECASE,
)
_SHIFT = re.compile(
    rf"\s+(?:(?P<way>out|back|forward|forwards|up|in|ahead|later|earlier|on|closer|backwards|right|left)\s+)?(?:by\s+|another\s+|for\s+|\+\s*)?{_COUNT}\s*(?P<more>more\s+)?(?P<unit>day|week|wk|fortnight|month|mo|quarter|year)s?(?:\s+(?P<after>out|back|forward|later|earlier|in|ahead|further|more|sooner))?$",
    re.IGNORECASE,
)
#: Moved so, a date comes nearer.
EARLIER = frozenset({"in", "up", "ahead", "earlier", "closer", "sooner", "left"})
_STATE = re.compile(
    r"^(?P<target>.+?)(?:\s+(?:is|are|was|were|'s|has|have)(?:\s+(?:been|now|just|officially|already|finally|all|both|also))*\s+|\s*(?:->|=>|→)\s*|\s+(?:went|goes|moved|moves|has moved|has gone|got|gets|slipped|slips|has slipped|dropped|advanced)\s+(?:now\s+)?(?:to\s+|into\s+|back to\s+)?)(?:now\s+|in\s+|at\s+|to\s+)?(?P<value>.+)$",
    re.IGNORECASE,
)
_WE = re.compile(
    r"^(?:(?:yay|yes|wow|sadly|unfortunately|sad news|good news|great news|bad news|hooray|hurray|damn|argh)[,!.:]*\s+)*(?:we|i)(?:'ve|’ve| have)?(?:\s+(?:just|officially|finally|now|sadly|unfortunately))*\s+(?P<verb>won|lost|closed|signed|landed)\s+(?P<target>.+)$",
    re.IGNORECASE,
)
#: "All my deals closing in May go to 15 June", "everything Mei has open goes to Tom": meant of as many as are named.
_GOES = re.compile(
    r"^(?P<target>.+?)\s+(?:should\s+|must\s+|needs? to\s+|has to\s+|have to\s+|can\s+|will\s+|is to\s+|are to\s+|to\s+)?(?:go(?:es)?|moves?|be moved|be given|be handed|be assigned|be set|slips?|transfers?)\s+(?:over\s+|back\s+|all\s+|out\s+|straight\s+)*(?:to|into)\s+(?P<value>[^,]+)$",
    re.IGNORECASE,
)
_NEW_VALUE = (
    re.compile(
        r"^(?P<target>.+?)\s+(?:has|have|got|'s got|has got|is using|uses)\s+(?:a\s+|an\s+)?new\s+(?P<field>[\w -]+?)\s*[,:;–-]\s*(?:it(?:'s| is)\s+)?(?P<value>\S.*)$",
        re.IGNORECASE,
    ),
    re.compile(
        r"^(?:the\s+)?new\s+(?P<field>[\w -]+?)\s+(?:for|of)\s+(?P<target>.+?)\s*(?::|\s+is\s+|\s+[–-]\s+|=)\s*(?P<value>\S.*)$", re.IGNORECASE
    ),
    re.compile(r"^(?P<target>.+?)(?:['’]s)?\s+new\s+(?P<field>[\w -]+?)\s+is\s+(?:now\s+)?(?P<value>\S.*)$", re.IGNORECASE),
)
#: "For the Globex deal the right amount is 45k", "Dana got promoted to CFO".
_CORRECT = re.compile(
    r"^(?:for|on|with|at)\s+(?P<target>.+?)[,:]?\s+(?:the|its|his|her|their)\s+(?:correct|right|new|actual|real|updated|current)?\s*(?P<field>[\w -]+?)\s+(?:is|should be|must be|are)\s+(?:now\s+)?(?P<value>\S.*)$",
    re.IGNORECASE,
)
_PROMOTED = re.compile(
    r"^(?P<target>.+?)\s+(?:got|was|has been|is|were|has just been|just got|has)\s+(?:just\s+|now\s+|been\s+)*(?:promoted to|made|named|appointed(?: as)?|become|the new|working as)\s+(?P<value>[^,]+)$",
    re.IGNORECASE,
)
#: "Every deal in Out gets dropped, reason Silent", "that ticket can be marked as fixed", "the deal should be looked after by Tom".
_PASSIVE = re.compile(
    r"^(?P<target>.+?)\s+(?:can|could|should|must|needs? to|has to|have to|is to|are to|will|may|gets?|got|is|are)\s+(?:now\s+|please\s+|all\s+|to\s+|also\s+|then\s+)*(?:be\s+|get\s+)?(?P<done>[a-z]+(?:ed|en|t|n|d)|put|set|won|lost)\b(?:\s+(?:over|down|back|up|out|after|off))*(?P<rest>.*)$",
    re.IGNORECASE,
)
_DONE: dict[str, Act] = {
    **dict.fromkeys(("dropped", "lost", "abandoned", "killed"), "lose"), **dict.fromkeys(("won", "signed"), "win"), **dict.fromkeys(("resolved", "solved", "fixed", "closed"), "close"),
    **dict.fromkeys(("archived", "deleted", "removed"), "archive"), "reopened": "reopen", **dict.fromkeys(("completed", "finished", "ticked"), "complete"),
}  # fmt: skip
_BY = re.compile(r"^\s*(?:by|to)\s+(?P<value>[^,]+)$", re.IGNORECASE)
_ALL_TO = re.compile(r"^(?P<target>(?:all|every|each|everything|both)\b.+?)\s+(?:back\s+|over\s+)?(?:to|into|->)\s+(?P<value>[^,]+)$", re.IGNORECASE)
_GIVE_TIME = re.compile(
    rf"^(?:give|grant|allow)\s+(?P<target>.+?)\s+(?P<more>(?:another\s+)?{_COUNT}\s*(?:more\s+|extra\s+)?(?:day|week|fortnight|month|quarter)s?(?:\s+more)?)$|^(?P<target2>.+?)\s+needs\s+(?P<more2>(?:another\s+)?(?:a|an|one|two|three|four|\d+)\s*(?:more\s+)?(?:day|week|fortnight|month|quarter)s?(?:\s+more)?)$",
    re.IGNORECASE,
)
#: "Stefan moved to Orchard Energy", "Dana now works for Acme": a new employer.
_EMPLOYED = re.compile(
    r"^(?P<target>.+?)\s+(?:has\s+|have\s+|just\s+|now\s+|recently\s+)*(?:moved(?:\s+(?:over|on|offices?|hq|headquarters))?\s+to|relocated\s+to|changed\s+to|switched\s+to|joined|went\s+to|works?\s+(?:now\s+)?(?:at|for)|is\s+(?:now\s+)?(?:at|with)|left\s+for)\s+(?P<value>[^,]+)$",
    re.IGNORECASE,
)
_RENAMED = re.compile(
    r"^(?:rename|re-name|retitle)\s+(?P<target>.+?)\s+(?:to|as|into|->|=>|:)\s+(?P<value>\S.*)$|^(?:call|name)\s+(?P<target2>it|that|this|them|that one|the deal|that deal|the ticket)\s+(?P<value2>\S.*)$",
    re.IGNORECASE,
)
_TAKES = re.compile(
    r"^(?P<value>[^,]{2,40}?)\s+(?:takes over|is taking over|will take over|takes|should (?:own|have|take|handle|get)|gets|owns|will own|will handle|is (?:now )?(?:the )?(?:owner|rep) (?:of|for))\s+(?P<target>.+)$",
    re.IGNORECASE,
)
_LET = re.compile(
    r"^(?:let|have)\s+(?P<value>[^,]{2,40}?)\s+(?:take over|take|own|handle|have|look after|run)\s+(?P<target>.+?)(?:\s+from\s+[^,]{2,40})?$",
    re.IGNORECASE,
)
_NEW_OWNER = re.compile(
    r"^(?P<value>[^,]{2,40}?)\s+(?:is|becomes|will be|shall be|should be)\s+(?:now\s+)?(?:the\s+|its\s+)?(?:new\s+)?(?:owner|rep|assignee|account manager)(?:\s+(?:of|for)\s+(?P<target>.+))?$",
    re.IGNORECASE,
)
_OWNER = re.compile(
    r"^(?:make|set)\s+(?P<value>[^,]{2,40}?)\s+(?:the\s+)?(?:new\s+)?(?:owner|rep|account manager|assignee|responsible)\s+(?:of|for|on)\s+(?P<target>.+)$",
    re.IGNORECASE,
)
_ROLES = (
    re.compile(
        r"^(?:add|put|make|set|list|mark|record|attach|register|note)\s+(?P<person>.+?)\s+(?:as|is|to be|=)\s+(?:the |a |an |our |their )?(?P<role>[\w -]+?)\s+(?:on|to|for|of|in|at)\s+(?P<target>.+)$",
        re.IGNORECASE,
    ),
    re.compile(
        r"^(?:add|put|attach|link)\s+(?P<person>.+?)\s+(?:on|to|onto)\s+(?P<target>.+?)\s+(?:as|in the role of|with the role)\s+(?:the |a |an |our |their )?(?P<role>[\w -]+)$",
        re.IGNORECASE,
    ),
    re.compile(
        r"^(?:make|set)\s+(?P<person>.+?)\s+(?:the |a |an |our |their )(?P<role>[\w -]+?)\s+(?:on|for|of|in|at)\s+(?P<target>.+)$", re.IGNORECASE
    ),
    re.compile(
        r"^(?P<person>.+?)\s+is\s+(?:now\s+)?(?:the |a |an |our |their )(?P<role>[\w -]+?)\s+(?:on|for|of|in|at)\s+(?P<target>.+)$", re.IGNORECASE
    ),
)


def trimmed(text: str) -> str:
    """A clause without politeness before and after it."""
    before = ""
    while before != text:
        before = text
        text = _TAIL.sub("", _LEAD.sub("", text)).strip(" ,;")
    return text


def begun(text: str) -> str:
    """A clause without the politeness before it."""
    before = ""
    while before != text:
        before = text
        text = _LEAD.sub("", text)
    return text.strip()


#: What a value takes the place of, which is on record anyway: "from Commit to Best case", "75k instead of 80k".
_INSTEAD = re.compile(r"\s+(?:instead of|rather than)\s+[^,;.]+$|[\s,]+not\s+[^,;.]{1,40}$", re.IGNORECASE)
_FROM = re.compile(r"\s+from\s+(?:being\s+)?[^,;]{1,40}?(?=\s+(?:to|into)\s)", re.IGNORECASE)


def wishes(text: str) -> Iterator[Wish]:
    """Every cut that the words of a clause allow, the likeliest first."""
    text = _INSTEAD.sub("", trimmed(text))
    if (plain := _FROM.sub("", text)) != text:
        yield from wishes(plain)
    if ASKS.match(text) or text.endswith("?") or _IF.match(text):
        return
    yield from _renamed(text)
    yield from _roles(text)
    yield from _shifted(text)
    yield from _set(text)
    yield from _said_to_be(text)
    yield from _given(text)
    yield from _ended(text)
    yield from _moved(text)
    yield from _scaled(text)
    yield from _verbal(text)
    yield from _stated(text)
    yield from _run_together(text)


def _renamed(text: str) -> Iterator[Wish]:
    if (match := _RENAMED.match(text)) is not None:
        yield Wish("set", match["target"] or match["target2"], "name", match["value"] or match["value2"])
    for pattern in _NEW_VALUE:
        if (told := pattern.match(text)) is not None:
            yield Wish("set", told["target"], told["field"], told["value"], terse=True)
    if (told := _CORRECT.match(text)) is not None:
        yield Wish("set", told["target"], told["field"], told["value"], terse=True)
    if (told := _PROMOTED.match(text)) is not None:
        yield Wish("set", told["target"], "title", told["value"], terse=True)
    if (told := _EMPLOYED.match(text)) is not None:
        yield Wish("employ", told["target"], "", told["value"], terse=True)
    if (given := _GIVE_TIME.match(text)) is not None:
        yield Wish("shift", given["target"] or given["target2"], "", re.sub(r"\b(?:more|extra)\b", "", given["more"] or given["more2"]).strip())
    if (whole := _ALL_TO.match(text)) is not None:
        yield Wish("set", whole["target"], "", whole["value"])
        yield Wish("give", whole["target"], "", whole["value"])
    yield from _passive(text)
    if (goes := _GOES.match(text)) is not None:
        yield Wish("give", goes["target"], "", goes["value"])
        yield Wish("set", goes["target"], "", goes["value"])
    for target, value in _cuts(re.compile(r"\s*(?:->|=>|→|➔|>>)\s*"), text):
        yield Wish("set", target, "", value)
        words = value.split()
        yield from (Wish("set", target, " ".join(words[:size]), " ".join(words[size:])) for size in (2, 1) if len(words) > size)


def _passive(text: str) -> Iterator[Wish]:
    for match in (_PASSIVE.match(text),):
        if match is None:
            return
        target, done, rest = match["target"], match["done"].lower(), match["rest"]
        act = _DONE.get(done)
        if act is not None and not re.match(r"^\s*(?:by|to|as|until)\b", rest):
            reason = _reason(rest)
            if act == "lose" or not reason:
                yield Wish(act, target, "", reason if act == "lose" else "")
        if (by := _BY.match(rest)) is not None:
            yield Wish("set" if done in ("renamed", "called") else "give", target, "name" if done in ("renamed", "called") else "", by["value"])
        if done in (
            "marked",
            "flagged",
            "set",
            "put",
            "moved",
            "changed",
            "switched",
            "classified",
            "treated",
            "raised",
            "lowered",
            "pushed",
            "postponed",
            "shifted",
            "advanced",
            "updated",
            "made",
        ):
            value = re.sub(r"^\s*(?:as|to|into|in|at|till|until|by)\s+", "", rest).strip(" ,.")
            if value:
                yield Wish("set", target, "", value)


def _verbal(text: str) -> Iterator[Wish]:
    """A verb that is made from a value: "disqualify these leads", "escalate it"."""
    word, _space, rest = re.sub(r"\s+(?:from|in|to|out of) (?:the |my )?(?:forecast|pipeline)$", "", text, flags=re.IGNORECASE).partition(" ")
    if rest and len(word) >= 4 and word.isalpha():
        yield Wish("set", rest, "", f"{VERBAL}{word}")


#: Marks a value that was said as a verb.
VERBAL = "~"


def _after(verb: str, text: str) -> str:
    match = re.match(rf"^{verb}\s+(?P<rest>\S.*)$", text, re.IGNORECASE | re.DOTALL)
    return match["rest"] if match is not None else ""


def _cuts(pattern: re.Pattern[str], text: str, *, last: bool = True) -> Iterator[tuple[str, str]]:
    """The text before and after each place where the pattern fits, from the end or from the beginning."""
    places = [match for match in pattern.finditer(text) if match.start() > 0 and match.end() < len(text)]
    for match in reversed(places) if last else places:
        yield text[: match.start()].strip(" ,"), text[match.end() :].strip(" ,")


def _roles(text: str) -> Iterator[Wish]:
    for pattern in _ROLES:
        if (match := pattern.match(text)) is not None:
            yield Wish("role", match["target"], match["role"], match["person"])


def _shifted(text: str) -> Iterator[Wish]:
    """ "Push Globex out by two weeks", "slip it a month", "pull the close date of X in 10 days"."""
    rest = _after(_DATING, text)
    match = _SHIFT.search(f" {rest}") if rest else None
    if match is None:
        return
    what = f" {rest}"[: match.start()].strip(" ,")
    by = f" {rest}"[match.start() :].strip()
    if re.match(r"^(?:pull|bring)\b", text, re.IGNORECASE):  # pulled forward, a date comes nearer; pushed forward, it goes away
        by = re.sub(r"^forwards?\b", "in", by, flags=re.IGNORECASE)
    for target, field in _with_field(what):
        yield Wish("shift", target, field, by)


def _with_field(what: str) -> Iterator[tuple[str, str]]:
    """The words of records and of a field: "Globex's close date", "the close date of Globex", or the records alone."""
    for owner, field in _cuts(_POSSESSIVE, what):
        yield owner, field
    for field, target in _cuts(_OF, what, last=False):
        yield target, field
    if (match := re.match(r"(?P<whose>its|his|her|their|the) (?P<field>\S.*)$", what, re.IGNORECASE)) is not None:
        yield "them" if match["whose"].lower() == "their" else "it", match["field"]
    yield what, ""
    words = what.split()
    for size in (1, 2, 3):
        if len(words) > size:
            yield " ".join(words[:-size]), " ".join(words[-size:])
            yield " ".join(words[size:]), " ".join(words[:size])


def _said_to_be(text: str) -> Iterator[Wish]:
    """ "Mark the ticket as resolved", "flag it high priority"."""
    rest = _after(_MARKING, text)
    if not rest:
        return
    lost = re.match(r"^(?P<target>.+?)\s+(?:as |down as |to )?(?:closed[ -])?lost\b(?P<reason>.*)$", rest, re.IGNORECASE | re.DOTALL)
    if lost is not None:
        yield Wish("lose", lost["target"], "", _reason(lost["reason"]))
    for cut in re.finditer(r"\s(?:as |down as |to )?(?:closed[ -])?lost\b", rest, re.IGNORECASE):
        yield Wish("lose", rest[: cut.start()].strip(" ,"), "", _reason(rest[cut.end() :]))
    for target, value in _cuts(_AS, rest):
        yield Wish("set", target, "", value)
    words = rest.split()
    for size in (1, 2, 3):
        if len(words) > size:
            yield Wish("set", " ".join(words[:-size]), "", " ".join(words[-size:]))


def _given(text: str) -> Iterator[Wish]:
    if (match := _OWNER.match(text) or _LET.match(text) or _NEW_OWNER.match(text) or _TAKES.match(text)) is not None:
        yield Wish("give", match["target"] or "it", "", match["value"])
    rest = _after(_GIVING, text)
    if (match := re.match(r"^to\s+(?P<who>\S.*)$", rest, re.IGNORECASE)) is not None:
        yield Wish("give", "it", "", match["who"])
    for target, value in _cuts(_GIVEN, rest) if rest else ():
        yield Wish("give", target, "", value)
        yield Wish("give", value, "", target)  # "assign Tom to the Globex deal"
    words = rest.split()
    if len(words) > 1 and re.match(r"^(?:give|hand|assign|pass)\b", text, re.IGNORECASE):
        yield from (
            Wish("give", " ".join(words[size:]), "", " ".join(words[:size])) for size in (1, 2) if len(words) > size
        )  # "give Tom all my deals"


def _ended(text: str) -> Iterator[Wish]:
    told = _WE.match(text)
    if told is not None:
        act: Act = "lose" if told["verb"].lower() == "lost" else "win"
        if act == "lose":
            for target, reason in _cuts(_BECAUSE, told["target"], last=False):
                yield Wish(act, target, "", _reason(reason), terse=True)
        yield Wish(act, told["target"], terse=True)
    if (
        ticked := re.match(
            r"^(?:tick|check|cross|strike)\s+(?P<target>.+?)\s+off(?:\s+(?:my|the|our))?(?:\s+to-?do)?(?:\s+list)?$", text, re.IGNORECASE
        )
    ) is not None:
        yield Wish("complete", ticked["target"])
    for act, verb in _ENDING:
        rest = _after(verb, text)
        if not rest:
            continue
        if act == "close":
            for target, value in _cuts(re.compile(r"\s+(?:as|to)\s+|\s+(?=(?:won|lost)\b)", re.IGNORECASE), rest):
                yield Wish("set", target, "", value)
        if act == "lose":
            for target, reason in _cuts(_BECAUSE, rest, last=False):
                yield Wish(act, target, "", _reason(reason))
        yield Wish(act, rest)


def _reason(text: str) -> str:
    return re.sub(
        r"^(?:[\s,;:()–-]|(?:the\s+)?(?:loss\s+)?reason(?:\s+(?:is|was|being))?\b|because(?:\s+of)?\b|due\s+to\b|cos\b|cause\b|with\b|on\b|over\b|to\b|for\b)+",
        "",
        text.strip(),
        flags=re.IGNORECASE,
    ).strip(" ().")


def _set(text: str) -> Iterator[Wish]:
    """ "Set the amount of Globex to 45k", "change Dana's title to CFO", "update Globex: next step send the draft"."""
    rest = _after(rf"(?:{_SETTING}|{_SCALING}|{_DATING})", text)
    if not rest:
        return
    for what, value in _cuts(_SETTO, rest, last=False):
        for target, field in _with_field(what):
            if field:
                yield Wish("set", target, field, value)
    for target, named in _cuts(re.compile(r"\s*[:,](?!\d)\s*|\s+(?:with|to have|so that)\s+", re.IGNORECASE), rest, last=False):
        for field, value in _cuts(_SETTO, named, last=False):
            yield Wish("set", target, field, value)
    for field_and_value, target in _cuts(
        re.compile(r"\s+(?:for|on|of)\s+", re.IGNORECASE), rest
    ):  # "set the amount to 45k for Globex", "put priority high on ..."
        for field, value in _cuts(_SETTO, field_and_value, last=False):
            yield Wish("set", target, field, value)


def _moved(text: str) -> Iterator[Wish]:
    rest = _after(rf"(?:{_MOVING}|{_SETTING}|{_DATING}|{_SCALING})", text)
    for target, value in _cuts(_TO, rest) if rest else ():
        yield Wish("set", target, "", value)
    if rest and re.match(r"^(?:put|place|set|stick)\b", text, re.IGNORECASE):  # "put Globex in Negotiation"
        for target, value in _cuts(_IN, rest):
            yield Wish("set", target, "", value, terse=True)
    if rest:
        for value, target in _cuts(re.compile(r"\s+(?:on|for)\s+", re.IGNORECASE), rest):  # "put 45k on the Globex deal"
            yield Wish("set", target, "", value)


def _scaled(text: str) -> Iterator[Wish]:
    """ "Raise it by 10 %", "cut the Globex amount by 5k", "double it"."""
    match = re.match(rf"^(?P<verb>{_SCALING})\s+(?P<rest>\S.*)$", text, re.IGNORECASE)
    if match is None:
        return
    verb = match["verb"].lower()
    if verb in ("double", "halve"):
        for target, field in _with_field(match["rest"]):
            yield Wish("set", target, field, f"{verb}")
        return
    for what, value in _cuts(re.compile(r"\s+by\s+", re.IGNORECASE), match["rest"]):
        for target, field in _with_field(what):
            yield Wish("set", target, field, f"{'-' if verb in _LESS else '+'} {value}")


_LESS = frozenset({"lower", "reduce", "decrease", "cut", "drop", "trim", "shave"})


def _stated(text: str) -> Iterator[Wish]:
    """ "Globex is now in Negotiation", "the Globex renewal -> Negotiation", "Globex: amount 45k"."""
    match = _STATE.match(text)
    if match is not None:
        yield from _as_said(match["target"], match["value"])
    for target, value in _cuts(
        re.compile(r"\s*[:,=](?!\d)\s*|\s+(?:to|now|into|as)\s+|\s+[–-]\s+|\s+(?=(?:won|lost|closed won|closed lost)\b)", re.IGNORECASE),
        text,
        last=False,
    ):
        yield from _as_said(target, value)


def _as_said(target: str, value: str) -> Iterator[Wish]:
    lost = re.match(r"^(?:is |was |now |sadly )*(?:closed[ -])?lost\b(?P<reason>.*)$", value, re.IGNORECASE)
    if lost is not None:
        yield Wish("lose", target, "", _reason(lost["reason"]), terse=True)
    for field, said in _cuts(_SETTO, value, last=False):
        yield Wish("set", target, field, said, terse=True)
    words = value.split()
    if len(words) > 1:
        yield from (Wish("set", target, " ".join(words[:size]), " ".join(words[size:]), terse=True) for size in (2, 1) if len(words) > size)
    for owner, field in _with_field(target):
        yield Wish("set", owner, field, value, terse=True)


_CLOSES = re.compile(
    r"^(?P<target>.+?)\s+(?:now\s+|will\s+|should\s+|is going to\s+|only\s+)*(?:closes|close|closing|lands|signs|be signed|is closing)\s+(?:on\s+|in\s+|by\s+)?(?P<value>[^,]+)$",
    re.IGNORECASE,
)


def _run_together(text: str) -> Iterator[Wish]:
    """Record, field and value in a row: "globex renewal amount 54k", and "Globex closes 11 December"."""
    if (match := _CLOSES.match(text)) is not None:
        yield Wish("set", match["target"], "close date", match["value"], terse=True)
    words = text.split()
    for first in range(1, min(len(words) - 1, 9)):
        for end in range(first + 1, min(first + 4, len(words))):
            yield Wish("set", " ".join(words[:first]), " ".join(words[first:end]), " ".join(words[end:]), terse=True)
