"""A second reading for a message that says more than it asks: the question alone, and what was left aside for it.

"CFO on the phone, what is our weighted pipeline?": the whole is refused for a word that means nothing here. Where that
word stands before or after a question that reads well by itself, and what stands with it could not narrow the question
(no name, day, number, value, denial or split), the question is answered and the answer tells what was left aside.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.language.chart import Chart, Edge
from assistant.language.dialogue import Dialogue
from assistant.language.frames import Frame
from assistant.language.grammar.clauses import read_change
from assistant.language.grammar.commanding import read_commands
from assistant.language.grammar.preambles import question_after
from assistant.language.grammar.reader import read
from assistant.language.parts import Parts
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.text import fold

#: How sure the reading of a question is that something was left aside for.
ASIDE_CONFIDENCE = 0.8
#: How well the question after a preamble must be understood by itself.
SURE = 0.85
#: Questions with which a message can go on after an aside.
_ANSWERABLE = frozenset({"metric", "list", "record", "movement", "history"})
_OPENERS = frozenset(
    "what which who whose how show list give please find get pull tell when where".split()
    + ["can you", "could you", "i need", "i want", "need", "want", "would like", "let me"]
)
#: After these a question word goes on with the sentence before: "the deals for which ...".
_GOING_ON = frozenset("for of in at on with by from to about know see tell me and or not wondering wonder that than asks ask asked asking".split())
#: Senses that could narrow, deny or split the question, whichever clause they stand in.
_NARROWING = ("negation", "comparison", "order", "compare", "between", "multiplicity", "grain", "my_team")
_POINTING = frozenset("there that those these them they their theirs it its he him his she her hers this".split())
#: With these a phrase begins that says of which records: "only the ...", "for the ...".
_LIMITING = frozenset("only just for in at with of from among on by within per as also and or but not except without".split())
#: After these an unknown word is what somebody does, not of which sort something is.
_ACTING = frozenset("to at i we you they he she will can must should are is am".split())
#: Shortenings that are tried at most.
_TRIES = 6


def read_apart(ctx: Context, message: str, dialogue: Dialogue | None = None) -> tuple[Frame, Chart, Parts]:
    """As ``read``; a message that is refused for words of an aside is read without it, and the frame tells what that was."""
    spoken = dialogue or Dialogue()
    if (changes := read_commands(ctx, message, spoken)) is not None:
        return changes
    try:
        whole = read(ctx, message, dialogue)
    except Invalid:  # an impossible question may be a change all the same: "my deals closing in December go to 31 January"
        change = read_change(ctx, message, spoken, (Frame(intent="unknown"), Chart([], []), Parts()))
        if change is None or change[0].intent != "command":
            raise
        return change
    if (change := read_change(ctx, message, spoken, whole)) is not None:
        return change
    frame, chart, _parts = whole
    if (asked := _after_preamble(ctx, whole, dialogue)) is not None:
        return asked
    if frame.intent != "unknown" or not frame.unknown or len(chart.tokens) < 5:
        return whole
    strange = {word.lower() for word in frame.unknown}
    for tries, (question, aside) in enumerate(_splits(chart, strange)):
        if tries == _TRIES:
            break
        try:
            shorter = read(ctx, question, dialogue)
        except Invalid:
            continue
        whole_record = shorter[0].intent == "record" and not shorter[0].asked_fields
        if shorter[0].intent in _ANSWERABLE and shorter[0].confidence >= 1.0 and not whole_record:
            shorter[0].aside, shorter[0].confidence = aside, ASIDE_CONFIDENCE
            return shorter
    return whole


def _after_preamble(ctx: Context, whole: tuple[Frame, Chart, Parts], dialogue: Dialogue | None) -> tuple[Frame, Chart, Parts] | None:
    """The reading of the question after a preamble, where it is whole in itself and differs from that of the message."""
    found = question_after(whole[1])
    if found is None:
        return None
    question, aside = found
    try:
        shorter = read(ctx, question)
    except Invalid:
        return None
    frame, before = shorter[0], whole[0]
    whole_record = frame.intent == "record" and not frame.asked_fields
    if frame.intent not in _ANSWERABLE or frame.confidence < SURE or whole_record or frame.pending is not None:
        return None
    if dialogue is not None and dialogue.frames and read(ctx, question, dialogue)[0].plain() != frame.plain():
        return None  # it leans on the conversation
    if before.plain() == frame.plain():
        return None
    frame.aside, frame.confidence = aside, ASIDE_CONFIDENCE
    return shorter


def _splits(chart: Chart, strange: set[str]) -> Iterator[tuple[str, str]]:
    """Question and aside, the shortest asides first: a stretch at the beginning, at the end, or at both."""
    tokens, count = chart.tokens, len(chart.tokens)
    heads = [0, *(place for place in range(1, count - 1) if _opens(chart, place))]
    tails = [count, *(place for place in range(2, count) if chart.clauses[place] != chart.clauses[place - 1])]
    splits = []
    for first in heads:
        for end in tails:
            outside = [edge for edge in chart.edges if edge.end <= first or edge.first >= end]
            if end - first < 2 or not outside or any(edge.first < place < edge.end for edge in chart.edges for place in (first, end)):
                continue
            said = {edge.text.lower() for edge in outside}
            limits = any(place < count and chart.tokens[place].norm in _LIMITING for place, there in ((0, first > 0), (end, end < count)) if there)
            if (
                strange <= said
                and not limits
                and not _points_outside(chart, first, end)
                and not any(_narrows(chart, edge, first, end) for edge in outside)
            ):
                splits.append((count - (end - first), first, end))
    for _length, first, end in sorted(splits):
        start, stop = tokens[first].start, tokens[end - 1].end
        pieces = (chart.message[:start].strip(" ,.:;-–—"), chart.message[stop:].strip(" ,.:;-–—?!"))
        yield chart.message[start:stop], " … ".join(piece for piece in pieces if piece)


def _opens(chart: Chart, place: int) -> bool:
    """Whether a question can begin at a token: at a clause, or at a question word that goes on with nothing."""
    word, before = chart.tokens[place].norm, chart.tokens[place - 1].norm
    if chart.clauses[place] != chart.clauses[place - 1]:
        return True
    following = chart.tokens[place + 1].norm if place + 1 < len(chart.tokens) else ""
    return (word in _OPENERS or f"{word} {following}" in _OPENERS) and before not in _GOING_ON


def _points_outside(chart: Chart, first: int, end: int) -> bool:
    """Whether the question points at something, which then may stand in the aside: "deals with Acme Dairy, what is open there?"."""
    return any(edge.kind == "filler" and edge.text.lower() in _POINTING for edge in chart.edges if first <= edge.first and edge.end <= end)


def _narrows(chart: Chart, edge: Edge, first: int, end: int) -> bool:
    """Whether a stretch outside the question, tokens ``first`` to ``end``, could say which records, which period or which split is meant."""
    if edge.kind == "unknown":
        following = next((other for other in chart.edges if other.first == edge.end), None)
        together = following is not None and chart.clauses[following.first] == chart.clauses[edge.first]
        acting = edge.first > 0 and chart.tokens[edge.first - 1].norm in _ACTING
        if following is not None and together and not acting and following.sense("noun", "metric", "customer", "activity_kind"):
            return True  # "frobnicated deals", not "to rebalance accounts"
        return edge.first > 0 and chart.tokens[edge.first].capital and not edge.text.isupper()  # a name that nobody knows
    if edge.kind == "when":
        return edge.when is None or edge.when.period.days > 1 or edge.when.period.first < chart.today
    if edge.kind in ("name", "quantity"):
        return True
    inside = {fold(other.text) for other in chart.edges if first <= other.first and other.end <= end}
    values = any(sense.kind == "value" and sense.field != "title" or sense.kind == "ref" for sense in edge.senses) and fold(edge.text) not in inside
    if edge.sense("group_cue"):
        beyond = [other for other in chart.edges if edge.end <= other.first < edge.end + 3]
        return values or any(other.sense("field", "noun", "grain", "customer") for other in beyond)
    if edge.sense("aggregate") and not any(other.sense("aggregate", "metric") for other in chart.edges if first <= other.first and other.end <= end):
        return True  # "urgent tickets, mean wait": what is averaged is the question
    return values or edge.sense(*_NARROWING) is not None
