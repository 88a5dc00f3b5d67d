"""Who changed what of a record, when, through which door: the event log as people read it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import inspect, select

from crm_core.access import visible
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import NOUNS, Company, Contact, Deal, Event, Noun, Pipeline, Product, Stage, User
from crm_core.money import format_money
from crm_core.periods import format_day, local_day, local_midnight
from crm_core.services.records import RecordRef, load, model_of
from crm_core.text import join_words

#: Endings of columns that people leave out when they name a field.
_ENDINGS = ("", "_id", "_on", "_at", "_minor")
_NAMED = {"stage_id": Stage, "pipeline_id": Pipeline, "company_id": Company, "contact_id": Contact, "deal_id": Deal, "product_id": Product}


class RecordHistory(RecordRef):
    """Which record, and which of its changes."""

    fields: list[str] = Field(default_factory=list, description="Only changes of these fields, such as expected_close or stage; all where left out.")
    since: date | None = Field(default=None, description="Only changes from this day on.")
    limit: int = Field(default=20, ge=1, le=200, description="Newest changes to show.")


class Change(BaseModel):
    """One field of one change: from what to what, by whom."""

    at: datetime
    who: str
    door: str
    field: str
    title: str
    old: str
    new: str


class HistoryView(BaseModel):
    """The changes of a record, newest first; ``total`` counts all that match."""

    noun: str
    id: int
    label: str
    changes: list[Change]
    total: int


def record_history(ctx: Context, args: RecordHistory) -> HistoryView:
    """Tell who changed which field of a record, when, and from what to what, newest first.

    Raises Invalid for a field that the record does not have.
    """
    model = model_of(args.noun)
    record = load(ctx, model, args.id, archived=True)
    columns = {column_of(model, name): name for name in args.fields}
    query = select(Event).where(Event.noun == args.noun, Event.record_id == record.id, Event.kind != "created")
    if args.since is not None:
        query = query.where(Event.at >= local_midnight(args.since, ctx.zone))
    found = [
        Change(
            at=item.at.astimezone(ctx.zone),
            who=user_name(ctx, item.actor_id) or "",
            door=item.door,
            field=name,
            title=title_of(name),
            old=old,
            new=new,
        )
        for item in ctx.session.scalars(query.order_by(Event.id.desc()))
        for name, (old, new) in shown_changes(ctx, item).items()
        if not columns or name in columns
    ]
    label = getattr(record, "name", None) or getattr(record, "subject", "")
    return HistoryView(noun=args.noun, id=record.id, label=str(label), changes=found[: args.limit], total=len(found))


def column_of(model: type[Noun], name: str) -> str:
    """The column (or own field) that people mean by a field's name; raises ``Invalid`` that lists them."""
    keys = {column.key for column in inspect(model).column_attrs}
    wanted = name.strip().lower().replace(" ", "_")
    for ending in _ENDINGS:
        if wanted + ending in keys:
            return wanted + ending
    if wanted.startswith("custom."):
        return wanted
    raise Invalid(
        f"A {model.__noun__} has no field '{name}'; it has {join_words(sorted(title_of(key) for key in keys - {'id', 'version', 'custom'}))}."
    )


def title_of(column: str) -> str:
    """``expected close`` for ``expected_close_on``."""
    for ending in _ENDINGS[1:]:
        column = column.removesuffix(ending)
    return column.removeprefix("custom.").replace("_", " ")


def shown_changes(ctx: Context, item: Event) -> dict[str, tuple[str, str]]:
    """Column to old and new value of one event as people read them; names instead of numbers where they may be seen."""
    currency = None
    if "amount_minor" in item.changes and item.noun == "deal":
        currency = ctx.session.scalar(select(Deal.currency).where(Deal.id == item.record_id))
    return {name: (shown_value(ctx, name, old, currency), shown_value(ctx, name, new, currency)) for name, (old, new) in item.changes.items()}


def describe_changes(ctx: Context, item: Event) -> str:
    """``stage: Discovery → Proposal; amount: $40,000 → $45,000``."""
    if item.kind == "created":
        return ""
    return "; ".join(f"{title_of(name)}: {old} → {new}" for name, (old, new) in shown_changes(ctx, item).items())


#: Longest text of a value in a sentence or a table, in characters.
VALUE_CHARS = 80


def shown_value(ctx: Context, name: str, value: object, currency: str | None = None, *, whole: bool = False) -> str:
    """One value of an event as people read it; a long text is cut unless ``whole``."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, dict) and "contact_id" in value:  # a part in a deal
        return f"{_name_of(ctx, Contact, value['contact_id']) or 'a contact'}: {value.get('role', '')}"
    if isinstance(value, dict) and "quantity" in value:  # a product in a deal
        return f"{value['quantity']} x {value.get('product') or 'a product'} at {format_money(int(value['unit_price_minor']), currency or ctx.home_currency)}"
    if isinstance(value, dict) and "valid_from" in value:  # a list price
        return f"{format_money(int(value['amount_minor']), value['currency'])} from {format_day(date.fromisoformat(value['valid_from']))}"
    if name in ("owner_id", "actor_id"):
        return user_name(ctx, int(str(value))) or "somebody else"
    if name in _NAMED:
        return _name_of(ctx, _NAMED[name], int(str(value))) or f"{title_of(name)} {value}"
    if name.endswith("_minor"):
        return format_money(int(str(value)), currency or ctx.home_currency)
    if name.endswith("_on"):
        return format_day(date.fromisoformat(str(value)))
    if name.endswith("_at"):
        return format_day(local_day(datetime.fromisoformat(str(value)), ctx.zone))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if whole else str(value)[:VALUE_CHARS]


def _name_of(ctx: Context, model: Any, key: int) -> str | None:
    query: Any = select(model.name).where(model.id == key)
    if model in NOUNS.values():
        query = query.where(visible(ctx, model))
    name: str | None = ctx.session.scalar(query)
    return name


def user_name(ctx: Context, user_id: int | None) -> str | None:
    """The user's name, read once a call."""
    if user_id is None:
        return None
    names: dict[int, str] = ctx.session.info.setdefault("user_names", {})
    if user_id not in names:
        names[user_id] = ctx.session.scalar(select(User.name).where(User.id == user_id, visible(ctx, User))) or ""
    return names[user_id] or None
