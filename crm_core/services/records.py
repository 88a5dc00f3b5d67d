"""What every verb shares: loading with rights, versions, references, picklists, custom values, archiving."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import func, insert, select, update

from crm_core.access import may_read, require_change, require_create, visible
from crm_core.context import Context
from crm_core.errors import Conflict, Invalid, NotFound
from crm_core.events import changed_fields, event_row, history
from crm_core.metrics.conversion import rates
from crm_core.metrics.fields import Kind, custom_fields
from crm_core.models import (
    NOUNS,
    CustomField,
    Event,
    Noun,
    Organisation,
    PicklistValue,
    User,
)
from crm_core.money import check_currency, plain_number, to_decimal, to_minor
from crm_core.text import join_words

MAX_NUMBER = 10**15
N = TypeVar("N", bound=Noun)


def _no_control(text: str) -> str:
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\r\t" for letter in text):
        raise ValueError("control characters are not allowed")
    return text


_Clean = AfterValidator(_no_control)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), _Clean]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120), _Clean]
Body = Annotated[str, StringConstraints(max_length=200_000), _Clean]


class Args(BaseModel):
    """Base of argument models: unknown arguments are refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """Base of results: one record as a door shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    version: int
    external_id: str | None = None
    custom: dict[str, Any] = Field(default_factory=dict)
    archived: bool = False


V = TypeVar("V", bound=View)


def view_of(ctx: Context, model: type[V], record: Noun, **shown: Any) -> V:
    """The record as a view: fields of the same name as they are, instants in the caller's time zone, the company's own fields and the others as ``shown``."""
    plain = {name: getattr(record, name) for name in model.model_fields if name not in ("archived", "custom") and name not in shown}
    plain = {name: value.astimezone(ctx.zone) if isinstance(value, datetime) else value for name, value in plain.items()}
    return model(**plain, custom=shown_custom(ctx, record), archived=record.archived_at is not None, **shown)


def shown_custom(ctx: Context, record: Noun) -> dict[str, Any]:
    """The company's own fields as JSON carries them: money as a decimal, as it is given."""
    fields = custom_fields(ctx, type(record))
    return {
        key: shown_amount(value, ctx.home_currency) if key in fields and fields[key].kind is Kind.money and value is not None else value
        for key, value in record.custom.items()
    }


class Versioned(Args):
    """Arguments that change one record. ``version`` is the one that was read; left out, the newest is taken."""

    id: int = Field(description="Number of the record.")
    version: int | None = Field(default=None, description="Version that you read; a stale one is refused.")


class RecordRef(Args):
    """One record of any noun."""

    noun: str = Field(description="company, contact, lead, deal, ticket, activity, product or user.")
    id: int = Field(description="Number of the record.")


class ArchiveRecord(RecordRef):
    """Which record to archive or restore."""

    version: int | None = Field(default=None, description="Version that you read; a stale one is refused.")


def model_of(noun: str) -> type[Noun]:
    """The table of a noun; raises ``Invalid`` that lists the nouns."""
    model = NOUNS.get(noun)
    if model is None:
        raise Invalid(f"There is no record kind '{noun}'; use one of {join_words(list(NOUNS), 'or')}.")
    return model


def load(ctx: Context, model: type[N], record_id: int, *, archived: bool = False) -> N:
    """The record if the caller may see it; raises ``NotFound`` otherwise, never telling which."""
    query = select(model).where(model.id == record_id, visible(ctx, model))
    if not archived:
        query = query.where(model.archived_at.is_(None))
    record = ctx.session.scalar(query) if abs(record_id) < 2**62 else None
    if record is None:
        raise NotFound(f"There is no {model.__noun__} {record_id} that you can see.")
    return record


def load_for_change(ctx: Context, model: type[N], args: Versioned, *, archived: bool = False) -> N:
    """The record, if the caller may change it and read its newest version; raises ``NotAllowed`` or ``Conflict``."""
    record = load(ctx, model, args.id, archived=archived)
    require_change(ctx, record)
    check_version(ctx, record, args.version)
    return record


def check_version(ctx: Context, record: Noun, version: int | None) -> None:
    """Raise ``Conflict`` that names the fields changed since ``version``."""
    if version is None or version == record.version:
        return
    if version > record.version:
        raise Invalid(f"This {record.__noun__} has no version {version} yet; it is at version {record.version}.")
    later = history(ctx.session, record.__noun__, record.id, since_version=version)
    fields = changed_fields(later) or ["something"]
    who = {item.actor_id for item in later}
    names = [ctx.session.scalar(select(User.name).where(User.id == item)) if item else "the system" for item in who]
    by = f" by {join_words([name for name in names if name])}" if who else ""
    raise Conflict(
        f"This {record.__noun__} changed since you read it: {join_words(fields)}{by}. Read it again and repeat your change.",
        noun=record.__noun__,
        id=record.id,
        version=record.version,
        changed=fields,
    )


def create(ctx: Context, model: type[N], values: Mapping[str, Any], custom: Mapping[str, Any] | None = None, *, for_others: bool = False) -> N:
    """Insert a checked record owned by the caller unless ``owner_id`` is given; returns it flushed.

    ``for_others`` lets the caller create for an owner whose records they may not change, such as a task for a colleague.
    """
    noun = model.__noun__
    require_create(ctx, noun)
    check_choices(ctx, noun, values)
    owner_id = values.get("owner_id")
    if owner_id is not None and not load(ctx, User, owner_id).active:
        raise Invalid("This user is not active; choose another owner.")
    record = model(**values)
    if model.__owner__ and values.get("owner_id") is None:
        record.owner_id = ctx.actor.user_id  # type: ignore[attr-defined]
    if record.created_at is None:
        record.created_at = ctx.now
    record.updated_at = ctx.now
    record.custom = {key: value for key, value in checked_custom(ctx, noun, custom or {}).items() if value is not None}
    if not for_others:
        require_change(ctx, record)
    ctx.session.add(record)
    ctx.session.flush()
    return record


def change(ctx: Context, record: N, values: Mapping[str, Any], custom: Mapping[str, Any] | None = None) -> N:
    """Set checked values and flush; custom values are merged, None removes one."""
    check_choices(ctx, record.__noun__, values)
    for name in ("name", "subject"):
        if name in values and not values[name]:
            raise Invalid(f"A {record.__noun__} needs a {name}; give one.")
    checked = checked_custom(ctx, record.__noun__, custom or {})
    before_owner = getattr(record, "owner_id", None)
    for name, value in values.items():
        setattr(record, name, value)
    if custom is not None:
        merged = {**record.custom, **checked}
        record.custom = {key: value for key, value in merged.items() if value is not None}
    if getattr(record, "owner_id", None) == before_owner:
        require_change(ctx, record)
    if ctx.session.is_modified(record):
        record.updated_at = ctx.now
    ctx.session.flush()
    return record


def note_change(ctx: Context, record: Noun, changes: dict[str, list[Any]]) -> None:
    """Touch a record whose parts changed (people, products, prices): a new version and an event that says what."""
    record.updated_at = max(ctx.now, record.updated_at + timedelta(microseconds=1))
    ctx.session.flush()
    row = event_row(
        record.__noun__,
        record.id,
        record.version,
        "updated",
        changes,
        at=ctx.now,
        actor_id=ctx.actor.user_id,
        door=ctx.session.info["door"],
        change_set_id=ctx.session.info.get("change_set_id"),
    )
    ctx.session.execute(insert(Event), [row])
    if "recorded" in ctx.session.info:
        ctx.session.info["recorded"].append(row)


def set_fields(args: BaseModel, *skip: str) -> dict[str, Any]:
    """The fields of an update that the caller named."""
    omitted = {"id", "version", "custom", *skip}
    return {name: getattr(args, name) for name in args.model_fields_set if name not in omitted}


def check_choices(ctx: Context, noun: str, values: Mapping[str, Any]) -> None:
    """Raise ``Invalid`` for a value outside its picklist, where the company has set one."""
    lists = picklists(ctx, noun)
    for name, value in values.items():
        if value is not None and name in lists and value not in lists[name]:
            allowed = ", ".join(lists[name])
            raise Invalid(f"'{value}' is not a {name.replace('_', ' ')} here; use one of: {allowed}.")


def picklists(ctx: Context, noun: str) -> dict[str, list[str]]:
    """The company's allowed words, by field."""
    cache: dict[str, dict[str, list[str]]] = ctx.session.info.setdefault("picklists", {})
    if not cache:
        rows = ctx.session.scalars(select(PicklistValue).order_by(PicklistValue.position, PicklistValue.id))
        for row in rows:
            cache.setdefault(row.noun, {}).setdefault(row.field, []).append(row.value)
        cache.setdefault("", {})
    return cache.get(noun, {})


def picklist_kind(ctx: Context, noun: str, field: str, kind: str) -> str | None:
    """The first value of a picklist that carries ``kind`` (such as the status that means resolved)."""
    return ctx.session.scalar(
        select(PicklistValue.value)
        .where(PicklistValue.noun == noun, PicklistValue.field == field, PicklistValue.kind == kind)
        .order_by(PicklistValue.position)
    )


def checked_custom(ctx: Context, noun: str, custom: Mapping[str, Any]) -> dict[str, Any]:
    """Custom values in stored form; raises ``Invalid`` for an unknown field or a value of the wrong type."""
    if not custom:
        return {}
    rows = ctx.session.scalars(select(CustomField).where(CustomField.noun == noun)).all()
    known = {row.key: row for row in rows}
    checked: dict[str, Any] = {}
    for key, value in custom.items():
        row = known.get(key)
        if row is None:
            have = ", ".join(sorted(known)) or "none"
            raise Invalid(f"A {noun} has no custom field '{key}'; it has {have}.")
        checked[key] = None if value is None else stored_custom(ctx, row, value)
    return checked


def number_value(value: Any) -> int | float:
    """A number as custom fields keep it; raises ``ValueError`` or ``ArithmeticError`` for anything else."""
    number = plain_number(str(value))
    if abs(number) > MAX_NUMBER:
        raise ValueError
    return int(number) if number == number.to_integral_value() else float(number)


def stored_custom(ctx: Context, row: CustomField, value: Any) -> Any:
    """One custom value in stored form: money as minor units, dates as ISO days."""
    try:
        if row.kind == "number":
            return number_value(value)
        if row.kind == "money":
            return to_minor(value, ctx.home_currency)
        if row.kind == "date":
            return date.fromisoformat(str(value)[:10]).isoformat()
        if row.kind == "boolean":
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]
        text = str(value)
        if row.kind == "choice" and text not in row.choices:
            raise Invalid(f"'{text}' is not a {row.label}; use one of: {', '.join(row.choices)}.")
        return text[:5000]
    except (ArithmeticError, KeyError, ValueError) as error:
        raise Invalid(f"'{value}' does not fit the custom field {row.label}, which is a {row.kind}.") from error


def check_reference(ctx: Context, noun: str, record_id: int | None) -> None:
    """Raise ``NotFound`` unless the referred record exists and the caller may see it."""
    if record_id is not None:
        load(ctx, model_of(noun), record_id)


def check_references(ctx: Context, values: Mapping[str, Any]) -> None:
    """Check every ``NOUN_id`` among values; owners must be users."""
    for name, value in values.items():
        noun = {"owner_id": "user", "parent_id": "company"}.get(name, name.removesuffix("_id"))
        if name.endswith("_id") and noun in NOUNS:
            check_reference(ctx, noun, value)


def check_amount(ctx: Context, amount: Decimal | None, currency: str | None) -> tuple[int | None, str]:
    """Minor units and currency; raises ``Invalid`` where the currency is unknown or has no exchange rate."""
    code = check_currency(currency) if currency else ctx.home_currency
    if code not in rates(ctx):
        have = join_words(sorted(rates(ctx)))
        raise Invalid(f"There is no exchange rate for {code}; use {have}, or ask an administrator to add the rate.")
    return (None if amount is None else to_minor(amount, code)), code


def shown_name(ctx: Context, record: Noun | None) -> str | None:
    """Name of a related record, or None where the caller may not see it."""
    if record is None or not may_read(ctx, record):
        return None
    return getattr(record, "name", None) or getattr(record, "subject", None)


def shown_amount(minor: int | None, currency: str) -> str | None:
    """A decimal amount as JSON carries it."""
    return None if minor is None else str(to_decimal(minor, currency))


def archive_record(ctx: Context, args: ArchiveRecord) -> RecordRef:
    """Archive a record: it leaves lists, figures and search, and can be restored; nothing is deleted."""
    record = _load_ref(ctx, args, archived=True)
    if record.archived_at is None:
        if isinstance(record, User):
            keep_an_admin(ctx, record)
        record.archived_at = record.updated_at = ctx.now
        ctx.session.flush()
        if isinstance(record, User):
            touch_access(ctx)
    return RecordRef(noun=args.noun, id=record.id)


def restore_record(ctx: Context, args: ArchiveRecord) -> RecordRef:
    """Bring an archived record back."""
    record = _load_ref(ctx, args, archived=True)
    if record.archived_at is not None:
        record.archived_at, record.updated_at = None, ctx.now
        ctx.session.flush()
        if isinstance(record, User):
            touch_access(ctx)
    return RecordRef(noun=args.noun, id=record.id)


def _load_ref(ctx: Context, args: ArchiveRecord, *, archived: bool) -> Noun:
    model = model_of(args.noun)
    return load_for_change(ctx, model, Versioned(id=args.id, version=args.version), archived=archived)


def keep_an_admin(ctx: Context, user: User) -> None:
    """Raise ``Invalid`` where without this user no active administrator would be left."""
    others = select(func.count()).select_from(User).where(User.role == "admin", User.active, User.archived_at.is_(None), User.id != user.id)
    if user.role == "admin" and user.active and not ctx.session.scalar(others):
        raise Invalid("This is the last active administrator; make another one first.")


def touch_access(ctx: Context) -> None:
    """Make every process resolve rights and vocabulary anew."""
    ctx.session.execute(
        update(Organisation)
        .values(access_version=Organisation.access_version + 1, vocabulary_version=Organisation.vocabulary_version + 1)
        .execution_options(synchronize_session=False)
    )


class Reassign(ArchiveRecord):
    """Which record goes to whom."""

    owner_id: int = Field(description="Number of the user who becomes the owner.")


def reassign(ctx: Context, args: Reassign) -> RecordRef:
    """Give a record to another owner. Refused where the caller may not change it."""
    model = model_of(args.noun)
    if not model.__owner__:
        raise Invalid(f"A {args.noun} has no owner.")
    record = load_for_change(ctx, model, Versioned(id=args.id, version=args.version))
    user = load(ctx, User, args.owner_id)
    if not user.active:
        raise Invalid(f"{user.name} is not active; choose another owner.")
    change(ctx, record, {"owner_id": user.id})
    return RecordRef(noun=args.noun, id=record.id)
