"""Deals, tickets, activities and products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, exists, or_

from crm_core.context import Context
from crm_core.metrics.conversion import home_amount
from crm_core.metrics.fields.columns import (
    ASSIGNEE_WORDS,
    AUTHOR_WORDS,
    CREATED_WORDS,
    OWNER_WORDS,
    choice,
    company_fields,
    company_join,
    days_in_stage,
    days_since,
    last_activity,
    owner_fields,
    owner_joins,
    plain,
    ref,
    stage_since,
    times_slipped,
)
from crm_core.metrics.fields.shape import Field, Join, Kind, Shape
from crm_core.models import Activity, ActivityParticipant, Contact, Deal, DealContact, LineItem, Pipeline, Product, Stage, Ticket


def _deal_products(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return exists().where(LineItem.deal_id == Deal.id, LineItem.product_id.in_(values))


def _deal_contacts(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return exists().where(DealContact.deal_id == Deal.id, DealContact.contact_id.in_(values))


_DEAL_FIELDS = [
    plain("id", Kind.number, Deal.id, (), "number"),
    plain("name", Kind.text, Deal.name, ("name", "called", "named")),
    *company_fields(Deal.company_id),
    *owner_fields(Deal.owner_id, "owner", OWNER_WORDS),
    ref("pipeline", Deal.pipeline_id, Pipeline.name, "pipeline", "pipeline", ("pipeline", "sales process", "funnel")),
    ref("stage", Deal.stage_id, Stage.name, "stage", "stage", ("stage", "phase", "step", "pipeline stage")),
    choice("status", Deal.status, choices=("open", "won", "lost"), synonyms=("status", "state")),
    Field(
        "amount", "amount", Kind.money, lambda ctx: home_amount(ctx, Deal.amount_minor), synonyms=("amount", "value", "worth", "size", "deal size")
    ),
    choice("currency", Deal.currency, synonyms=("currency",)),
    plain(
        "expected_close",
        Kind.day,
        Deal.expected_close_on,
        ("close", "closing", "closes", "expected close", "close date", "due", "expected to close", "expected"),
        "expected close",
    ),
    plain("closed", Kind.instant, Deal.closed_at, ("closed", "closed on", "signed", "won on", "lost on")),
    plain("created", Kind.instant, Deal.created_at, CREATED_WORDS),
    choice(
        "forecast_category",
        Deal.forecast_category,
        picklist=("deal", "forecast_category"),
        synonyms=("forecast category", "forecast", "forecast bucket", "category"),
    ),
    choice("source", Deal.source, picklist=("deal", "source"), synonyms=("source", "lead source", "channel", "origin")),
    choice(
        "loss_reason",
        Deal.loss_reason,
        picklist=("deal", "loss_reason"),
        synonyms=("loss reason", "lost reason", "reason", "reason for loss", "why lost"),
    ),
    plain("next_step", Kind.text, Deal.next_step, ("next step", "next action")),
    Field("product", "product", Kind.ref, None, None, (), ("product", "sku", "item"), "product", _deal_products),
    Field("contact", "contact", Kind.ref, None, None, (), ("contact",), "contact", _deal_contacts),
    Field("age", "age", Kind.number, days_since(Deal.created_at), unit="days", synonyms=("age", "old")),
    Field("slips", "times slipped", Kind.number, times_slipped(), synonyms=("times slipped", "slips", "pushes", "push count", "slip count")),
    Field("days_in_stage", "days in stage", Kind.number, days_in_stage(), unit="days", synonyms=("days in stage", "days in the stage", "stage age")),
    Field("stage_since", "in this stage since", Kind.instant, stage_since, synonyms=("in stage since", "in this stage since", "stage since")),
    Field(
        "last_activity",
        "last activity",
        Kind.instant,
        last_activity(Deal, Activity.deal_id),
        synonyms=("last activity", "last contact", "last touched", "activity", "touched", "contacted", "heard"),
    ),
]


DEAL_JOINS = (
    company_join(Deal.company_id)
    | owner_joins(Deal.owner_id)
    | {"pipeline": Join(Pipeline, Deal.pipeline_id == Pipeline.id), "stage": Join(Stage, Deal.stage_id == Stage.id)}
)


DEAL_SHAPE = Shape(
    "deal",
    Deal,
    Deal,
    DEAL_JOINS,
    {item.name: item for item in _DEAL_FIELDS},
    "deal",
    "deals",
    ("deal", "opportunity", "oppty", "opp", "sale"),
    columns=("name", "company", "stage", "amount", "expected_close", "owner"),
    order=("amount", True),
    time="expected_close",
)


TICKET_SHAPE = Shape(
    "ticket",
    Ticket,
    Ticket,
    {**owner_joins(Ticket.owner_id), **company_join(Ticket.company_id), "contact": Join(Contact, Ticket.contact_id == Contact.id)},
    {
        item.name: item
        for item in [
            plain("id", Kind.number, Ticket.id, (), "number"),
            plain("subject", Kind.text, Ticket.subject, ("subject", "about", "name")),
            choice("status", Ticket.status, picklist=("ticket", "status"), synonyms=("status", "state")),
            choice("priority", Ticket.priority, picklist=("ticket", "priority"), synonyms=("priority", "urgency", "severity")),
            choice("category", Ticket.category, picklist=("ticket", "category"), synonyms=("category", "type", "topic", "kind", "ticket category")),
            *company_fields(Ticket.company_id),
            ref("contact", Ticket.contact_id, Contact.name, "contact", "contact", ("contact", "requester", "reporter")),
            *owner_fields(Ticket.owner_id, "assignee", ASSIGNEE_WORDS),
            plain("created", Kind.instant, Ticket.created_at, (*CREATED_WORDS, "raised", "reported", "filed", "received")),
            plain("resolved", Kind.instant, Ticket.resolved_at, ("resolved", "solved", "closed", "fixed")),
            plain("first_response", Kind.instant, Ticket.first_response_at, ("first response", "answered"), "first response"),
            Field("age", "age", Kind.number, days_since(Ticket.created_at), unit="days", synonyms=("age", "old")),
        ]
    },
    "ticket",
    "tickets",
    ("ticket", "case", "support case", "support ticket", "issue", "service case", "support request", "customer request"),
    columns=("subject", "company", "status", "priority", "owner", "created"),
    order=("created", True),
)


def _activity_contacts(_ctx: Context, values: Sequence[Any]) -> ColumnElement[bool]:
    return or_(
        Activity.contact_id.in_(values),
        exists().where(ActivityParticipant.activity_id == Activity.id, ActivityParticipant.contact_id.in_(values)),
    )


ACTIVITY_SHAPE = Shape(
    "activity",
    Activity,
    Activity,
    {
        **owner_joins(Activity.owner_id),
        **company_join(Activity.company_id),
        "contact": Join(Contact, Activity.contact_id == Contact.id),
        "deal": Join(Deal, Activity.deal_id == Deal.id),
    },
    {
        item.name: item
        for item in [
            plain("id", Kind.number, Activity.id, (), "number"),
            choice(
                "kind",
                Activity.kind,
                choices=("call", "email", "meeting", "note", "task"),
                synonyms=("kind", "type", "activity type", "activity kind"),
            ),
            plain("subject", Kind.text, Activity.subject, ("subject", "about", "name")),
            choice("direction", Activity.direction, choices=("inbound", "outbound"), synonyms=("direction",)),
            choice("outcome", Activity.outcome, picklist=("activity", "outcome"), synonyms=("outcome", "result")),
            *company_fields(Activity.company_id),
            replace(ref("contact", Activity.contact_id, Contact.name, "contact", "contact", ("contact",)), members=_activity_contacts),
            ref("deal", Activity.deal_id, Deal.name, "deal", "deal", ("deal", "opportunity")),
            *owner_fields(Activity.owner_id, "owner", AUTHOR_WORDS),
            plain(
                "occurred",
                Kind.instant,
                Activity.occurred_at,
                ("occurred", "held", "made", "logged", "happened", "sent", "took place", "had", "did", "done"),
            ),
            plain("due", Kind.day, Activity.due_on, ("due", "due date", "deadline")),
            plain("completed", Kind.instant, Activity.completed_at, ("completed", "done", "finished")),
            plain("duration", Kind.number, Activity.duration_minutes, ("duration", "length", "minutes")),
        ]
    },
    "activity",
    "activities",
    ("activity", "interaction", "conversation", "discussion", "touch", "touchpoint", "engagement"),
    columns=("occurred", "kind", "subject", "company", "contact", "owner"),
    order=("occurred", True),
    time="occurred",
)


PRODUCT_SHAPE = Shape(
    "product",
    Product,
    Product,
    {},
    {
        item.name: item
        for item in [
            plain("id", Kind.number, Product.id, (), "number"),
            plain("name", Kind.text, Product.name, ("name",)),
            plain("code", Kind.text, Product.code, ("code", "sku")),
            choice("family", Product.family, synonyms=("family", "product family", "product line", "series")),
            plain("active", Kind.boolean, Product.active, ("active",)),
            plain("created", Kind.instant, Product.created_at, ("created", "added")),
        ]
    },
    "product",
    "products",
    ("product", "sku", "item in the catalogue"),
    columns=("name", "code", "family"),
)
