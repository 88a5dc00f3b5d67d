"""What takes the place of a change that was just asked for: "no, 15k", "make that Tuesday", "sorry, the other one", "never mind"."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any

from assistant.language.dialogue import Dialogue
from assistant.language.frames import Command, Entity, Frame
from assistant.language.grammar.edits.targets import NOUN_OF, Targets
from assistant.language.grammar.edits.values import Setting, Unfit, Values, amount_said, day_said
from crm_core.context import Context
from crm_core.models import ChangeSet
from crm_core.services.records import load, model_of
from crm_core.text import fold

_LEAD = re.compile(
    r"^\W*(?:(?:no+|nope|nah|sorry|sry|oops|ups|whoops|wait|hold on|hang on|hm+|ah|oh|argh|ugh|typo|actually|correction|scratch that|i meant|i mean|meant|rather|better|instead|my bad|my mistake|apologies|wrong|nonsense"
    r"|make (?:it|that|this)(?: to be)?|change (?:it|that|this)(?: to)?|set (?:it|that) to|let'?s (?:say|make it|do)|say|it'?s|it is|it was|that was|it should(?: have been| be)?|that should(?: have been| be)?|should(?: have been| be)|was"
    r"|on second thoughts?|i was wrong|not quite|please|pls|and|but|ok|okay|well|the (?:amount|date|close date|stage|owner|day|reason|priority)(?: is| was| should be)?|for|on|to|by|at|with|a|an)[\s,.:;!–-]+)+",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"^\W*(?:(?:ah|oh|ok|okay|hm+|please|and|but|well|ups|that'?s|thats|that is|it'?s)[\s,]+)*(?:no+|nope|nah|sorry|sry|oops|ups|whoops|typo|not right|not correct|mistake|wait|hold on|hang on|actually|correction|scratch that|i meant|i mean|meant|rather|better|instead|my bad|my mistake|apologies|wrong|nonsense"
    r"|make (?:it|that|this)|change (?:it|that|this)|let'?s (?:say|make it|do)|it should|that should|should be|on second thoughts?|i was wrong|not quite|it was|that was)\b",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:[\s,;.–-]+(?:instead|rather|please|pls|sorry|actually|(?:is|would be|will be|works|sounds|suits me|fits) better|(?:is|was) (?:right|correct|it|what i meant)|better|i meant|i mean|thanks|my bad|my mistake|i meant to say|that is|of course|(?:that |who |whom )?i (?:spoke|talked|met|meant|mean|called|wanted)(?: to| with)?)|[\s,;–-]+not\s[^,;.]{1,60}|[\s,;–-]+(?:rather than|instead of)\s[^,;.]{1,60})+[\s.!]*$|[\s.!]+$",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(r"^not\s[^,;]{1,60}?[,;]?\s+but\s+|^not\s[^,;]{1,60}[,;]\s+", re.IGNORECASE)
NEVER_MIND = re.compile(
    r"^\W*(?:(?:no|oh|ah|ok|okay|oops|sorry|wait|hm+|actually|please|hang on|hold on)[\s,.!]+)*(?:never ?mind(?: that| it)?|forget (?:it|that|about it|about that)|cancel(?: (?:it|that|this))?|scrap (?:it|that)|drop (?:it|that)|discard (?:it|that)|don'?t(?: do (?:it|that))?|leave (?:it|that)(?: as it (?:is|was))?|stop"
    r"|undo(?: (?:it|that|this|the last one))?|revert(?: (?:it|that))?|take (?:it|that) back|scratch that|roll (?:it|that) back|withdraw (?:it|that))(?:[\s,.!]+(?:please|pls|then|again|thanks|my mistake|wrong (?:deal|one|record|contact|ticket|company)|changed my mind|i changed my mind))*[\s.!]*$",
    re.IGNORECASE,
)
_KINDS = {
    "call": "call",
    "phone call": "call",
    "meeting": "meeting",
    "visit": "meeting",
    "demo": "meeting",
    "email": "email",
    "mail": "email",
    "e-mail": "email",
    "note": "note",
}
_OTHER = re.compile(r"^(?:the )?other (?:one|deal|ticket|contact|company)?$|^the other$", re.IGNORECASE)
#: Beginnings that correct what was just said, and nothing else.
_CORRECTS = re.compile(
    r"^\W*(?:(?:ah|oh|ok|okay|argh|hm+)[\s,]+)*(?:no+|nope|sorry|sry|oops|ups|whoops|typo|correction|scratch that|i meant|my bad|my mistake|wrong|i was wrong|that'?s (?:wrong|not right)|not quite)\b",
    re.IGNORECASE,
)
#: Words of a message that corrects without saying so: "156k".
MOST_BARE = 8
_LINKS = ("company_id", "contact_id", "deal_id", "lead_id", "ticket_id")


def corrected(ctx: Context, message: str, dialogue: Dialogue) -> Frame | None:
    """The change before with another value or record, which it replaces; None where the message corrects nothing."""
    previous = dialogue.previous
    if previous is None or previous.intent != "command" or not previous.made or not previous.calls:
        return None
    if any(NEVER_MIND.match(piece) for piece in [message, *re.split(r"[,.;!]\s+|\s[–-]\s", message)] if piece):
        return _withdrawn(ctx, previous)
    if message.rstrip().endswith("?"):
        return None
    cued = _CUE.match(message) is not None
    if not cued and len(message.split()) > MOST_BARE:
        return None
    said = _NOT_BUT.sub("", _LEAD.sub("", message.strip()))
    said = _NOT_BUT.sub("", _LEAD.sub("", f"{_TAIL.sub('', said)} ").strip()).strip(" ,.")
    values = Values(ctx)
    pieces = [
        said,
        *(said.split(cut, 1)[1] for cut in (", ", ". ", " - ") if cut in said),
        *(said.rsplit(cut, 1)[1] for cut in (", ", ". ") if cut in said),
    ]
    for piece in dict.fromkeys(_LEAD.sub("", f"{item} ").strip() for item in pieces):
        if piece and (frame := _with(ctx, previous, piece, values, dialogue)) is not None:
            return frame
    return _given_up(ctx, previous) if cued and _CORRECTS.match(message) else None


def _given_up(ctx: Context, previous: Frame) -> Frame | None:
    """Where a correction is not understood, what it corrects is not left to be approved by mistake."""
    frame = _withdrawn(ctx, previous)
    return frame.model_copy(update={"detail": "given_up"}) if frame is not None else None


def _with(ctx: Context, previous: Frame, said: str, values: Values, dialogue: Dialogue) -> Frame | None:
    """The change before with what was said in the place that it fits; None where it fits none."""
    for place in reversed(range(len(previous.calls))):
        other = _replaced(ctx, previous.calls[place], said, values, dialogue)
        if other is not None:
            calls = [call.model_copy(deep=True) for call in previous.calls]
            calls[place] = other
            changed = _same_record_everywhere(previous.calls[place], other, calls)
            frame = Frame(intent="command", calls=changed, replaces=previous.made, entity=previous.entity, entities=previous.entities)
            if other.arguments.get("id") != previous.calls[place].arguments.get("id"):
                frame.entity = None
            return frame
    return None


def _withdrawn(ctx: Context, previous: Frame) -> Frame | None:
    """Take back all that came of the message before, whether it waits or was applied; None where nothing of it stands."""
    rows = [row for number in previous.made if (row := ctx.session.get(ChangeSet, number)) is not None and row.requester_id == ctx.actor.user_id]
    waiting = [row.id for row in rows if row.status == "proposed" and row.expires_at > ctx.now]
    if not waiting:
        return None
    applied = [row.id for row in rows if row.status == "applied" and row.risk == "none"]
    return Frame(intent="undo", changes=applied, replaces=waiting, detail="withdraw")


def _same_record_everywhere(before: Command, after: Command, calls: list[Command]) -> list[Command]:
    """A record that is meant instead is meant in every call that was of the first."""
    old, new = before.arguments.get("id"), after.arguments.get("id")
    if old is None or new is None or old == new:
        return calls
    kinds = {before.tool.split("_", 1)[1]}
    return [
        call.model_copy(update={"arguments": call.arguments | {"id": new}})
        if call.arguments.get("id") == old and call.tool.split("_", 1)[1] in kinds
        else call
        for call in calls
    ]


def _replaced(ctx: Context, call: Command, said: str, values: Values, dialogue: Dialogue) -> Command | None:
    """A call with what was said in place of one of its arguments."""
    given = call.arguments
    noun = _noun_of(call)
    try:
        found = _value(ctx, call, said, values, noun)
    except Unfit:
        found = None
    if found is not None:
        return call.model_copy(deep=True, update={"arguments": {**given, **found}}) if isinstance(found, dict) else found
    return _other_record(ctx, call, said, noun, dialogue)


def _noun_of(call: Command) -> str:
    return str(call.arguments.get("noun") or NOUN_OF.get(call.tool, "deal"))


def _value(ctx: Context, call: Command, said: str, values: Values, noun: str) -> dict[str, Any] | Command | None:
    given = call.arguments
    if (
        {"expected_close_on", "due_on"} & set(given)
        and "id" in given
        and (moved := values.shifted(noun, said)) is not None
        and moved.each is not None
    ):
        other = moved.each(int(given["id"]))
        return {name: value for name, value in other.arguments.items() if name != "id"} if other is not None else None
    day = day_said(ctx, said)
    for name in ("expected_close_on", "due_on"):
        if (name in given or name == "due_on" and call.tool == "add_task") and day is not None:
            return {name: day.isoformat()}
    if call.tool == "log_activity" and (gone := day_said(ctx, said, past=True)) is not None:
        return {"occurred_at": datetime.combine(gone, time(12), ctx.zone).isoformat()}
    if "amount" in given and (number := amount_said(said)) is not None:
        return {"amount": str(number[0])} | ({"currency": number[1]} if number[1] else {})
    if call.tool == "log_activity" and (kind := _KINDS.get(fold(re.sub(r"^(?:a|an|the) ", "", said)))) is not None:
        subject = re.sub(rf"^{given['kind']}\b", kind.capitalize(), str(given.get("subject", "")), flags=re.IGNORECASE)
        return {"kind": kind, "subject": subject}
    if call.tool in ("move_deal", "win_deal"):
        moved = values.guess("deal", said)
        if moved is not None and moved.calls and moved.calls[0].tool in ("move_deal", "win_deal"):
            kept = {name: value for name, value in given.items() if name != "stage"}
            return moved.calls[0].model_copy(update={"arguments": kept | moved.calls[0].arguments, "ids": call.ids, "waiting": call.waiting})
    if call.tool == "lose_deal" and (reason := values.reason(said)) is not None:
        return {"reason": reason}
    if "owner_id" in given and (person := values.person(re.sub(r"^(?:to|give it to|for)\s+", "", said, flags=re.IGNORECASE))) is not None:
        return {"owner_id": person}
    if call.tool.startswith(("update_", "create_")):
        return _other_value(values, given, said, noun)
    return None


def _other_value(values: Values, given: dict[str, Any], said: str, noun: str) -> dict[str, Any] | None:
    """Another value for a field that the change sets: told by itself, named, or of the same form."""
    guessed: Setting | None = values.guess(noun, said)
    if guessed is not None and guessed.calls:
        found = guessed.calls[0].arguments
        if "custom" in found and set(found["custom"]) <= set(given.get("custom", {})):
            return {"custom": {**given.get("custom", {}), **found["custom"]}}
        if set(found) <= set(given):
            return found
    for name in ("email", "phone", "title", "name", "city", "subject", "next_step", "employees"):
        if name in given:
            own = {key for key in given if key not in ("id", "version")}
            if len(own) == 1 or name in ("email", "phone"):
                calls = values.set_to(noun, name, said).calls
                return calls[0].arguments if calls else None
    return None


def _other_record(ctx: Context, call: Command, said: str, noun: str, dialogue: Dialogue) -> Command | None:
    """The same change on another record, or with another one linked."""
    given = call.arguments
    targets = Targets(ctx, dialogue)
    if "id" in given and not call.ids:
        if _OTHER.match(said):
            left = [item for frame in reversed(dialogue.frames) for item in frame.offered if item.noun == noun and item.id != given["id"]]
            return call.model_copy(deep=True, update={"arguments": {**given, "id": left[0].id}}) if len(left) == 1 else None
        target = targets.find(said, (noun,))
        if target is not None and len(target.found) == 1 and target.found[0].id != given["id"]:
            return call.model_copy(deep=True, update={"arguments": {**given, "id": target.found[0].id}})
        return None
    if call.tool in ("log_activity", "add_task", "create_ticket", "create_deal", "create_contact"):
        said = re.sub(r"^(?:with|at|for|to)\s+", "", said, flags=re.IGNORECASE)
        linked = [name for name in _LINKS if name in given]
        for name in linked:
            target = targets.find(said, (name.removesuffix("_id"),))
            if target is not None and len(target.found) == 1:
                return call.model_copy(deep=True, update={"arguments": _relabelled(given, name, target.found[0], ctx)})
    return None


def _relabelled(given: dict[str, Any], name: str, entity: Entity, ctx: Context) -> dict[str, Any]:
    """The arguments with another record linked; a subject that spoke of the first speaks of the second."""
    noun = name.removesuffix("_id")
    old = load(ctx, model_of(noun), given[name])
    label = str(getattr(old, "name", None) or getattr(old, "subject", ""))
    subject = str(given.get("subject", "")).replace(label, entity.label) if label else given.get("subject")
    return {**given, name: entity.id} | ({"subject": subject} if "subject" in given else {})
