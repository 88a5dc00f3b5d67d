"""From a note to changes: the text is logged, and what was promised to the customer becomes tasks, all as one proposal."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from assistant.answer import Approval
from assistant.notes.model import SURE, Note
from assistant.notes.reading import read_note
from crm_core.changes import Step, preview, propose_steps
from crm_core.context import Context
from crm_core.models import Deal
from crm_core.money import format_money, to_minor
from crm_core.periods import format_day
from crm_core.services.records import load

LONGEST = 100_000
_SUBJECT = 120


class TakeNote(BaseModel):
    """A text to read, and what it is about."""

    text: str = Field(min_length=3, max_length=LONGEST, description="The note, mail thread or transcript.")
    kind: Literal["call", "email", "meeting", "note"] = Field(default="note", description="What it is of.")
    written_on: date | None = Field(default=None, description="Day on which it was written; today where left out.")
    company_id: int | None = Field(default=None, description="Number of the company.")
    contact_id: int | None = Field(default=None, description="Number of the contact.")
    deal_id: int | None = Field(default=None, description="Number of the deal.")


class TakenNote(BaseModel):
    """What was read, what a call still has to find out, where it differs from what is on record, and the proposal."""

    note: Note
    missing: list[str]
    differs: list[str]
    proposal: Approval


def take_note(ctx: Context, wanted: TakeNote) -> TakenNote:
    """Read a text and propose to log it, with a task for each thing that was surely promised to the customer; nothing is applied.

    Raises what the verbs raise for links that do not exist.
    """
    note = read_note(wanted.text, wanted.written_on or ctx.today, calendar=ctx.calendar)
    links: dict[str, Any] = {name: value for name in ("company_id", "contact_id", "deal_id") if (value := getattr(wanted, name)) is not None}
    first = " ".join(wanted.text.split())
    subject = first if len(first) <= _SUBJECT else first[:_SUBJECT].rsplit(" ", 1)[0] + " …"
    steps = [Step(capability="log_activity", arguments={"kind": wanted.kind, "subject": subject, "body": wanted.text, **links})]
    for fact in note.of("promise"):
        if fact.who == "us" and fact.confidence >= SURE:
            due = {"due_on": fact.day.isoformat()} if fact.day is not None and fact.day >= ctx.today else {}
            steps.append(Step(capability="add_task", arguments={"subject": fact.quote[:_SUBJECT], **links, **due}))
    differs = []
    if wanted.deal_id is not None:
        deal = load(ctx, Deal, wanted.deal_id)
        for fact in note.of("budget"):
            currency = fact.currency or deal.currency
            if fact.amount is not None and currency == deal.currency and deal.amount_minor is not None:
                minor = to_minor(fact.amount, currency)
                if minor != deal.amount_minor:
                    differs.append(
                        f"Amount on record: {format_money(deal.amount_minor, currency)}, budget in the note: {format_money(minor, currency)}."
                    )
        for fact in note.of("timeline"):
            if fact.day is not None and deal.expected_close_on is not None and fact.day != deal.expected_close_on:
                differs.append(f"Close date on record: {format_day(deal.expected_close_on)}, date in the note: {format_day(fact.day)}.")
    proposal = propose_steps(ctx, steps, message=wanted.text[:4000])
    return TakenNote(note=note, missing=note.qualification.missing, differs=differs, proposal=Approval.model_validate(preview(ctx, proposal)))
