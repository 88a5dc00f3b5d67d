"""Tickets: open, change, answer, resolve, reopen."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from sqlalchemy import select

from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import PicklistValue, Ticket
from crm_core.services.records import (
    Args,
    Body,
    Name,
    Short,
    Versioned,
    View,
    change,
    check_references,
    create,
    load,
    load_for_change,
    picklist_kind,
    picklists,
    set_fields,
    shown_name,
    view_of,
)


class TicketView(View):
    """A ticket."""

    subject: str
    description: str
    status: str
    priority: str | None
    category: str | None
    company_id: int | None
    company: str | None
    contact_id: int | None
    contact: str | None
    owner_id: int | None
    owner: str | None
    created_at: datetime
    first_response_at: datetime | None
    resolved_at: datetime | None


class _TicketFields(Args):
    priority: Short | None = Field(default=None, description="One of the company's priorities.")
    category: Short | None = Field(default=None, description="One of the company's ticket categories.")
    company_id: int | None = Field(default=None, description="Number of the company.")
    contact_id: int | None = Field(default=None, description="Number of the contact who asks.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class CreateTicket(_TicketFields):
    """A new ticket."""

    subject: Name = Field(description="What it is about, in a line.")
    description: Body = Field(default="", description="What the customer said.")
    owner_id: int | None = Field(default=None, description="Assignee; the caller where left out.")


class UpdateTicket(_TicketFields, Versioned):
    """Fields of a ticket to change; a resolved status resolves it, an open one reopens it."""

    subject: Name | None = Field(default=None, description="What it is about, in a line.")
    description: Body | None = Field(default=None, description="What the customer said.")
    status: Short | None = Field(default=None, description="One of the company's ticket statuses.")


class GetTicket(Args):
    """Which ticket."""

    id: int = Field(description="Number of the ticket.")


class AnswerTicket(Versioned):
    """Which ticket was answered for the first time."""


class ResolveTicket(Versioned):
    """Which ticket is resolved."""


def ticket_view(ctx: Context, record: Ticket) -> TicketView:
    """The ticket as doors show it."""
    return view_of(
        ctx,
        TicketView,
        record,
        company=shown_name(ctx, record.company),
        contact=shown_name(ctx, record.contact),
        owner=shown_name(ctx, record.owner),
    )


def create_ticket(ctx: Context, args: CreateTicket) -> TicketView:
    """Open a ticket for a customer."""
    values = set_fields(args)
    check_references(ctx, values)
    values["status"] = picklist_kind(ctx, "ticket", "status", "open") or next(iter(picklists(ctx, "ticket").get("status", [])), "Open")
    return ticket_view(ctx, create(ctx, Ticket, values, args.custom))


def get_ticket(ctx: Context, args: GetTicket) -> TicketView:
    """Read a ticket."""
    return ticket_view(ctx, load(ctx, Ticket, args.id))


def update_ticket(ctx: Context, args: UpdateTicket) -> TicketView:
    """Change fields of a ticket."""
    record = load_for_change(ctx, Ticket, args)
    values = set_fields(args)
    check_references(ctx, values)
    if values.get("status"):
        kind = ctx.session.scalar(
            select(PicklistValue.kind).where(PicklistValue.noun == "ticket", PicklistValue.field == "status", PicklistValue.value == values["status"])
        )
        if kind == "resolved" and record.resolved_at is None:
            values["resolved_at"] = ctx.now
        elif kind == "open":
            values["resolved_at"] = None
    return ticket_view(ctx, change(ctx, record, values, args.custom))


def answer_ticket(ctx: Context, args: AnswerTicket) -> TicketView:
    """Record that the customer got the first response now. Refused where one is on record."""
    record = load_for_change(ctx, Ticket, args)
    if record.first_response_at is not None:
        raise Invalid(f"Ticket {record.id} was answered already, at {record.first_response_at:%Y-%m-%d %H:%M} UTC.")
    return ticket_view(ctx, change(ctx, record, {"first_response_at": ctx.now}))


def resolve_ticket(ctx: Context, args: ResolveTicket) -> TicketView:
    """Mark a ticket resolved now. Refused for a resolved one."""
    record = load_for_change(ctx, Ticket, args)
    if record.resolved_at is not None:
        raise Invalid(f"Ticket {record.id} is resolved already.")
    values: dict[str, object] = {"resolved_at": ctx.now}
    status = picklist_kind(ctx, "ticket", "status", "resolved")
    if status:
        values["status"] = status
    if record.first_response_at is None:
        values["first_response_at"] = ctx.now
    return ticket_view(ctx, change(ctx, record, values))
