"""Leads over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.leads import (
    Conversion,
    ConvertLead,
    CreateLead,
    GetLead,
    LeadView,
    UpdateLead,
    convert_lead,
    create_lead,
    get_lead,
    update_lead,
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

router = APIRouter(prefix="/api/leads", tags=["leads"])


@router.get("")
def list_leads(ctx: Read, params: Params) -> Page:
    """List or find leads, with totals over everything that matches."""
    return page(ctx, "lead", params)


@router.post("", status_code=201, response_model=LeadView)
def create(ctx: Write, arguments: CreateLead, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a lead."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_lead(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> LeadView:
    """Read a lead; the ETag is its version."""
    view: LeadView = tagged(response, get_lead(ctx, GetLead(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> LeadView:
    """Change a lead; the version that was read is required."""
    view: LeadView = tagged(response, update_lead(ctx, UpdateLead.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a lead; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "lead"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived lead."""
    return restore_record(ctx, ArchiveRecord(noun="lead", id=record_id))


@router.post("/{record_id}/convert")
def convert(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> Conversion:
    """Turn the lead into a contact at a company, perhaps with a deal."""
    return convert_lead(ctx, ConvertLead.model_validate(versioned(arguments, record_id, if_match)))
