"""Tickets over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.records import (
    ArchiveRecord,
    RecordRef,
    archive_record,
    restore_record,
)
from crm_core.services.tickets import (
    AnswerTicket,
    CreateTicket,
    GetTicket,
    ResolveTicket,
    TicketView,
    UpdateTicket,
    answer_ticket,
    create_ticket,
    get_ticket,
    resolve_ticket,
    update_ticket,
)
from integrations.http.deps import (
    IdempotencyHeader,
    IfMatch,
    Page,
    Params,
    Read,
    Write,
    once,
    page,
    tagged,
    versioned,
)

router = APIRouter(prefix="/api/tickets", tags=["tickets"])


@router.get("")
def list_tickets(ctx: Read, params: Params) -> Page:
    """List or find tickets, with totals over everything that matches."""
    return page(ctx, "ticket", params)


@router.post("", status_code=201, response_model=TicketView)
def create(ctx: Write, arguments: CreateTicket, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a ticket."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_ticket(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> TicketView:
    """Read a ticket; the ETag is its version."""
    view: TicketView = tagged(response, get_ticket(ctx, GetTicket(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> TicketView:
    """Change a ticket; the version that was read is required."""
    view: TicketView = tagged(response, update_ticket(ctx, UpdateTicket.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a ticket; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "ticket"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived ticket."""
    return restore_record(ctx, ArchiveRecord(noun="ticket", id=record_id))


@router.post("/{record_id}/answer")
def answer(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> TicketView:
    """Record the first response."""
    return answer_ticket(ctx, AnswerTicket.model_validate(versioned(arguments, record_id, if_match)))


@router.post("/{record_id}/resolve")
def resolve(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> TicketView:
    """Mark the ticket resolved."""
    return resolve_ticket(ctx, ResolveTicket.model_validate(versioned(arguments, record_id, if_match)))
