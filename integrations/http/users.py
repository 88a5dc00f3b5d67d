"""Users over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.records import (
    ArchiveRecord,
    RecordRef,
    archive_record,
    restore_record,
)
from crm_core.services.users import (
    CreateUser,
    GetUser,
    UpdateUser,
    UserView,
    create_user,
    get_user,
    update_user,
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

router = APIRouter(prefix="/api/users", tags=["users"])


@router.get("")
def list_users(ctx: Read, params: Params) -> Page:
    """List or find users, with totals over everything that matches."""
    return page(ctx, "user", params)


@router.post("", status_code=201, response_model=UserView)
def create(ctx: Write, arguments: CreateUser, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a user."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_user(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> UserView:
    """Read a user; the ETag is its version."""
    view: UserView = tagged(response, get_user(ctx, GetUser(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> UserView:
    """Change a user; the version that was read is required."""
    view: UserView = tagged(response, update_user(ctx, UpdateUser.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a user; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "user"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived user."""
    return restore_record(ctx, ArchiveRecord(noun="user", id=record_id))
