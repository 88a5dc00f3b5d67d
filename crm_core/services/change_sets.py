"""Change sets that were decided: finding them, and taking an applied one back.

Undo reads what happened, not what was planned: the events of a change set tell each field's value before and after it.
Taking it back gives every field the value it had, and archives what was created; nothing is deleted. It is a change like
any other, so it is proposed with its own diff, decided under the same rules, kept, and can itself be undone. A field
that somebody changed since is a conflict, told by name; the rest can be taken back alone where that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Date, func, inspect, or_, select, update

from crm_core.access import may_change, require_change
from crm_core.context import Context
from crm_core.database import UtcDateTime
from crm_core.errors import Conflict, Invalid, NotFound
from crm_core.events import json_value
from crm_core.models import NOUNS, ChangeSet, Deal, DealContact, Event, LineItem, Noun, Price, Product, User
from crm_core.services.history import shown_value, title_of, user_name
from crm_core.services.records import Args, keep_an_admin, load, note_change, touch_access
from crm_core.services.words import take_back_word
from crm_core.text import join_words, plural

Status = Literal["proposed", "applied", "refused", "expired", "conflict", "undone", "replaced"]
#: Changes that are taken back in one.
MOST = 200
#: Conflicts that a sentence names one by one.
NAMED = 5


class ListChanges(Args):
    """Which changes to list, newest first."""

    status: Status | None = Field(default=None, description="Only those in this state.")
    text: str = Field(default="", max_length=200, description="Words of the title or of the message that asked for it.")
    since: datetime | None = Field(default=None, description="Only those asked for from this moment on.")
    everybody: bool = Field(default=False, description="Those of all whose changes the caller may see, instead of the caller's own.")
    noun: str = Field(default="", max_length=40, description="Only changes of this record, together with id.")
    id: int | None = Field(default=None, description="Number of the record.")
    limit: int = Field(default=50, ge=1, le=200, description="How many.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="How many to skip.")


class UndoChange(Args):
    """Which applied changes to take back, as one."""

    change_set_ids: list[int] = Field(min_length=1, max_length=MOST, description="Numbers of the changes.")
    partly: bool = Field(default=False, description="Take back what can be, and leave what somebody changed since.")


class Undone(BaseModel):
    """What was taken back, and what was left because it changed since."""

    change_set_ids: list[int]
    title: str
    records: int
    left: list[str]


class ShownChange(BaseModel):
    """One field of a change as people read it: of which record, from what, to what."""

    noun: str
    id: int
    record: str
    title: str
    old: str
    new: str
    created: bool


def shown_diff(ctx: Context, diff: list[dict[str, Any]], *, whole: bool = False) -> list[ShownChange]:
    """A diff with names for numbers, amounts with their currency, and days as people write them.

    Unless ``whole``, what any new record has is left out, and long texts are cut.
    """
    labels = record_names(ctx, diff)
    currencies = {_line_key(item): item["new"] for item in diff if item["field"] == "currency"}
    shown = []
    for item in diff:
        key = _line_key(item)
        usual = item["field"] in ("currency", "pipeline_id", "status", "name", "subject", "phrase") or item["new"] in ("now", "", None)
        if item["created"] and usual and len(diff) > 1 and not whole:
            continue  # what any new record has, and its name, which stands beside each field
        currency = currencies.get(key) or _currency_of(ctx, item["noun"], item["id"])
        old, new = (_shown(ctx, item["field"], value, currency, whole=whole) for value in (item["old"], item["new"]))
        record = labels.get(key) or f"{item['noun']} {item['id'] or ''}".strip()
        shown.append(
            ShownChange(noun=item["noun"], id=item["id"], record=record, title=title_of(item["field"]), old=old, new=new, created=item["created"])
        )
    return shown


def _line_key(line: dict[str, Any]) -> tuple[str, int, str | None]:
    """The record of a line of a diff; of several new ones which."""
    return line["noun"], line["id"], line.get("new_number")


def _shown(ctx: Context, name: str, value: Any, currency: str | None, *, whole: bool) -> str:
    if isinstance(value, str) and (value == "now" or value.startswith("new ") and name.endswith("_id")):
        return value  # the moment of the run, and a record that has no number yet
    if name == "kind" or value is None:
        return str(value or "nothing")
    return shown_value(ctx, name, value, currency, whole=whole)


def record_names(ctx: Context, diff: list[dict[str, Any]]) -> dict[tuple[str, int, str | None], str]:
    """What each record of a diff is called, by its kind, its number and which of several new ones; a new one by the name that it is given."""
    labels: dict[tuple[str, int, str | None], str] = {}
    for item in diff:
        key = _line_key(item)
        if item["created"] and item["field"] in ("name", "subject", "phrase"):
            labels[key] = f"{item['new']} (new {item['noun']})"
        elif item["id"] and key not in labels and item["noun"] in NOUNS:
            try:
                labels[key] = _label(load(ctx, NOUNS[item["noun"]], item["id"], archived=True))
            except NotFound:
                continue
    return labels


def _currency_of(ctx: Context, noun: str, record_id: int) -> str | None:
    return ctx.session.scalar(select(Deal.currency).where(Deal.id == record_id)) if noun == "deal" and record_id else None


def list_changes(ctx: Context, wanted: ListChanges) -> list[ChangeSet]:
    """The caller's change sets, or all that the caller may see, newest first."""
    query = select(ChangeSet).order_by(ChangeSet.id.desc()).limit(wanted.limit).offset(wanted.offset)
    if not wanted.everybody:
        query = query.where(ChangeSet.requester_id == ctx.actor.user_id)
    elif not ctx.actor.is_admin:
        team = ctx.actor.member_ids if ctx.actor.role == "manager" else ()
        query = query.where(or_(ChangeSet.requester_id == ctx.actor.user_id, ChangeSet.requester_id.in_(team)))
    if wanted.status == "expired":
        query = query.where(ChangeSet.status == "proposed", ChangeSet.expires_at <= ctx.now)
    elif wanted.status == "proposed":
        query = query.where(ChangeSet.status == "proposed", ChangeSet.expires_at > ctx.now)
    elif wanted.status is not None:
        query = query.where(ChangeSet.status == wanted.status)
    if wanted.since is not None:
        query = query.where(ChangeSet.created_at >= wanted.since)
    for word in wanted.text.lower().split():
        query = query.where(
            or_(func.lower(ChangeSet.title).contains(word, autoescape=True), func.lower(ChangeSet.message).contains(word, autoescape=True))
        )
    if wanted.id is not None:
        touched = select(Event.change_set_id).where(Event.noun == wanted.noun, Event.record_id == wanted.id, Event.change_set_id.is_not(None))
        query = query.where(ChangeSet.id.in_(touched))
    return list(ctx.session.scalars(query))


def load_change_set(ctx: Context, change_set_id: int) -> ChangeSet:
    """A change set that the caller asked for, or may decide; raises ``NotFound`` otherwise."""
    found = ctx.session.get(ChangeSet, change_set_id) if abs(change_set_id) < 2**62 else None
    if found is None or not _may_see(ctx, found):
        raise NotFound(f"There is no proposed change {change_set_id} that you can see.")
    return found


def state_of(ctx: Context, change: ChangeSet) -> Status:
    """The state as it is now: a proposal that nobody decided in time has expired."""
    if change.status == "proposed" and change.expires_at <= ctx.now:
        return "expired"
    return change.status  # type: ignore[return-value]


def _may_see(ctx: Context, change: ChangeSet) -> bool:
    own = change.requester_id == ctx.actor.user_id
    return own or ctx.actor.is_admin or (ctx.actor.role == "manager" and change.requester_id in ctx.actor.member_ids)


@dataclass
class _Taken:
    """What a change did to one record: whether it made it, each field's first old and last new value, and parts in their order."""

    noun: str
    record_id: int
    created: bool = False
    fields: dict[str, list[Any]] = field(default_factory=dict)
    parts: list[tuple[str, Any, Any]] = field(default_factory=list)
    last_event: int = 0


def undo_change(ctx: Context, args: UndoChange) -> Undone:
    """Take back applied changes, the newest first: fields get the values they had, what was created is archived; said what changed since."""
    numbers = sorted(set(args.change_set_ids), reverse=True)
    changes = [load_change_set(ctx, number) for number in numbers]
    for change in changes:
        if change.status != "applied":
            raise Conflict(f"'{change.title}' is {state_of(ctx, change)}; only a change that was applied can be undone.")
    known = _Known(frozenset(numbers), ctx.session.scalar(select(func.max(Event.id))) or 0)
    left: list[str] = []
    done = 0
    for change in changes:
        told: list[str] = []
        for taken in reversed(list(_what_happened(ctx, change.id).values())):
            clashes, did = _take_back(ctx, taken, known, partly=args.partly)
            told += clashes
            done += did
        if not told:
            _mark(ctx, change)
        left += told
    if left and not args.partly:
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        raise Conflict(
            f"This cannot be undone as a whole, since it changed meanwhile: {join_words(left[:NAMED])}{more}. "
            "Say 'undo it partly' to take back the rest, or change these by hand.",
            changed=left,
        )
    if not done:
        raise Conflict(f"Nothing of this can be taken back: {join_words(left[:NAMED])}.", changed=left)
    ctx.session.flush()
    title = changes[0].title if len(changes) == 1 else plural(len(changes), "change")
    return Undone(change_set_ids=numbers, title=title, records=done, left=left)


@dataclass(frozen=True)
class _Known:
    """The changes that are being taken back together, and the last event before that began."""

    changes: frozenset[int]
    last_event: int


def _mark(ctx: Context, change: ChangeSet) -> None:
    """The change is undone; changes that an undo had taken back are applied again where the undo is undone."""
    moved = ctx.session.execute(
        update(ChangeSet)
        .where(ChangeSet.id == change.id, ChangeSet.status == "applied")
        .values(status="undone")
        .execution_options(synchronize_session="fetch")
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(f"'{change.title}' was undone by somebody else just now.")
    if taken := taken_back_by(change):
        _stands_again(ctx, taken)


def _stands_again(ctx: Context, numbers: list[int]) -> None:
    """Changes whose undo was undone are applied again, and what they had taken back themselves is undone again."""
    for change in ctx.session.scalars(select(ChangeSet).where(ChangeSet.id.in_(numbers), ChangeSet.status == "undone")):
        change.status = "applied"
        for other in ctx.session.scalars(select(ChangeSet).where(ChangeSet.id.in_(taken_back_by(change)), ChangeSet.status == "applied")):
            other.status = "undone"
            _stands_again(ctx, taken_back_by(other))
    ctx.session.flush()


def taken_back_by(change: ChangeSet) -> list[int]:
    """The numbers of the changes that a change takes back, with all or one of its steps."""
    steps = change.arguments.get("steps") or [{"capability": change.capability, "arguments": change.arguments}]
    return [number for step in steps if step["capability"] == "undo_change" for number in step["arguments"]["change_set_ids"]]


def _what_happened(ctx: Context, change_set_id: int) -> dict[tuple[str, int], _Taken]:
    """By record, in the order of first touch, what the events of a change set did."""
    found: dict[tuple[str, int], _Taken] = {}
    for item in ctx.session.scalars(select(Event).where(Event.change_set_id == change_set_id).order_by(Event.id)):
        taken = found.setdefault((item.noun, item.record_id), _Taken(item.noun, item.record_id))
        taken.created = taken.created or item.kind == "created"
        taken.last_event = item.id
        for name, (old, new) in item.changes.items():
            if name in _PARTS or item.noun not in NOUNS:
                taken.parts.append((name, old, new))
            elif name in taken.fields:
                taken.fields[name][1] = new
            else:
                taken.fields[name] = [old, new]
    if not found:
        raise Invalid("Nothing is on record of what this change did, so it cannot be undone here.")
    return found


def _take_back(ctx: Context, taken: _Taken, known: _Known, *, partly: bool) -> tuple[list[str], bool]:
    """Take back what happened to one record: what stands in the way, in words, and whether anything was taken back.

    Where anything stands in the way, the record stays as it is, unless ``partly``.
    """
    if taken.noun == "word":
        clashes = take_back_word(ctx, taken.record_id, {name: (old, new) for name, old, new in taken.parts})
        return clashes, not clashes
    if taken.noun not in NOUNS:
        return [f"a {taken.noun}, which has no undo"], False
    try:
        record = load(ctx, NOUNS[taken.noun], taken.record_id, archived=True)
    except NotFound:
        return [f"a {taken.noun} that you cannot see"], False
    _require_take_back(ctx, taken, record)
    if taken.created:
        return _take_back_new(ctx, taken, known, record)
    return _take_back_changes(ctx, taken, record, partly=partly)


def _require_take_back(ctx: Context, taken: _Taken, record: Noun) -> None:
    """Raise ``NotAllowed`` unless the caller may change the record, or might before the change gave it to somebody else."""
    given = taken.fields.get("owner_id")
    if given is None or may_change(ctx, record) or _value_of(record, "owner_id") != given[1]:
        return require_change(ctx, record)
    with ctx.session.no_autoflush:
        record.owner_id = given[0]  # type: ignore[attr-defined]
        try:
            require_change(ctx, record)
        finally:
            record.owner_id = given[1]  # type: ignore[attr-defined]
    return None


def _label(record: Noun) -> str:
    return str(getattr(record, "name", None) or getattr(record, "subject", None) or f"{record.__noun__} {record.id}")


def _take_back_new(ctx: Context, taken: _Taken, known: _Known, record: Noun) -> tuple[list[str], bool]:
    """Archive what was created, unless somebody changed it since; an undo and its undo leave it as it was made."""
    later = ctx.session.scalars(
        select(Event).where(Event.noun == taken.noun, Event.record_id == record.id, Event.id > taken.last_event).order_by(Event.id.desc())
    ).all()
    ours = (item.change_set_id in known.changes or item.id > known.last_event for item in later)
    if any(set(item.changes) != {"archived_at"} and not mine for item, mine in zip(later, ours, strict=True)):
        return [f"{_label(record)}, which {user_name(ctx, later[0].actor_id) or 'somebody'} changed after it was created"], False
    if isinstance(record, User):
        keep_an_admin(ctx, record)
    if record.archived_at is None:
        record.archived_at = record.updated_at = ctx.now
        ctx.session.flush()
    if isinstance(record, User):
        touch_access(ctx)
    return [], True


def _take_back_changes(ctx: Context, taken: _Taken, record: Noun, *, partly: bool) -> tuple[list[str], bool]:
    """Give each field the value it had, and each part; those that changed since stay, and are told."""
    clashes = {name: _clash(ctx, record, name, new) for name, (_old, new) in taken.fields.items() if _value_of(record, name) != new}
    parts = [(name, old, new, _PARTS[name](ctx, record, old, new, dry=True)) for name, old, new in reversed(taken.parts)]
    told = [*clashes.values(), *(missing for *_part, missing in parts if missing)]
    if told and not partly:
        return told, False
    restored = [name for name in taken.fields if name not in clashes]
    for name in restored:
        _restore(record, name, taken.fields[name][0])
    if restored:
        record.updated_at = ctx.now
        ctx.session.flush()
    for name, old, new, missing in parts:
        if not missing:
            _PARTS[name](ctx, record, old, new, dry=False)
    if isinstance(record, User):
        touch_access(ctx)
    return told, bool(restored) or any(not missing for *_part, missing in parts)


def _clash(ctx: Context, record: Noun, name: str, ours: Any) -> str:
    """Who changed a field since, and to what: "the amount of Globex renewal ($45,000 since Priya changed it)"."""
    latest = next(
        (
            item
            for item in ctx.session.scalars(
                select(Event).where(Event.noun == record.__noun__, Event.record_id == record.id).order_by(Event.id.desc()).limit(50)
            )
            if name in item.changes
        ),
        None,
    )
    who = user_name(ctx, latest.actor_id) if latest is not None else None
    currency = record.currency if isinstance(record, Deal) else None
    now, then = (shown_value(ctx, name, value, currency) for value in (_value_of(record, name), ours))
    return f"the {title_of(name)} of {_label(record)} ({then} then, {now} now{f', by {who}' if who else ''})"


def _value_of(record: Noun, name: str) -> Any:
    """A field's value in the form in which events keep it."""
    if name.startswith("custom."):
        return record.custom.get(name.removeprefix("custom."))
    return json_value(getattr(record, name))


def _restore(record: Noun, name: str, old: Any) -> None:
    """Give a field the value that an event kept."""
    if name.startswith("custom."):
        key = name.removeprefix("custom.")
        record.custom = {**{other: value for other, value in record.custom.items() if other != key}, **({key: old} if old is not None else {})}
        return
    kind = inspect(type(record)).columns[name].type
    if isinstance(old, str) and isinstance(kind, UtcDateTime):
        old = datetime.fromisoformat(old)
    elif isinstance(old, str) and isinstance(kind, Date):
        old = date.fromisoformat(old)
    setattr(record, name, old)


# --- Parts of records: people and products in deals, prices, words ---------------------------------------

Part = Callable[..., str]


def _remove(ctx: Context, record: Noun, part: Any) -> None:
    """Take a part out of its record."""
    ctx.session.delete(part)
    ctx.session.flush()
    ctx.session.expire(record, ["contact_roles", "line_items"] if isinstance(record, Deal) else ["prices"])


def _undo_role(ctx: Context, record: Noun, old: Any, new: Any, *, dry: bool) -> str:
    assert isinstance(record, Deal)
    given, taken = (new, None) if new else (None, old)
    held = next(
        (item for item in record.contact_roles if given and (item.contact_id, item.role) == (given["contact_id"], given["role"])),
        None,
    )
    if given and held is None:
        return f"a part in {record.name} that is gone already"
    if dry:
        return ""
    if held is not None:
        _remove(ctx, record, held)
    elif taken:
        record.contact_roles.append(DealContact(contact_id=taken["contact_id"], role=taken["role"]))
    note_change(ctx, record, {"contact_roles": [new, old]})
    return ""


def _undo_line(ctx: Context, record: Noun, old: Any, new: Any, *, dry: bool) -> str:
    assert isinstance(record, Deal)
    told = new or old
    if not isinstance(told, dict):
        return f"a product of {record.name}, added before undo was kept"
    wanted = (told["product_id"], told["quantity"], told["unit_price_minor"])
    held = next((item for item in record.line_items if new and (item.product_id, item.quantity, item.unit_price_minor) == wanted), None)
    if new and held is None:
        return f"a product of {record.name} that is gone already"
    if dry:
        return ""
    if held is not None:
        _remove(ctx, record, held)
    else:
        product = load(ctx, Product, told["product_id"], archived=True)
        total = told["unit_price_minor"] * told["quantity"]
        record.line_items.append(
            LineItem(product_id=product.id, product=product, quantity=told["quantity"], unit_price_minor=told["unit_price_minor"], total_minor=total)
        )
    note_change(ctx, record, {"line_items": [new, old]})
    return ""


def _undo_price(ctx: Context, record: Noun, old: Any, new: Any, *, dry: bool) -> str:
    assert isinstance(record, Product)
    told = new or old
    if not isinstance(told, dict):
        return f"a price of {record.name}, set before undo was kept"
    day = date.fromisoformat(told["valid_from"])
    held = next((item for item in record.prices if item.currency == told["currency"] and item.valid_from == day), None)
    if (held.amount_minor if held is not None else None) != (new["amount_minor"] if new else None):
        return f"the price of {record.name} from {day.isoformat()}"
    if dry:
        return ""
    if held is not None and old:
        held.amount_minor = old["amount_minor"]
    elif held is not None:
        _remove(ctx, record, held)
    else:
        record.prices.append(Price(currency=told["currency"], amount_minor=told["amount_minor"], valid_from=day))
    note_change(ctx, record, {"price": [new, old]})
    return ""


_PARTS: dict[str, Part] = {"contact_roles": _undo_role, "line_items": _undo_line, "price": _undo_price}
