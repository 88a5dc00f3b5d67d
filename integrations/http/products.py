"""Products over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from crm_core.services.products import (
    CreateProduct,
    GetProduct,
    ProductView,
    SetPrice,
    UpdateProduct,
    create_product,
    get_product,
    set_price,
    update_product,
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

router = APIRouter(prefix="/api/products", tags=["products"])


@router.get("")
def list_products(ctx: Read, params: Params) -> Page:
    """List or find products, with totals over everything that matches."""
    return page(ctx, "product", params)


@router.post("", status_code=201, response_model=ProductView)
def create(ctx: Write, arguments: CreateProduct, request: Request, response: Response, key: IdempotencyHeader = None) -> Any:
    """Create a product."""
    return tagged(response, once(ctx, request, key, arguments, lambda: create_product(ctx, arguments)))


@router.get("/{record_id}")
def read(ctx: Read, record_id: int, response: Response) -> ProductView:
    """Read a product; the ETag is its version."""
    view: ProductView = tagged(response, get_product(ctx, GetProduct(id=record_id)))
    return view


@router.patch("/{record_id}")
def update(ctx: Write, record_id: int, changes: dict[str, Any], response: Response, if_match: IfMatch = None) -> ProductView:
    """Change a product; the version that was read is required."""
    view: ProductView = tagged(response, update_product(ctx, UpdateProduct.model_validate(versioned(changes, record_id, if_match))))
    return view


@router.delete("/{record_id}")
def archive(ctx: Write, record_id: int, if_match: IfMatch = None) -> RecordRef:
    """Archive a product; it can be restored."""
    return archive_record(ctx, ArchiveRecord.model_validate({**versioned({}, record_id, if_match), "noun": "product"}))


@router.post("/{record_id}/restore")
def restore(ctx: Write, record_id: int) -> RecordRef:
    """Restore an archived product."""
    return restore_record(ctx, ArchiveRecord(noun="product", id=record_id))


@router.post("/{record_id}/prices")
def prices(ctx: Write, record_id: int, arguments: dict[str, Any], if_match: IfMatch = None) -> ProductView:
    """Set a list price from a day on."""
    return set_price(ctx, SetPrice.model_validate(versioned(arguments, record_id, if_match)))
