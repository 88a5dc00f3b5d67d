"""Changes that depend on something: "if nobody rang Dana this month, put it on my list for Monday".

What happened or did not happen with somebody can be decided: it is looked up at once, and the change is prepared or not. Any other
condition is refused, never passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.language.dialogue import Dialogue
from assistant.language.frames import Entity, Frame
from assistant.language.grammar.edits.targets import ASIDE
from assistant.language.grammar.reader import read
from assistant.language.tokens import is_verbatim
from crm_core.context import Context
from crm_core.errors import RapportError
from crm_core.metrics.filters import Filter
from crm_core.metrics.listing import ListQuestion, list_records
from crm_core.text import fold

_LEADING = re.compile(
    r"^\W*(?P<word>if|unless|in case|provided(?: that)?|as long as|only if)\s+(?P<condition>[^,;:]+?)\s*(?:[,;:]\s*|\s+then\s+|\s+(?=(?:please |pls )?(?:remind|put|set|add|create|log|move|mark|push|give|assign|hand|make|change|update|close|note)\b))(?:then\s+|please\s+)*(?P<change>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_TRAILING = re.compile(
    r"^(?P<change>.+?)[\s,]+(?P<word>if|unless|in case|provided(?: that)?|as long as|but only if|only if)\s+(?P<condition>[^,;:]+?)[\s.!]*$",
    re.IGNORECASE | re.DOTALL,
)
_NOT = re.compile(r"\b(?:nobody|no one|noone|none|no|not|never|nothing|hasn'?t|haven'?t|hadn'?t|didn'?t|isn'?t|wasn'?t|without|n't)\b", re.IGNORECASE)
_KINDS = (
    ("call", r"call|calls|called|rang|ring|rung|phoned|phone"),
    ("email", r"email|emails|emailed|mailed|mail|mails|written|wrote"),
    ("meeting", r"met|meeting|meetings|seen|visited|visit"),
)
_CONTACT = re.compile(
    r"\b(?:spoken|spoke|talked|contacted|touched|heard|activity|interaction|reached|followed up|in touch|logged|anything|something)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Condition:
    """A condition that was said, whether it holds, and the rest of the message."""

    change: str
    holds: bool | None
    told: str
    named: list[Frame]


def condition_of(ctx: Context, message: str, dialogue: Dialogue) -> Condition | None:
    """The condition of a message and whether it holds, None for one that cannot be decided; None for a message without any."""
    match = _LEADING.match(message) or (None if is_verbatim(message) else _TRAILING.match(message))
    if match is None:
        return None  # of what is logged or to be done, "if they sign" is what was said
    said, change = match["condition"].strip(), match["change"].strip()
    try:
        _frame, _chart, parts = read(ctx, said, dialogue)
    except RapportError:
        return Condition(change, None, said, [])
    people = [name for name in parts.names if len(name.matches) == 1 and name.noun in ("contact", "company", "deal", "lead")]
    kinds = [kind for kind, words in _KINDS if re.search(rf"\b(?:{words})\b", said, re.IGNORECASE)]
    if len(people) != 1 or len(parts.names) != 1 or not (kinds or _CONTACT.search(said)) or len(parts.times) > 1:
        return Condition(change, None, said, [])
    who = people[0].matches[0]
    filters = [Filter(field=who.noun, values=[who.id]), Filter(field="kind", op="is_not", values=["task"])]
    if kinds:
        filters.append(Filter(field="kind", values=list(kinds)))
    period = parts.times[0][0].period if parts.times else None
    if period is not None:
        filters.append(Filter(field="occurred", op="between", values=[period.first.isoformat(), period.end.isoformat()]))
    try:
        found = list_records(ctx, ListQuestion(noun="activity", filters=filters, limit=1, order_by="occurred", descending=True))
    except RapportError:
        return Condition(change, None, said, [])
    holds = (found.total == 0) == bool(_NOT.search(said))
    if fold(match["word"]) == "unless":
        holds = not holds
    spoken = Frame(intent="record", salient=[Entity(noun=who.noun, id=who.id, label=who.label)], detail=ASIDE)
    latest = f"the last is of {found.rows[0]['occurred']:%d %b %Y}" if found.total and hasattr(found.rows[0].get("occurred"), "strftime") else ""
    told = f"{'there is none' if not found.total else f'there are {found.total}'} with {who.label}{f', {latest}' if latest else ''}"
    return Condition(change, holds, told, [spoken])
