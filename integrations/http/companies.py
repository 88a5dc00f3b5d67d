"""Companies over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.companies import (
    CompanyView,
    CreateCompany,
    GetCompany,
    UpdateCompany,
    create_company,
    get_company,
    update_company,
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

router = APIRouter(prefix="/api/companies", tags=["companies"])


@router.get("")
def list_companies(ctx: Read, params: Params) -> Page:
    """List or find companies, with totals over everything that matches."""
    return page(ctx, "company", params)


@router.post("", status_code=201, response_model=CompanyView)
def create(ctx: Write, arguments: CreateCompany, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a company."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_company(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> CompanyView:
    """Read a company; the ETag is its version."""
    view: CompanyView = tagged(response, get_company(ctx, GetCompany(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> CompanyView:
    """Change a company; the version that was read is required."""
    view: CompanyView = tagged(response, update_company(ctx, UpdateCompany.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a company; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "company"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived company."""
    return restore_record(ctx, ArchiveRecord(noun="company", id=record_id))
