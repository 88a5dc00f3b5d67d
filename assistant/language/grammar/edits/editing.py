"""One clause that changes records on file."""

from __future__ import annotations

import re

from assistant.language.dialogue import Dialogue
from assistant.language.frames import Command, Frame
from assistant.language.grammar.edits.anywhere import assembled
from assistant.language.grammar.edits.making import NOUNS, on_target, reassigned, spoken
from assistant.language.grammar.edits.phrases import Wish, wishes
from assistant.language.grammar.edits.targets import Targets
from assistant.language.grammar.edits.values import Setting, Unfit, Values
from assistant.language.grammar.lacking import BECAUSE, lacking, why_lost
from crm_core.context import Context
from crm_core.services.records import picklist_kind, picklists

#: Words of a value that is told to be none; a next step or a name may be longer.
MOST_VALUE_WORDS = 5
#: Cuts of a clause that are tried; the likeliest come first.
MOST_CUTS = 60
_DATING = re.compile(r"^\W*(?:\w+\W+){0,6}?(?:push|postpone|delay|defer|slip|extend|pull|reschedule|due|kick)\b", re.IGNORECASE)


def edited(ctx: Context, clause: str, dialogue: Dialogue) -> Frame | None:
    """The frame of a change, or of the question that it raises; None where the clause is no change that is understood.

    A change whose records are found and whose value is none that the field can have is refused with what it can have.
    """
    targets, values = Targets(ctx, dialogue), Values(ctx)
    unfit: Unfit | None = None
    dating = _DATING.match(clause) is not None
    for number, wish in enumerate(wishes(clause)):
        if number >= MOST_CUTS:
            break
        try:
            frame = _tried(ctx, wish, targets, values, dating=dating)
        except Unfit as error:
            if len(wish.value.split()) <= MOST_VALUE_WORDS and "," not in wish.value:  # what is longer was cut in the wrong place
                unfit = unfit or error
            continue
        if frame is not None and not (wish.terse and any(call.ids for call in frame.calls)):
            return frame
    if (frame := assembled(clause, targets, values, dating=dating)) is not None:
        return frame
    if unfit is None:
        return None
    return lacking(str(unfit), clause, unfit.joint) if unfit.joint else Frame(intent="unknown", detail=str(unfit))


def _tried(ctx: Context, wish: Wish, targets: Targets, values: Values, *, dating: bool) -> Frame | None:
    """The frame of one cut; raises ``Unfit`` where only its value is wrong."""
    if wish.act == "set":
        return _set(wish, targets, values, dating=dating)
    if wish.act == "role":
        return _role(wish, targets, values)
    if wish.act == "employ":
        if (moved := _relocated(wish, targets)) is not None:
            return moved
        people = targets.find(wish.target, ("contact",))
        company = targets.find(wish.value, ("company",)) if people is not None else None
        if people is None or company is None or company.noun != "company" or len(company.found) != 1:
            return None
        return on_target(people, Setting([Command(tool="update_contact", arguments={"company_id": company.found[0].id})]))
    if wish.act == "give":
        person = values.person(wish.value)
        target = targets.find(wish.target, NOUNS) if person is not None else None
        if target is None or person is None:
            return None
        return on_target(target, reassigned(target.noun, person))
    if wish.act == "shift":
        target = targets.find(wish.target, ("deal", "activity"))
        if target is None or wish.field and values.field_named(target.noun, wish.field) not in ("expected_close", "due"):
            return None
        setting = values.shifted(target.noun, wish.value)
        return on_target(target, setting) if setting is not None else None
    return _ended(ctx, wish, targets, values)


def _relocated(wish: Wish, targets: Targets) -> Frame | None:
    """ "Acme has moved to Montreal": of a company its city, unless that is another company."""
    place = re.fullmatch(r"[A-ZÀ-Ý][\w'’.-]*(?: (?:[A-ZÀ-Ý][\w'’.-]*|am|an|de|der|la|on|sur|upon|of)){0,3}", wish.value.strip())
    company = targets.find(wish.target, ("company",)) if place is not None else None
    if company is None or company.many or company.noun != "company" or not company.found or targets.find(wish.value, ("company", "contact", "deal")):
        return None
    return on_target(company, Setting([Command(tool="update_company", arguments={"city": wish.value.strip()})]))


def _set(wish: Wish, targets: Targets, values: Values, *, dating: bool) -> Frame | None:
    if wish.field:
        nouns = tuple(noun for noun in NOUNS if values.field_named(noun, wish.field))
        target = targets.find(wish.target, nouns) if nouns else None
        if target is None or wish.terse and (values.field_named(target.noun, wish.value) or _names_nothing(target.noun, wish, values)):
            return None  # "Dana's job title" asks for it
        return on_target(target, values.set_to(target.noun, values.field_named(target.noun, wish.field), wish.value))
    asked = next(
        (name for name in (targets.dialogue.previous.asked_fields if targets.dialogue.previous else []) if wish.target.lower() in ("it", "that")), ""
    )
    if asked and any(character.isdigit() for character in wish.value):  # "how many seats has Globex?", "make it 50"
        nouns = tuple(noun for noun in NOUNS if values.field_named(noun, asked) == asked)
        if nouns and (target := targets.find(wish.target, nouns)) is not None:
            return on_target(target, values.set_to(target.noun, asked, wish.value))
    fitting = [(noun, setting) for noun in NOUNS if (setting := values.guess(noun, wish.value, dating=dating)) is not None]
    target = targets.find(wish.target, tuple(noun for noun, _setting in fitting)) if fitting else None
    return on_target(target, dict(fitting)[target.noun]) if target is not None else None


def _names_nothing(noun: str, wish: Wish, values: Values) -> bool:
    """Whether a name is told in words that are none: "is called now, they want another ship"."""
    named = values.field_named(noun, wish.field) in ("name", "subject")
    return named and ("," in wish.value or wish.value.split()[0].lower() in ("now", "again", "already", "off", "in", "out", "back", "by"))


def _role(wish: Wish, targets: Targets, values: Values) -> Frame | None:
    role = values.role(wish.field)
    target = targets.find(wish.target, ("deal",)) if role is not None else None
    people = targets.find(wish.value, ("contact",)) if target is not None else None
    if role is None or target is None or people is None or len(people.found) != 1:
        return None
    return on_target(target, Setting([Command(tool="set_deal_contact", arguments={"contact_id": people.found[0].id, "role": role})]))


def _ended(ctx: Context, wish: Wish, targets: Targets, values: Values) -> Frame | None:
    """Winning, losing, closing, reopening, completing and archiving."""
    act = wish.act
    if act in ("win", "lose"):
        target = targets.find(wish.target, ("deal",))
        if target is None:
            return None
        if act == "win":
            return on_target(target, Setting([Command(tool="win_deal")]))
        reason = values.reason(wish.value)
        if reason is None and not wish.value:
            reasons = [found for piece in re.split(r"[,;.!]\s|\s-\s", targets.dialogue.around) if (found := values.reason(piece.strip())) is not None]
            reason = reasons[0] if len(set(reasons)) == 1 else None
        if reason is None:
            raise Unfit(f"'{wish.value}' is not a reason here; use {values.reasons()}.") if wish.value else Unfit(why_lost(ctx), BECAUSE)
        return on_target(target, Setting([Command(tool="lose_deal", arguments={"reason": reason})]))
    nouns = {"close": ("ticket", "activity", "deal"), "complete": ("activity", "ticket"), "reopen": ("deal", "ticket"), "archive": NOUNS}[act]
    target = targets.find(wish.target, nouns)
    if target is None:
        return None
    if act == "archive":
        return on_target(target, Setting([Command(tool="archive_record", arguments={"noun": target.noun})]))
    if act == "reopen":
        if target.noun == "deal":
            if target.found and (closed := targets.closed(target)) is None:
                raise Unfit("I find no closed deal there that could be reopened. Name the deal.")
            return on_target(closed if target.found and closed is not None else target, Setting([Command(tool="reopen_deal")]))
        return on_target(target, values.set_to("ticket", "status", _first_status(values)))
    if target.noun == "deal":
        raise Unfit(f"Was {spoken(target)} won or lost? Say 'mark it as won', or 'mark it as lost' with the reason.")
    return on_target(target, Setting([Command(tool="resolve_ticket" if target.noun == "ticket" else "complete_task")]))


def _first_status(values: Values) -> str:
    return picklist_kind(values.ctx, "ticket", "status", "open") or next(iter(picklists(values.ctx, "ticket").get("status", [])), "")
