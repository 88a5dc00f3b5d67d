"""Activities: log what happened, plan tasks, complete them, and read a record's timeline."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from crm_core.access import visible
from crm_core.context import Context
from crm_core.errors import Invalid
from crm_core.models import (
    Activity,
    ActivityParticipant,
    Deal,
    Event,
    Ticket,
)
from crm_core.services.history import describe_changes, user_name
from crm_core.services.records import (
    Args,
    Body,
    Name,
    RecordRef,
    Short,
    Versioned,
    View,
    change,
    check_references,
    create,
    load,
    load_for_change,
    model_of,
    set_fields,
    shown_name,
    view_of,
)


class ActivityView(View):
    """An interaction or a task."""

    kind: str
    subject: str
    body: str
    direction: str | None
    outcome: str | None
    occurred_at: datetime
    duration_minutes: int | None
    due_on: date | None
    completed_at: datetime | None
    owner_id: int | None
    owner: str | None
    company_id: int | None
    company: str | None
    contact_id: int | None
    contact: str | None
    deal_id: int | None
    deal: str | None
    ticket_id: int | None
    lead_id: int | None
    participant_ids: list[int]


class _Links(Args):
    company_id: int | None = Field(default=None, description="Number of the company.")
    contact_id: int | None = Field(default=None, description="Number of the main contact.")
    deal_id: int | None = Field(default=None, description="Number of the deal.")
    lead_id: int | None = Field(default=None, description="Number of the lead.")
    ticket_id: int | None = Field(default=None, description="Number of the ticket.")
    custom: dict[str, object] | None = Field(default=None, description="Custom fields by key.")


class LogActivity(_Links):
    """Something that happened."""

    kind: Literal["call", "email", "meeting", "note"] = Field(description="What it was.")
    subject: Name = Field(description="What it was about, in a line.")
    body: Body = Field(default="", description="What was said.")
    direction: Literal["inbound", "outbound"] | None = Field(default=None, description="Who began it.")
    outcome: Short | None = Field(default=None, description="One of the company's outcomes.")
    occurred_at: AwareDatetime | None = Field(default=None, description="When, with zone; now where left out.")
    duration_minutes: int | None = Field(default=None, ge=0, le=10_000, description="Length in minutes.")
    participant_ids: Annotated[list[int], Field(max_length=100)] = Field(
        default_factory=list, description="Numbers of further contacts who took part."
    )


class AddTask(_Links):
    """Something to do."""

    subject: Name = Field(description="What is to be done.")
    body: Body = Field(default="", description="Details.")
    due_on: date | None = Field(default=None, description="Day it is due.")
    owner_id: int | None = Field(default=None, description="Who does it; the caller where left out.")


class UpdateActivity(_Links, Versioned):
    """Fields of an activity to change."""

    subject: Name | None = Field(default=None, description="What it was about.")
    body: Body | None = Field(default=None, description="What was said.")
    outcome: Short | None = Field(default=None, description="One of the company's outcomes.")
    due_on: date | None = Field(default=None, description="Day a task is due.")


class GetActivity(Args):
    """Which activity."""

    id: int = Field(description="Number of the activity.")


class CompleteTask(Versioned):
    """Which task is done."""

    outcome: Short | None = Field(default=None, description="One of the company's outcomes.")


class Timeline(RecordRef):
    """Whose timeline."""

    limit: int = Field(default=30, ge=1, le=200, description="Newest entries to show.")


class TimelineEntry(BaseModel):
    """One thing that happened around a record. ``noun`` and ``id`` say where to open it."""

    at: datetime
    kind: str
    title: str
    detail: str = ""
    who: str | None = None
    noun: str
    id: int


class TimelineView(BaseModel):
    """Newest first, with how many activities there are in all."""

    entries: list[TimelineEntry]
    total_activities: int


def activity_view(ctx: Context, record: Activity) -> ActivityView:
    """The activity as doors show it."""
    return view_of(
        ctx,
        ActivityView,
        record,
        owner=shown_name(ctx, record.owner),
        company=shown_name(ctx, record.company),
        contact=shown_name(ctx, record.contact),
        deal=shown_name(ctx, record.deal),
        participant_ids=[item.contact_id for item in record.participants if item.contact_id],
    )


def log_activity(ctx: Context, args: LogActivity) -> ActivityView:
    """Log a call, e-mail, meeting or note that took place. Refused for a time in the future."""
    if args.occurred_at is not None and args.occurred_at > ctx.now:
        raise Invalid(f"{args.occurred_at:%Y-%m-%d %H:%M} is still to come; add a task or log it afterwards.")
    values = set_fields(args, "participant_ids")
    _fill_links(ctx, values)
    values["occurred_at"] = args.occurred_at or ctx.now
    record = create(ctx, Activity, values, args.custom)
    for contact_id in dict.fromkeys(args.participant_ids):
        check_references(ctx, {"contact_id": contact_id})
        record.participants.append(ActivityParticipant(contact_id=contact_id))
    ctx.session.flush()
    return activity_view(ctx, record)


def add_task(ctx: Context, args: AddTask) -> ActivityView:
    """Add a task for oneself or a colleague."""
    values = set_fields(args)
    _fill_links(ctx, values)
    values |= {"kind": "task", "occurred_at": ctx.now}
    return activity_view(ctx, create(ctx, Activity, values, args.custom, for_others=True))


def get_activity(ctx: Context, args: GetActivity) -> ActivityView:
    """Read an activity."""
    return activity_view(ctx, load(ctx, Activity, args.id))


def update_activity(ctx: Context, args: UpdateActivity) -> ActivityView:
    """Correct an activity."""
    record = load_for_change(ctx, Activity, args)
    values = set_fields(args)
    check_references(ctx, values)
    return activity_view(ctx, change(ctx, record, values, args.custom))


def complete_task(ctx: Context, args: CompleteTask) -> ActivityView:
    """Mark a task done now. Refused for anything but an open task."""
    record = load_for_change(ctx, Activity, args)
    if record.kind != "task":
        raise Invalid(f"'{record.subject}' is a {record.kind}, not a task; there is nothing to complete.")
    if record.completed_at is not None:
        raise Invalid(f"'{record.subject}' was completed already.")
    values: dict[str, object] = {"completed_at": ctx.now, "occurred_at": ctx.now}
    if args.outcome:
        values["outcome"] = args.outcome
    return activity_view(ctx, change(ctx, record, values))


def _fill_links(ctx: Context, values: dict[str, object]) -> None:
    """Check the links and fill the company from the deal or contact where it was left out."""
    check_references(ctx, values)
    if values.get("company_id"):
        return
    for name in ("deal_id", "contact_id", "ticket_id"):
        if values.get(name):
            record = load(ctx, model_of(name.removesuffix("_id")), int(str(values[name])))
            company_id = getattr(record, "company_id", None)
            if company_id is not None:
                values["company_id"] = company_id
                return


def timeline(ctx: Context, args: Timeline) -> TimelineView:
    """What happened around a record, newest first: activities, tickets, stage moves and other changes."""
    record = load(ctx, model_of(args.noun), args.id, archived=True)
    entries = [*_activity_entries(ctx, args), *_ticket_entries(ctx, args), *_event_entries(ctx, record.__noun__, record.id, args)]
    entries.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
    return TimelineView(entries=entries[: args.limit], total_activities=_count_activities(ctx, args))


def _link(args: Timeline) -> ColumnElement[bool]:
    column = getattr(Activity, f"{args.noun}_id", None)
    if column is None:
        return Activity.id == args.id if args.noun == "activity" else Activity.id.is_(None)
    if args.noun == "contact":
        return or_(column == args.id, exists().where(ActivityParticipant.activity_id == Activity.id, ActivityParticipant.contact_id == args.id))
    matches: ColumnElement[bool] = column == args.id
    return matches


def _activity_entries(ctx: Context, args: Timeline) -> list[TimelineEntry]:
    query = (
        select(Activity)
        .where(_link(args), visible(ctx, Activity), Activity.archived_at.is_(None))
        .order_by(Activity.occurred_at.desc(), Activity.id.desc())
        .limit(args.limit)
    )
    return [
        TimelineEntry(
            at=item.occurred_at.astimezone(ctx.zone),
            kind=item.kind,
            title=item.subject,
            detail=item.body[:400],
            who=shown_name(ctx, item.owner),
            noun="activity",
            id=item.id,
        )
        for item in ctx.session.scalars(query)
    ]


def _count_activities(ctx: Context, args: Timeline) -> int:
    query = select(func.count()).select_from(Activity)
    return ctx.session.scalar(query.where(_link(args), visible(ctx, Activity), Activity.archived_at.is_(None))) or 0


def _ticket_entries(ctx: Context, args: Timeline) -> list[TimelineEntry]:
    column = getattr(Ticket, f"{args.noun}_id", None)
    if column is None:
        return []
    query = select(Ticket).where(column == args.id, visible(ctx, Ticket), Ticket.archived_at.is_(None))
    return [
        TimelineEntry(
            at=item.created_at.astimezone(ctx.zone),
            kind="ticket",
            title=item.subject,
            detail=item.status,
            who=shown_name(ctx, item.owner),
            noun="ticket",
            id=item.id,
        )
        for item in ctx.session.scalars(query.order_by(Ticket.created_at.desc()).limit(args.limit))
    ]


def _event_entries(ctx: Context, noun: str, record_id: int, args: Timeline) -> list[TimelineEntry]:
    """Events of the record itself, and of its deals where it is a company."""
    wanted: ColumnElement[bool] = and_(Event.noun == noun, Event.record_id == record_id)
    if noun == "company":
        deals = select(Deal.id).where(Deal.company_id == record_id, visible(ctx, Deal))
        wanted = or_(wanted, and_(Event.noun == "deal", Event.record_id.in_(deals)))
    query = select(Event).where(wanted).order_by(Event.id.desc()).limit(args.limit)
    return [_event_entry(ctx, item) for item in ctx.session.scalars(query)]


def _event_entry(ctx: Context, item: Event) -> TimelineEntry:
    return TimelineEntry(
        at=item.at.astimezone(ctx.zone),
        kind=item.kind,
        title=f"{item.noun} {item.kind}",
        detail=describe_changes(ctx, item),
        who=user_name(ctx, item.actor_id),
        noun=item.noun,
        id=item.record_id,
    )
