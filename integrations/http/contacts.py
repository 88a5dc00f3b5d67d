"""Contacts over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.contacts import (
    ContactView,
    CreateContact,
    GetContact,
    UpdateContact,
    create_contact,
    get_contact,
    update_contact,
)
from crm_core.services.records import (
    ArchiveRecord,
    RecordRef,
    archive_record,
    restore_record,
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

router = APIRouter(prefix="/api/contacts", tags=["contacts"])


@router.get("")
def list_contacts(ctx: Read, params: Params) -> Page:
    """List or find contacts, with totals over everything that matches."""
    return page(ctx, "contact", params)


@router.post("", status_code=201, response_model=ContactView)
def create(ctx: Write, arguments: CreateContact, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a contact."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_contact(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> ContactView:
    """Read a contact; the ETag is its version."""
    view: ContactView = tagged(response, get_contact(ctx, GetContact(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> ContactView:
    """Change a contact; the version that was read is required."""
    view: ContactView = tagged(response, update_contact(ctx, UpdateContact.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a contact; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "contact"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived contact."""
    return restore_record(ctx, ArchiveRecord(noun="contact", id=record_id))
