"""Deals over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.deals import (
    AddLineItem,
    CreateDeal,
    DealView,
    GetDeal,
    LoseDeal,
    MoveDeal,
    ReopenDeal,
    SetDealContact,
    UpdateDeal,
    WinDeal,
    add_line_item,
    create_deal,
    get_deal,
    lose_deal,
    move_deal,
    reopen_deal,
    set_deal_contact,
    update_deal,
    win_deal,
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

router = APIRouter(prefix="/api/deals", tags=["deals"])


@router.get("")
def list_deals(ctx: Read, params: Params) -> Page:
    """List or find deals, with totals over everything that matches."""
    return page(ctx, "deal", params)


@router.post("", status_code=201, response_model=DealView)
def create(ctx: Write, arguments: CreateDeal, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a deal."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_deal(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> DealView:
    """Read a deal; the ETag is its version."""
    view: DealView = tagged(response, get_deal(ctx, GetDeal(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> DealView:
    """Change a deal; the version that was read is required."""
    view: DealView = tagged(response, update_deal(ctx, UpdateDeal.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a deal; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "deal"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived deal."""
    return restore_record(ctx, ArchiveRecord(noun="deal", id=record_id))


@router.post("/{record_id}/move")
def move(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> DealView:
    """Move the deal to another open stage."""
    return move_deal(ctx, MoveDeal.model_validate(versioned(arguments, record_id, if_match)))


@router.post("/{record_id}/win")
def win(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> DealView:
    """Mark the deal won."""
    return win_deal(ctx, WinDeal.model_validate(versioned(arguments, record_id, if_match)))


@router.post("/{record_id}/lose")
def lose(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> DealView:
    """Mark the deal lost, with the reason."""
    return lose_deal(ctx, LoseDeal.model_validate(versioned(arguments, record_id, if_match)))


@router.post("/{record_id}/reopen")
def reopen(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> DealView:
    """Take a closed deal back into work."""
    return reopen_deal(ctx, ReopenDeal.model_validate(versioned(arguments, record_id, if_match)))


@router.post("/{record_id}/contacts")
def contacts(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> DealView:
    """Give a contact a role in the deal."""
    return set_deal_contact(ctx, SetDealContact.model_validate(versioned(arguments, record_id, if_match)))


@router.post("/{record_id}/line-items")
def line_items(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> DealView:
    """Add a product to the deal."""
    return add_line_item(ctx, AddLineItem.model_validate(versioned(arguments, record_id, if_match)))
