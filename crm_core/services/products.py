"""Products and their list prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field

from crm_core.access import require_admin
from crm_core.context import Context
from crm_core.models import Price, Product
from crm_core.services.records import (
    Args,
    Name,
    Short,
    Versioned,
    View,
    change,
    check_amount,
    create,
    load,
    load_for_change,
    note_change,
    set_fields,
    shown_amount,
    view_of,
)


class PriceView(BaseModel):
    """A list price from a day on."""

    currency: str
    amount: str
    valid_from: date


class ProductView(View):
    """A product."""

    name: str
    code: str | None
    family: str | None
    active: bool
    prices: list[PriceView]


class CreateProduct(Args):
    """A new product."""

    name: Name = Field(description="Name of the product.")
    code: Short | None = Field(default=None, description="Article number.")
    family: Short | None = Field(default=None, description="Product family.")
    price: Decimal | None = Field(default=None, description="List price from today on.")
    currency: str | None = Field(default=None, description="Currency of that price; the home currency where left out.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class UpdateProduct(Versioned):
    """Fields of a product to change."""

    name: Name | None = Field(default=None, description="Name of the product.")
    code: Short | None = Field(default=None, description="Article number.")
    family: Short | None = Field(default=None, description="Product family.")
    active: bool | None = Field(default=None, description="Whether it is sold.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class GetProduct(Args):
    """Which product."""

    id: int = Field(description="Number of the product.")


class SetPrice(Versioned):
    """A list price from a day on."""

    amount: Decimal = Field(description="Decimal amount.")
    currency: str | None = Field(default=None, description="ISO code; the home currency where left out.")
    valid_from: date | None = Field(default=None, description="First day it holds; today where left out.")


def product_view(ctx: Context, record: Product) -> ProductView:
    """The product as doors show it."""
    return view_of(
        ctx,
        ProductView,
        record,
        prices=[
            PriceView(currency=item.currency, amount=shown_amount(item.amount_minor, item.currency) or "", valid_from=item.valid_from)
            for item in record.prices
        ],
    )


def create_product(ctx: Context, args: CreateProduct) -> ProductView:
    """Add a product to the catalogue. Only an administrator may."""
    require_admin(ctx, "add products")
    values = set_fields(args, "price", "currency")
    minor, currency = check_amount(ctx, args.price, args.currency)
    record = create(ctx, Product, values, args.custom)
    if minor is not None:
        record.prices.append(Price(currency=currency, amount_minor=minor, valid_from=ctx.today))
        ctx.session.flush()
    return product_view(ctx, record)


def get_product(ctx: Context, args: GetProduct) -> ProductView:
    """Read a product with its list prices."""
    return product_view(ctx, load(ctx, Product, args.id))


def update_product(ctx: Context, args: UpdateProduct) -> ProductView:
    """Change a product. Only an administrator may."""
    require_admin(ctx, "change products")
    return product_view(ctx, change(ctx, load_for_change(ctx, Product, args), set_fields(args), args.custom))


def set_price(ctx: Context, args: SetPrice) -> ProductView:
    """Set a product's list price from a day on. Only an administrator may."""
    require_admin(ctx, "set prices")
    record = load_for_change(ctx, Product, args)
    minor, currency = check_amount(ctx, args.amount, args.currency)
    day = args.valid_from or ctx.today
    known = next((item for item in record.prices if item.currency == currency and item.valid_from == day), None)
    old = None if known is None else {"currency": currency, "valid_from": day.isoformat(), "amount_minor": known.amount_minor}
    if known is None:
        record.prices.append(Price(currency=currency, amount_minor=minor, valid_from=day))
    else:
        known.amount_minor = minor or 0
    note_change(ctx, record, {"price": [old, {"currency": currency, "valid_from": day.isoformat(), "amount_minor": minor or 0}]})
    return product_view(ctx, record)
