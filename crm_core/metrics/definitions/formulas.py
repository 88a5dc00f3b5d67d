"""Formulas that many metrics share: sums in SQL, and what finishes them in decimal arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func

from crm_core.context import Context
from crm_core.database import seconds_between
from crm_core.metrics.conversion import home_amount
from crm_core.metrics.definitions.declaration import Parts, Sql
from crm_core.models import Deal


def value_of(name: str = "value") -> Callable[[Parts], Decimal | None]:
    """The part of that name as it is; nothing counts as 0."""
    return lambda parts: Decimal(int(parts[name] or 0))


def ratio(top: str, bottom: str, scale: int = 1) -> Callable[[Parts], Decimal | None]:
    """``top / bottom * scale``, or None where nothing was counted below."""

    def finish(parts: Parts) -> Decimal | None:
        below = int(parts[bottom] or 0)
        return Decimal(int(parts[top] or 0)) * scale / below if below else None

    return finish


def mean_time(unit_seconds: int) -> Callable[[Parts], Decimal | None]:
    """Mean of summed seconds over a count, in days or hours."""

    def finish(parts: Parts) -> Decimal | None:
        count = int(parts["count"] or 0)
        return Decimal(int(parts["seconds"] or 0)) / count / unit_seconds if count else None

    return finish


def median_time(unit_seconds: int) -> Callable[[Parts], Decimal | None]:
    """Median seconds, found by the compiler, in days or hours."""

    def finish(parts: Parts) -> Decimal | None:
        if not parts["count"]:
            return None
        return Decimal(int(parts["seconds"])) / int(parts["count"]) / unit_seconds

    return finish


#: Seconds.
DAY, HOUR = 86_400, 3_600


def amount(ctx: Context) -> ColumnElement[Any]:
    """Sum of the deals' amounts, in minor units of the home currency."""
    return func.sum(home_amount(ctx, Deal.amount_minor))


def count_all(_ctx: Context) -> ColumnElement[Any]:
    """Number of rows."""
    return func.count()


def count_if(condition: ColumnElement[bool]) -> Sql:
    """Number of rows for which the condition holds."""
    return lambda _ctx: func.sum(case((condition, 1), else_=0))


def amount_if(condition: ColumnElement[bool]) -> Sql:
    """Sum of the amounts of the deals for which the condition holds."""
    return lambda ctx: func.sum(case((condition, home_amount(ctx, Deal.amount_minor)), else_=0))


def elapsed(start: Any, end: Any) -> Sql:
    """Seconds between two moments of one row, for a median."""
    return lambda _ctx: seconds_between(start, end)


def sum_elapsed(start: Any, end: Any) -> Sql:
    """Seconds between two moments, summed over the rows."""
    return lambda _ctx: func.sum(seconds_between(start, end))


def only(*conditions: ColumnElement[bool]) -> Callable[[Context], list[ColumnElement[bool]]]:
    """Conditions of belonging that do not depend on who asks."""
    return lambda _ctx: list(conditions)


IS_OPEN, IS_WON, IS_LOST = Deal.status == "open", Deal.status == "won", Deal.status == "lost"
IS_CLOSED = Deal.status.in_(("won", "lost"))


def until_now(ctx: Context, instant: datetime) -> datetime:
    """The instant, or now where it lies ahead."""
    return min(instant, ctx.now)
