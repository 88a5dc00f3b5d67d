"""From the records that are meant and what is to be set to the calls that do it."""

from __future__ import annotations

import re

from assistant.language.frames import Command, Frame, Pending
from assistant.language.grammar.edits.targets import Target
from assistant.language.grammar.edits.values import Setting, Unfit
from assistant.language.grammar.pieces import settled
from crm_core.text import join_words, pluralise

#: The kinds of records that can be changed, the likeliest first.
NOUNS = ("deal", "ticket", "activity", "contact", "company", "lead")
MOST_CANDIDATES = 8
#: Records that are changed each to a value of its own, which makes a step each.
MOST_APART = 150


def reassigned(noun: str, person: int) -> Setting:
    """The call that gives a record to a colleague."""
    return Setting([Command(tool="reassign", arguments={"noun": noun, "owner_id": person})])


def spoken(target: Target) -> str:
    """How records are called in a sentence."""
    return target.found[0].label if len(target.found) == 1 else target.spoken


def on_target(target: Target, setting: Setting) -> Frame | None:
    """The calls on what is meant, or the question which one, or that there is none."""
    found = target.found
    if not found:
        return Frame(intent="unknown", detail=f"I find no {_named(target)} that you may see, so there is nothing to change.")
    if len(found) > 1 and not target.many:
        if setting.each is not None:
            return Frame(intent="unknown", detail=f"Which do you mean: {join_words([item.label for item in found[:MOST_CANDIDATES]], 'or')}?")
        calls = [call.model_copy(deep=True, update={"waiting": "id"}) for call in setting.calls]
        hints = (target.hints or [""] * len(found))[:MOST_CANDIDATES]
        return Frame(intent="command", calls=calls, pending=Pending(name=_named(target), candidates=found[:MOST_CANDIDATES], hints=hints))
    if setting.each is not None:
        if len(found) > MOST_APART:
            raise Unfit(f"Each of {len(found)} records would get a value of its own; at most {MOST_APART} can be changed so at once.")
        made = [call for item in found if (call := setting.each(item.id)) is not None]
        if not made:
            return Frame(intent="unknown", detail=f"{spoken(target)} has nothing there yet that could be moved or raised; say the new value.")
        lacking = [item.label for item in found if not any(call.arguments.get("id") == item.id for call in made)]
        frame = Frame(intent="command", calls=made, entity=found[0] if len(found) == 1 else None, said=target.said)
        if lacking:
            frame.unchanged = f"{join_words(lacking[:MOST_CANDIDATES])} {'has' if len(lacking) == 1 else 'have'} no value yet that could be moved."
        return frame
    if len(found) == 1:
        calls = [call.model_copy(deep=True, update={"waiting": "id"}) for call in setting.calls]
        return settled(Frame(intent="command", calls=calls), found[0])
    ids = [item.id for item in found]
    return Frame(intent="command", calls=[call.model_copy(deep=True, update={"ids": ids}) for call in setting.calls], said=target.said)


def _named(target: Target) -> str:
    return re.sub(r"^(?:all|every|each|any|both|of|the|my|our|those|these)\s+", "", target.spoken, flags=re.IGNORECASE).strip() or pluralise(
        target.noun
    )
