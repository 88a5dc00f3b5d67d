"""Tickets: how many, how fast, how old."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal, or_

from crm_core.context import Context
from crm_core.database import seconds_between
from crm_core.metrics.definitions.declaration import Composite, Metric, Span, Unit
from crm_core.metrics.definitions.formulas import (
    DAY,
    HOUR,
    count_all,
    mean_time,
    only,
    sum_elapsed,
    until_now,
    value_of,
)
from crm_core.models import Ticket


def _open_at(model: Any, closed: Any) -> Span:
    """Rows that existed and were not closed at the period's end (or now)."""

    def clauses(ctx: Context, _start: datetime, end: datetime) -> list[ColumnElement[bool]]:
        instant = until_now(ctx, end)
        return [model.created_at < instant, or_(closed.is_(None), closed >= instant)]

    return clauses


def _backlog_parts(ctx: Context, _start: datetime, end: datetime) -> dict[str, ColumnElement[Any]]:
    age = seconds_between(Ticket.created_at, literal(until_now(ctx, end), Ticket.created_at.type))
    return {"seconds": func.sum(age), "count": func.count()}


TICKETS_METRICS: tuple[Metric | Composite, ...] = (
    Metric(
        "tickets_opened",
        "tickets opened",
        "Number of tickets opened in the period.",
        Unit.count,
        "ticket",
        value_of(),
        {"value": count_all},
        when="created",
        synonyms=(
            "tickets opened",
            "new tickets",
            "tickets created",
            "tickets raised",
            "opened tickets",
            "ticket volume",
            "incoming tickets",
            "tickets filed",
            "tickets received",
        ),
        additive=True,
        rows="ticket",
        counted="tickets opened",
    ),
    Metric(
        "open_tickets",
        "open tickets",
        "Number of tickets that were not resolved at the end of the period, or now.",
        Unit.count,
        "ticket",
        value_of(),
        {"value": count_all},
        span=_open_at(Ticket, Ticket.resolved_at),
        synonyms=(
            "open tickets",
            "unresolved tickets",
            "ticket backlog",
            "backlog",
            "tickets still open",
            "outstanding tickets",
            "pending tickets",
            "tickets open",
        ),
        additive=True,
        higher_is_better=False,
        rows="ticket",
        counted="open tickets",
    ),
    Metric(
        "tickets_resolved",
        "tickets resolved",
        "Number of tickets resolved in the period.",
        Unit.count,
        "ticket",
        value_of(),
        {"value": count_all},
        only(Ticket.resolved_at.is_not(None)),
        "resolved",
        synonyms=(
            "tickets resolved",
            "resolved tickets",
            "tickets closed",
            "closed tickets",
            "solved tickets",
            "tickets solved",
            "tickets fixed",
        ),
        additive=True,
        rows="ticket",
        counted="tickets resolved",
    ),
    Metric(
        "first_response_time",
        "first response time",
        "Mean hours from a ticket's opening to the first response, over tickets opened in the period that were answered.",
        Unit.hours,
        "ticket",
        mean_time(HOUR),
        {"seconds": sum_elapsed(Ticket.created_at, Ticket.first_response_at), "count": count_all},
        only(Ticket.first_response_at.is_not(None)),
        "created",
        synonyms=(
            "first response time",
            "frt",
            "time to first response",
            "first reply time",
            "ticket response time",
            "response time",
            "support response time",
            "response time on tickets",
        ),
        higher_is_better=False,
        rows="ticket",
    ),
    Metric(
        "resolution_time",
        "resolution time",
        "Mean hours from a ticket's opening to its resolution, over tickets resolved in the period.",
        Unit.hours,
        "ticket",
        mean_time(HOUR),
        {"seconds": sum_elapsed(Ticket.created_at, Ticket.resolved_at), "count": count_all},
        only(Ticket.resolved_at.is_not(None)),
        "resolved",
        synonyms=(
            "resolution time",
            "time to resolution",
            "time to resolve",
            "mean time to resolve",
            "mttr",
            "average resolution time",
            "time to resolve tickets",
            "ticket resolution time",
            "handling time",
            "time to solve",
        ),
        higher_is_better=False,
        rows="ticket",
    ),
    Metric(
        "backlog_age",
        "backlog age",
        "Mean age in days of the tickets that were open at the end of the period, or now.",
        Unit.days,
        "ticket",
        mean_time(DAY),
        span=_open_at(Ticket, Ticket.resolved_at),
        span_parts=_backlog_parts,
        synonyms=("backlog age", "age of the backlog", "age of open tickets", "ticket age", "average age of open tickets"),
        higher_is_better=False,
        rows="ticket",
    ),
)
