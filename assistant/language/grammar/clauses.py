"""One part of a message as a change: the whole of it, or what is left without what only stands around it."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from assistant.language.chart import Chart
from assistant.language.dialogue import Dialogue
from assistant.language.frames import Command, Entity, Frame
from assistant.language.grammar.edits import created, edited, makes_new, trimmed
from assistant.language.grammar.edits.anywhere import OUGHT
from assistant.language.grammar.edits.making import on_target
from assistant.language.grammar.edits.phrases import ASKS, begun
from assistant.language.grammar.edits.targets import ASIDE, Target, Targets
from assistant.language.grammar.edits.values import Unfit, Values
from assistant.language.grammar.reader import read
from assistant.language.lexicon import WRITE_VERBS
from assistant.language.parts import Parts
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.metrics.filters import Filter
from crm_core.models import CustomField
from crm_core.services.records import picklists
from crm_core.text import fold

Reading = tuple[Frame, Chart, Parts]
#: Words with which a command can begin, beside those that the lexicon knows as verbs of change.
_VERBS = WRITE_VERBS | frozenset(
    "advance postpone delay defer slip extend pull reschedule bump promote raise lower increase reduce cut drop double halve flag tag label give hand transfer pass allocate delegate shift "
    "win lose resolve solve complete finish tick archive restore reopen revive rename put make switch flip send note record remind abandon scrap adjust amend correct fix edit modify swap attach link register had".split()
)
VERB = "|".join(sorted(_VERBS))
POLITE = r"(?:(?:please|pls|plz|also|then|and|now|just|ok|okay|finally|lastly|next(?=,)|can you|could you|would you|kindly|plus|btw|oh|i want to|i need to|let's|need to|to)[,:]?\s+)*"
BEGINS = re.compile(rf"^\W*{POLITE}(?:{VERB})\b", re.IGNORECASE)
#: Readings that answer nothing; a message that is answered well is no command, whatever words it begins with.
REFUSED = frozenset({"write", "unknown", "nothing"})
#: What is told of one record and asks to be kept: "Globex is won", "we lost Globex on price", "Globex -> Negotiation".
TELLS = re.compile(
    r"^\W*(?:\w+[\s,!:.]+){0,3}?(?:we|i)(?:'ve|’ve| have)?(?: just| officially| finally| sadly| unfortunately| now)* (?:won|lost|signed|landed|closed) \S"
    r"|\b(?:is|was|has|'s)\b(?: been| now| just| officially| already| finally)* (?:closed[ -])?(?:won|lost|signed|resolved|solved|done|dead)\b|\b(?:is|are) now\b|\bis \S+(?: \S+){0,3} now\b|\b(?:go(?:es)?|should go|takes?) (?:\w+ )?(?:over|to)\b|\bnew (?:number|phone|email|title|mobile|address)\b|\b(?:can|could|should|must|needs? to|has to|is to|are to|gets?) (?:now |please |also |to )*(?:be )?(?:marked|moved|set|resolved|closed|dropped|archived|won|lost|assigned|given|handed|looked after|reopened|pushed|postponed|put|flagged)\b|\bpromoted to\b|^\W*(?:all|everything|every) .* to |\b(?:correct|right|new) \w+(?: \w+)? is\b|\bhas \d+ \w+ now\b|->|=>|→"
    r"|^\W*(?:an? )?(?:brand[ -])?new (?:deal|opportunity|opp|bid|contact|ticket|case|lead|company|account)\b",
    re.IGNORECASE,
)
HEADED = re.compile(r"^[^:?,]{3,70}:\s+\S|^[^:?,.]{3,70}\s[–—-]\s+\S")
#: An imperative within a message.
_INSIDE = re.compile(rf"(?:[,;:.!–-]\s+|\bso\s+|\band\s+){POLITE}(?:{VERB})\b", re.IGNORECASE)
#: What only asks for what was said before it: "could you correct this?".
NO_MORE = re.compile(
    r"^(?:(?:please|kindly|so|can you|could you|and)\s+)*(?:correct|fix|update|change|adjust|amend|log|note|record|enter|do|reflect|save)\s+(?:this|that|it|both|these|those|accordingly|in the (?:crm|system)"
    r"|(?:the|that|this|those|both|his|her|its|their) (?:two|both|(?:expected )?close date|date|amount|figure|(?:phone )?number|phone|e-?mail|address|title|company|stage|status|priority|category|forecast(?: category)?|owner|name|record|entry|data))?(?:\s+(?:please|accordingly|for me|now|in the crm))*[\s?.!]*$",
    re.IGNORECASE,
)
#: A question in so many words.
WANTS_TO_KNOW = re.compile(
    r"^\W*(?:what|which|who|whose|how|when|where|why|show|list|display|find|count|tell|any|give me|get me|pull up|search|look|compare|break|rank|top|number of|total|sum|average"
    r"|is|are|do|does|did|has|have)\b",
    re.IGNORECASE,
)
#: How something ought to be; not what ought to be of the records that are asked for ("deals that should close in May").
_OUGHT_TO_BE = re.compile(
    r"^(?!.*\?)(?!.*\b(?:that|which|who|whose)\b.{0,40}\b(?:should|must|ought)\b).*\b(?:should|must|ought to)\s+(?:now\s+|all\s+|not\s+)*(?:be|go|say|read|have|move|belong)\b(?!\s+(?:closed|closing|won|signed))",
    re.IGNORECASE,
)
#: A question within a message, after what is said around it.
_ASKS_WITHIN = re.compile(
    r"(?:^|[,;:.!–-]\s+|\bplease\s+|\bpls\s+)(?:show|list|display|calculate|compute|count|tell me|give me the (?:list|number|sum|total)|what(?:'?s)?|which|how (?:many|much)|who(?:'?s)?)\b",
    re.IGNORECASE,
)
_POLITELY = re.compile(r"^\W*(?:\w+[\s,!]+){0,3}?(?:can|could|would|will) (?:you|u|we)\b|^\W*(?:please|pls|plz)\b", re.IGNORECASE)
_POINTS = re.compile(r"\b(?:it|its|that|this|them|they|those|these|he|she|his|her|him|their)\b", re.IGNORECASE)
_ALL_OF = re.compile(r"^(?:all|every|each|both|everything|those|these)\b", re.IGNORECASE)
PIECE = re.compile(
    r"\s*[,;!…]\s+|\.\s+|\s+[–—-]\s+|:\s+|\n+|\s+so\s+(?=(?:please|pls|can|could|let|we|i|tick|move|mark|put|hand|give|push|set|all|kindly)\b)"
)
_HEAD = re.compile(
    r"^(?:(?:two|three|a few|some|several) (?:things|updates|changes)(?: please)?\s+)?(?:(?:for|on|re|regarding|about|update on|quick update on|concerning)\s+)?(?:the\s+)?",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"^(?:if|unless|when|once|as soon as|in case|provided|until|only if|should)\b", re.IGNORECASE)
#: What must not be left aside after a command: numbers, days, and what goes on with it.
_SAYS_MUCH = re.compile(
    r"\d|[\"“”]|\b(?:next step|close date|amount|stage|forecast|priority|owner|title|phone|e-?mail|status|category|reason|and|but|except|not|only|unless|until|if|plus|also|tomorrow|today|monday|tuesday|wednesday|thursday|friday|next week|next month)\b",
    re.IGNORECASE,
)
_RELATIVE = frozenset({"that", "which", "who", "whose", "where", "and", "or", "with", "in", "of", "from", "at", "for"})
#: With what a sentence goes on once its many records are named; anything else may narrow them: "my leads that were made in 2024".
_GOES_ON = re.compile(
    r"^(?:is|are|was|were|will|would|won['’]?t|have|has|had|haven['’]?t|hasn['’]?t|do|don['’]?t|did|didn['’]?t|can|can['’]?t|cannot|never|just|all|seem|look|went|got|get|need|should|must|stay|sit|stopped)$",
    re.IGNORECASE,
)
#: Words of a sentence's beginning that are tried as a name.
MOST_NAME_WORDS = 12
CHANGES = frozenset({"command", "undo", "teach", "forget"})


def read_change(ctx: Context, clause: str, dialogue: Dialogue, whole: Reading) -> Reading | None:
    """What was read as no change, or as one that is not understood, by where its words part; None where that gives none either.

    What says how something ought to be asks nothing: where it is not understood as a change, it is not answered as a question.
    """
    found = _changed(ctx, clause, dialogue, whole)
    if found is None and whole[0].intent not in (*CHANGES, *REFUSED) and _OUGHT_TO_BE.search(clause) and not WANTS_TO_KNOW.match(begun(clause)):
        return Frame(intent="write", detail="change"), whole[1], whole[2]
    return found


def _changed(ctx: Context, clause: str, dialogue: Dialogue, whole: Reading) -> Reading | None:
    frame = whole[0]
    if frame.intent in CHANGES or ASKS.match(trimmed(clause)) is not None:
        return None
    answers = frame.intent not in REFUSED
    if (
        HEADED.match(clause) is not None
        and (headed := headed_by_name(ctx, [piece for piece in PIECE.split(clause) if piece.strip()], dialogue)) is not None
    ):
        return headed, whole[1], whole[2]
    if (begins := begun(clause)) != clause.strip() and (plain := _read(ctx, begins, dialogue)) is not None and plain[0].intent == "command":
        return plain
    asks = WANTS_TO_KNOW.match(begins) if answers else None
    if asks or _ASKS_WITHIN.search(clause) or clause.rstrip().endswith("?") and not _POLITELY.match(clause):
        return None
    asked_for = bool(BEGINS.match(begins) or _INSIDE.search(clause) or TELLS.search(clause) or OUGHT.search(clause) or makes_new(clause))
    if answers and not asked_for and not (whole[2].names or _POINTS.search(clause)):
        return None
    found = _cut_out(ctx, clause, dialogue)
    if (
        found is None
        or found.intent == "unknown"
        and not found.unfinished
        and (frame.intent == "unknown" and frame.detail or answers and not asked_for)
    ):
        return None
    if answers and found.pending is not None and not BEGINS.match(begins):
        return None
    if answers and not asked_for and any(call.ids and call.tool != "reassign" for call in found.calls):
        return None  # a question in few words rather than a change of many records
    if answers and any(call.tool == "archive_record" for call in found.calls) and not re.match(r"^archive\b", begins, re.IGNORECASE):
        return None  # "remove the closed ones": from the list that was asked for
    if found.intent == "unknown" and answers and not (found.unfinished or TELLS.search(clause) or BEGINS.match(begins)):
        return None
    return found, whole[1], whole[2]


def _cut_out(ctx: Context, clause: str, dialogue: Dialogue) -> Frame | None:
    """The change that a clause asks for: the whole of it, or what is left without what only stands before or after it."""
    frame = _change(ctx, clause, dialogue)
    refused = frame
    if frame is not None and frame.intent == "command":
        return frame
    pieces = [piece for piece in PIECE.split(clause) if piece.strip()]
    if len(pieces) > 1 and (headed := headed_by_name(ctx, pieces, dialogue)) is not None:
        return headed
    if _CONDITION.match(begun(clause)) or makes_new(clause):
        return refused  # of what is new every word counts
    if len(pieces) > 1 and (each := _each(ctx, pieces, dialogue)) is not None:
        return each
    if (both := _both(ctx, clause, dialogue)) is not None:
        return both
    for first, end in [*((first, len(pieces)) for first in range(1, len(pieces))), *((0, end) for end in range(len(pieces) - 1, 0, -1))]:
        aside = ", ".join(piece.strip(" ,.") for piece in (*pieces[:first], *pieces[end:]))
        if end < len(pieces) and (_SAYS_MUCH.search(aside) or _narrows_or_sets(ctx, ", ".join(pieces[end:]), dialogue)):
            continue
        if any(sets_something(ctx, piece, dialogue) for piece in pieces[:first]):
            continue
        leaning = dialogue.within(named_in(ctx, pieces[:first], dialogue), aside)
        frame = _change(ctx, ", ".join(piece.strip(" ,.") for piece in pieces[first:end]), leaning)
        if frame is not None and frame.intent == "command":
            frame.aside = aside
            return frame
        refused = refused or frame
    return refused


def _each(ctx: Context, pieces: list[str], dialogue: Dialogue) -> Frame | None:
    """Several changes told one after the other: "Sue got promoted to CFO, and her new number is ..."; none where only one piece is a change."""
    frames: list[Frame] = []
    aside: list[str] = []
    leaning = dialogue
    for piece in pieces:
        said = re.sub(r"^(?:and|then|also|plus|oh)\s+", "", begun(piece), flags=re.IGNORECASE)
        frame = None if NO_MORE.match(said) else _change(ctx, said, leaning)
        if frame is not None and frame.intent == "command" and frame.pending is None:
            frames.append(frame)
            leaning = leaning.within([spoken_of(frame)])
        elif not NO_MORE.match(said):
            aside.append(piece.strip(" ,."))
            leaning = leaning.within(named_in(ctx, [piece], dialogue), piece)
    told = len(frames) + sum(NO_MORE.match(piece.strip()) is not None for piece in pieces)
    if not frames or told < 2 or any(_SAYS_MUCH.search(piece) or _narrows_or_sets(ctx, piece, dialogue) for piece in aside):
        return None
    return Frame(
        intent="command", calls=merge_calls([call for frame in frames for call in frame.calls]), entity=frames[-1].entity, aside=", ".join(aside)
    )


def _both(ctx: Context, clause: str, dialogue: Dialogue) -> Frame | None:
    """Two changes that "and" joins: "Acme moved to Lyon and they are 75 employees now"; each must be one by itself."""
    for cut in re.finditer(r"\s*,?\s+and\s+", clause):
        first = _change(ctx, clause[: cut.start()], dialogue)
        if first is None or first.intent != "command" or first.pending is not None:
            continue
        spoken = [*first.entities, *([first.entity] if first.entity is not None else [])]
        second = _change(ctx, clause[cut.end() :], dialogue.within([spoken_of(first)]))
        if second is not None and second.intent == "command" and second.pending is None:
            calls = merge_calls([*first.calls, *second.calls])
            return Frame(intent="command", calls=calls, entity=second.entity or first.entity, entities=spoken)
    return None


def _narrows_or_sets(ctx: Context, aside: str, dialogue: Dialogue) -> bool:
    """Whether words beside a command hold a value, a number, a state or a time, which may be meant for it and must not be passed over."""
    reading = _read(ctx, aside, dialogue)
    if reading is None:
        return True
    parts = reading[2]
    return bool(parts.filters or parts.times or parts.states or parts.fields or parts.write_verb)


def sets_something(ctx: Context, piece: str, dialogue: Dialogue) -> bool:
    """Whether words before a command hold a value that could be meant to be set: "their ticket goes back to With depot, and flag it".

    Values by which the records themselves are named are none: "Ruth's deals in Discovery were moved too early, take them back".
    """
    if not _holds_value(ctx, piece, dialogue):
        return False
    named = _begun_with(ctx, piece, dialogue)
    return named is None or _holds_value(ctx, piece[len(named[1]) :], dialogue)


def _holds_value(ctx: Context, text: str, dialogue: Dialogue) -> bool:
    """Whether words hold a value that a record could be given, or name a field of the company's own."""
    reading = _read(ctx, text, dialogue)
    if reading is None:
        return bool(text.strip())
    own = list(ctx.session.scalars(select(CustomField)))
    chosen = {name for noun in ("deal", "ticket", "lead") for name in picklists(ctx, noun)} - {"loss_reason"}
    settable = chosen | {"stage", "amount"} | {item.key for item in own}
    titles = {fold(word) for item in own if item.kind == "boolean" for word in (item.label, *item.synonyms)}
    said = f" {fold(text)} "
    return (
        any(raw.field in settable for raw in reading[2].filters)
        or bool({item.key for item in own} & set(reading[2].fields))
        or any(f" {title} " in said for title in titles)
    )


def _change(ctx: Context, clause: str, dialogue: Dialogue) -> Frame | None:
    return created(ctx, clause, dialogue) if makes_new(clause) else edited(ctx, clause, dialogue)


def named_in(ctx: Context, pieces: list[str], dialogue: Dialogue) -> list[Frame]:
    """What is named before a command, for its pronouns: "Copper Ltd signed the renewal, mark it as won"."""
    frames = []
    for piece in pieces:
        found: list[Entity] = []
        for nouns in (("deal",), ("ticket",), ("contact",), ("company",), ("lead",)):
            target = Targets(ctx, dialogue).find(piece, nouns)
            if target is not None and len(target.found) == 1 and not target.many:
                found.append(target.found[0])
        if not found and (reading := _read(ctx, piece, dialogue)) is not None:
            matches = [name.matches[0] for name in reading[2].names if len(name.matches) == 1]
            found = [Entity(noun=match.noun, id=match.id, label=match.label) for match in matches]
            begun_with = _begun_with(ctx, piece, dialogue)
            named = begun_with[0] if begun_with is not None else None
            if named is not None and named.many:
                ids: list[Any] = [item.id for item in named.found]
                frames.append(Frame(intent="list", noun=named.noun, filters=[Filter(field="id", values=ids)], detail=ASIDE))
                continue
            found = (named.found if named is not None else []) + found
        if found:
            frames.append(Frame(intent="record", salient=found, detail=ASIDE))
    return frames


def _field_of(ctx: Context, target: Target, said: str) -> Frame | None:
    """ "Stage Bid", "the next step is the contract", of a record that was named before."""
    values = Values(ctx)
    words = re.sub(r"^(?:the|its|his|her|their|set|put|make)\s+", "", trimmed(said), flags=re.IGNORECASE).split()
    for size in (3, 2, 1):
        name = values.field_named(target.noun, " ".join(words[:size]).strip(":=")) if len(words) > size else ""
        if name:
            value = re.sub(r"^(?:is|to|=|:|becomes|should(?: then| now)? be|now|will be|->)\s+", "", " ".join(words[size:]), flags=re.IGNORECASE)
            try:
                return on_target(target, values.set_to(target.noun, name, value))
            except Unfit:
                return None
    return None


def _begun_with(ctx: Context, piece: str, dialogue: Dialogue) -> tuple[Target, str] | None:
    """What the first words of a sentence name, and those words: "Globex renewal is dead", "my leads of 2024 will not answer"."""
    words = piece.split()
    for size in range(min(len(words) - 1, MOST_NAME_WORDS), 1, -1):
        if words[size - 1].lower() in _RELATIVE:
            continue
        said = " ".join(words[:size])
        target = Targets(ctx, dialogue).find(said, ("deal", "ticket", "lead"))
        if target is not None and target.found and (len(target.found) == 1 or target.many and _GOES_ON.match(words[size]) is not None):
            return target, said
    return None


def headed_by_name(ctx: Context, pieces: list[str], dialogue: Dialogue) -> Frame | None:
    """Changes of what is named first: "Globex renewal: close date 15 January, and the next step is the contract", "every deal in Bid: push it by a week"."""
    head = _HEAD.sub("", pieces[0].strip(" ,.'\"“”"))
    target = Targets(ctx, dialogue).find(head, ("deal", "ticket", "lead", "contact", "company"))
    if target is None or not target.found or len(target.found) > 1 and not target.many:
        return None
    ids: list[Any] = [item.id for item in target.found]
    if len(ids) > 1 and not (_ALL_OF.match(head) or any(BEGINS.match(piece) for piece in pieces[1:])):
        return None  # "leads this quarter: qualified" asks for some of them
    if len(ids) == 1:
        spoken = Frame(intent="record", entity=target.found[0], salient=target.found)
    else:
        spoken = Frame(intent="list", noun=target.noun, filters=[Filter(field="id", values=ids)], detail=ASIDE)
    leaning = Dialogue([*dialogue.frames, spoken])
    calls: list[Command] = []
    for piece in pieces[1:]:
        said = re.sub(r"^(?:and|then|also|plus)\s+", "", piece.strip(), flags=re.IGNORECASE)
        frame = _field_of(ctx, target, said) or edited(ctx, said, leaning) or edited(ctx, f"set it to {trimmed(said)}", leaning)
        if frame is None or frame.intent != "command" or frame.pending is not None:
            return None
        calls += frame.calls
    if not calls or any(call.ids != ids if call.ids else call.arguments.get("id") not in ids for call in calls):
        return None  # a piece that means other records than those that were named
    return Frame(intent="command", calls=merge_calls(calls), entity=target.found[0] if len(ids) == 1 else None)


def read_clause(ctx: Context, clause: str, dialogue: Dialogue) -> Reading | None:
    """One clause as a change; as it is read otherwise where it is none."""
    whole = _read(ctx, clause, dialogue)
    return whole and (read_change(ctx, clause, dialogue, whole) or whole)


def _read(ctx: Context, clause: str, dialogue: Dialogue) -> Reading | None:
    try:
        return read(ctx, clause, dialogue)
    except Invalid:
        return None


def spoken_of(frame: Frame) -> Frame:
    """A command that was just read, with its records as those last spoken of."""
    spoken = [*([frame.entity] if frame.entity is not None else []), *reversed(frame.entities)]
    return frame.model_copy(update={"salient": spoken})


def merge_calls(calls: list[Command]) -> list[Command]:
    """Calls of one verb on the same records as one: two fields of a deal are one update of it."""
    kept: list[Command] = []
    for call in calls:
        twin = next((other for other in kept if call.tool.startswith("update_") and _alike(other, call)), None)
        if twin is None:
            kept.append(call)
        else:
            own = {**twin.arguments.get("custom", {}), **call.arguments.get("custom", {})}
            twin.arguments |= call.arguments | ({"custom": own} if own else {})
    return kept


def _alike(one: Command, other: Command) -> bool:
    return (one.tool, one.ids, one.arguments.get("id"), one.waiting) == (other.tool, other.ids, other.arguments.get("id"), other.waiting)
