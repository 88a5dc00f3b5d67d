"""Deals: create, change, move through stages, win, lose, reopen; their people and products."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, Field
from sqlalchemy import func, select

from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import (
    Contact,
    Deal,
    DealContact,
    LineItem,
    Pipeline,
    Price,
    Product,
    Stage,
    StageEntry,
)
from crm_core.money import MAX_MINOR
from crm_core.periods import local_day
from crm_core.services.records import (
    Args,
    Name,
    Short,
    Versioned,
    View,
    change,
    check_amount,
    check_references,
    create,
    load,
    load_for_change,
    note_change,
    set_fields,
    shown_amount,
    shown_name,
    view_of,
)
from crm_core.text import fold


class LineItemView(BaseModel):
    """A product in a deal."""

    product_id: int
    product: str
    quantity: int
    unit_price: str
    total: str


class DealContactView(BaseModel):
    """A person's part in a deal."""

    contact_id: int
    contact: str | None
    role: str


class DealView(View):
    """A deal. ``amount`` is a decimal in ``currency``."""

    name: str
    company_id: int | None
    company: str | None
    pipeline: str
    stage_id: int
    stage: str
    status: str
    amount: str | None
    currency: str
    created_at: datetime
    expected_close_on: date | None
    closed_on: date | None
    forecast_category: str | None
    source: str | None
    loss_reason: str | None
    next_step: str | None
    owner_id: int | None
    owner: str | None
    contacts: list[DealContactView]
    line_items: list[LineItemView]


class _DealFields(Args):
    company_id: int | None = Field(default=None, description="Number of the company.")
    amount: Decimal | None = Field(default=None, description="Decimal amount, such as 12500.")
    currency: str | None = Field(default=None, description="ISO code; the home currency where left out.")
    expected_close_on: date | None = Field(default=None, description="Day it is expected to close.")
    forecast_category: Short | None = Field(default=None, description="One of the company's forecast categories.")
    source: Short | None = Field(default=None, description="One of the company's sources.")
    next_step: str | None = Field(default=None, max_length=2000, description="What happens next.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class CreateDeal(_DealFields):
    """A new deal, in the first stage of its pipeline unless a stage is named."""

    name: Name = Field(description="Name of the deal.")
    pipeline: str | None = Field(default=None, description="Pipeline by name; the first one where left out.")
    stage: str | None = Field(default=None, description="Stage by name; the first one where left out.")
    owner_id: int | None = Field(default=None, description="Owner; the caller where left out.")


class UpdateDeal(_DealFields, Versioned):
    """Fields of a deal to change; stage and owner have verbs of their own."""

    name: Name | None = Field(default=None, description="Name of the deal.")


class GetDeal(Args):
    """Which deal."""

    id: int = Field(description="Number of the deal.")


class MoveDeal(Versioned):
    """Where a deal goes."""

    stage: str = Field(description="Name of an open stage in the deal's pipeline.")


class WinDeal(Versioned):
    """Which deal was won."""

    closed_on: date | None = Field(default=None, description="Day it was won; today where left out.")


class LoseDeal(Versioned):
    """Which deal was lost, and why."""

    reason: Short = Field(description="One of the company's loss reasons.")
    closed_on: date | None = Field(default=None, description="Day it was lost; today where left out.")


class ReopenDeal(Versioned):
    """Which closed deal goes back to work."""

    stage: str | None = Field(default=None, description="Open stage by name; the first one where left out.")


class SetDealContact(Versioned):
    """A person's part in a deal."""

    contact_id: int = Field(description="Number of the contact.")
    role: Short = Field(description="Such as champion, decision maker, economic buyer, blocker.")


class AddLineItem(Versioned):
    """A product to add to a deal."""

    product_id: int = Field(description="Number of the product.")
    quantity: int = Field(ge=1, le=1_000_000, description="How many.")
    unit_price: Decimal | None = Field(default=None, description="Price of one; the list price where left out.")


def deal_view(ctx: Context, record: Deal) -> DealView:
    """The deal as doors show it."""
    return view_of(
        ctx,
        DealView,
        record,
        company=shown_name(ctx, record.company),
        pipeline=record.pipeline.name,
        stage=record.stage.name,
        amount=shown_amount(record.amount_minor, record.currency),
        closed_on=record.closed_at.astimezone(ctx.zone).date() if record.closed_at else None,
        owner=shown_name(ctx, record.owner),
        contacts=[
            DealContactView(contact_id=item.contact_id, contact=shown_name(ctx, item.contact), role=item.role) for item in record.contact_roles
        ],
        line_items=[
            LineItemView(
                product_id=item.product_id,
                product=shown_name(ctx, item.product) or f"product {item.product_id}",
                quantity=item.quantity,
                unit_price=shown_amount(item.unit_price_minor, record.currency) or "",
                total=shown_amount(item.total_minor, record.currency) or "",
            )
            for item in record.line_items
        ],
    )


def _values(ctx: Context, args: CreateDeal | UpdateDeal, currency: str | None) -> dict[str, object]:
    values = set_fields(args, "pipeline", "stage")
    if "amount" in values or "currency" in values:
        code = values.pop("currency", None) or currency
        amount = values.pop("amount", None) if "amount" in values else None
        minor, code = check_amount(ctx, amount, code)
        values["currency"] = code
        if "amount" in args.model_fields_set:
            values["amount_minor"] = minor
    check_references(ctx, values)
    return values


def create_deal(ctx: Context, args: CreateDeal) -> DealView:
    """Create a deal."""
    pipeline = _pipeline(ctx, args.pipeline)
    stage = stage_named(ctx, pipeline.id, args.stage) if args.stage else pipeline.stages[0]
    if stage.kind != "open":
        raise Invalid(f"A new deal cannot start in {stage.name}; create it in an open stage, then win or lose it.")
    values = _values(ctx, args, None)
    values.setdefault("currency", ctx.home_currency)
    values |= {"pipeline_id": pipeline.id, "stage_id": stage.id, "status": "open"}
    return deal_view(ctx, create(ctx, Deal, values, args.custom))


def get_deal(ctx: Context, args: GetDeal) -> DealView:
    """Read a deal with its people and products."""
    return deal_view(ctx, load(ctx, Deal, args.id))


def update_deal(ctx: Context, args: UpdateDeal) -> DealView:
    """Change fields of a deal, such as its amount, close day or next step."""
    record = load_for_change(ctx, Deal, args)
    if args.currency and args.currency.strip().upper() != record.currency and "amount" not in args.model_fields_set:
        raise Invalid("A new currency needs the amount in it; give both.")
    if args.currency and args.currency.strip().upper() != record.currency and record.line_items:
        raise Invalid(f"The deal's products are priced in {record.currency}; a deal with products cannot change its currency.")
    return deal_view(ctx, change(ctx, record, _values(ctx, args, record.currency), args.custom))


def move_deal(ctx: Context, args: MoveDeal) -> DealView:
    """Move a deal to another open stage of its pipeline. A won or lost deal cannot be moved; reopen it first."""
    record = load_for_change(ctx, Deal, args)
    if record.status != "open":
        raise Invalid(f"'{record.name}' is {record.status}; reopen it before you move it.")
    stage = stage_named(ctx, record.pipeline_id, args.stage)
    if stage.kind != "open":
        verb = "win" if stage.kind == "won" else "lose"
        raise Invalid(f"{stage.name} closes the deal; {verb} it instead of moving it.")
    return deal_view(ctx, _to_stage(ctx, record, stage, {}))


def win_deal(ctx: Context, args: WinDeal) -> DealView:
    """Mark a deal won. Refused for a deal that is closed already or a day in the future."""
    record = load_for_change(ctx, Deal, args)
    return deal_view(ctx, _close(ctx, record, "won", args.closed_on, {"loss_reason": None}))


def lose_deal(ctx: Context, args: LoseDeal) -> DealView:
    """Mark a deal lost, with the reason."""
    record = load_for_change(ctx, Deal, args)
    return deal_view(ctx, _close(ctx, record, "lost", args.closed_on, {"loss_reason": args.reason}))


def reopen_deal(ctx: Context, args: ReopenDeal) -> DealView:
    """Take a won or lost deal back into an open stage."""
    record = load_for_change(ctx, Deal, args)
    if record.status == "open":
        raise Invalid(f"'{record.name}' is open already.")
    stage = stage_named(ctx, record.pipeline_id, args.stage) if args.stage else _stage_of_kind(ctx, record.pipeline_id, "open")
    if stage.kind != "open":
        raise Invalid(f"{stage.name} is not an open stage; choose one that is.")
    return deal_view(ctx, _to_stage(ctx, record, stage, {"closed_at": None, "loss_reason": None}))


def set_deal_contact(ctx: Context, args: SetDealContact) -> DealView:
    """Give a contact a role in a deal, such as champion."""
    record = load_for_change(ctx, Deal, args)
    contact = load(ctx, Contact, args.contact_id)
    if not any(item.contact_id == contact.id and item.role == args.role for item in record.contact_roles):
        record.contact_roles.append(DealContact(contact_id=contact.id, contact=contact, role=args.role))
        note_change(ctx, record, {"contact_roles": [None, {"contact_id": contact.id, "role": args.role}]})
    return deal_view(ctx, record)


def add_line_item(ctx: Context, args: AddLineItem) -> DealView:
    """Add a product to a deal. The deal's amount is not changed by it."""
    record = load_for_change(ctx, Deal, args)
    product = load(ctx, Product, args.product_id)
    if args.unit_price is not None:
        unit, _ = check_amount(ctx, args.unit_price, record.currency)
    else:
        unit = list_price(ctx, product, record.currency)
    assert unit is not None
    if unit * args.quantity > MAX_MINOR:
        raise Invalid(f"{args.quantity} times this price is more than an amount may be.")
    record.line_items.append(
        LineItem(product_id=product.id, product=product, quantity=args.quantity, unit_price_minor=unit, total_minor=unit * args.quantity)
    )
    line = {"product_id": product.id, "product": product.name, "quantity": args.quantity, "unit_price_minor": unit}
    note_change(ctx, record, {"line_items": [None, line]})
    return deal_view(ctx, record)


def list_price(ctx: Context, product: Product, currency: str) -> int:
    """The price valid today, in minor units; raises ``Invalid`` where there is none in this currency."""
    price = ctx.session.scalar(
        select(Price.amount_minor)
        .where(Price.product_id == product.id, Price.currency == currency, Price.valid_from <= ctx.today)
        .order_by(Price.valid_from.desc())
        .limit(1)
    )
    if price is None:
        raise Invalid(f"{product.name} has no list price in {currency}; give the unit price.")
    return price


def stage_named(ctx: Context, pipeline_id: int, name: str) -> Stage:
    """A stage of one pipeline by name; raises ``Invalid`` that lists its stages."""
    stages = ctx.session.scalars(select(Stage).where(Stage.pipeline_id == pipeline_id).order_by(Stage.position)).all()
    for stage in stages:
        if fold(stage.name) == fold(name):
            return stage
    names = ", ".join(stage.name for stage in stages)
    elsewhere = ctx.session.scalar(select(Pipeline.name).join(Stage).where(Stage.name == name).limit(1))
    hint = f" ('{name}' belongs to the pipeline {elsewhere})" if elsewhere else ""
    raise Invalid(f"This deal's pipeline has no stage '{name}'{hint}; its stages are {names}.")


def _pipeline(ctx: Context, name: str | None) -> Pipeline:
    pipelines = ctx.session.scalars(select(Pipeline).order_by(Pipeline.position, Pipeline.id)).all()
    if not pipelines:
        raise Invalid("There is no pipeline yet; an administrator must add one first.")
    if name is None:
        return pipelines[0]
    for pipeline in pipelines:
        if fold(pipeline.name) == fold(name):
            return pipeline
    raise Invalid(f"There is no pipeline '{name}'; there are {', '.join(item.name for item in pipelines)}.")


def _stage_of_kind(ctx: Context, pipeline_id: int, kind: str) -> Stage:
    stage = ctx.session.scalar(select(Stage).where(Stage.pipeline_id == pipeline_id, Stage.kind == kind).order_by(Stage.position).limit(1))
    if stage is None:
        raise Invalid(f"This pipeline has no stage for {kind} deals; an administrator must add one.")
    return stage


def _close(ctx: Context, record: Deal, kind: str, day: date | None, values: dict[str, object]) -> Deal:
    if record.status != "open":
        raise Invalid(f"'{record.name}' is {record.status} already; reopen it first.")
    if day is not None and day > ctx.today:
        raise Invalid(f"A deal cannot be {kind} on {day}, which is still to come; use today or an earlier day.")
    moment = ctx.now
    if day is not None and day < local_day(_last_moved(ctx, record), ctx.zone):
        raise Invalid(f"A deal cannot be {kind} on {day}, before it was created or last moved; use that day or a later one.")
    if day is not None and day != ctx.today:
        moment = ctx.now.astimezone(ctx.zone).replace(year=day.year, month=day.month, day=day.day, hour=12, minute=0, second=0, microsecond=0)
        moment = max(moment, _last_moved(ctx, record))
    return _to_stage(ctx, record, _stage_of_kind(ctx, record.pipeline_id, kind), {**values, "closed_at": moment})


def _last_moved(ctx: Context, record: Deal) -> datetime:
    entered = ctx.session.scalar(select(func.max(StageEntry.entered_at)).where(StageEntry.deal_id == record.id))
    return max(entered, record.created_at) if entered else record.created_at


def _to_stage(ctx: Context, record: Deal, stage: Stage, values: dict[str, object]) -> Deal:
    change(ctx, record, {**values, "stage_id": stage.id, "status": stage.kind})
    ctx.session.expire(record, ["stage"])
    return record
