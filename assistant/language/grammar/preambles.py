"""What people say before they ask: who wants to know, what for, and how they are in a hurry.

"The auditors ask how many deals we had open", "Yusuf has free time next week, list the GMP companies without an open
deal", "for Rosa: the pipeline by stage", "Monday meeting prep: open amount in each stage". A preamble tells of people and
their reasons. It may name colleagues, roles and days to come, which would otherwise be taken for conditions; so where one
stands before a question that is whole in itself, the question alone is read, and the answer tells what was left aside.

A head that sets the scene of the question ("in EMEA,", "deals with Acme:", "I am looking at lost renewals.") is none: it
names a value, a company, an amount or a time that has been, which the question does not name again.
"""

from __future__ import annotations

import re

from assistant.language.chart import Chart, Edge
from crm_core.text import fold

_SOMEBODY = r"(?:i|we|he|she|they|somebody|someone|(?:the|my|our|some|a|an|his|her|their) (?:[\w-]+ ){0,2}?[\w-]+|[\w-]+(?: [\w-]+)?)"
_WANTING = (
    r"(?:asks?|asked|asking|wants?|wanted|needs?|needed|wonders?|wondered|plans?|planned|would like|rang|called|phoned|wrote|mailed|emailed|says|said|keeps?|told|tells|claims?"
    r"|believes?|thinks?|remembers?|hears?|heard|insists?|(?:do|does|did) not (?:believe|trust|know|remember|understand)|has to|have to|must|will|hopes?"
    r"|has (?:a |an |his |her |my |our |the |some )?(?:free |spare |little )?(?:time|meeting|call|review|appointment|interview|lunch)"
    r"|have (?:a |an |my |our |the |some )?(?:free |spare |little )?(?:time|meeting|call|review|appointment|interview|lunch|one))"
)
_BUSY = (
    r"(?:(?:i|we|he|she|they) (?:am|are|is|was|were) |(?:am|are|is) )?(?:just |about to |off to |going to )?(?:prepar|writ|visit|meet|call|see|plan|review|build|clean|"
    r"hand|draft|updat|present|brief|cover|work|travel|head|sit|stand|organi[sz]|arrang|check|put|get|mak|do|go|giv|tak|talk|prepp|compil|finish|fill)ing\b"
)
#: How a preamble begins, in folded words.
_BEGINS = re.compile(
    rf"^(?:(?:hey|hi|hello|ok|okay|so|right|well|morning|good morning|good afternoon|sorry) )*(?:{_SOMEBODY} {_WANTING}\b|{_BUSY}|{_SOMEBODY} (?:is|are|am) {_BUSY.removeprefix('(?:(?:i|we|he|she|they) (?:am|are|is|was|were) |(?:am|are|is) )?')}"
    r"|(?:just )?(?:a )?(?:quick|short|small|one more|one quick|last) (?:one|question|thing)\b|(?:for|list for|this is for|it is for) [\w-]+(?: [\w-]+)?$|about to \w+|before (?:i|we|everyone|everybody) \w+)"
)
#: Words with which a question begins that was asked for somebody.
_OPENERS = frozenset("how what which who whose list show give compare count find total please is are do does did can could".split())
_POINTING = frozenset("there that those these them they theirs their it its he him his she her hers this then".split())


def question_after(chart: Chart) -> tuple[str, str] | None:
    """The question that stands after a preamble, and the preamble; None where there is none, or where it sets the scene."""
    tokens = chart.tokens
    for place in range(2, len(tokens) - 2):
        between = chart.message[tokens[place - 1].end : tokens[place].start]
        stop = any(mark in between for mark in ",.:;!?–—") or chart.clauses[place] != chart.clauses[place - 1] or tokens[place - 1].norm == "so"
        opens = tokens[place].norm in _OPENERS and tokens[place - 1].norm not in ("to", "for", "of", "on", "with", "about", "that", "and", "or")
        if not (stop or opens):
            continue
        if any(edge.first < place < edge.end for edge in chart.edges):
            continue
        head = " ".join(token.norm for token in tokens[:place])
        announces = ":" in between or "!!" in between
        told = _BEGINS.match(head) is not None
        if "?" in between or not (told or announces and place <= 6 and not _asks(chart, place, "field", "metric", "state")):
            continue
        if not stop and _asks(chart, place, "noun", "metric", "state", "customer", "aggregate", "field"):
            continue  # "I want to see open deals with companies which ..."
        if any(_sets_the_scene(chart, edge, place, told=told) for edge in chart.edges if edge.end <= place):
            return None
        start = place
        while start < len(tokens) - 2 and tokens[start].norm in ("so", "and", "but", "please"):
            start += 1
        if _points_back(chart, start) or len(tokens) - start < 3:
            continue
        return chart.message[tokens[start].start :], chart.message[: tokens[place - 1].end].strip(" ,.:;!-–—")
    return None


def _asks(chart: Chart, place: int, *kinds: str) -> bool:
    """Whether anything before the place is part of a question."""
    return any(edge.end <= place and edge.sense(*kinds) for edge in chart.edges)


def _points_back(chart: Chart, start: int) -> bool:
    """Whether the question points at something that stands before it, rather than at what it names itself."""
    pointing = next((place for place in range(start, len(chart.tokens)) if chart.tokens[place].norm in _POINTING), None)
    if pointing is None:
        return False
    if chart.tokens[pointing - 1].norm in ("with", "from", "at", "for", "by", "to") and chart.tokens[pointing].norm in ("them", "him", "her"):
        return True
    named = any(start <= edge.first < pointing and (edge.kind == "name" or edge.sense("noun", "metric", "ref", "customer")) for edge in chart.edges)
    return not named


def _sets_the_scene(chart: Chart, edge: Edge, place: int, *, told: bool) -> bool:
    """Whether something said before the question could narrow it: a value, a company, a number, a denial, a time that has been."""
    if edge.kind == "when":
        return edge.when is None or edge.when.period.first < chart.today and edge.when.period.end <= chart.today
    if edge.kind == "unknown":  # "Wayne Enterprises rang": somebody whom nobody here knows
        beyond = chart.tokens[edge.first + 1] if edge.first + 1 < place else None
        return chart.tokens[edge.first].capital and (edge.first > 0 or beyond is not None and beyond.capital)
    if edge.kind == "quantity":
        return edge.text.lower() != "one"  # "a quick one"
    if edge.kind == "name":
        whole = {fold(match.label) for match in edge.name.matches if match.noun not in ("contact", "user")} if edge.name is not None else {""}
        return bool(whole) and (not told or fold(edge.text) in whole or chart.tokens[edge.first].capital)  # "the union rep" is no Union Farms
    again = {fold(other.text) for other in chart.edges if other.first >= place}
    for sense in edge.senses:
        if sense.kind == "ref" and sense.field != "owner" and not _is_somebody(chart, edge):
            return fold(edge.text) not in again
        if sense.kind == "value" and sense.field not in ("title", "deal_role"):
            return fold(edge.text) not in again
    return edge.sense("comparison", "multiplicity", "between", "group_cue", "my_team") is not None


def _is_somebody(chart: Chart, edge: Edge) -> bool:
    return any(sense.kind == "ref" and sense.field == "owner" for sense in edge.senses)
